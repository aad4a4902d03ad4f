#ifndef BUS_RETENTION_H
#define BUS_RETENTION_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct redis;

/* Letting go of incidents that are over: typed call of functions_retention.lua. */
enum forget_answer {
	FORGET_DONE,
	FORGET_UNKNOWN, /* there is none (any more) */
	FORGET_OPEN,	/* or closing, held, failed */
	FORGET_HOLDS,	/* a host is contained for it */
	FORGET_BUSY,	/* it was changed, or is in somebody's hands, or is too young */
};

struct forget {
	unsigned partition;
	const char *incident; /* id */
	const char *customer;
	const char *group_key;	     /* whole key */
	const char *const *machines; /* that it may hold */
	size_t machine_count;
	uint64_t changed_ms; /* of the copy that was made of it: newer is BUSY */
	uint64_t age_ms;     /* unchanged for so long, by Redis's clock */
};

/* The incident with its inbox, findings and timeline, and all that leads to it, in one step. */
bool incident_forget(struct redis *redis, const struct forget *forget,
		     enum forget_answer *ret_answer, struct err *err);

#endif
