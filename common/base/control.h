#ifndef BASE_CONTROL_H
#define BASE_CONTROL_H

#include <stdbool.h>

/* Control characters, which no name, identifier or line has: 0 to 31, and 127. */
static inline bool is_control(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f;
}

static inline bool has_control(const char *text)
{
	while (*text && !is_control(*text))
		text++;
	return *text != '\0';
}

/* Each becomes '?', for messages. */
static inline void mask_controls(char *text)
{
	for (; *text; text++) {
		if (is_control(*text))
			*text = '?';
	}
}

#endif
