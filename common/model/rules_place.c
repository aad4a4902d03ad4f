/* Where in the file the rules stand: jansson does not tell, and a message without a line is
 * read by nobody. The text has been parsed before, so it is right JSON. */
#include <string.h>

#include "model/rules_list.h"

struct place {
	const char *at, *end;
	const char *line_start;
	unsigned line;
};

static void step(struct place *place)
{
	if (*place->at == '\n') {
		place->line++;
		place->line_start = place->at + 1;
	}
	place->at++;
}

static char skip_space(struct place *place)
{
	while (place->at < place->end && strchr(" \t\r\n", *place->at))
		step(place);
	return place->at < place->end ? *place->at : '\0';
}

/* Past a character that is expected here. */
static bool take(struct place *place, char what)
{
	if (skip_space(place) != what)
		return false;
	step(place);
	return true;
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
	unsigned depth = 0;

	do {
		char c = skip_space(place);

		if (c == '\0')
			return;
		if (c == '"') {
			skip_text(place);
			continue;
		}
		depth += c == '{' || c == '[';
		depth -= (c == '}' || c == ']') && depth > 0;
		step(place);
		if (depth == 0 && !strchr("}]", c))
			while (place->at < place->end && !strchr(",:]} \t\r\n", *place->at))
				step(place);
	} while (depth > 0);
}

/* Past a member's name and colon; whether it is this one. */
static bool member_is(struct place *place, const char *name)
{
	skip_space(place);
	const char *start = place->at;
	size_t size = strlen(name);

	skip_text(place);
	bool same =
	    (size_t)(place->at - start) == size + 2 && strncmp(start + 1, name, size) == 0;
	take(place, ':');
	return same;
}

static void note_line(struct rule *rule, size_t i, struct place *place)
{
	if (i < RULE_LINES_MAX && skip_space(place) == '"') {
		rule->when_at[i].line = place->line;
		rule->when_at[i].column = (unsigned)(place->at - place->line_start) + 2;
	}
	skip_value(place);
}

static void place_when(struct rule *rule, struct place *place)
{
	if (skip_space(place) != '[') {
		note_line(rule, 0, place);
		return;
	}
	step(place);
	for (size_t i = 0; skip_space(place) != ']' && place->at < place->end; i++) {
		note_line(rule, i, place);
		take(place, ',');
	}
	take(place, ']');
}

static void place_rule(struct rule *rule, struct place *place)
{
	rule->line = place->line;
	if (!take(place, '{')) {
		skip_value(place);
		return;
	}
	while (skip_space(place) == '"') {
		if (member_is(place, "when"))
			place_when(rule, place);
		else
			skip_value(place);
		take(place, ',');
	}
	take(place, '}');
}

static void place_list(struct rule *items, size_t count, struct place *place)
{
	if (!take(place, '['))
		return;
	for (size_t i = 0; i < count && skip_space(place) != ']'; i++) {
		place_rule(&items[i], place);
		take(place, ',');
	}
}

void rules_place(struct rule *items, size_t count, const char *text, size_t size)
{
	struct place place = { text, text + size, text, 1 };

	take(&place, '{');
	while (skip_space(&place) == '"') {
		if (member_is(&place, "rules")) {
			place_list(items, count, &place);
			return;
		}
		skip_value(&place);
		take(&place, ',');
	}
}
