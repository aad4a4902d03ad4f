#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Milliseconds everywhere. Wall time is since 1970 UTC; monotonic time has no zero. Tests
 * replace both with clock_inject() before any thread starts; NULL restores the real clock. */
uint64_t clock_wall_ms(void);
uint64_t clock_mono_ms(void);
void clock_inject(uint64_t (*wall_ms)(void), uint64_t (*mono_ms)(void));
/* ms from now, for pthread_cond_timedwait() with CLOCK_MONOTONIC: always by the real clock. */
struct timespec clock_mono_after(uint64_t ms);
/* By the real clock; a signal may end it sooner. */
void clock_sleep_ms(uint64_t ms);

enum { CLOCK_TEXT_SIZE = 32 };

/* "2026-11-21T18:16:05.123Z" (RFC 3339). ret_text holds CLOCK_TEXT_SIZE bytes. */
void clock_format(uint64_t wall_ms, char *ret_text);
/* "2026-11-21 18:16:05", UTC: the way ServiceNow writes raw date values. */
void clock_format_plain(uint64_t wall_ms, char *ret_text);
/* RFC 3339 with offset or Z and 0 to 9 fraction digits (cut to ms). False when it is not one.
 */
bool clock_parse(const char *text, uint64_t *ret_wall_ms);
/* RFC 9110 HTTP-date, "Sat, 21 Nov 2026 18:16:05 GMT". */
bool clock_parse_http(const char *text, uint64_t *ret_wall_ms);
/* "250ms", "10s", "5m", "24h", "30d"; a bare number is seconds. False on anything else or
 * overflow. */
bool clock_parse_span(const char *text, uint64_t *ret_ms);
/* The shortest exact form of the above, "90s", "5m". ret_text holds CLOCK_TEXT_SIZE bytes. */
void clock_format_span(uint64_t ms, char *ret_text);

#endif
