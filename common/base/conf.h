#ifndef BASE_CONF_H
#define BASE_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"

/* The field behind offset is: char * (owned) for STRING, URL, PATH; unsigned for UINT;
 * uint64_t for MILLIS and BYTES; bool for BOOL; unsigned (index into choices) for CHOICE. */
enum conf_type {
	CONF_STRING,
	CONF_UINT,
	CONF_MILLIS, /* "250ms", "10s", "5m", "24h", "7d" */
	CONF_BYTES,  /* "64k", "16m", "1g" */
	CONF_BOOL,   /* true/false, yes/no, on/off, 1/0 */
	CONF_URL,    /* http and https, or the schemes of choices; never user or password */
	CONF_PATH,
	CONF_CHOICE, /* one of choices, "debug|info|warn|error" */
};

enum conf_flags {
	CONF_REQUIRED = 1 << 0,
	CONF_SECRET =
	    1 << 1, /* never printed, masked in logs; NAME_FILE names a file to read it from */
};

/* One row per setting. The same row parses the environment, prints --help, logs the effective
 * value at start and writes the configuration reference. A table ends with a zeroed row. */
struct conf_option {
	const char *name; /* environment variable, TOCSIN_... */
	enum conf_type type;
	size_t offset;	      /* of the field in the config struct */
	const char *fallback; /* textual default; NULL: none (string stays NULL, number 0) */
	/* Bounds of numbers, times in ms, sizes, lengths of texts; max 0: no upper one. */
	unsigned long min, max;
	unsigned flags;
	const char *help;
	const char *choices; /* CONF_CHOICE: "a|b"; CONF_URL: schemes, NULL is "http|https" */
};

/* Reads every row from the environment into config (zeroed by the caller); an empty variable
 * counts as not set. All rows are checked; err says the first wrong one: name, value, what is
 * allowed. After a failure nothing is left allocated. */
bool conf_load(const struct conf_option *table, void *config, struct err *err);
/* Frees what conf_load allocated; secrets are overwritten first. */
void conf_clear(const struct conf_option *table, void *config);

/* A TOCSIN_ variable in the environment that no table of this process knows is an error that
 * names it and the nearest known name: a misspelt setting must not be silently ignored. tables
 * is a NULL-terminated list; also_known is a NULL-terminated list of names other processes use,
 * each also with _FILE.
 */
bool conf_check_unknown(const struct conf_option *const *tables, const char *const *also_known,
			struct err *err);

void conf_print_help(const struct conf_option *table, FILE *out);
/* Writes NAME=value lines through emit, secrets as "set"/"not set". */
void conf_dump(const struct conf_option *table, const void *config,
	       void (*emit)(const char *name, const char *value, void *opaque), void *opaque);
/* Markdown table rows for the reference: name, type, default, meaning. */
void conf_print_markdown(const struct conf_option *table, FILE *out);

/* Reads a file of at most max bytes; a trailing newline is cut. Caller frees; NULL with err
 * filled. */
char *conf_read_file(const char *path, size_t max, struct err *err);

#endif
