#ifndef BUS_PAGE_H
#define BUS_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/field.h"
#include "bus/key.h"

struct lease;
struct redis;

/*
 * How events come in. Events, their fates and the cursor that says "seen up to here" are
 * written together or not at all. From 80 % of Redis's maxmemory both calls refuse
 * (REDIS_FULL): what drains needs the rest.
 */
struct page_event {
	const char *fate_key; /* NULL (append only): not de-duplicated */
	const struct field *fields;
	size_t field_count;
};

struct page_result {
	size_t fresh;
	size_t duplicate;
};

struct page {
	const struct page_event *events;
	size_t event_count;
	bool last;		    /* the cursor moves with the end of this page */
	const struct field *cursor; /* fields to set; used when last */
	size_t cursor_count;
	uint64_t fate_ttl_ms;
	const char
	    *fresh_counter; /* field of cursor that grows by one with each new event; NULL */
	bool *ret_fresh;    /* one per event: was it new; NULL: not asked */
};

/* Appends to stream what has no fate yet, in chunks of at most 100 events or 256 KiB, each
 * checked against the lease's token; only the last moves the cursor. False with redis_error()
 * STALE (stop polling this source), FULL, NOSTREAM; repeating the whole page is harmless. */
bool page_commit(struct redis *redis, const struct lease *lease, const struct key *cursor,
		 const struct key *stream, const struct page *page,
		 struct page_result *ret_result, struct err *err);

/* Without a lease, for what is pushed to us. */
enum append_answer {
	APPEND_ADDED,
	APPEND_REPLAYED,  /* its nonce was taken before, for the same thing: nothing is added */
	APPEND_DUPLICATE, /* has a fate */
	APPEND_CONFLICT	  /* its nonce was taken before, for something else */
};

/* A nonce (a webhook id, a link's id) is taken together with what is appended, and remembers
 * what for: so a sender who lost our answer may repeat, and nobody else can use it. */
struct append_item {
	struct page_event event;
	const char *nonce_key;	 /* NULL: none */
	const char *nonce_value; /* what it was taken for: a digest, an id; at most 64 bytes;
				  * NULL: "" */
	uint64_t nonce_ttl_ms; /* 0: only look; an item after it in the same request takes it */
};

/* How much one call takes: 256 items, 512 KiB. Zeroed before the first item; false when the
 * item needs another call. The first always fits. */
struct append_room {
	size_t items, bytes, args;
};
bool append_room_take(struct append_room *room, const struct append_item *item);

/* In one call what fits in one, else in several: then what was added before one failed is
 * found by its fate when all of it is repeated. */
bool page_append(struct redis *redis, const struct key *stream, const struct append_item *items,
		 size_t count, uint64_t fate_ttl_ms, enum append_answer *ret_answers,
		 struct err *err);

/* What was decided without an incident, to be decided anew: appended only while its fate is
 * still the one that was seen, in one step with the fate "queued". *ret_taken: how many. */
struct again_item {
	struct page_event event; /* with its fate's key */
	const char *fate;
};

bool page_append_again(struct redis *redis, const struct key *stream,
		       const struct again_item *items, size_t count, uint64_t fate_ttl_ms,
		       size_t *ret_taken, struct err *err);

#endif
