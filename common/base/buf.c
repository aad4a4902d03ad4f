#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_ROOM = 128 };

static void *must(void *memory)
{
	static const char line[] = "tocsin: out of memory\n";

	if (memory)
		return memory;
	ssize_t ignored = write(STDERR_FILENO, line, sizeof line - 1);
	(void)ignored;
	_exit(EXIT_FAILURE); /* no handlers: they might want memory as well */
}

void *xmalloc(size_t size)
{
	return must(malloc(size ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
	return must(calloc(count ? count : 1, size ? size : 1));
}

void *xrealloc(void *memory, size_t size)
{
	return must(realloc(memory, size ? size : 1));
}

char *xstrdup(const char *s)
{
	return must(strdup(s));
}

char *xstrndup(const char *s, size_t size)
{
	return must(strndup(s, size));
}

void buf_init(struct buf *buf, size_t max)
{
	*buf = (struct buf){ .max = max };
}

void buf_done(struct buf *buf)
{
	free(buf->data);
	*buf = (struct buf){ .max = buf->max };
}

void buf_reset(struct buf *buf)
{
	buf->size = 0;
	buf->overflow = false;
	if (buf->data)
		buf->data[0] = '\0';
}

/* Makes room for more bytes and the terminating NUL; false once the maximum is passed. */
static bool reserve(struct buf *buf, size_t more)
{
	if (buf->overflow || more > buf->max - buf->size) {
		buf->overflow = true;
		return false;
	}
	size_t need = buf->size + more + 1;
	if (need <= buf->room)
		return true;
	size_t room = buf->room ? buf->room : FIRST_ROOM;
	while (room < need)
		room *= 2;
	if (room > buf->max + 1)
		room = buf->max + 1;
	buf->data = xrealloc(buf->data, room);
	buf->room = room;
	return true;
}

void buf_add(struct buf *buf, const void *data, size_t size)
{
	if (!reserve(buf, size))
		return;
	if (size > 0)
		memcpy(buf->data + buf->size, data, size);
	buf->size += size;
	buf->data[buf->size] = '\0';
}

void buf_adds(struct buf *buf, const char *s)
{
	buf_add(buf, s, strlen(s));
}

void buf_addf(struct buf *buf, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	int size = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (size < 0 || !reserve(buf, (size_t)size)) {
		buf->overflow = true;
		return;
	}
	va_start(args, fmt);
	vsnprintf(buf->data + buf->size, (size_t)size + 1, fmt, args);
	va_end(args);
	buf->size += (size_t)size;
}

bool buf_ok(const struct buf *buf)
{
	return !buf->overflow;
}

const char *buf_text(const struct buf *buf)
{
	return buf->data ? buf->data : "";
}

char *buf_take(struct buf *buf, size_t *ret_size)
{
	char *data = buf->data ? buf->data : xstrdup("");

	if (ret_size)
		*ret_size = buf->size;
	buf_init(buf, buf->max);
	return data;
}

void buf_add_url(struct buf *buf, const char *s)
{
	static const char hex[] = "0123456789ABCDEF";
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~";

	while (*s) {
		size_t run = strspn(s, plain);
		if (run > 0) {
			buf_add(buf, s, run);
			s += run;
			continue;
		}
		unsigned char byte = (unsigned char)*s++;
		buf_add(buf, (char[]){ '%', hex[byte >> 4], hex[byte & 15] }, 3);
	}
}

/* Length of the well-formed UTF-8 sequence at s, 0 when it is not one (RFC 3629: no overlong
 * forms, no surrogates, nothing above U+10FFFF). */
static size_t utf8_length(const unsigned char *s, size_t size)
{
	static const struct {
		unsigned char first_low, first_high, second_low, second_high, length;
	} forms[] = {
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	if (s[0] < 0x80)
		return 1;
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		if (s[0] < forms[i].first_low || s[0] > forms[i].first_high)
			continue;
		if (size < forms[i].length || s[1] < forms[i].second_low ||
		    s[1] > forms[i].second_high)
			return 0;
		for (size_t k = 2; k < forms[i].length; k++)
			if ((s[k] & 0xc0) != 0x80)
				return 0;
		return forms[i].length;
	}
	return 0;
}

static void add_json_special(struct buf *buf, unsigned char byte)
{
	switch (byte) {
	case '"':
		buf_add(buf, "\\\"", 2);
		break;
	case '\\':
		buf_add(buf, "\\\\", 2);
		break;
	case '\n':
		buf_add(buf, "\\n", 2);
		break;
	case '\r':
		buf_add(buf, "\\r", 2);
		break;
	case '\t':
		buf_add(buf, "\\t", 2);
		break;
	default:
		buf_addf(buf, "\\u%04x", (unsigned)byte);
	}
}

static bool json_plain(unsigned char byte)
{
	return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

void buf_add_json(struct buf *buf, const char *s, size_t size)
{
	const unsigned char *at = (const unsigned char *)s;
	const unsigned char *end = at + size;

	while (at < end) {
		const unsigned char *run = at;
		while (at < end && json_plain(*at))
			at++;
		buf_add(buf, run, (size_t)(at - run));
		if (at == end)
			break;
		if (*at < 0x80) {
			add_json_special(buf, *at++);
			continue;
		}
		size_t length = utf8_length(at, (size_t)(end - at));
		if (length == 0) {
			buf_adds(buf, "\xef\xbf\xbd");
			at++;
		} else {
			buf_add(buf, at, length);
			at += length;
		}
	}
}
