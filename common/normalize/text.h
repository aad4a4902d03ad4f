#ifndef NORMALIZE_TEXT_H
#define NORMALIZE_TEXT_H

#include <stddef.h>

struct arena;

/* Texts made on the way, in the arena. Plain copying: formatting showed in the profile. */
const char *text_join(struct arena *arena, const char *start, const char *middle,
		      const char *end);
/* The first size bytes of text, ASCII letters in lower case. */
const char *text_lower(struct arena *arena, const char *text, size_t size);

#endif
