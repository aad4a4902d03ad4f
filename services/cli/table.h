#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * What people see of the same JSON that --json prints: tables and records. A column says which
 * member it shows and how; what is absent or null is "-".
 */

enum cell {
	CELL_TEXT, /* strings, numbers, lists of strings with commas, booleans as yes and no */
	CELL_NUMBER, /* the same, to the right */
	CELL_AGE,    /* milliseconds since 1970: "3m ago", "in 20s" */
	CELL_TIME,   /* milliseconds since 1970: "2026-11-21 18:16:05" UTC */
	CELL_SPAN,   /* milliseconds: "90s" */
	CELL_STATE,  /* a word that has a colour on a terminal */
};

struct column {
	const char *title;
	const char *key; /* of the member, dots go deeper: "servicenow.number" */
	enum cell cell;
	bool flexible; /* is cut with an ellipsis when the screen is too narrow */
};

struct screen {
	size_t width;	 /* 0: as wide as it gets (not a terminal) */
	bool colour;	 /* only on a terminal, and not when NO_COLOR is set */
	uint64_t now_ms; /* what ages are counted from */
};

/* Of this process's stdout. */
void screen_init(struct screen *ret_screen);

enum { TABLE_COLUMNS_MAX = 16 };

/* rows is an array of objects; columns ends with a zeroed row. Titles in the first line. */
void table_render(struct buf *out, const struct screen *screen, const struct column *columns,
		  const json_t *rows);
/* One object, a member a line: "Title:  value". Members that are absent are left out. */
void record_render(struct buf *out, const struct screen *screen, const struct column *columns,
		   const json_t *object);

/* Narrows the flexible ones of widths, widest first, until they sum up to room or none can
 * shrink below TABLE_NARROWEST. */
enum { TABLE_NARROWEST = 8 };
void table_fit(size_t *widths, const bool *flexible, size_t count, size_t room);

/* "45s", "3m 20s", "5h 2m", "12d 4h": two units at most. ret_text holds 32 bytes. */
void table_span(uint64_t ms, char *ret_text);

#endif
