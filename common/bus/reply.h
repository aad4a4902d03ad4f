#ifndef BUS_REPLY_H
#define BUS_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What Redis answered. Nothing about its shape is trusted: every accessor takes NULL, a short
 * array or the wrong type and gives an empty answer instead. Parts are borrowed from the whole;
 * only the whole is freed.
 */
struct redis_reply;

enum reply_type {
	REPLY_NIL,
	REPLY_TEXT,
	REPLY_STATUS,
	REPLY_ERROR,
	REPLY_INTEGER,
	REPLY_ARRAY
};

void reply_free(struct redis_reply *reply); /* NULL is fine */

enum reply_type reply_type(const struct redis_reply *reply); /* NULL is REPLY_NIL */
/* Text, status and error: NUL-terminated, may hold NULs of its own. Anything else is "". */
const char *reply_text(const struct redis_reply *reply);
size_t reply_size(const struct redis_reply *reply);
/* An integer, or text that is one from end to end; 0 for all else. */
int64_t reply_integer(const struct redis_reply *reply);
/* The same, false when it is neither; ret_value may be left unset. */
bool reply_number(const struct redis_reply *reply, int64_t *ret_value);
size_t reply_count(const struct redis_reply *reply); /* of an array; 0 for all else */
const struct redis_reply *reply_at(const struct redis_reply *reply, size_t index); /* or NULL */
/* The value after name in a flat list of names and values (HGETALL); NULL when there is none.
 */
const struct redis_reply *reply_find(const struct redis_reply *reply, const char *name);

/* For tests and fuzzing: the first whole reply in bytes; NULL when there is none. Caller frees.
 */
struct redis_reply *reply_parse(const char *bytes, size_t size);

#endif
