#ifndef BUS_REDIS_URL_H
#define BUS_REDIS_URL_H

#include <stdbool.h>

#include "base/err.h"

/* Private to the bus: where a Redis is. */
struct redis_url {
	char host[256]; /* "" with a socket */
	char path[108]; /* of a socket; "" with a host */
	unsigned port;
	unsigned db;
	bool tls;
};

/* redis://host[:port][/db], rediss://..., unix:/path[?db=n]; an IPv6 address in brackets. */
bool redis_url_parse(const char *text, struct redis_url *ret_url, struct err *err);

#endif
