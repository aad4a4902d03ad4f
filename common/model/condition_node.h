#ifndef MODEL_CONDITION_NODE_H
#define MODEL_CONDITION_NODE_H

#include <stddef.h>

#include "model/condition.h"
#include "model/json_tree.h"

/* What condition_parse.c makes and condition.c runs. */

enum condition_kind {
	OPAQUE, /* only jq knows */
	DOT,
	LITERAL,
	FIELD, /* of left, by the literal's text */
	ITEM,  /* of left, by index */
	PIPE,
	ALTERNATIVE, /* left // right */
	OR,
	AND,
	EQUAL,
	NOT_EQUAL,
	LESS,
	LESS_EQUAL,
	GREATER,
	GREATER_EQUAL,
	/* Functions of `.`, those from INDEX on of right as well. */
	NOT,
	LENGTH,
	ASCII_DOWNCASE,
	INDEX,
	CONTAINS,
	STARTSWITH,
	ENDSWITH,
};

struct condition {
	enum condition_kind kind;
	const struct condition *left, *right;
	struct json_node literal;
	size_t index;
};

/* So many digits are exact in jq's numbers, whatever they are compared with. */
enum { CONDITION_DIGITS_MAX = 15 };

#endif
