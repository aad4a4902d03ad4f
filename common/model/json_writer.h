#ifndef MODEL_JSON_WRITER_H
#define MODEL_JSON_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * Writing JSON straight into a buffer, in the order of the calls, so that the same input always
 * gives the same bytes and no second tree is built. name is the member's name, a literal that
 * needs no escaping; NULL inside an array. Commas are put where they belong. What is absent is
 * not written: a text that is NULL or empty adds nothing.
 */
struct json_node;

/* Where an object or array was begun, to end it or to take it back. */
size_t json_begin(struct buf *out, const char *name, char bracket); /* '{' or '[' */
void json_end(struct buf *out, char bracket);			    /* '}' or ']' */
/* As json_end(), but one that is empty is taken back, name and all; false then. */
bool json_end_unless_empty(struct buf *out, size_t begun, char bracket);
/* Forgets everything written since, an overflow as well. */
void json_rewind(struct buf *out, size_t begun);

void json_put_text(struct buf *out, const char *name, const char *text, size_t size);
void json_put_string(struct buf *out, const char *name, const char *text); /* NUL-terminated */
void json_put_int(struct buf *out, const char *name, int64_t number);
void json_put_bool(struct buf *out, const char *name, bool truth);
/* Valid JSON, as it is. */
void json_put_raw(struct buf *out, const char *name, const char *json, size_t size);

/* node and all below it. A number too large for 64 bits, or for a double, becomes text. */
void json_tree_write(struct buf *out, const char *name, const struct json_node *node);
/* The same without what has `used` set, and without objects and arrays that thus become empty;
 * they stay when they were empty before. */
void json_tree_write_rest(struct buf *out, const char *name, const struct json_node *node);

#endif
