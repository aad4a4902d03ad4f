#ifndef MODEL_JSON_TREE_H
#define MODEL_JSON_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct arena;

/*
 * Reading a vendor's JSON in the one place where its cost counts. Measured on events of 2.3 KB:
 * jansson takes 45 us to parse one and this 3, where all else that a normalizer does to an
 * event takes 13. Besides, numbers stay as they were written, so that no 64-bit id is rounded
 * or refused. It accepts what jansson accepts and reads it the same, which tests/fuzz compares;
 * the exceptions are the bounds below, numbers too large for jansson, a bare NUL, which is
 * never the end, and U+0000, which becomes U+FFFD so that every text is a C string. Of members
 * with one name the last counts.
 */
enum json_kind {
	JSON_NODE_NULL,
	JSON_NODE_BOOL,
	JSON_NODE_NUMBER,
	JSON_NODE_TEXT,
	JSON_NODE_ARRAY,
	JSON_NODE_OBJECT
};

struct json_node {
	enum json_kind kind;
	bool truth;	  /* BOOL */
	bool used;	  /* for the reader: not touched here */
	const char *name; /* of a member of an object, NUL-terminated; else NULL */
	size_t name_size;
	const char *text; /* TEXT: decoded; NUMBER: as written; NUL-terminated */
	size_t size;	  /* of text; ARRAY, OBJECT: how many children */
	struct json_node *first, *next;
};

enum { JSON_TREE_DEPTH_MAX = 64, JSON_TREE_NODES_MAX = 50000, JSON_TREE_MEMBERS_MAX = 1000 };

/* Everything lives in the arena. NULL with err (permanent: what and at which byte) when it is
 * not one JSON value. */
struct json_node *json_tree_parse(const char *text, size_t size, struct arena *arena,
				  struct err *err);

/* NULL when object is NULL, no object, or has no such member. */
struct json_node *json_tree_get(const struct json_node *object, const char *name);
/* Whether all of text is well-formed UTF-8. */
bool json_tree_is_utf8(const char *text);
/* A whole number that fits; 1.0 and 1e3 count as whole. */
bool json_tree_int(const struct json_node *node, int64_t *ret_number);

#endif
