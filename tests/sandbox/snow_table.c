/*
 * snow_table: ServiceNow's tables. A record keeps only what differs from its columns' defaults,
 * so that a hundred thousand incidents cost little.
 */
#include "snow_table.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"

enum { COLUMNS_MAX = 512, WALK_MAX = 4, KEY_MAX = 256 };

static void row_free(struct snow_row *row)
{
	for (unsigned i = 0; i < row->values; i++)
		free(row->value[i]);
	free(row->value);
	free(row);
}

static void table_free(struct snow_table *table)
{
	for (size_t i = 0; i < table->rows; i++)
		row_free(table->row[i]);
	for (unsigned i = 0; i < table->columns; i++) {
		struct snow_column *column = &table->column[i];

		if (column->index)
			index_done(column->index);
		free(column->index);
		free(column->name);
		free(column->label);
		free(column->reference);
		free(column->fallback);
	}
	index_done(&table->by_column);
	free(table->column);
	free(table->row);
	free(table->name);
	free(table->display);
	free(table);
}

void snow_tables_done(struct snow_tables *tables)
{
	for (size_t i = 0; i < tables->tables; i++)
		table_free(tables->table[i]);
	free(tables->table);
	index_done(&tables->by_name);
	*tables = (struct snow_tables){ 0 };
}

struct snow_table *snow_table_find(const struct snow_tables *tables, const char *name)
{
	struct snow_table *table = index_get(&tables->by_name, name);

	if (!table && strncmp(name, "cmdb_ci_", 8) == 0)
		table = index_get(&tables->by_name, "cmdb_ci");
	return table;
}

/* Looking these up must stay fast however many records there are. */
static bool worth_an_index(const char *column)
{
	static const char *const names[] = { "sys_id", "correlation_id", "element_id",
					     "number" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(names[i], column) == 0)
			return true;
	}
	return false;
}

static char *label_of(const char *name)
{
	char *label = xstrdup(strncmp(name, "u_", 2) == 0 ? name + 2 : name);

	for (char *c = label; *c; c++) {
		if (*c == '_')
			*c = ' ';
	}
	*label = (char)toupper((unsigned char)*label);
	return label;
}

struct snow_column *snow_column_make(struct snow_table *table, const char *name,
				     enum snow_kind kind)
{
	int found = snow_column_find(table, name);

	if (found != SNOW_NO_COLUMN)
		return &table->column[found];
	if (table->columns == COLUMNS_MAX)
		return NULL;
	if ((table->columns & (table->columns - 1)) == 0)
		table->column =
		    xrealloc(table->column, (table->columns ? table->columns * 2 : 1) *
						sizeof(*table->column));
	struct snow_column *column = &table->column[table->columns++];

	*column = (struct snow_column){ .name = xstrdup(name),
					.label = label_of(name),
					.kind = kind,
					.fallback = xstrdup("") };
	if (worth_an_index(name))
		column->index = xcalloc(1, sizeof(*column->index));
	index_add(&table->by_column, name, (void *)(uintptr_t)table->columns);
	return column;
}

int snow_column_find(const struct snow_table *table, const char *name)
{
	return (int)(uintptr_t)index_get(&table->by_column, name) - 1;
}

struct snow_table *snow_table_make(struct snow_tables *tables, const char *name,
				   const char *display)
{
	struct snow_table *table = index_get(&tables->by_name, name);

	if (table)
		return table;
	table = xcalloc(1, sizeof(*table));
	table->name = xstrdup(name);
	table->display = xstrdup(display);
	if ((tables->tables & (tables->tables - 1)) == 0)
		tables->table = xrealloc(
		    tables->table, (tables->tables ? tables->tables * 2 : 1) * sizeof(table));
	tables->table[tables->tables++] = table;
	index_add(&tables->by_name, name, table);
	snow_column_make(table, "sys_id", SNOW_STRING);
	snow_column_make(table, "sys_created_on", SNOW_DATE);
	snow_column_make(table, "sys_created_by", SNOW_STRING);
	snow_column_make(table, "sys_updated_on", SNOW_DATE);
	snow_column_make(table, "sys_updated_by", SNOW_STRING);
	struct snow_column *count = snow_column_make(table, "sys_mod_count", SNOW_STRING);

	free(count->fallback);
	count->fallback = xstrdup("0");
	snow_column_make(table, "sys_tags", SNOW_STRING);
	return table;
}

/* Comparisons take no notice of case, so neither do the indexes. False when too long. */
static bool index_key(char out[KEY_MAX], const char *value)
{
	size_t size = strlen(value);

	if (size == 0 || size >= KEY_MAX)
		return false;
	for (size_t i = 0; i <= size; i++)
		out[i] = (char)tolower((unsigned char)value[i]);
	return true;
}

static void index_row(struct snow_row *row, int column, bool add)
{
	struct index *index = row->table->column[column].index;
	char key[KEY_MAX];

	if (!index || !index_key(key, snow_row_get(row, column)))
		return;
	if (add)
		index_add(index, key, row);
	else
		index_remove(index, key, row);
}

struct snow_row *snow_row_add(struct snow_table *table, const char *sys_id)
{
	struct snow_row *row = xcalloc(1, sizeof(*row));
	char id[ID_HEX_SIZE], now[CLOCK_TEXT_SIZE];

