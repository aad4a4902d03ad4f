/*
 * Option tables. parse_value() and format_value() are the two directions of one row; reading,
 * help, dump and reference are loops over the table. The search for misspelt names and the
 * reading of secret files are in conf_check.c.
 */
#include "base/conf.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

enum { VALUE_MAX_BYTES = 64 * 1024 };

static void *field(const struct conf_option *row, void *config)
{
	return (char *)config + row->offset;
}

static bool is_text(enum conf_type type)
{
	return type == CONF_STRING || type == CONF_URL || type == CONF_PATH;
}

/* ---- text to value ---- */

static bool parse_digits(const char *text, uint64_t *ret_number, const char **ret_rest)
{
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	unsigned long long number = strtoull(text, &end, 10);
	if (errno == ERANGE)
		return false;
	*ret_number = number;
	*ret_rest = end;
	return true;
}

static bool parse_uint(const char *text, uint64_t *ret_number)
{
	const char *rest;

	return parse_digits(text, ret_number, &rest) && *rest == '\0' &&
	       *ret_number <= UINT_MAX;
}

static bool parse_bytes(const char *text, uint64_t *ret_number)
{
	const char *rest;
	unsigned shift = 0;

	if (!parse_digits(text, ret_number, &rest))
		return false;
	if (*rest != '\0') {
		const char *units = "kmg";
		const char *unit = strchr(units, tolower((unsigned char)*rest));
		if (!unit || rest[1] != '\0')
			return false;
		shift = (unsigned)(unit - units + 1) * 10;
	}
	if (*ret_number > UINT64_MAX >> shift)
		return false;
	*ret_number <<= shift;
	return true;
}

static bool parse_bool(const char *text, bool *ret_value)
{
	static const char *const yes[] = { "true", "yes", "on", "1" };
	static const char *const no[] = { "false", "no", "off", "0" };

	for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
		if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
			*ret_value = strcasecmp(text, yes[i]) == 0;
			return true;
		}
	}
	return false;
}

/* Index of the first size bytes of text in "a|b|c". */
static bool parse_choice(const char *choices, const char *text, size_t size,
			 unsigned *ret_index)
{
	unsigned index = 0;

	for (const char *at = choices;; index++) {
		size_t length = strcspn(at, "|");
		if (length == size && strncmp(at, text, size) == 0) {
			*ret_index = index;
			return true;
		}
		if (at[length] == '\0')
			return false;
		at += length + 1;
	}
}

static const char *url_schemes(const struct conf_option *row)
{
	return row->choices ? row->choices : "http|https";
}

static bool parse_url(const struct conf_option *row, const char *text)
{
	size_t scheme = strcspn(text, ":");
	unsigned ignored;

	if (text[scheme] != ':' || !parse_choice(url_schemes(row), text, scheme, &ignored))
		return false;
	const char *rest = text + scheme + 1;
	if (strncmp(text, "unix:", 5) == 0) /* unix:/path or unix:///path */
		return rest[0] == '/' && rest[1] != '\0';
	if (strncmp(rest, "//", 2) != 0)
		return false;
	rest += 2;
	size_t authority = strcspn(rest, "/?#");
	/* A password in an address would be printed with it: those have options of their own.
	 */
	if (authority == 0 || memchr(rest, '@', authority))
		return false;
	for (const char *s = text; *s; s++)
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f)
			return false;
	return true;
}

static bool in_bounds(const struct conf_option *row, uint64_t number)
{
	return (row->min == 0 && row->max == 0) ||
	       (number >= row->min && (row->max == 0 || number <= row->max));
}

static bool parse_text(const struct conf_option *row, const char *text, char **ret_text)
{
	if (row->type == CONF_URL && !parse_url(row, text))
		return false;
	if (!in_bounds(row, strlen(text)))
		return false;
	*ret_text = xstrdup(text);
	return true;
}

static bool parse_number(const struct conf_option *row, const char *text, void *ret_field)
{
	uint64_t number;
	bool parsed = row->type == CONF_UINT	 ? parse_uint(text, &number)
		      : row->type == CONF_MILLIS ? clock_parse_span(text, &number)
						 : parse_bytes(text, &number);

	if (!parsed || !in_bounds(row, number))
		return false;
	if (row->type == CONF_UINT)
		*(unsigned *)ret_field = (unsigned)number;
	else
		*(uint64_t *)ret_field = number;
	return true;
}

