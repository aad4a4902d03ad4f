/* Runs conditions. A value is a node, NULL when only jq knows it: also when jq would raise an
 * error, so that it raises it itself. */
#include "model/condition.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "condition_node.h"

static const struct json_node null_value = { .kind = JSON_NODE_NULL };
static const struct json_node false_value = { .kind = JSON_NODE_BOOL };
static const struct json_node true_value = { .kind = JSON_NODE_BOOL, .truth = true };

static const struct json_node *truth(bool is)
{
	return is ? &true_value : &false_value;
}

static bool is_true(const struct json_node *value)
{
	return value->kind == JSON_NODE_BOOL ? value->truth : value->kind != JSON_NODE_NULL;
}

/* ---- paths ---- */

static const struct json_node *field(const struct json_node *value, const char *name)
{
	const struct json_node *member;

	if (value && value->kind == JSON_NODE_NULL)
		return value;
	if (!value || value->kind != JSON_NODE_OBJECT)
		return NULL;
	member = json_tree_get(value, name);
	return member ? member : &null_value;
}

static const struct json_node *item(const struct json_node *value, size_t index)
{
	if (value && value->kind == JSON_NODE_NULL)
		return value;
	if (!value || value->kind != JSON_NODE_ARRAY)
		return NULL;
	for (value = value->first; value && index > 0; value = value->next)
		index--;
	return value ? value : &null_value;
}

/* ---- comparing ---- */

/* Only of numbers that are the same in everybody's arithmetic. */
static bool read_number(const struct json_node *value, int64_t *ret_number)
{
	size_t sign = value->text[0] == '-', digits = strspn(value->text + sign, "0123456789");

	if (digits > CONDITION_DIGITS_MAX || value->text[sign + digits] != '\0')
		return false;
	*ret_number = strtoll(value->text, NULL, 10);
	return true;
}

/* jq's order: null, false, true, numbers, texts, lists, objects. */
static int rank(const struct json_node *value)
{
	static const int ranks[] = {
		[JSON_NODE_NULL] = 0, [JSON_NODE_BOOL] = 1,  [JSON_NODE_NUMBER] = 3,
		[JSON_NODE_TEXT] = 4, [JSON_NODE_ARRAY] = 5, [JSON_NODE_OBJECT] = 6,
	};

	return ranks[value->kind] + (value->kind == JSON_NODE_BOOL && value->truth);
}

static int sign_of(int64_t number)
{
	return (number > 0) - (number < 0);
}

/* False when it cannot be told. */
static bool compare(const struct json_node *left, const struct json_node *right, int *ret_order)
{
	size_t least = left->size < right->size ? left->size : right->size;
	int64_t numbers[2];

	/* A number that jq reads as text is one that is not read here. */
	if ((left->kind == JSON_NODE_NUMBER && !read_number(left, &numbers[0])) ||
	    (right->kind == JSON_NODE_NUMBER && !read_number(right, &numbers[1])))
		return false;
	*ret_order = rank(left) - rank(right);
	if (*ret_order != 0 || left->kind == JSON_NODE_NULL || left->kind == JSON_NODE_BOOL)
		return true;
	if (left->kind == JSON_NODE_NUMBER) {
		*ret_order = sign_of(numbers[0] - numbers[1]);
		return true;
	}
	if (left->kind != JSON_NODE_TEXT)
		return false;
	*ret_order = memcmp(left->text, right->text, least);
	if (*ret_order == 0)
		*ret_order = sign_of((int64_t)left->size - (int64_t)right->size);
	return true;
}

static const struct json_node *compared(enum condition_kind kind, const struct json_node *left,
					const struct json_node *right)
{
	int order;

	if (!left || !right || !compare(left, right, &order))
		return NULL;
	switch (kind) {
	case EQUAL:
		return truth(order == 0);
	case NOT_EQUAL:
		return truth(order != 0);
	case LESS:
		return truth(order < 0);
	case LESS_EQUAL:
		return truth(order <= 0);
	case GREATER:
		return truth(order > 0);
	default:
		return truth(order >= 0);
	}
}

/* ---- functions ---- */

static const struct json_node *number(size_t number, struct arena *arena)
{
	struct json_node *node = arena_alloc(arena, sizeof *node);

	node->kind = JSON_NODE_NUMBER;
	node->text = arena_printf(arena, "%zu", number);
	node->size = strlen(node->text);
	return node;
}

static const struct json_node *length(const struct json_node *value, struct arena *arena)
{
	size_t count = 0;

	if (value->kind == JSON_NODE_TEXT) {
		for (const char *at = value->text; *at; at++)
			count += (*at & 0xC0) != 0x80; /* characters, not bytes */
	} else if (value->kind == JSON_NODE_ARRAY) {
		count = value->size;
	} else if (value->kind != JSON_NODE_NULL) {
		return NULL;
	}
	return number(count, arena);
}

