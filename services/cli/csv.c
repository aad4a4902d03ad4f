/* Comma-separated values: one pass over a copy of the text, fields unquoted in place. */
#include "csv.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"

struct reader {
	const char *where;
	char *at;
	const char *end;
	char separator;
	size_t line;
};

/* Blanks around a field are never meant in ids, names or secrets from a spreadsheet. */
static char *trim(char *text)
{
	while (*text == ' ' || *text == '\t')
		text++;
	size_t size = strlen(text);
	while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t'))
		text[--size] = '\0';
	return text;
}

static bool at_line_end(const struct reader *reader)
{
	return reader->at == reader->end || *reader->at == '\n' || *reader->at == '\r';
}

/* After a field: eats its separator or line end. ret_more is true when another field follows in
 * the row. */
static bool end_field(struct reader *reader, char *terminator, bool *ret_more, struct err *err)
{
	*ret_more = false;
	if (reader->at < reader->end && *reader->at == reader->separator) {
		reader->at++;
		*ret_more = true;
	} else if (at_line_end(reader)) {
		if (reader->at < reader->end && *reader->at == '\r')
			reader->at++;
		if (reader->at < reader->end && *reader->at == '\n')
			reader->at++;
	} else {
		return err_set(err, ERR_PERMANENT,
			       "%s: line %zu: text after a closing quote: double the quotes "
			       "inside a quoted field",
			       reader->where, reader->line);
	}
	*terminator = '\0';
	return true;
}

static bool read_quoted(struct reader *reader, char **ret_field, bool *ret_more,
			struct err *err)
{
	char *to = ++reader->at;
	size_t opened = reader->line, lines = 0;

	*ret_field = to;
	for (;; reader->at++) {
		if (reader->at == reader->end)
			return err_set(err, ERR_PERMANENT,
				       "%s: line %zu: a quote is never closed", reader->where,
				       opened);
		if (*reader->at == '"' && reader->at + 1 < reader->end && reader->at[1] == '"')
			reader->at++;
		else if (*reader->at == '"')
			break;
		lines += *reader->at == '\n';
		*to++ = *reader->at;
	}
	reader->at++;
	bool ended = end_field(reader, to, ret_more, err);
	reader->line += lines;
	return ended;
}

static bool read_field(struct reader *reader, char **ret_field, bool *ret_more, struct err *err)
{
	if (reader->at < reader->end && *reader->at == '"')
		return read_quoted(reader, ret_field, ret_more, err);
	char *from = reader->at;
	while (!at_line_end(reader) && *reader->at != reader->separator)
		reader->at++;
	char *to = reader->at;
	if (!end_field(reader, to, ret_more, err))
		return false;
	*ret_field = trim(from);
	return true;
}

/* One row's fields into fields[CSV_COLUMNS_MAX]. */
static bool read_row(struct reader *reader, char **fields, size_t *ret_count, size_t *ret_line,
		     struct err *err)
{
	bool more = true;

	*ret_count = 0;
	*ret_line = reader->line;
	while (more) {
		if (*ret_count == CSV_COLUMNS_MAX)
			return err_set(err, ERR_PERMANENT, "%s: line %zu: more than %d columns",
				       reader->where, reader->line, CSV_COLUMNS_MAX);
		if (!read_field(reader, &fields[*ret_count], &more, err))
			return false;
		(*ret_count)++;
	}
	reader->line++;
	return true;
}

static char find_separator(const char *text, const char *end)
{
	size_t size = strcspn(text, "\r\n");

	if (size > (size_t)(end - text))
		size = (size_t)(end - text);
	if (memchr(text, ',', size))
		return ',';
	if (memchr(text, ';', size))
		return ';';
	return memchr(text, '\t', size) ? '\t' : ',';
}

static bool read_header(struct csv *csv, struct reader *reader, struct err *err)
{
	char *fields[CSV_COLUMNS_MAX];
	size_t line;

	if (!read_row(reader, fields, &csv->column_count, &line, err))
		return false;
	csv->columns = xcalloc(csv->column_count, sizeof *csv->columns);
	for (size_t i = 0; i < csv->column_count; i++) {
		csv->columns[i] = trim(fields[i]);
		for (char *c = csv->columns[i]; *c; c++)
			*c = (char)tolower((unsigned char)*c);
		for (size_t k = 0; k < i; k++) {
			if (strcmp(csv->columns[k], csv->columns[i]) == 0)
				return err_set(err, ERR_PERMANENT,
					       "%s: line 1: column '%s' is there twice",
					       reader->where, csv->columns[i]);
		}
	}
	return true;
}

static bool add_row(struct csv *csv, size_t line, char **fields, struct err *err,
		    const char *where)
{
	if (csv->row_count == CSV_ROWS_MAX)
		return err_set(err, ERR_PERMANENT, "%s: more than %d rows", where,
			       CSV_ROWS_MAX);
	if ((csv->row_count & (csv->row_count - 1)) == 0)
		csv->rows = xrealloc(csv->rows, (csv->row_count ? csv->row_count * 2 : 1) *
						    sizeof *csv->rows);
	struct csv_row *row = &csv->rows[csv->row_count++];
	row->line = line;
	row->fields = xcalloc(csv->column_count, sizeof *row->fields);
	memcpy(row->fields, fields, csv->column_count * sizeof *row->fields);
	return true;
}

bool csv_parse(struct csv *ret_csv, const char *text, size_t size, const char *where,
	       struct err *err)
{
	struct csv *csv = ret_csv;

	memset(csv, 0, sizeof *csv);
	if (size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
		text += 3;
		size -= 3;
	}
	if (memchr(text, '\0', size))
		return err_set(err, ERR_PERMANENT,
			       "%s: holds zero bytes: save it as UTF-8 text", where);
	csv->text = xstrndup(text, size);
	csv->text_size = size;
	struct reader reader = { .where = where,
				 .at = csv->text,
				 .end = csv->text + size,
				 .separator = find_separator(csv->text, csv->text + size),
				 .line = 1 };
	if (!read_header(csv, &reader, err))
		goto fail;
	while (reader.at < reader.end) {
		char *fields[CSV_COLUMNS_MAX];
		size_t count, line;

		if (!read_row(&reader, fields, &count, &line, err))
			goto fail;
		if (count == 1 && fields[0][0] == '\0')
			continue;
		if (count != csv->column_count) {
			err_fill(err, ERR_PERMANENT,
				 "%s: line %zu: %zu fields where the first line names %zu",
				 where, line, count, csv->column_count);
			goto fail;
		}
		if (!add_row(csv, line, fields, err, where))
			goto fail;
	}
	return true;
fail:
	csv_done(csv);
	return false;
}

void csv_done(struct csv *csv)
{
	for (size_t i = 0; i < csv->row_count; i++)
		free(csv->rows[i].fields);
	free(csv->rows);
	free(csv->columns);
	if (csv->text)
		explicit_bzero(csv->text, csv->text_size);
	free(csv->text);
	memset(csv, 0, sizeof *csv);
}

const char *csv_field(const struct csv *csv, const struct csv_row *row, const char *column)
{
	for (size_t i = 0; i < csv->column_count; i++) {
		if (strcmp(csv->columns[i], column) == 0)
			return row->fields[i][0] ? row->fields[i] : NULL;
	}
	return NULL;
}
