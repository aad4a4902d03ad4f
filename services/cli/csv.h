#ifndef CLI_CSV_H
#define CLI_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/*
 * CSV as RFC 4180 and as spreadsheets write it: quotes around fields that hold separators, line
 * ends or doubled quotes; a byte order mark is skipped; the separator is a comma, or a
 * semicolon or tab when the first line has those and no comma. Blank lines are skipped. The
 * first row names the columns (letter case and surrounding blanks are ignored); every further
 * row must have as many fields.
 */
enum { CSV_COLUMNS_MAX = 64, CSV_ROWS_MAX = 100000 };

struct csv_row {
	size_t line;   /* in the file, from 1 */
	char **fields; /* column_count of them; owned by the csv */
};

struct csv {
	char **columns; /* in lower case */
	size_t column_count;
	struct csv_row *rows;
	size_t row_count;
	char *text; /* what all fields point into */
	size_t text_size;
};

/* where names the file in errors ("customers.csv: line 3: ..."). */
bool csv_parse(struct csv *ret_csv, const char *text, size_t size, const char *where,
	       struct err *err);
/* Overwrites the text, which may hold secrets, and frees. Zeroed is fine. */
void csv_done(struct csv *csv);

/* The field of a row under a column's name; NULL when there is no such column or it is empty.
 */
const char *csv_field(const struct csv *csv, const struct csv_row *row, const char *column);

#endif