static const struct json_node *lower_case(const struct json_node *value, struct arena *arena)
{
	if (value->kind != JSON_NODE_TEXT)
		return NULL;

	struct json_node *node = arena_alloc(arena, sizeof *node);
	char *text = arena_strndup(arena, value->text, value->size);

	for (char *at = text; *at; at++) {
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at - 'A' + 'a');
	}
	*node = (struct json_node){
		.kind = JSON_NODE_TEXT,
		.text = text,
		.size = value->size,
	};
	return node;
}

/* Of a text in a list; in a text it is in bytes or in characters, as the version has it. */
static const struct json_node *index_of(const struct json_node *list,
					const struct json_node *text, struct arena *arena)
{
	size_t index = 0;

	if (list->kind == JSON_NODE_NULL)
		return list;
	if (list->kind != JSON_NODE_ARRAY)
		return NULL;
	for (const struct json_node *at = list->first; at; at = at->next, index++) {
		if (at->kind == JSON_NODE_TEXT && at->size == text->size &&
		    memcmp(at->text, text->text, text->size) == 0)
			return number(index, arena);
		if (at->kind == JSON_NODE_NUMBER && at->size > CONDITION_DIGITS_MAX)
			return NULL; /* which jq may read as text */
	}
	return &null_value;
}

/* Of texts. */
static const struct json_node *call(enum condition_kind kind, const struct json_node *value,
				    const struct json_node *text, struct arena *arena)
{
	if (!text || text->kind != JSON_NODE_TEXT || text->size == 0)
		return NULL;
	if (kind == INDEX)
		return index_of(value, text, arena);
	if (value->kind != JSON_NODE_TEXT)
		return NULL;
	if (kind == CONTAINS)
		return truth(strstr(value->text, text->text) != NULL);
	if (text->size > value->size)
		return &false_value;
	size_t skipped = kind == ENDSWITH ? value->size - text->size : 0;
	return truth(memcmp(value->text + skipped, text->text, text->size) == 0);
}

/* ---- running ---- */

/* As deep as a condition has nodes, which are bounded. */
static const struct json_node *run(const struct condition *condition,
				   const struct json_node *dot, struct arena *arena)
{
	enum condition_kind kind = condition->kind;
	const struct json_node *left = dot;

	if (kind == OPAQUE)
		return NULL;
	if (kind == LITERAL)
		return &condition->literal;
	if (condition->left && !(left = run(condition->left, dot, arena)))
		return NULL;
	switch (kind) {
	case FIELD:
		return field(left, condition->literal.text);
	case ITEM:
		return item(left, condition->index);
	case PIPE:
		return run(condition->right, left, arena);
	case ALTERNATIVE:
		return is_true(left) ? left : run(condition->right, dot, arena);
	case AND:
	case OR:
		if (is_true(left) == (kind == OR))
			return truth(kind == OR);
		left = run(condition->right, dot, arena);
		return left ? truth(is_true(left)) : NULL;
	case NOT:
		return truth(!is_true(left));
	case LENGTH:
		return length(left, arena);
	case ASCII_DOWNCASE:
		return lower_case(left, arena);
	case INDEX:
	case CONTAINS:
	case STARTSWITH:
	case ENDSWITH:
		return call(kind, left, run(condition->right, dot, arena), arena);
	case DOT:
		return dot;
	default:
		return compared(kind, left, run(condition->right, dot, arena));
	}
}

enum condition_answer condition_test(const struct condition *condition,
				     const struct json_node *subject, struct arena *arena)
{
	const struct json_node *value = run(condition, subject, arena);

	return !value ? CONDITION_ASK : is_true(value) ? CONDITION_YES : CONDITION_NO;
}

static bool has_opaque(const struct condition *condition)
{
	return condition && (condition->kind == OPAQUE || has_opaque(condition->left) ||
			     has_opaque(condition->right));
}

/* Whether there is no way around. */
static bool meets_opaque(const struct condition *condition)
{
	if (!condition)
		return false;
	if (condition->kind == OPAQUE || meets_opaque(condition->left))
		return true;
	return condition->kind != AND && condition->kind != OR &&
	       condition->kind != ALTERNATIVE && meets_opaque(condition->right);
}

enum condition_reach condition_reach(const struct condition *condition)
{
	return !has_opaque(condition)	 ? CONDITION_WHOLE
	       : meets_opaque(condition) ? CONDITION_NOT_AT_ALL
					 : CONDITION_IN_PART;
}
