#ifndef BUS_ENTRY_H
#define BUS_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/field.h"

struct arena;
struct redis_reply;

/* One entry of a stream as XREADGROUP, XCLAIM and XRANGE give it. Borrowed from the reply and
 * the arena it was decoded with. The bus's own fields (`first`, `attempt`) are taken out of
 * fields. */
struct entry {
	const char *id; /* "1763749000000-0" */
	const struct field *fields;
	size_t field_count;
	uint64_t first_ms;   /* its age counts from here: first added, plus time spent parked */
	unsigned attempt;    /* how often it was put off as a failed attempt */
	bool woken;	     /* it was in the deferred set before */
	unsigned deliveries; /* 1 the first time; more: workers that died holding it */
};

/* reply is a list of [id, [name, value, ...]]. Entries without a body (trimmed while pending)
 * and of any other shape are left out and counted in ret_gone. Returns how many of at most room
 * were written. */
size_t entry_decode(const struct redis_reply *reply, struct arena *arena,
		    struct entry *ret_entries, size_t room, size_t *ret_gone);

/* The value of a field as text; NULL when there is none or it holds a NUL. */
const char *entry_text(const struct entry *entry, const char *name);

/* Milliseconds of a stream id; 0 when it is none. */
uint64_t entry_id_ms(const char *id);

#endif
