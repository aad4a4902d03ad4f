/* A process whose work comes out of streams. */
#include "service/service_bus.h"

#include "bus/bus.h"
#include "service/service.h"

static bool ready(void *bus, char *ret_text)
{
	return bus_ready(bus, ret_text);
}

static bool alive(void *bus, char *ret_text)
{
	return !bus_stuck(bus, ret_text);
}

static void stop(void *bus)
{
	bus_stop(bus);
}

void service_keep_bus(struct service *service, struct bus *bus)
{
	service_add_ready(service, "bus", ready, bus);
	service_add_alive(service, "bus", alive, bus);
	service_on_stop(service, stop, bus);
}
