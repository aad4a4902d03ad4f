#ifndef VENDOR_BODY_H
#define VENDOR_BODY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

/* Bodies of answers. Nothing about them is trusted: a member of the wrong type is an absent
 * one.
 */

/* One complete JSON value of at most JSON_SLICE_DEPTH_MAX levels without duplicate members;
 * NULL when it is anything else. Freed with json_decref(). */
json_t *body_parse(const char *text, size_t size);

/* The text of a member, in the arena; "" when it is absent, null or no text. */
const char *body_text(const json_t *object, const char *name, struct arena *arena);
/* Borrowed from object; "" likewise. */
const char *body_peek(const json_t *object, const char *name);
bool body_bool(const json_t *object, const char *name);
uint64_t body_number(const json_t *object, const char *name); /* 0 when absent or negative */

/* Text from outside for an error message: at most room - 1 bytes, cut at a character, control
 * characters and line ends as one blank. */
void body_excerpt(const char *text, char *ret_excerpt, size_t room);

#endif
