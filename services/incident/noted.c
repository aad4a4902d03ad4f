/* What a ticket's notes already say, after Redis was set back. */
#include "noted.h"

#include <ctype.h>
#include <string.h>

#include "base/arena.h"
#include "ticket/ticket.h"
#include "vendor/servicenow.h"

/* Where text has before and id, and not a longer one. */
static const char *place_of(const char *text, const char *before, const char *id)
{
	size_t before_size = strlen(before), size = strlen(id);

	for (const char *at = text; (at = strstr(at, before)) != NULL; at += before_size) {
		const char *end = at + before_size + size;

		if (strncmp(at + before_size, id, size) == 0 && !isalnum((unsigned char)*end) &&
		    *end != '-' && *end != '_')
			return at;
	}
	return NULL;
}

bool noted_event(const char *notes, const char *event_id)
{
	return event_id && *event_id &&
	       (place_of(notes, "Event id: ", event_id) ||
		place_of(notes, ", event ", event_id));
}

bool noted_unknown(struct turn *turn, bool *ret_unknown, struct err *err)
{
	const struct incident *incident = &turn->incident;
	const char **items;
	size_t count;

	*ret_unknown = false;
	if (turn->lost_ms == 0 || incident->event_ms > turn->lost_ms ||
	    incident->writing_count > 0)
		return true;
	*ret_unknown = incident->note_ms <= turn->lost_ms;
	if (*ret_unknown)
		return true;
	if (!turn_kept(turn, &items, &count, err))
		return false;
	for (size_t i = 0; i < count && !*ret_unknown; i++) {
		struct incident_item item;

		*ret_unknown =
		    incident_item_decode(&item, items[i], incident, turn->arena, NULL) &&
		    item.finding.time_ms <= turn->lost_ms;
	}
	return true;
}

/* The line of what waits that names the event goes. */
static void drop_line(struct turn *turn, const char *event_id)
{
	const char *lines = turn->incident.waiting;
	const char *found = lines ? place_of(lines, ", event ", event_id) : NULL;

	if (!found)
		return;

	const char *begin = found, *end = found + strcspn(found, "\n");

	while (begin > lines && begin[-1] != '\n')
		begin--;
	if (*end)
		end++;
	else if (begin > lines)
		begin--;
	turn->incident.waiting =
	    arena_printf(turn->arena, "%.*s%s", (int)(begin - lines), lines, end);
}

/* What stays is written anew: only as many as are counted are read. */
static bool drop_events(struct turn *turn, const char *notes, struct err *err)
{
	struct incident *incident = &turn->incident;
	const char **items;
	size_t count;

	if (!turn_kept(turn, &items, &count, err))
		return false;
	turn->kept_count = 0;
	for (size_t i = 0; i < count; i++) {
		struct incident_item item;

		if (!incident_item_decode(&item, items[i], incident, turn->arena, NULL) ||
		    !noted_event(notes, item.finding.event_id)) {
			turn_keep(turn, items[i]);
			continue;
		}
		drop_line(turn, item.finding.event_id);
		if (incident->waiting_count > 0)
			incident->waiting_count--;
	}
	if (incident->waiting_count == 0) {
		incident->waiting = NULL;
		incident->waiting_since_ms = 0;
	}
	return true;
}

bool noted_drop(struct turn *turn, struct vendor_session *session, struct err *err)
{
	struct incident *incident = &turn->incident;
	const struct servicenow_place place = { turn_table(turn), incident->sys_id };
	const char *notes;

	if (!servicenow_notes(session, &place, turn->arena, &notes, NULL, err))
		return false;
	if (!notes)
		return true;
	if (!drop_events(turn, notes, err))
		return false;
	incident->notes++;
	while (strstr(notes, ticket_note_marker(incident, turn->arena)))
		incident->notes++;
	incident->notes--;
	return true;
}