	if (!sys_id)
		id_hex(id);
	row->table = table;
	row->values = table->columns;
	row->value = xcalloc(row->values, sizeof(char *));
	row->created_ms = row->changed_ms = clock_wall_ms();
	if ((table->rows & (table->rows - 1)) == 0)
		table->row =
		    xrealloc(table->row, (table->rows ? table->rows * 2 : 1) * sizeof(row));
	table->row[table->rows++] = row;
	clock_format_plain(row->created_ms, now);
	snow_row_set(row, SNOW_SYS_ID, sys_id ? sys_id : id);
	snow_row_set(row, SNOW_CREATED_ON, now);
	snow_row_set(row, SNOW_UPDATED_ON, now);
	return row;
}

const char *snow_row_get(const struct snow_row *row, int column)
{
	if (column < 0)
		return "";
	if ((unsigned)column < row->values && row->value[column])
		return row->value[column];
	return row->table->column[column].fallback;
}

const char *snow_row_named(const struct snow_row *row, const char *name)
{
	return snow_row_get(row, snow_column_find(row->table, name));
}

/* Bytes of the first max characters. */
static size_t cut_size(const char *text, unsigned max)
{
	size_t size = 0;

	for (unsigned count = 0; text[size]; size++) {
		if (((unsigned char)text[size] & 0xc0) != 0x80 && count++ == max)
			break;
	}
	return size;
}

void snow_row_set(struct snow_row *row, int column, const char *value)
{
	const struct snow_column *about = &row->table->column[column];

	if ((unsigned)column >= row->values) { /* the column is younger than the record */
		row->value = xrealloc(row->value, row->table->columns * sizeof(*row->value));
		memset(row->value + row->values, 0,
		       (row->table->columns - row->values) * sizeof(*row->value));
		row->values = row->table->columns;
	}
	index_row(row, column, false);
	free(row->value[column]);
	if (strcmp(value, about->fallback) == 0)
		row->value[column] = NULL;
	else
		row->value[column] =
		    xstrndup(value, about->max ? cut_size(value, about->max) : strlen(value));
	index_row(row, column, true);
}

void snow_row_set_named(struct snow_row *row, const char *name, const char *value)
{
	int column = snow_column_find(row->table, name);

	if (column != SNOW_NO_COLUMN)
		snow_row_set(row, column, value);
}

void snow_row_delete(struct snow_row *row)
{
	for (unsigned i = 0; i < row->table->columns; i++)
		index_row(row, (int)i, false);
	row->deleted = true;
}

struct snow_row *snow_row_find(const struct snow_table *table, const char *sys_id)
{
	return snow_row_where(table, "sys_id", sys_id);
}

struct snow_row *snow_row_where(const struct snow_table *table, const char *column,
				const char *value)
{
	int position = snow_column_find(table, column);
	char key[KEY_MAX];

	if (position == SNOW_NO_COLUMN || !index_key(key, value))
		return NULL;
	if (table->column[position].index)
		return index_get(table->column[position].index, key);
	for (size_t i = 0; i < table->rows; i++) {
		struct snow_row *row = table->row[i];

		if (!row->deleted && strcasecmp(snow_row_get(row, position), value) == 0)
			return row;
	}
	return NULL;
}

const char *snow_row_path(const struct snow_tables *tables, const struct snow_row *row,
			  const char *path, const struct snow_row **ret_row, int *ret_column)
{
	for (int step = 0; step < WALK_MAX; step++) {
		size_t size = strcspn(path, ".");
		char name[128];

		if (size == 0 || size >= sizeof(name))
			return NULL;
		memcpy(name, path, size);
		name[size] = '\0';
		int column = snow_column_find(row->table, name);

		if (column == SNOW_NO_COLUMN)
			return NULL;
		if (!path[size]) {
			*ret_row = row;
			*ret_column = column;
			return snow_row_get(row, column);
		}
		const struct snow_column *about = &row->table->column[column];
		const struct snow_table *table =
		    about->reference ? snow_table_find(tables, about->reference) : NULL;
		const struct snow_row *next =
		    table ? snow_row_find(table, snow_row_get(row, column)) : NULL;

		if (!next) {
			*ret_row = NULL;
			*ret_column = SNOW_NO_COLUMN;
			return table ? "" : NULL;
		}
		row = next;
		path += size + 1;
	}
	return NULL;
}

char *snow_scalar_text(const json_t *value)
{
	char number[64];

	switch (json_typeof(value)) {
	case JSON_STRING:
		return xstrdup(json_string_value(value));
	case JSON_INTEGER:
		snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
			 json_integer_value(value));
		return xstrdup(number);
	case JSON_REAL:
		snprintf(number, sizeof(number), "%g", json_real_value(value));
		return xstrdup(number);
	case JSON_TRUE:
		return xstrdup("true");
	case JSON_FALSE:
		return xstrdup("false");
	case JSON_NULL:
		return xstrdup("");
	default:
		return NULL;
	}
}

struct snow_row *snow_row_seed(struct snow_table *table, const json_t *values)
{
	const char *sys_id = json_string_value(json_object_get(values, "sys_id"));
	struct snow_row *row = sys_id ? snow_row_find(table, sys_id) : NULL;
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)values, key, value)
	    snow_column_make(table, key, SNOW_STRING);
	if (!row)
		row = snow_row_add(table, sys_id);
	json_object_foreach((json_t *)values, key, value)
	{
		char *text = snow_scalar_text(value);

		if (text)
			snow_row_set_named(row, key, text);
		free(text);
	}
	return row;
}
