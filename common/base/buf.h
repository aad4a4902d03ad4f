#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

/* Memory that cannot be had ends the process with one line on stderr: the stream redelivers.
 * In exchange every buffer states its maximum, so that no peer can make us die. */
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *memory, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t size);

/* A growing byte string, always NUL-terminated once something was added. When it would pass
 * its maximum it keeps what it has and remembers the overflow: check buf_ok() once at the end.
 */
struct buf {
	char *data; /* owned; NULL while empty */
	size_t size;
	size_t room;
	size_t max;
	bool overflow;
};

void buf_init(struct buf *buf, size_t max);
void buf_done(struct buf *buf);	 /* zeroed is fine */
void buf_reset(struct buf *buf); /* empty, memory kept */
void buf_add(struct buf *buf, const void *data, size_t size);
void buf_adds(struct buf *buf, const char *s);
void buf_addf(struct buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool buf_ok(const struct buf *buf);
const char *buf_text(const struct buf *buf); /* "" while empty */
char *buf_take(struct buf *buf,
	       size_t *ret_size); /* caller frees; buf is empty after; never NULL */

/* Appends s percent-encoded as RFC 3986 asks of a query component. */
void buf_add_url(struct buf *buf, const char *s);
/* Appends s as the inside of a JSON string, controls as \u00XX, invalid UTF-8 as U+FFFD. */
void buf_add_json(struct buf *buf, const char *s, size_t size);

#endif
