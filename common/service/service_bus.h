#ifndef SERVICE_SERVICE_BUS_H
#define SERVICE_SERVICE_BUS_H

struct bus;
struct service;

/* The process is ready and alive as its bus is, and a signal stops it. Before bus_start(). */
void service_keep_bus(struct service *service, struct bus *bus);

#endif
