/*
 * snow_query: encoded queries, "active=true^priorityIN1,2^ORDERBYDESCsys_created_on". What is
 * dangerous about the real ones is kept: a part with an unknown field or operator is ignored,
 * and a query of nothing but such parts finds everything.
 */
#include "snow_query.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/buf.h"
#include "snow_table.h"

enum op {
	OP_EQUAL,
	OP_UNEQUAL,
	OP_LESS,
	OP_LESS_EQUAL,
	OP_GREATER,
	OP_GREATER_EQUAL,
	OP_LIKE,
	OP_NOT_LIKE,
	OP_STARTS,
	OP_ENDS,
	OP_IN,
	OP_NOT_IN,
	OP_EMPTY,
	OP_NOT_EMPTY,
};

/* Longer names first where one begins another. */
static const struct {
	const char *name;
	enum op op;
} operators[] = {
	{ "!=", OP_UNEQUAL },
	{ "<=", OP_LESS_EQUAL },
	{ ">=", OP_GREATER_EQUAL },
	{ "=", OP_EQUAL },
	{ "<", OP_LESS },
	{ ">", OP_GREATER },
	{ "NOT IN", OP_NOT_IN },
	{ "NOT LIKE", OP_NOT_LIKE },
	{ "NOTLIKE", OP_NOT_LIKE },
	{ "LIKE", OP_LIKE },
	{ "STARTSWITH", OP_STARTS },
	{ "ENDSWITH", OP_ENDS },
	{ "ISNOTEMPTY", OP_NOT_EMPTY },
	{ "ISEMPTY", OP_EMPTY },
	{ "IN", OP_IN },
};

static bool field_known(const struct snow_tables *tables, const struct snow_table *table,
			const char *field)
{
	const struct snow_table *at = table;

	for (;;) {
		size_t size = strcspn(field, ".");
		char name[128];

		if (!at || size == 0 || size >= sizeof(name))
			return false;
		memcpy(name, field, size);
		name[size] = '\0';
		int column = snow_column_find(at, name);

		if (column == SNOW_NO_COLUMN)
			return false;
		if (!field[size])
			return true;
		const char *reference = at->column[column].reference;

		at = reference ? snow_table_find(tables, reference) : NULL;
		field += size + 1;
	}
}

/* "ORDERBYnumber", "ORDERBYDESCnumber": true when part is one. */
static bool parse_order(const struct snow_tables *tables, const struct snow_table *table,
			const char *part, struct snow_query *query)
{
	if (strncmp(part, "ORDERBY", 7) != 0)
		return false;
	bool down = strncmp(part + 7, "DESC", 4) == 0;
	const char *field = part + (down ? 11 : 7);

	if (!field_known(tables, table, field) || query->orders == SNOW_ORDERS_MAX) {
		query->invalid = true;
	} else {
		query->order[query->orders].field = field;
		query->order[query->orders++].down = down;
	}
	return true;
}

static bool parse_condition(struct arena *arena, const struct snow_tables *tables,
			    const struct snow_table *table, const char *part,
			    struct snow_condition *condition)
{
	size_t size = strspn(part, "abcdefghijklmnopqrstuvwxyz0123456789_.");

	condition->field = arena_strndup(arena, part, size);
	if (!field_known(tables, table, condition->field))
		return false;
	part += size;
	for (size_t i = 0; i < sizeof(operators) / sizeof(*operators); i++) {
		size_t name_size = strlen(operators[i].name);

		if (strncmp(part, operators[i].name, name_size) == 0) {
			condition->op = operators[i].op;
			condition->value = part + name_size;
			return strncmp(condition->value, "javascript:", 11) != 0;
		}
	}
	return false;
}

static void parse_part(struct arena *arena, const struct snow_tables *tables,
		       const struct snow_table *table, const char *part,
		       struct snow_query *query)
{
	struct snow_condition *condition = &query->condition[query->conditions];

