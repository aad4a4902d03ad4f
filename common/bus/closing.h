#ifndef BUS_CLOSING_H
#define BUS_CLOSING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/field.h"
#include "bus/settle.h"

struct redis;

/*
 * Closing in Redis: how what somebody says reaches the incident it is about, and how many hosts
 * are let go without being asked about. Keys, all in the partition:
 *
 *	open			sorted set: ids of incidents that the reconciler looks after
 *	waits:<sys_id>		set: ids of incidents whose hosts wait for the end of this
 *ticket releases:<customer>	sorted set: who let hosts go lately
 *	asks:<customer>		hash: who may not before a person has confirmed it
 */
#define KEY_OPEN "open"

enum closing_take {
	CLOSING_TAKEN,
	CLOSING_NOT_OURS, /* the entry was settled before, or is another's now */
	CLOSING_UNKNOWN,  /* no such incident; the entry is as it was */
};

struct closing_item {
	const char *incident; /* id */
	const char *item;     /* for its inbox */
	const char *entry_id; /* of the stream closures, settled with it; NULL: there is none */
	/* Of an incident to be made when there is none of that id; NULL: make none. */
	const struct field *fields;
	size_t field_count;
};

/* In one step: into the inbox, wake-up, watched, settled. from is of the closures stream, its
 * output the actions stream. */
bool closing_take(struct redis *redis, const struct settle_from *from, unsigned partition,
		  const struct closing_item *item, enum closing_take *ret_take,
		  struct err *err);

struct closing_gate {
	const char *customer;
	const char *incident;
	const char *words; /* for the person who is asked */
	uint64_t window_ms;
	unsigned limit;
};

/* Whether the incident may let hosts go, counting it. *ret_asked: otherwise how many wait for
 * the confirmation with it; 1: it is the first. Asked again it answers the same. */
bool closing_gate_pass(struct redis *redis, unsigned partition, const struct closing_gate *gate,
		       bool *ret_passed, uint64_t *ret_asked, struct err *err);

#endif
