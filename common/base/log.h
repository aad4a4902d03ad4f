#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stddef.h>

/*
 * One JSON line per call on stderr: time, level, service, thread context, msg.
 * error: someone must act; warn: degraded, we go on; info: state changes, never per message;
 * debug: per message. Outside strings are escaped here; lines are cut at 4 KiB.
 */
enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

/* service is borrowed for the life of the process. */
void log_setup(const char *service, enum log_level minimum);

void log_write(enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Attached to every line this thread writes until cleared with a NULL value. Values are copied.
 * At most 8 keys of 15 bytes ("customer", "entry", "trace", ...) with values of 111; further
 * ones are ignored, longer values are cut. */
void log_context(const char *key, const char *value);
void log_context_clear(void);

/* Any later occurrence of secret in a line is written as "***". What is shorter than 6 bytes is
 * not masked. 4,096 are kept: a further one replaces the one that was given here longest ago.
 * Thread-safe. */
void log_mask(const char *secret);

/* Tests: where lines go instead of stderr; NULL restores it. */
void log_sink(void (*sink)(const char *line, size_t size));

#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...)  log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)

#endif
