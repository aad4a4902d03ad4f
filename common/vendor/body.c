#include "vendor/body.h"

#include <string.h>

#include "base/arena.h"
#include "vendor/json_slice.h"

/* jansson goes 2,048 levels deep, recursively: bounded before it starts. */
static bool shallow(const char *text, size_t size)
{
	unsigned depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
		} else if (c == '"') {
			quoted = true;
		} else if (c == '{' || c == '[') {
			if (++depth > JSON_SLICE_DEPTH_MAX)
				return false;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return true;
}

json_t *body_parse(const char *text, size_t size)
{
	/* A NUL is no JSON; jansson swallows one after a number. */
	if (memchr(text, '\0', size) || !shallow(text, size))
		return NULL;
	return json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
}

const char *body_peek(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

const char *body_text(const json_t *object, const char *name, struct arena *arena)
{
	const char *text = body_peek(object, name);

	return *text ? arena_strdup(arena, text) : "";
}

bool body_bool(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}

uint64_t body_number(const json_t *object, const char *name)
{
	json_int_t number = json_integer_value(json_object_get(object, name));

	return number > 0 ? (uint64_t)number : 0;
}

void body_excerpt(const char *text, char *ret_excerpt, size_t room)
{
	size_t size = 0;
	bool blank = true; /* none at the beginning */

	for (; *text && size + 1 < room; text++) {
		unsigned char c = (unsigned char)*text;

		if (c > ' ' && c != 0x7f) {
			ret_excerpt[size++] = *text;
			blank = false;
		} else if (!blank) {
			ret_excerpt[size++] = ' ';
			blank = true;
		}
	}
	if (*text) { /* cut: not within a character */
		while (size > 0 && ((unsigned char)ret_excerpt[size - 1] & 0xc0) == 0x80)
			size--;
		if (size > 0 && (unsigned char)ret_excerpt[size - 1] >= 0xc0)
			size--;
	}
	while (size > 0 && ret_excerpt[size - 1] == ' ')
		size--;
	ret_excerpt[size] = '\0';
}
