/* Cutting and cleaning of outside strings, by characters and never inside one. */
#include "ticket/prose.h"

#include <string.h>

#include "base/arena.h"

static bool continues(char c)
{
	return ((unsigned char)c & 0xC0) == 0x80;
}

size_t prose_length(const char *s)
{
	size_t length = 0;

	for (; *s; s++)
		length += !continues(*s);
	return length;
}

/* Byte offset of character n, or of the end. */
static size_t offset_of(const char *s, size_t n)
{
	size_t at = 0;

	while (s[at] && n > 0) {
		at++;
		while (continues(s[at]))
			at++;
		n--;
	}
	return at;
}

const char *prose_cut(struct arena *arena, const char *s, size_t max)
{
	size_t size = strlen(s);

	if (size <= max)
		return s;
	size = max;
	while (size > 0 && continues(s[size]))
		size--;
	return arena_strndup(arena, s, size);
}

static bool is_blank(char c)
{
	return (unsigned char)c <= ' ' || c == '\x7f';
}

const char *prose_line(struct arena *arena, const char *s, size_t max)
{
	char *line = arena_strdup(arena, s ? s : "");
	size_t size = 0;

	for (const char *c = line; *c; c++) {
		if (!is_blank(*c))
			line[size++] = *c;
		else if (size > 0 && line[size - 1] != ' ')
			line[size++] = ' ';
	}
	if (size > 0 && line[size - 1] == ' ')
		size--;
	line[size] = '\0';
	if (prose_length(line) <= max)
		return line;
	line[offset_of(line, max > 0 ? max - 1 : 0)] = '\0';
	return arena_printf(arena, "%s…", line);
}

const char *prose_lines(struct arena *arena, const char *s, size_t max)
{
	char *text = arena_strdup(arena, s ? s : "");
	size_t size = 0;

	for (const char *c = text; *c; c++) {
		if (*c == '\n' || *c == '\t' || !is_blank(*c))
			text[size++] = *c;
		else if (*c != '\r')
			text[size++] = ' ';
	}
	while (size > 0 && is_blank(text[size - 1]))
		size--;
	text[size] = '\0';
	if (prose_length(text) <= max)
		return text;
	text[offset_of(text, max > 0 ? max - 1 : 0)] = '\0';
	return arena_printf(arena, "%s…", text);
}

static bool is_hex(char c)
{
	return c && strchr("0123456789abcdefABCDEF", c);
}

bool prose_is_uri(const char *s)
{
	if (!s || !strstr(s, "://"))
		return false;
	for (; *s; s++) {
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f ||
		    strchr("\"<>\\^`{|}", *s))
			return false;
		if (*s == '%' && (!is_hex(s[1]) || !is_hex(s[2])))
			return false;
	}
	return true;
}
