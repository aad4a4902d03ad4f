#ifndef BUS_SETTLE_H
#define BUS_SETTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/field.h"
#include "bus/key.h"
#include "bus/redis.h"

struct redis;

/*
 * How an entry leaves the pending list of its stream. The worker (bus/worker.h) does this for
 * handlers; these are for everyone else and for the worker itself. Each call is one function in
 * Redis, atomic, checked before its first write; repeated after a lost answer it does nothing.
 */
struct settle_from {
	struct key stream; /* read from, with group BUS_GROUP */
	struct key output; /* "" when nothing is published */
	struct key dead;
	struct key deferred;
	char consumer[128];
	uint64_t fate_ttl_ms;
	/* Where fields that are to be kept are, for people to look at: about so many, no longer
	 * than so. "": nowhere. */
	struct key recent;
	unsigned recent_count;
	uint64_t recent_ms;
};

enum { SETTLE_REASON_MAX = 200 };

enum settle_kind { SETTLE_DROP, SETTLE_PUBLISH, SETTLE_BURY };

struct settle_item {
	const char *id;
	enum settle_kind kind;
	const char *fate_key; /* NULL: no fate */
	const char *fate;     /* SETTLE_BURY writes "dead:<id>" instead */
	const char *reason;   /* SETTLE_BURY: for people */
	const struct field
	    *fields; /* SETTLE_PUBLISH: what is appended to output; SETTLE_DROP: kept only */
	size_t field_count;
	bool keep; /* SETTLE_PUBLISH: in recent as well */
};

/* keys of partition; output NULL for a sink. */
void settle_from_init(struct settle_from *ret_from, unsigned partition, const char *stream,
		      const char *output, const char *consumer, uint64_t fate_ttl_ms);

/*
 * Settles entries, in one call per 3,500 arguments or 1 MiB, whichever is first. It is sent in
 * one round trip together with other commands (redis_append); the answers are read in the same
 * order. settle_append() returns how many replies it made, all of which settle_read() reads,
 * also on an error: what was settled before stays settled, repeat the whole. ret_settled[i] is
 * false when entry i was no longer ours (nothing was published for it). NULL: not asked.
 * *ret_error, REDIS_NONE before, is why the first call failed. From 110 % of Redis's maxmemory
 * on calls that publish findings are refused as a whole (REDIS_FULL).
 */
size_t settle_append(struct redis *redis, const struct settle_from *from,
		     const struct settle_item *items, size_t count);
bool settle_read(struct redis *redis, const struct settle_item *items, size_t count,
		 bool *ret_settled, enum redis_error *ret_error, struct err *err);

struct defer_item {
	const char *id;
	uint64_t delay_ms;
	bool counted;	    /* an attempt that failed; else the time put off does not age it */
	const char *reason; /* "account:<id>" is what gate_resume wakes by; at most 200 bytes */
};

/* Out of the pending list, into the deferred set. */
bool settle_defer(struct redis *redis, const struct settle_from *from,
		  const struct defer_item *item, bool *ret_settled, struct err *err);

/* Hands entries back so that anybody may take them at once and the delivery does not count. */
bool settle_release(struct redis *redis, const struct settle_from *from, const char *const *ids,
		    size_t count, struct err *err);

/* Buries a poison entry, whoever holds it, when it was delivered at least `limit` times and has
 * been idle for idle_ms. fate_key may be NULL. */
bool settle_bury(struct redis *redis, const struct settle_from *from, const char *id,
		 const char *fate_key, unsigned limit, uint64_t idle_ms, bool *ret_buried,
		 struct err *err);

/* The sending halves of settle_defer() and settle_release(). */
void settle_append_defer(struct redis *redis, const struct settle_from *from,
			 const struct defer_item *item);
void settle_append_release(struct redis *redis, const struct settle_from *from,
			   const char *const *ids, size_t count);

#endif
