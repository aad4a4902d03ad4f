#ifndef CALLBACK_APP_H
#define CALLBACK_APP_H

#include <stdint.h>

#include "auth.h"
#include "bus/bus.h"
#include "net/httpd.h"

struct committer;
struct credentials_book;
struct link_keys;
struct rates;
struct throttle;
struct vault;

/* What the requests' handlers share: their state is this. Borrowed from main(), immutable but
 * for what locks itself. */
struct app {
	const struct bus_settings *times;
	const char *installation;
	const char *public_url;		   /* without a slash at its end; NULL: not known */
	const struct vault *vault;	   /* the callback's own key: seals, hashes */
	const struct link_keys *link_keys; /* public ones; NULL: links are not served */
	struct auth auth;
	struct credentials_book *credentials;
	struct committer *committer;
	struct rates *rates;
	struct throttle *throttle;
	unsigned events_per_minute; /* of a customer that says nothing else */
};

/* All requests that are served (routes.c). */
extern const struct httpd_route app_routes[];

#endif
