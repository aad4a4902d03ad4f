/* What a ticket's notes already say, after Redis was set back. */
#include "noted.h"

#include <ctype.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "ticket/ticket.h"
#include "vendor/servicenow.h"

static const char separator[] = "\x1e";

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

bool noted_unknown(const struct turn *turn)
{
	const struct incident *incident = &turn->incident;
	char *rest =
	    incident->waiting_items ? arena_strdup(turn->arena, incident->waiting_items) : NULL;

	if (turn->lost_ms == 0 || incident->ticket_ms > turn->lost_ms ||
	    incident->writing_count > 0)
		return false;
	if (incident->note_ms <= turn->lost_ms)
		return true;
	for (const char *one; (one = strsep(&rest, separator)) != NULL;) {
		struct incident_item item;

		if (incident_item_decode(&item, one, incident, turn->arena, NULL) &&
		    item.finding.time_ms <= turn->lost_ms)
			return true;
	}
	return false;
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

static void drop_events(struct turn *turn, const char *notes)
{
	struct incident *incident = &turn->incident;
	char *rest =
	    incident->waiting_items ? arena_strdup(turn->arena, incident->waiting_items) : NULL;
	struct buf kept = { 0 };

	for (const char *one; (one = strsep(&rest, separator)) != NULL;) {
		struct incident_item item;

		if (!*one)
			continue;
		if (!incident_item_decode(&item, one, incident, turn->arena, NULL) ||
		    !noted_event(notes, item.finding.event_id)) {
			buf_addf(&kept, "%s%s", separator, one);
			continue;
		}
		drop_line(turn, item.finding.event_id);
		if (incident->waiting_count > 0)
			incident->waiting_count--;
	}
	incident->waiting_items = kept.size > 0 ? arena_strdup(turn->arena, kept.data) : NULL;
	buf_done(&kept);
	if (incident->waiting_count == 0) {
		incident->waiting = NULL;
		incident->waiting_since_ms = 0;
	}
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
	drop_events(turn, notes);
	incident->notes++;
	while (strstr(notes, ticket_note_marker(incident, turn->arena)))
		incident->notes++;
	incident->notes--;
	return true;
}
