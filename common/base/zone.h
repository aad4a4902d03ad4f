#ifndef BASE_ZONE_H
#define BASE_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Local time of a place, from the system's time zone files (TZif, RFC 8536) in TZDIR or
 * /usr/share/zoneinfo. libc keeps one zone per process, in the environment; a ticket's text
 * needs the customer's, in any thread.
 */
struct zone;

/* "Europe/Berlin": letters, digits and _ + - in parts joined by slashes, at most 64 bytes.
 * Nothing that leads out of the folder. */
bool zone_name_valid(const char *name);

/* Loaded once per process and kept: a pointer stays good. NULL with err (permanent) when there
 * is no such file or it is damaged. Thread-safe. */
const struct zone *zone_find(const char *name, struct err *err);

enum { ZONE_NAME_MAX = 64, ZONE_TEXT_SIZE = 80 };

/* "2026-11-21 19:16:05 CET (UTC+01:00)". ret_text holds ZONE_TEXT_SIZE bytes. */
void zone_format(const struct zone *zone, uint64_t wall_ms, char *ret_text);

/* Seconds east of UTC at that time. */
int32_t zone_offset_s(const struct zone *zone, uint64_t wall_ms);

/* The content of such a file; for tests and for zone_find(). Freed with zone_free(). */
struct zone *zone_decode(const void *data, size_t size, struct err *err);
void zone_free(struct zone *zone); /* never one of zone_find() */

#endif
