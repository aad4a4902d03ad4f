#include "normalize/text.h"

#include <string.h>

#include "base/arena.h"

const char *text_join(struct arena *arena, const char *start, const char *middle,
		      const char *end)
{
	char *text = arena_alloc(arena, strlen(start) + strlen(middle) + strlen(end) + 1);

	stpcpy(stpcpy(stpcpy(text, start), middle), end);
	return text;
}

const char *text_lower(struct arena *arena, const char *text, size_t size)
{
	char *lower = arena_strndup(arena, text, size);

	for (char *c = lower; *c; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	}
	return lower;
}
