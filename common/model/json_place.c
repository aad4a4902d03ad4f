/* Looks for a value by skipping everything before it. The text is right JSON. */
#include "model/json_place.h"

#include <stdlib.h>
#include <string.h>

struct json_place json_place_start(const char *text, size_t size)
{
	return (struct json_place){ text, text + size, text, 1 };
}

static void step(struct json_place *place)
{
	if (*place->at == '\n') {
		place->line++;
		place->line_start = place->at + 1;
	}
	place->at++;
}

char json_place_peek(struct json_place *place)
{
	while (place->at < place->end && strchr(" \t\r\n,:", *place->at))
		step(place);
	return place->at < place->end ? *place->at : '\0';
}

bool json_place_take(struct json_place *place, char what)
{
	if (json_place_peek(place) != what)
		return false;
	step(place);
	return true;
}

static void skip_text(struct json_place *place)
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

/* Brackets are counted, what is within needs no look. */
void json_place_skip(struct json_place *place)
{
	size_t depth = 0;

	do {
		char c = json_place_peek(place);

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

bool json_place_member(struct json_place *place, const char *name)
{
	size_t size = strlen(name);

	if (json_place_peek(place) != '"')
		return false;
	const char *start = place->at + 1;

	skip_text(place);
	return (size_t)(place->at - start) == size + 1 && strncmp(start, name, size) == 0;
}

/* Into the object or list at hand, up to the value; false when it is not there. */
static bool enter(struct json_place *place, const char *name)
{
	unsigned long index = *name == '#' ? strtoul(name + 1, NULL, 10) : 0;
	char open = *name == '#' ? '[' : '{', c;

	if (!json_place_take(place, open))
		return false;
	while ((c = json_place_peek(place)) != '\0' && c != ']' && c != '}') {
		if (open == '{' ? json_place_member(place, name) : index-- == 0)
			return json_place_peek(place) != '\0';
		json_place_skip(place);
	}
	return false;
}

unsigned json_place_line(const char *text, size_t size, const char *const *path)
{
	struct json_place place = json_place_start(text, size);

	for (; *path; path++) {
		if (!enter(&place, *path))
			return 0;
	}
	return json_place_peek(&place) != '\0' ? place.line : 0;
}