static bool parse_value(const struct conf_option *row, const char *text, void *ret_field)
{
	switch (row->type) {
	case CONF_STRING:
	case CONF_URL:
	case CONF_PATH:
		return parse_text(row, text, ret_field);
	case CONF_UINT:
	case CONF_MILLIS:
	case CONF_BYTES:
		return parse_number(row, text, ret_field);
	case CONF_BOOL:
		return parse_bool(text, ret_field);
	case CONF_CHOICE:
		return parse_choice(row->choices, text, strlen(text), ret_field);
	}
	return false;
}

/* ---- value to text ---- */

static void format_bytes(uint64_t bytes, char *ret_text, size_t size)
{
	static const char *const units[] = { "", "k", "m", "g" };
	unsigned unit = 0;

	while (unit < 3 && bytes > 0 && bytes % 1024 == 0) {
		bytes /= 1024;
		unit++;
	}
	snprintf(ret_text, size, "%" PRIu64 "%s", bytes, units[unit]);
}

/* A number of the row's type as people write it. ret_text holds CLOCK_TEXT_SIZE bytes. */
static void format_number(enum conf_type type, uint64_t number, char *ret_text)
{
	if (type == CONF_MILLIS)
		clock_format_span(number, ret_text);
	else if (type == CONF_BYTES)
		format_bytes(number, ret_text, CLOCK_TEXT_SIZE);
	else
		snprintf(ret_text, CLOCK_TEXT_SIZE, "%" PRIu64, number);
}

static void format_value(const struct conf_option *row, const void *value, struct buf *out)
{
	char number[CLOCK_TEXT_SIZE];

	if (is_text(row->type)) {
		const char *text = *(char *const *)value;
		if (row->flags & CONF_SECRET)
			buf_adds(out, text ? "set" : "not set");
		else
			buf_adds(out, text ? text : "");
	} else if (row->type == CONF_BOOL) {
		buf_adds(out, *(const bool *)value ? "true" : "false");
	} else if (row->type == CONF_CHOICE) {
		const char *at = row->choices;
		for (unsigned i = *(const unsigned *)value; i > 0 && *at; i--) {
			at += strcspn(at, "|");
			at += *at == '|';
		}
		buf_add(out, at, strcspn(at, "|"));
	} else {
		format_number(row->type,
			      row->type == CONF_UINT ? *(const unsigned *)value
						     : *(const uint64_t *)value,
			      number);
		buf_adds(out, number);
	}
}

/* "a time such as 10s or 5m, 10s to 1h": what a row accepts. */
static void describe(const struct conf_option *row, struct buf *out)
{
	static const char *const kinds[] = {
		[CONF_STRING] = "text",
		[CONF_UINT] = "a whole number",
		[CONF_MILLIS] = "a time such as 250ms, 10s, 5m or 24h",
		[CONF_BYTES] = "a size such as 64k or 16m",
		[CONF_BOOL] = "true or false",
		[CONF_PATH] = "a path",
	};
	enum conf_type shown = is_text(row->type) ? CONF_UINT : row->type;
	char text[CLOCK_TEXT_SIZE];

	if (row->type == CONF_CHOICE || row->type == CONF_URL) {
		const char *at = row->type == CONF_URL ? url_schemes(row) : row->choices;
		buf_adds(out, row->type == CONF_URL ? "an address without user or password, "
						    : "one of ");
		for (; *at; at++) {
			if (*at == '|')
				buf_adds(out, row->type == CONF_URL ? ":// or " : ", ");
			else
				buf_add(out, at, 1);
		}
		buf_adds(out, row->type == CONF_URL ? "://..." : "");
	} else {
		buf_adds(out, kinds[row->type]);
	}
	if (row->min == 0 && row->max == 0)
		return;
	format_number(shown, row->min, text);
	buf_addf(out, row->max ? ", %s to " : ", at least %s", text);
	if (row->max) {
		format_number(shown, row->max, text);
		buf_adds(out, text);
	}
	if (is_text(row->type))
		buf_adds(out, " characters");
}

/* ---- the table ---- */

static char *read_named_file(const char *variable, struct err *err)
{
	char *text = conf_read_file(getenv(variable), VALUE_MAX_BYTES, err);

	if (!text)
		err_prefix(err, "%s", variable);
	return text;
}

/* The text of a row from the environment or its file, NULL with err->kind ERR_NONE when it is
 * not set. An empty variable is not set: that is how compose files leave things out. */
