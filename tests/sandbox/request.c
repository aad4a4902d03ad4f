/*
 * request: one HTTP request, taken apart. Everything in it comes from outside: the number of
 * path parts and parameters is bounded here, the size of the body by the server.
 */
#include "request.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/hex.h"

char *request_decode(struct arena *arena, const char *text, size_t size, bool plus)
{
	char *out = arena_alloc(arena, size + 1);
	size_t n = 0;

	for (size_t i = 0; i < size; i++) {
		int byte = text[i] == '%' && i + 2 < size ? hex_byte(text + i + 1) : -1;

		if (byte > 0) { /* %00 stays as it is: texts end at NUL */
			out[n++] = (char)(unsigned char)byte;
			i += 2;
		} else {
			out[n++] = plus && text[i] == '+' ? ' ' : text[i];
		}
	}
	out[n] = '\0';
	return out;
}

static void split_path(struct request *request)
{
	const char *at = request->path;

	while (*at && request->segments < REQUEST_SEGMENTS_MAX) {
		at += strspn(at, "/");
		size_t size = strcspn(at, "/");

		if (size == 0)
			break;
		request->segment[request->segments++] =
		    request_decode(request->arena, at, size, false);
		at += size;
	}
}

static unsigned split_form(struct arena *arena, const char *text, struct request_param *param,
			   unsigned max)
{
	unsigned count = 0;

	while (*text && count < max) {
		size_t size = strcspn(text, "&");
		const char *equals = memchr(text, '=', size);
		size_t name_size = equals ? (size_t)(equals - text) : size;

		if (size > 0) {
			param[count].name = request_decode(arena, text, name_size, true);
			param[count].value = equals ? request_decode(arena, equals + 1,
								     size - name_size - 1, true)
						    : "";
			count++;
		}
		text += size;
		text += *text == '&';
	}
	return count;
}

static unsigned count_params(const char *text)
{
	unsigned count = 1;

	for (; *text; text++)
		count += *text == '&';
	return count < REQUEST_PARAMS_MAX ? count : REQUEST_PARAMS_MAX;
}

void request_set_target(struct request *request, const char *target)
{
	size_t size = strcspn(target, "?");

	request->target = arena_strdup(request->arena, target);
	request->path = arena_strndup(request->arena, target, size);
	request->query = request->target + size + (target[size] == '?');
	split_path(request);
	if (*request->query) {
		unsigned max = count_params(request->query);

		request->param = arena_alloc(request->arena, max * sizeof(*request->param));
		request->params =
		    split_form(request->arena, request->query, request->param, max);
	}
}

const char *request_param(const struct request *request, const char *name)
{
	for (unsigned i = 0; i < request->params; i++) {
		if (strcmp(request->param[i].name, name) == 0)
			return request->param[i].value;
	}
	return NULL;
}

uint64_t request_param_number(const struct request *request, const char *name,
			      uint64_t fallback, uint64_t max)
{
	const char *text = request_param(request, name);
	char *end;

	if (!text || *text < '0' || *text > '9' || strlen(text) > 18)
		return fallback;
	uint64_t value = strtoull(text, &end, 10);

	return *end || value > max ? fallback : value;
}

const char *request_segment(const struct request *request, unsigned index)
{
	return index < request->segments ? request->segment[index] : "";
}

bool request_is(const struct request *request, const char *method)
{
	return strcmp(request->method, method) == 0;
}

bool request_basic(const struct request *request, const char **ret_user,
		   const char **ret_secret)
{
	const char *text = request->authorization;
	size_t size = 0;

	if (!text || strncasecmp(text, "Basic ", 6) != 0)
		return false;
	text += 6 + strspn(text + 6, " ");
	size_t max = strlen(text);
	unsigned char *plain = arena_alloc(request->arena, max + 1);

	if (sodium_base642bin(plain, max, text, max, " ", &size, NULL,
			      sodium_base64_VARIANT_ORIGINAL) != 0)
		return false;
	plain[size] = '\0';
	char *colon = strchr((char *)plain, ':');

	if (!colon)
		return false;
	*colon = '\0';
	*ret_user = (char *)plain;
	*ret_secret = colon + 1;
	return true;
}

const char *request_bearer(const struct request *request)
{
	const char *text = request->authorization;

	if (!text || strncasecmp(text, "Bearer ", 7) != 0)
		return NULL;
	return text + 7 + strspn(text + 7, " ");
}

void request_prepare(struct request *request)
{
	json_error_t error;

	if (request->body_size == 0)
		return;
	request->parsed =
	    json_loadb(request->body, request->body_size, JSON_DECODE_ANY, &error);
	if (!request->parsed)
		request->not_json = arena_printf(request->arena, "%s (line %d, column %d)",
						 error.text, error.line, error.column);
}

void request_done(struct request *request)
{
	json_decref(request->parsed);
}

json_t *request_json(const struct request *request, const char **ret_why)
{
	if (!request->parsed && ret_why)
		*ret_why = request->not_json ? request->not_json : "empty";
	return json_incref(request->parsed);
}

const char *request_form_field(const struct request *request, const char *name)
{
	struct request_param field[32];

	if (!request->body || memchr(request->body, '\0', request->body_size))
		return NULL;
	unsigned count = split_form(request->arena, request->body, field, 32);

	for (unsigned i = 0; i < count; i++) {
		if (strcmp(field[i].name, name) == 0)
			return field[i].value;
	}
	return NULL;
}

const char *request_origin(const struct request *request)
{
	return arena_printf(request->arena, "http://%s",
			    request->host ? request->host : "127.0.0.1");
}
