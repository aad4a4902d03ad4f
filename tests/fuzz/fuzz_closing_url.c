/* The JSON in the ancestors' closing URL: refused in one line, or read so that what we would
 * write of it is read as the same. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "model/closing_url.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static int digit(char c)
{
	return c >= 'A' ? c - 'A' + 10 : c - '0';
}

static char *decoded(const char *line)
{
	const char *at = strstr(line, "&observable_value=") + strlen("&observable_value=");
	char *text = xmalloc(strlen(at) + 1), *to = text;

	for (; *at != '&'; at++) {
		if (*at == '%') {
			*to++ = (char)(digit(at[1]) * 16 + digit(at[2]));
			at += 2;
		} else {
			*to++ = *at;
		}
	}
	*to = '\0';
	return text;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct arena *arena = arena_new();
	struct closing_value value, back;
	struct err err = { 0 };

	if (!closing_value_parse(&value, (const char *)data, size, arena, &err)) {
		must(err.kind == ERR_PERMANENT && err.text[0] && !strchr(err.text, '\n'));
		arena_free(arena);
		return 0;
	}
	must(strlen(value.sys_id) == 32);

	const char *line = closing_url(&value, arena);

	must(strpbrk(line, " \r\n\"<>") == NULL);

	char *text = decoded(line);

	/* Escapes can make of what just fitted more than fits. */
	if (strlen(text) < CLOSING_VALUE_MAX) {
		must(closing_value_parse(&back, text, strlen(text), arena, &err));
		must(same(value.sys_id, back.sys_id) && same(value.ctim_id, back.ctim_id) &&
		     same(value.customer_name, back.customer_name) &&
		     same(value.connector, back.connector) && same(value.group, back.group) &&
		     same(value.incident, back.incident) && same(value.token, back.token));
	}
	free(text);
	arena_free(arena);
	return 0;
}
