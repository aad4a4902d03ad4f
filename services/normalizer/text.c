#include "text.h"

#include <string.h>

#include "base/arena.h"

const char *text_join(struct arena *arena, const char *start, const char *middle,
		      const char *end)
{
	size_t start_size = strlen(start), middle_size = strlen(middle), end_size = strlen(end);
	char *text = arena_alloc(arena, start_size + middle_size + end_size + 1);

	memcpy(text, start, start_size);
	memcpy(text + start_size, middle, middle_size);
	memcpy(text + start_size + middle_size, end, end_size);
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
