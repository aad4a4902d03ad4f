/* mail_parse: as much of MIME as mail programs of today write: unfolded headers, encoded words,
 * alternative parts in quoted-printable, base64 or plain. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/hex.h"
#include "mail.h"

enum { TEXT_MAX = 4 * 1024 * 1024, HEADER_MAX = 16 * 1024 };

/* The value of a header in a block of them, unfolded. Caller frees; NULL when it is not there.
 */
static char *header(const char *block, size_t size, const char *name)
{
	size_t length = strlen(name);
	const char *end = block + size;

	for (const char *line = block; line < end;) {
		const char *next = memchr(line, '\n', (size_t)(end - line));

		next = next ? next + 1 : end;
		while (next < end && (*next == ' ' || *next == '\t')) {
			const char *more = memchr(next, '\n', (size_t)(end - next));

			next = more ? more + 1 : end;
		}
		if ((size_t)(next - line) > length && line[length] == ':' &&
		    strncasecmp(line, name, length) == 0) {
			struct buf value;

			buf_init(&value, HEADER_MAX);
			for (const char *p = line + length + 1; p < next; p++) {
				if (*p != '\r' && *p != '\n' && (*p != ' ' || value.size))
					buf_add(&value, p, 1);
			}
			return buf_take(&value, NULL);
		}
		line = next;
	}
	return NULL;
}

static void add_base64(struct buf *out, const char *text, size_t size)
{
	unsigned char *bytes = xmalloc(size + 1);
	size_t count = 0;

	if (sodium_base642bin(bytes, size + 1, text, size, "\r\n", &count, NULL,
			      sodium_base64_VARIANT_ORIGINAL) == 0)
		buf_add(out, bytes, count);
	free(bytes);
}

/* "=?UTF-8?B?...?=" words as text. */
static char *decode_words(const char *text)
{
	struct buf out;

	buf_init(&out, HEADER_MAX);
	while (*text) {
		const char *word = strstr(text, "=?UTF-8?B?");
		const char *end = word ? strstr(word + 10, "?=") : NULL;

		if (!end) {
			buf_adds(&out, text);
			break;
		}
		if (strspn(text, " \t") < (size_t)(word - text))
			buf_add(&out, text, (size_t)(word - text));
		add_base64(&out, word + 10, (size_t)(end - word - 10));
		text = end + 2;
	}
	return buf_take(&out, NULL);
}

static void add_quoted(struct buf *out, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '=' && i + 2 < size && text[i + 1] == '\r') {
			i += 2;
		} else if (text[i] == '=' && i + 2 < size && hex_byte(text + i + 1) >= 0) {
			char byte = (char)hex_byte(text + i + 1);

			buf_add(out, &byte, 1);
			i += 2;
		} else if (text[i] != '\r') {
			buf_add(out, text + i, 1);
		}
	}
}

static void add_body(json_t *mail, const char *headers, size_t header_size, const char *body,
		     size_t size);

static char *boundary_of(const char *type)
{
	const char *at = strcasestr(type, "boundary=");

	if (!at)
		return NULL;
	at += 9;
	return *at == '"' ? xstrndup(at + 1, strcspn(at + 1, "\""))
			  : xstrndup(at, strcspn(at, "; \t"));
}

/* Headers end at an empty line. */
static const char *body_start(const char *text, size_t size)
{
	const char *at = memmem(text, size, "\r\n\r\n", 4);

	return at ? at + 4 : text + size;
}

static void add_parts(json_t *mail, const char *boundary, const char *body, size_t size)
{
	struct buf line;

	buf_init(&line, HEADER_MAX);
	buf_addf(&line, "--%s", boundary);
	const char *end = body + size, *part = memmem(body, size, line.data, line.size);

	while (part) {
		const char *text = part + line.size;
		const char *next =
		    text < end ? memmem(text, (size_t)(end - text), line.data, line.size)
			       : NULL;

		if (end - text < 2 || strncmp(text, "--", 2) == 0 || !next)
			break;
		text += 2; /* CRLF */
		const char *start = body_start(text, (size_t)(next - text));

		add_body(mail, text, (size_t)(start - text), start, (size_t)(next - start));
		part = next;
	}
	buf_done(&line);
}

static void add_body(json_t *mail, const char *headers, size_t header_size, const char *body,
		     size_t size)
{
	char *type = header(headers, header_size, "Content-Type");
	char *encoding = header(headers, header_size, "Content-Transfer-Encoding");
	char *boundary = type ? boundary_of(type) : NULL;

	if (boundary) {
		add_parts(mail, boundary, body, size);
	} else {
		struct buf text;

		buf_init(&text, TEXT_MAX);
		if (encoding && strcasecmp(encoding, "base64") == 0)
			add_base64(&text, body, size);
		else
			add_quoted(&text, body, size);
		json_object_set_new(
		    mail, type && strncasecmp(type, "text/html", 9) == 0 ? "html" : "text",
		    json_string(buf_text(&text)));
		buf_done(&text);
	}
	free(boundary);
	free(encoding);
	free(type);
}

json_t *mail_parse(const char *text, size_t size)
{
	static const char *const names[][2] = { { "Subject", "subject" },
						{ "Message-ID", "message_id" },
						{ "From", "from" } };
	const char *body = body_start(text, size);
	size_t headers = (size_t)(body - text);
	json_t *mail = json_object();

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char *value = header(text, headers, names[i][0]);
		char *decoded = decode_words(value ? value : "");

		json_object_set_new(mail, names[i][1], json_string(decoded));
		free(decoded);
		free(value);
	}
	add_body(mail, text, headers, body, (size_t)(text + size - body));
	return mail;
}
