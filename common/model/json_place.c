/* Looks for a value by skipping everything before it. The text is right JSON. */
#include "model/json_place.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct place {
	const char *at, *end;
	unsigned line;
};

static void step(struct place *place)
{
	place->line += *place->at == '\n';
	place->at++;
}

static char peek(struct place *place)
{
	while (place->at < place->end && strchr(" \t\r\n,:", *place->at))
		step(place);
	return place->at < place->end ? *place->at : '\0';
}

static void skip_text(struct place *place)
{
	step(place);
	while (place->at < place->end && *place->at != '"') {
		if (*place->at == '\\')
			step(place);
		if (place->at < place->end)
			step(place);
	}
	if (place->at < place->end)
		step(place);
}

/* A value of any kind; brackets are counted, what is within needs no look. */
static void skip_value(struct place *place)
{
	size_t depth = 0;

	do {
		char c = peek(place);

		if (c == '\0')
			return;
		if (c == '"') {
			skip_text(place);
			continue;
		}
		depth += c == '{' || c == '[';
		depth -= (c == '}' || c == ']') && depth > 0;
		do
			step(place);
		while (place->at < place->end && !strchr("{}[]\",: \t\r\n", *place->at));
	} while (depth > 0);
}

/* Past a member's name; whether it is this one, which has no characters to be escaped. */
static bool member_is(struct place *place, const char *name)
{
	const char *start = place->at + 1;

	skip_text(place);
	return (size_t)(place->at - start) == strlen(name) + 1 &&
	       strncmp(start, name, strlen(name)) == 0;
}

/* Into the object or list at hand, up to the value; false when it is not there. */
static bool enter(struct place *place, const char *name)
{
	unsigned long index = *name == '#' ? strtoul(name + 1, NULL, 10) : 0;
	char open = peek(place), c;

	if (open != (*name == '#' ? '[' : '{'))
		return false;
	step(place);
	while ((c = peek(place)) != '\0' && c != ']' && c != '}') {
		if (open == '{' ? member_is(place, name) : index-- == 0)
			return peek(place) != '\0';
		skip_value(place);
	}
	return false;
}

unsigned json_place(const char *text, size_t size, const char *const *path)
{
	struct place place = { text, text + size, 1 };

	for (; *path; path++) {
		if (!enter(&place, *path))
			return 0;
	}
	return peek(&place) != '\0' ? place.line : 0;
}
