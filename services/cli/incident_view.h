#ifndef CLI_INCIDENT_VIEW_H
#define CLI_INCIDENT_VIEW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct redis;

/* One incident as JSON, for incident list, incident show and trace. */

/* The state of one in shadow mode: nothing goes on outside. */
#define INCIDENT_SHADOW "shadow"

/* {id, customer, partition, state, severity, title, host, number, ...}; with whole also its
 * steps, timeline and findings. NULL with *ret_found false when Redis has none of that id, NULL
 * with err (permanent when it cannot be decoded). */
json_t *incident_view(struct redis *redis, unsigned partition, const char *id, bool whole,
		      bool *ret_found, struct err *err);

/* "ticket INC0010001 is being created": one line about where a step stands. Text is owned by
 * the caller. */
char *incident_step_words(const json_t *step, uint64_t now_ms);

#endif
