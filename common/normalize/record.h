#ifndef NORMALIZE_RECORD_H
#define NORMALIZE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct json_node;

/*
 * Taking values out of a vendor's record. What is taken is marked `used`; what has the wrong
 * type or form is left alone, so that it shows up under unmapped. Objects may be NULL. Texts
 * are borrowed from the record unless the name says that they are changed.
 */

/* NULL when missing, empty or no text. */
const char *record_text(struct json_node *object, const char *name);
/* Does not mark. */
const char *record_peek_text(const struct json_node *object, const char *name);
bool record_int(struct json_node *object, const char *name, int64_t *ret_number);
/* A text, or a whole number of any size as text. */
const char *record_id(struct json_node *object, const char *name);
/* Wall time in ms of an RFC 3339 text, or of a number of seconds; 0 when it is neither. */
uint64_t record_time(struct json_node *object, const char *name);
/* Of a text only. */
uint64_t record_date(struct json_node *object, const char *name);

/* Hex of a digest of size bytes, lower case. */
const char *record_hash(struct json_node *object, const char *name, unsigned bytes,
			struct arena *arena);
/* Without port, zone or brackets. */
const char *record_ip(struct json_node *object, const char *name);
/* Six pairs with ':' or '-'. */
const char *record_mac(struct json_node *object, const char *name);

#endif