	if (!*part || strcmp(part, "EQ") == 0 || parse_order(tables, table, part, query))
		return;
	if (query->conditions == SNOW_CONDITIONS_MAX) {
		query->invalid = true;
		return;
	}
	*condition = (struct snow_condition){ 0 };
	if (strncmp(part, "OR", 2) == 0) {
		condition->or_before = true;
		part += 2;
	} else if (strncmp(part, "NQ", 2) == 0) {
		condition->new_before = true;
		part += 2;
	}
	if (parse_condition(arena, tables, table, part, condition))
		query->conditions++;
	else
		query->invalid = true;
}

void snow_query_parse(struct arena *arena, const struct snow_tables *tables,
		      const struct snow_table *table, const char *text,
		      struct snow_query *ret_query)
{
	while (*text) {
		size_t size = strcspn(text, "^");

		parse_part(arena, tables, table, arena_strndup(arena, text, size), ret_query);
		text += size;
		text += *text == '^';
	}
}

void snow_query_add_equal(const struct snow_tables *tables, const struct snow_table *table,
			  const char *field, const char *value, struct snow_query *query)
{
	if (!field_known(tables, table, field) || query->conditions == SNOW_CONDITIONS_MAX) {
		query->invalid = true;
		return;
	}
	query->condition[query->conditions++] =
	    (struct snow_condition){ .field = field, .op = OP_EQUAL, .value = value };
}

static int compare_text(const char *a, const char *b)
{
	char *end_a, *end_b;
	double number_a = strtod(a, &end_a), number_b = strtod(b, &end_b);

	if (*a && *b && !*end_a && !*end_b)
		return (number_a > number_b) - (number_a < number_b);
	return strcasecmp(a, b);
}

static bool in_list(const char *list, const char *value)
{
	size_t value_size = strlen(value);

	for (;;) {
		size_t size = strcspn(list, ",");

		if (size == value_size && strncasecmp(list, value, size) == 0)
			return true;
		if (!list[size])
			return false;
		list += size + 1;
	}
}

static bool ends_with(const char *text, const char *end)
{
	size_t size = strlen(text), end_size = strlen(end);

	return size >= end_size && strcasecmp(text + size - end_size, end) == 0;
}

static bool condition_hit(const struct snow_tables *tables, const struct snow_row *row,
			  const struct snow_condition *condition)
{
	const struct snow_row *at;
	int column;
	const char *text = snow_row_path(tables, row, condition->field, &at, &column);
	const char *value = condition->value;

	text = text ? text : "";
	switch ((enum op)condition->op) {
	case OP_EQUAL:
		return strcasecmp(text, value) == 0;
	case OP_UNEQUAL:
		return strcasecmp(text, value) != 0;
	case OP_LESS:
		return *text && compare_text(text, value) < 0;
	case OP_LESS_EQUAL:
		return *text && compare_text(text, value) <= 0;
	case OP_GREATER:
		return *text && compare_text(text, value) > 0;
	case OP_GREATER_EQUAL:
		return *text && compare_text(text, value) >= 0;
	case OP_LIKE:
		return strcasestr(text, value) != NULL;
	case OP_NOT_LIKE:
		return strcasestr(text, value) == NULL;
	case OP_STARTS:
		return strncasecmp(text, value, strlen(value)) == 0;
	case OP_ENDS:
		return ends_with(text, value);
	case OP_IN:
		return in_list(value, text);
	case OP_NOT_IN:
		return !in_list(value, text);
	case OP_EMPTY:
		return !*text;
	case OP_NOT_EMPTY:
		return *text != '\0';
	}
	return false;
}

static bool row_hit(const struct snow_tables *tables, const struct snow_row *row,
		    const struct snow_query *query)
{
	bool set = true, group = true;

	for (unsigned i = 0; i < query->conditions; i++) {
		const struct snow_condition *condition = &query->condition[i];

		if (condition->new_before && i > 0) {
			if (set && group)
				return true;
			set = group = true;
		}
		if (condition->or_before && i > 0) {
			group = group || condition_hit(tables, row, condition);
		} else {
			set = set && group;
			group = set && condition_hit(tables, row, condition);
		}
	}
	return set && group;
}

