#ifndef SANDBOX_SERVER_H
#define SANDBOX_SERVER_H

#include <stdint.h>

struct err;
struct sandbox;
struct server;

struct server_options {
	const char *address; /* numeric, IPv4 */
	uint16_t port;	     /* 0: any */
	unsigned threads;
	unsigned connections;
};

/* Listens and serves on its own threads. NULL with err filled. */
struct server *server_start(struct sandbox *sandbox, const struct server_options *options,
			    struct err *err);
uint16_t server_port(const struct server *server);
/* The timer must have been stopped before, so that no call waits. NULL is fine. */
void server_stop(struct server *server);

#endif
