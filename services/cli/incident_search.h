#ifndef CLI_INCIDENT_SEARCH_H
#define CLI_INCIDENT_SEARCH_H

#include <jansson.h>
#include <stddef.h>

#include "base/err.h"

struct redis;

/* Incidents of all partitions, as incident_view.h shows them. */

/* Which ones a list wants; NULL members want all. */
struct incident_filter {
	const char *customer;
	const char *state;
	const char *number; /* of the ticket */
	const char *host;   /* its name, with its domain or without */
	size_t limit;	    /* newest first */
};

/* Array of views without the whole. *ret_total: how many match. */
json_t *incident_search(struct redis *redis, unsigned partitions,
			const struct incident_filter *filter, size_t *ret_total,
			struct err *err);

/* How many there are in each state, {"opening": n, ...}. */
json_t *incident_tally(struct redis *redis, unsigned partitions, struct err *err);

/* The whole view of the one with this id or ticket number. NULL without err when there is none;
 * a number that several instances have given is a permanent error. */
json_t *incident_find(struct redis *redis, unsigned partitions, const char *name,
		      struct err *err);

#endif
