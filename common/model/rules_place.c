/* Where in the file the rules stand. */
#include "model/json_place.h"
#include "model/rules_list.h"

static void note_line(struct rule *rule, size_t i, struct json_place *place)
{
	if (i < RULE_LINES_MAX && json_place_peek(place) == '"') {
		rule->when_at[i].line = place->line;
		rule->when_at[i].column = (unsigned)(place->at - place->line_start) + 2;
	}
	json_place_skip(place);
}

static void place_when(struct rule *rule, struct json_place *place)
{
	if (!json_place_take(place, '[')) {
		note_line(rule, 0, place);
		return;
	}
	for (size_t i = 0; json_place_peek(place) != '\0' && !json_place_take(place, ']'); i++)
		note_line(rule, i, place);
}

static void place_rule(struct rule *rule, struct json_place *place)
{
	json_place_peek(place);
	rule->line = place->line;
	if (!json_place_take(place, '{')) {
		json_place_skip(place);
		return;
	}
	while (json_place_peek(place) == '"') {
		if (json_place_member(place, "when"))
			place_when(rule, place);
		else
			json_place_skip(place);
	}
	json_place_take(place, '}');
}

void rules_place(struct rule *items, size_t count, const char *text, size_t size)
{
	struct json_place place = json_place_start(text, size);

	json_place_take(&place, '{');
	while (json_place_peek(&place) == '"') {
		if (!json_place_member(&place, "rules")) {
			json_place_skip(&place);
			continue;
		}
		json_place_take(&place, '[');
		for (size_t i = 0; i < count; i++)
			place_rule(&items[i], &place);
		return;
	}
}
