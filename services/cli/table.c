/* Tables and records out of JSON. */
#include "table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "text.h"

enum { GAP = 2, CELL_BYTES_MAX = 64 * 1024 };

void screen_init(struct screen *ret_screen)
{
	struct winsize size = { 0 };
	const char *terminal = getenv("TERM");

	*ret_screen = (struct screen){ .now_ms = clock_wall_ms() };
	if (!isatty(STDOUT_FILENO))
		return;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		ret_screen->width = size.ws_col;
	ret_screen->colour = !getenv("NO_COLOR") && terminal && strcmp(terminal, "dumb") != 0;
}

/* ---- one cell ---- */

static const json_t *member(const json_t *object, const char *key)
{
	char name[64];

	for (const char *dot; (dot = strchr(key, '.')) != NULL; key = dot + 1) {
		snprintf(name, sizeof name, "%.*s", (int)(dot - key), key);
		object = json_object_get(object, name);
	}
	return json_object_get(object, key);
}

void table_span(uint64_t ms, char *ret_text)
{
	static const struct {
		uint64_t seconds;
		char name;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	uint64_t seconds = ms / 1000;
	size_t unit = 0;

	if (seconds == 0) {
		snprintf(ret_text, 32, "%s", ms ? "<1s" : "0s");
		return;
	}
	while (seconds < units[unit].seconds)
		unit++;
	int used = snprintf(ret_text, 32, "%" PRIu64 "%c", seconds / units[unit].seconds,
			    units[unit].name);
	uint64_t rest = seconds % units[unit].seconds;
	if (unit < 3 && rest / units[unit + 1].seconds)
		snprintf(ret_text + used, 32 - (size_t)used, " %" PRIu64 "%c",
			 rest / units[unit + 1].seconds, units[unit + 1].name);
}

static void add_age(struct buf *out, const struct screen *screen, uint64_t at_ms)
{
	char text[32];

	if (at_ms > screen->now_ms) {
		table_span(at_ms - screen->now_ms, text);
		buf_addf(out, "in %s", text);
		return;
	}
	table_span(screen->now_ms - at_ms, text);
	buf_addf(out, "%s ago", text);
}

static void add_list(struct buf *out, const json_t *list)
{
	size_t index;
	const json_t *item;

	json_array_foreach(list, index, item)
	{
		if (index > 0)
			buf_adds(out, ", ");
		if (json_is_string(item))
			text_clean(out, json_string_value(item));
		else if (json_is_integer(item))
			buf_addf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(item));
	}
	if (json_array_size(list) == 0)
		buf_adds(out, "-");
}

static void add_integer(struct buf *out, const struct screen *screen, enum cell cell,
			json_int_t number)
{
	char text[CLOCK_TEXT_SIZE];
	uint64_t ms = number > 0 ? (uint64_t)number : 0;

	switch (cell) {
	case CELL_AGE:
		add_age(out, screen, ms);
		return;
	case CELL_TIME:
		clock_format_plain(ms, text);
		break;
	case CELL_SPAN:
		table_span(ms, text);
		break;
	default:
		buf_addf(out, "%" JSON_INTEGER_FORMAT, number);
		return;
	}
	buf_adds(out, text);
}

static void add_value(struct buf *out, const struct screen *screen, enum cell cell,
		      const json_t *value)
{
	if (json_is_string(value) && json_string_length(value) > 0)
		text_clean(out, json_string_value(value));
	else if (json_is_integer(value))
		add_integer(out, screen, cell, json_integer_value(value));
	else if (json_is_real(value))
		buf_addf(out, "%.1f", json_real_value(value));
	else if (json_is_boolean(value))
		buf_adds(out, json_is_true(value) ? "yes" : "no");
	else if (json_is_array(value))
		add_list(out, value);
	else
		buf_adds(out, "-");
}

static const char *colour_of(const char *word)
{
	static const char *const good[] = { "ok", "open", "live", "done", "yes", NULL };
	static const char *const bad[] = { "broken", "failed", "held", "parked",
					   "dead",   "error",  "no",   NULL };
	static const char *const warn[] = { "behind",  "waiting", "failing", "throttled",
					    "intent",  "opening", "paused",  "shadow",
					    "closing", "unknown", "partly",  NULL };

	for (size_t i = 0; good[i]; i++) {
		if (strcmp(word, good[i]) == 0)
			return "\033[32m";
	}
	for (size_t i = 0; bad[i]; i++) {
		if (strcmp(word, bad[i]) == 0)
			return "\033[31m";
	}
	for (size_t i = 0; warn[i]; i++) {
		if (strcmp(word, warn[i]) == 0)
			return "\033[33m";
	}
	return NULL;
}

