#ifndef CLI_INCIDENT_VIEW_H
#define CLI_INCIDENT_VIEW_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct redis;

/* Incidents as JSON, for incident list, incident show and trace. */

/* {id, customer, partition, state, severity, title, host, number, ...}; with whole also its
 * steps, timeline and findings. NULL with *ret_found false when Redis has none of that id, NULL
 * with err (permanent when it cannot be decoded). */
json_t *incident_view(struct redis *redis, unsigned partition, const char *id, bool whole,
		      bool *ret_found, struct err *err);

/* Which ones a list wants; NULL members want all. */
struct incident_filter {
	const char *customer;
	const char *state;
	const char *number; /* of the ticket */
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

/* "ticket INC0010001 is being created": one line about where a step stands. Text is owned by
 * the caller. */
char *incident_step_words(const json_t *step, uint64_t now_ms);

#endif
