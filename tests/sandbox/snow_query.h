#ifndef SANDBOX_SNOW_QUERY_H
#define SANDBOX_SNOW_QUERY_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct snow_row;
struct snow_table;
struct snow_tables;

enum { SNOW_CONDITIONS_MAX = 128, SNOW_ORDERS_MAX = 8 };

struct snow_condition {
	const char *field;
	int op;
	const char *value;
	bool or_before;	 /* an alternative of the one before */
	bool new_before; /* ^NQ: a new set of conditions */
};

/* An encoded query. Parts that make no sense are left out, as ServiceNow does. */
struct snow_query {
	struct snow_condition condition[SNOW_CONDITIONS_MAX];
	unsigned conditions;
	struct {
		const char *field;
		bool down;
	} order[SNOW_ORDERS_MAX];
	unsigned orders;
	bool invalid; /* something was left out */
};

void snow_query_parse(struct arena *arena, const struct snow_tables *tables,
		      const struct snow_table *table, const char *text,
		      struct snow_query *ret_query);
/* One more "field=value"; left out when the table has no such field. */
void snow_query_add_equal(const struct snow_tables *tables, const struct snow_table *table,
			  const char *field, const char *value, struct snow_query *query);
/* The rows it finds, in order, in the arena. */
struct snow_row **snow_query_run(struct arena *arena, const struct snow_tables *tables,
				 const struct snow_table *table, const struct snow_query *query,
				 size_t *ret_count);

#endif
