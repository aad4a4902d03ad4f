/*
 * response: what will be answered, built by a vendor and possibly spoilt by a fault afterwards.
 */
#include "response.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"

void response_init(struct response *response, struct arena *arena)
{
	memset(response, 0, sizeof(*response));
	response->arena = arena;
	response->status = 200;
	buf_init(&response->body, RESPONSE_BODY_MAX);
}

void response_done(struct response *response)
{
	buf_done(&response->body);
}

void response_clear(struct response *response)
{
	response->status = 200;
	response->content_type = NULL;
	response->headers = 0;
	buf_reset(&response->body);
}

void response_set_header(struct response *response, const char *name, const char *value)
{
	if (response->headers < RESPONSE_HEADERS_MAX)
		response->header[response->headers++] = (struct response_header){ name, value };
}

void response_add_header(struct response *response, const char *name, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	int size = vsnprintf(NULL, 0, fmt, args);

	va_end(args);
	if (size < 0)
		return;
	char *text = arena_alloc(response->arena, (size_t)size + 1);

	va_start(args, fmt);
	vsnprintf(text, (size_t)size + 1, fmt, args);
	va_end(args);
	response_set_header(response, name, text);
}

void response_text(struct response *response, unsigned status, const char *content_type,
		   const char *text)
{
	response->status = status;
	response->content_type = content_type;
	buf_reset(&response->body);
	buf_adds(&response->body, text);
}

static int dump_chunk(const char *data, size_t size, void *out)
{
	buf_add(out, data, size);
	return 0;
}

void response_dump(struct buf *out, const json_t *value)
{
	json_dump_callback(value, dump_chunk, out, JSON_COMPACT | JSON_ENCODE_ANY);
}

void response_json(struct response *response, unsigned status, json_t *value)
{
	response->status = status;
	response->content_type = "application/json";
	buf_reset(&response->body);
	response_dump(&response->body, value);
	json_decref(value);
}

void response_refuse(struct response *response, unsigned status, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	json_t *value = json_string(text);

	if (!value) /* not UTF-8: a name that came from outside */
		value = json_string("malformed request");
	response_json(response, status, json_pack("{s:o}", "error", value));
}
