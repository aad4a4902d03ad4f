#ifndef CLI_EXPORT_H
#define CLI_EXPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* What leaves Redis, as files for people and other programs: a JSON object a line, readable by
 * nobody else, on the disk before the functions return. */

/* A new file; one that is there already is an error. rows: an array. */
bool export_write(const char *path, const json_t *rows, struct err *err);

/* Behind what the day's file, "<folder>/<name>-2026-11-21.jsonl", holds already; makes it. A
 * line that a crash has torn stays alone, nothing is glued to it. */
bool export_append(const char *folder, const char *name, uint64_t day_ms, const json_t *rows,
		   struct err *err);

#endif
