#ifndef MODEL_RULES_LIST_H
#define MODEL_RULES_LIST_H

#include <stddef.h>

#include "model/rules.h"

/* What the parts of model/rules share. */
struct rules {
	struct rule *items;
	size_t count;
};

/* A list ended by NULL, and what it holds; NULL is fine. */
void rule_list_free(char **list);

/* Fills line and when_at of the rules of a file that is known to be right JSON. */
void rules_place(struct rule *items, size_t count, const char *text, size_t size);

#endif
