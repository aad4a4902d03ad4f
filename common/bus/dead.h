#ifndef BUS_DEAD_H
#define BUS_DEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/field.h"

struct arena;
struct redis;

/* What can never succeed, of one partition. Nothing leaves it except by these calls. */
struct dead {
	const char *id;	    /* in the dead stream */
	const char *stream; /* where it came from, "raw" */
	const char *entry;  /* its id there */
	const char *reason;
	uint64_t first_ms;
	unsigned attempts, deliveries;
	const char *fate_key;	    /* "" when it has none */
	const struct field *fields; /* as they were */
	size_t field_count;
};

bool dead_count(struct redis *redis, unsigned partition, size_t *ret_count, struct err *err);
/* Oldest first, after the id `after` ("" for the start), at most count (100). */
bool dead_list(struct redis *redis, unsigned partition, const char *after, size_t count,
	       struct arena *arena, struct dead *ret_list, size_t *ret_count, struct err *err);
bool dead_show(struct redis *redis, unsigned partition, const char *id, struct arena *arena,
	       struct dead *ret_dead, bool *ret_found, struct err *err);

/* Back to the stream it came from, as new: its age starts again, its fate is `queued`. */
bool dead_replay(struct redis *redis, unsigned partition, const char *id, uint64_t fate_ttl_ms,
		 bool *ret_found, struct err *err);
bool dead_drop(struct redis *redis, unsigned partition, const char *id, bool *ret_found,
	       struct err *err);

#endif