/* The one condition that an index can answer and that every row has to meet; NULL for none. */
static const struct snow_condition *indexed_condition(const struct snow_table *table,
						      const struct snow_query *query)
{
	const struct snow_condition *found = NULL;

	for (unsigned i = 0; i < query->conditions; i++) {
		const struct snow_condition *condition = &query->condition[i];
		bool alone = i + 1 == query->conditions || !query->condition[i + 1].or_before;
		int column = snow_column_find(table, condition->field);

		if (condition->new_before && i > 0)
			return NULL;
		if (alone && !condition->or_before && column != SNOW_NO_COLUMN &&
		    table->column[column].index && *condition->value &&
		    (condition->op == OP_EQUAL || condition->op == OP_IN))
			found = condition;
	}
	return found;
}

struct hits {
	struct arena *arena;
	struct snow_row **row;
	size_t count, room;
};

static void add_hit(struct hits *hits, struct snow_row *row)
{
	if (hits->count == hits->room) {
		size_t room = hits->room ? hits->room * 2 : 32;
		struct snow_row **grown = arena_alloc(hits->arena, room * sizeof(*grown));

		if (hits->count)
			memcpy(grown, hits->row, hits->count * sizeof(*grown));
		hits->row = grown;
		hits->room = room;
	}
	hits->row[hits->count++] = row;
}

static void run_indexed(const struct snow_tables *tables, const struct snow_table *table,
			const struct snow_query *query, const struct snow_condition *by,
			struct hits *hits)
{
	struct index *index = table->column[snow_column_find(table, by->field)].index;
	const char *at = by->value;

	for (;;) {
		size_t size = by->op == OP_IN ? strcspn(at, ",") : strlen(at);
		char *key = arena_strndup(hits->arena, at, size);
		size_t first = hits->count;

		for (char *c = key; *c; c++)
			*c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
		for (struct index_entry *entry = index_next(index, key, NULL); entry;
		     entry = index_next(index, key, entry)) {
			if (row_hit(tables, entry->value, query))
				add_hit(hits, entry->value);
		}
		for (size_t low = first, high = hits->count; low + 1 < high; low++) {
			struct snow_row *keep = hits->row[low]; /* oldest first */

			hits->row[low] = hits->row[--high];
			hits->row[high] = keep;
		}
		if (!at[size])
			return;
		at += size + 1;
	}
}

struct ordering {
	const struct snow_tables *tables;
	const struct snow_query *query;
};

static int compare_rows(const void *a, const void *b, void *opaque)
{
	const struct ordering *ordering = opaque;
	const struct snow_row *at;
	int column;

	for (unsigned i = 0; i < ordering->query->orders; i++) {
		const char *field = ordering->query->order[i].field;
		const char *text_a = snow_row_path(
		    ordering->tables, *(struct snow_row *const *)a, field, &at, &column);
		const char *text_b = snow_row_path(
		    ordering->tables, *(struct snow_row *const *)b, field, &at, &column);
		int order = strcmp(text_a ? text_a : "", text_b ? text_b : "");

		if (order != 0)
			return ordering->query->order[i].down ? -order : order;
	}
	return 0;
}

struct snow_row **snow_query_run(struct arena *arena, const struct snow_tables *tables,
				 const struct snow_table *table, const struct snow_query *query,
				 size_t *ret_count)
{
	const struct snow_condition *by = indexed_condition(table, query);
	struct hits hits = { .arena = arena };
	struct ordering ordering = { tables, query };

	if (by)
		run_indexed(tables, table, query, by, &hits);
	for (size_t i = 0; !by && i < table->rows; i++) {
		struct snow_row *row = table->row[i];

		if (!row->deleted && row_hit(tables, row, query))
			add_hit(&hits, row);
	}
	if (query->orders > 0 && hits.count > 1)
		qsort_r(hits.row, hits.count, sizeof(*hits.row), compare_rows, &ordering);
	*ret_count = hits.count;
	return hits.row;
}
