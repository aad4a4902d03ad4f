#ifndef SANDBOX_SNOW_TABLE_H
#define SANDBOX_SNOW_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index.h"
#include "token.h"

enum snow_kind { SNOW_STRING, SNOW_CHOICE, SNOW_DATE, SNOW_REFERENCE, SNOW_JOURNAL };

struct snow_column {
	char *name;
	char *label;
	enum snow_kind kind;
	char *reference;     /* table, SNOW_REFERENCE only; NULL otherwise */
	char *fallback;	     /* value of a new record */
	unsigned max;	     /* characters kept; 0: any */
	struct index *index; /* rows by value; NULL: not indexed */
	bool mandatory;	     /* by the customer's data policy */
};

struct snow_row {
	struct snow_table *table;
	char **value; /* one per column; NULL: the column's fallback */
	unsigned values;
	uint64_t created_ms;
	uint64_t changed_ms;
	bool deleted;
};

struct snow_table {
	char *name;
	char *display; /* column shown for a reference to this table */
	struct snow_column *column;
	unsigned columns;
	struct index by_column; /* name to position + 1 */
	struct snow_row **row;	/* oldest first */
	size_t rows;
};

/* The tables of one instance. A zeroed struct is empty. */
struct snow_tables {
	struct index by_name;
	struct snow_table **table;
	size_t tables;
};

void snow_tables_done(struct snow_tables *tables);
/* NULL when unknown. A class below cmdb_ci is found as cmdb_ci. */
struct snow_table *snow_table_find(const struct snow_tables *tables, const char *name);
/* Makes the table with its sys_ columns unless it is there. */
struct snow_table *snow_table_make(struct snow_tables *tables, const char *name,
				   const char *display);
/* Adds a column unless it is there; at most 512. */
struct snow_column *snow_column_make(struct snow_table *table, const char *name,
				     enum snow_kind kind);
/* Every table begins with these columns. */
enum snow_fixed {
	SNOW_SYS_ID,
	SNOW_CREATED_ON,
	SNOW_CREATED_BY,
	SNOW_UPDATED_ON,
	SNOW_UPDATED_BY,
	SNOW_MOD_COUNT,
	SNOW_TAGS,
};
#define SNOW_NO_COLUMN (-1)
int snow_column_find(const struct snow_table *table, const char *name);

/* A new record with a sys_id, at the end of the table. */
struct snow_row *snow_row_add(struct snow_table *table, const char *sys_id);
const char *snow_row_get(const struct snow_row *row, int column);
const char *snow_row_named(const struct snow_row *row, const char *name); /* "" unknown */
/* Cuts at the column's length, keeps indexes right. */
void snow_row_set(struct snow_row *row, int column, const char *value);
void snow_row_set_named(struct snow_row *row, const char *name, const char *value);
void snow_row_delete(struct snow_row *row);

/* NULL when there is none; deleted ones are not found. */
struct snow_row *snow_row_find(const struct snow_table *table, const char *sys_id);
/* The first living row whose column has that value. */
struct snow_row *snow_row_where(const struct snow_table *table, const char *column,
				const char *value);
/* The value at a dot-walked path, "company.name"; NULL when the path leads nowhere. */
const char *snow_row_path(const struct snow_tables *tables, const struct snow_row *row,
			  const char *path, const struct snow_row **ret_row, int *ret_column);

/* Adds or changes a record from a seed object; unknown columns are made. */
struct snow_row *snow_row_seed(struct snow_table *table, const json_t *values);
/* Text of a JSON scalar; NULL for lists and objects. Caller frees. */
char *snow_scalar_text(const json_t *value);

#endif
