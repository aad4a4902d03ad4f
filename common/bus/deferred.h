#ifndef BUS_DEFERRED_H
#define BUS_DEFERRED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/field.h"

struct arena;
struct redis;

/* Work put off, of one partition: a sorted set by due time. */
struct deferred {
	const char *stream; /* "raw" */
	const char *id;	    /* of the entry it was */
	const char *reason;
	uint64_t due_ms, first_ms, put_off_ms; /* wall time, Redis's clock */
	unsigned attempt;
	bool counted;
	const struct field *fields;
	size_t field_count;
};

/* At most count (100) of them by due time, from rank offset on, in arena. */
bool deferred_list(struct redis *redis, unsigned partition, size_t offset, size_t count,
		   struct arena *arena, struct deferred *ret_list, size_t *ret_count,
		   struct err *err);
bool deferred_count(struct redis *redis, unsigned partition, size_t *ret_count,
		    struct err *err);

/* Moves what is due back to its stream, of the given streams ("raw", ...) only. *cursor starts
 * at 0 and is kept between calls: what other processes must wake is stepped over. */
bool deferred_wake(struct redis *redis, unsigned partition, const char *const *streams,
		   size_t stream_count, size_t max, size_t *cursor, size_t *ret_woken,
		   struct err *err);

/* Makes everything due whose reason starts with prefix ("account:acme.servicenow"; "" is all).
 */
bool deferred_wake_matching(struct redis *redis, unsigned partition, const char *prefix,
			    size_t *ret_count, struct err *err);
/* What waits for an account, in all partitions. */
bool deferred_wake_account(struct redis *redis, unsigned partitions, const char *account,
			   size_t *ret_count, struct err *err);

#endif