/* ---- layout ---- */

void table_fit(size_t *widths, const bool *flexible, size_t count, size_t room)
{
	size_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += widths[i];
	while (sum > room) {
		size_t widest = count;

		for (size_t i = 0; i < count; i++) {
			if (flexible[i] && widths[i] > TABLE_NARROWEST &&
			    (widest == count || widths[i] > widths[widest]))
				widest = i;
		}
		if (widest == count)
			return;
		widths[widest]--;
		sum--;
	}
}

static void pad(struct buf *out, size_t columns)
{
	for (size_t i = 0; i < columns; i++)
		buf_add(out, " ", 1);
}

static void add_cell(struct buf *out, const struct screen *screen, const struct column *column,
		     const char *text, size_t width, bool last)
{
	size_t shown;
	size_t bytes = text_cut(text, width, &shown);
	bool cut = text[bytes] != '\0';
	bool right = column->cell == CELL_NUMBER;
	const char *colour =
	    screen->colour && column->cell == CELL_STATE ? colour_of(text) : NULL;

	if (cut) {
		bytes = text_cut(text, width - 1, &shown);
		shown++;
	}
	if (right)
		pad(out, width - shown);
	if (colour)
		buf_adds(out, colour);
	buf_add(out, text, bytes);
	if (cut)
		buf_adds(out, "\xE2\x80\xA6");
	if (colour)
		buf_adds(out, "\033[0m");
	if (!last)
		pad(out, (right ? 0 : width - shown) + GAP);
}

static size_t count_columns(const struct column *columns)
{
	size_t count = 0;

	while (count < TABLE_COLUMNS_MAX && columns[count].title)
		count++;
	return count;
}

/* Texts of all cells, row by row, the titles first; owned by the caller. */
static char **collect(const struct screen *screen, const struct column *columns, size_t count,
		      const json_t *rows)
{
	char **cells = xcalloc((json_array_size(rows) + 1) * count, sizeof *cells);
	size_t index;
	const json_t *row;

	for (size_t i = 0; i < count; i++)
		cells[i] = xstrdup(columns[i].title);
	json_array_foreach(rows, index, row)
	{
		for (size_t i = 0; i < count; i++) {
			struct buf cell;

			buf_init(&cell, CELL_BYTES_MAX);
			add_value(&cell, screen, columns[i].cell, member(row, columns[i].key));
			cells[(index + 1) * count + i] = buf_take(&cell, NULL);
		}
	}
	return cells;
}

void table_render(struct buf *out, const struct screen *screen, const struct column *columns,
		  const json_t *rows)
{
	size_t count = count_columns(columns), lines = json_array_size(rows) + 1;
	size_t widths[TABLE_COLUMNS_MAX] = { 0 };
	bool flexible[TABLE_COLUMNS_MAX];
	char **cells = collect(screen, columns, count, rows);

	for (size_t i = 0; i < lines * count; i++) {
		size_t width = text_width(cells[i]);
		if (width > widths[i % count])
			widths[i % count] = width;
	}
	for (size_t i = 0; i < count; i++)
		flexible[i] = columns[i].flexible;
	if (screen->width > GAP * count)
		table_fit(widths, flexible, count, screen->width - GAP * (count - 1));
	for (size_t line = 0; line < lines; line++) {
		if (line == 0 && screen->colour)
			buf_adds(out, "\033[1m");
		for (size_t i = 0; i < count; i++)
			add_cell(out, screen, &columns[i], cells[line * count + i], widths[i],
				 i + 1 == count);
		if (line == 0 && screen->colour)
			buf_adds(out, "\033[0m");
		buf_add(out, "\n", 1);
	}
	for (size_t i = 0; i < lines * count; i++)
		free(cells[i]);
	free(cells);
}

void record_render(struct buf *out, const struct screen *screen, const struct column *columns,
		   const json_t *object)
{
	size_t count = count_columns(columns), widest = 0;

	for (size_t i = 0; i < count; i++) {
		size_t width = text_width(columns[i].title);
		if (width > widest && member(object, columns[i].key))
			widest = width;
	}
	for (size_t i = 0; i < count; i++) {
		const json_t *value = member(object, columns[i].key);
		struct buf cell;

		if (!value || json_is_null(value))
			continue;
		buf_init(&cell, CELL_BYTES_MAX);
		add_value(&cell, screen, columns[i].cell, value);
		buf_addf(out, "%s:", columns[i].title);
		pad(out, widest - text_width(columns[i].title) + GAP);
		add_cell(out, screen, &columns[i], buf_text(&cell), text_width(buf_text(&cell)),
			 true);
		buf_add(out, "\n", 1);
		buf_done(&cell);
	}
}