static char *row_text(const struct conf_option *row, struct err *err)
{
	const char *value = getenv(row->name);
	char variable[128];

	*err = (struct err){ 0 };
	if (value && value[0] == '\0')
		value = NULL;
	if (row->flags & CONF_SECRET) {
		snprintf(variable, sizeof variable, "%s_FILE", row->name);
		const char *path = getenv(variable);
		if (path && path[0] != '\0') {
			if (!value)
				return read_named_file(variable, err);
			err_fill(err, ERR_PERMANENT, "%s and %s are both set: keep one",
				 row->name, variable);
			return NULL;
		}
	}
	return value ? xstrdup(value) : NULL;
}

static void explain(const struct conf_option *row, const char *text, struct err *err)
{
	struct buf allowed;

	buf_init(&allowed, sizeof err->text);
	describe(row, &allowed);
	if (row->flags & CONF_SECRET)
		err_fill(err, ERR_PERMANENT, "%s is not what it must be: %s", row->name,
			 buf_text(&allowed));
	else
		err_fill(err, ERR_PERMANENT, "%s=%.60s is not %s", row->name, text,
			 buf_text(&allowed));
	buf_done(&allowed);
}

static bool load_row(const struct conf_option *row, void *config, struct err *err)
{
	char *text = row_text(row, err);

	if (!text && err->kind != ERR_NONE)
		return false;
	if (!text && row->fallback)
		text = xstrdup(row->fallback);
	if (!text) {
		if (!(row->flags & CONF_REQUIRED))
			return true;
		return err_set(err, ERR_PERMANENT, "%s%s is not set: %s", row->name,
			       row->flags & CONF_SECRET ? "_FILE" : "", row->help);
	}
	bool parsed = parse_value(row, text, field(row, config));
	if (!parsed)
		explain(row, text, err);
	if (row->flags & CONF_SECRET)
		explicit_bzero(text, strlen(text));
	free(text);
	return parsed;
}

bool conf_load(const struct conf_option *table, void *config, struct err *err)
{
	bool good = true;
	struct err first = { 0 }, found;

	for (const struct conf_option *row = table; row->name; row++) {
		if (load_row(row, config, &found))
			continue;
		if (good)
			first = found;
		good = false;
	}
	if (good)
		return true;
	conf_clear(table, config);
	if (err)
		*err = first;
	return false;
}

void conf_clear(const struct conf_option *table, void *config)
{
	for (const struct conf_option *row = table; row->name; row++) {
		if (!is_text(row->type))
			continue;
		char **text = field(row, config);
		if (*text && (row->flags & CONF_SECRET))
			explicit_bzero(*text, strlen(*text));
		free(*text);
		*text = NULL;
	}
}

static void add_default(const struct conf_option *row, struct buf *out)
{
	if (row->fallback)
		buf_addf(out, "%s", row->fallback);
	else
		buf_adds(out, row->flags & CONF_REQUIRED ? "required" : "none");
}

void conf_print_help(const struct conf_option *table, FILE *out)
{
	for (const struct conf_option *row = table; row->name; row++) {
		struct buf text;

		buf_init(&text, 1024);
		describe(row, &text);
		buf_adds(&text, row->fallback ? "; default " : "; ");
		add_default(row, &text);
		if (row->flags & CONF_SECRET)
			buf_addf(&text, "; secret: %s_FILE names a file to read it from",
				 row->name);
		fprintf(out, "  %s\n      %s\n      (%s)\n", row->name, row->help,
			buf_text(&text));
		buf_done(&text);
	}
}

void conf_dump(const struct conf_option *table, const void *config,
	       void (*emit)(const char *name, const char *value, void *opaque), void *opaque)
{
	for (const struct conf_option *row = table; row->name; row++) {
		struct buf text;

		buf_init(&text, VALUE_MAX_BYTES);
		format_value(row, (const char *)config + row->offset, &text);
		emit(row->name, buf_text(&text), opaque);
		buf_done(&text);
	}
}

void conf_print_markdown(const struct conf_option *table, FILE *out)
{
	for (const struct conf_option *row = table; row->name; row++) {
		struct buf type, fallback;

		buf_init(&type, 1024);
		buf_init(&fallback, 1024);
		describe(row, &type);
		add_default(row, &fallback);
		fprintf(out, "| `%s`%s | %s | %s%s%s | %s |\n", row->name,
			row->flags & CONF_SECRET ? " (secret)" : "", buf_text(&type),
			row->fallback ? "`" : "", buf_text(&fallback), row->fallback ? "`" : "",
			row->help);
		buf_done(&type);
		buf_done(&fallback);
	}
}
