/* Finding again what an empty Redis has forgotten. */
#include "adopt.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "base/arena.h"
#include "base/clock.h"
#include "bus/redis.h"
#include "fold.h"
#include "noted.h"
#include "ticket/ticket.h"
#include "vendor/servicenow.h"
#include "vendor/servicenow_table.h"
#include "vendor/threat_response.h"

enum { FOUND_MAX = 50 };

/* An open ticket is reused whatever its age; beyond this nobody still expects it. */
static const uint64_t remembered_ms = 30ULL * 24 * 60 * 60 * 1000;

bool adopt_lost_ms(struct redis *redis, unsigned partition, uint64_t *ret_lost_ms,
		   struct err *err)
{
	struct key meta;

	key_format(&meta, partition, "meta");
	struct redis_reply *reply = redis_command(redis, err, "HGET %s lost_ms", meta.text);
	uint64_t lost_ms = (uint64_t)reply_integer(reply);
	bool read = reply != NULL;

	reply_free(reply);
	*ret_lost_ms = clock_wall_ms() < lost_ms + remembered_ms ? lost_ms : 0;
	return read;
}

static struct saga_end end_of(enum saga_result result, const char *note)
{
	return (struct saga_end){ .phase = SAGA_LOOK_UP, .result = result, .note = note };
}

/* ---- Threat Response ---- */

static bool carries(const struct threat_response_incident *found, const char *external_id)
{
	for (size_t i = 0; i < found->external_id_count; i++) {
		if (strcmp(found->external_ids[i], external_id) == 0)
			return true;
	}
	return false;
}

/* Our own one, else an open one; a closed one only for an event from before the loss, which
 * has been dealt with. */
static const struct threat_response_incident *pick_incident(
    const struct turn *turn, const struct threat_response_incident *found, size_t count)
{
	const struct threat_response_incident *best = NULL;
	char key[INCIDENT_KEY_SIZE];

	incident_key(turn->app->installation, &turn->incident, key);
	for (size_t i = 0; i < count; i++) {
		bool open = strncmp(found[i].status, "Closed", 6) != 0;

		if (carries(&found[i], key))
			return &found[i];
		if (open || (!best && turn->incident.event_ms <= turn->lost_ms))
			best = &found[i];
	}
	return best;
}

struct saga_end adopt_threat_response(struct turn *turn)
{
	const char *account = turn->incident.threat_response_account;
	const struct threat_response_incident *adopted;
	struct threat_response_incident *found;
	struct vendor_session session;
	char key[INCIDENT_KEY_SIZE];
	struct err err = { 0 };
	size_t count;

	if (!turn_session(turn, account, SAGA_LOOK_UP, &session))
		return turn_unconfigured(turn, account, SAGA_LOOK_UP);
	incident_group_key(turn->app->installation, &turn->incident, key);
	if (!threat_response_find(&session, key, turn->arena, &found, &count, &err))
		return turn_failed(turn, &session, SAGA_LOOK_UP, false, &err);
	adopted = pick_incident(turn, found, count);
	if (!adopted)
		return end_of(SAGA_ABSENT, "looked up by its group: not there");
	turn->incident.ctim_id = adopted->id;
	return end_of(SAGA_OK, arena_printf(turn->arena, "adopted %s", adopted->id));
}

/* ---- ServiceNow ---- */

static const char *value(const struct servicenow_record *record, const char *column)
{
	const char *text = servicenow_record_value(record, column);

	return text ? text : "";
}

/* Our own one, else the newest open one, else one that was closed after this event. */
static const struct servicenow_record *pick_ticket(struct turn *turn,
						   const struct servicenow_record *found,
						   size_t count)
{
	const struct servicenow_record *best = NULL;
	char key[INCIDENT_KEY_SIZE];

	incident_key(turn->app->installation, &turn->incident, key);
	for (size_t i = 0; i < count; i++) {
		const struct servicenow_record *one = &found[i];
		bool over = servicenow_table_is_over(turn_table(turn), one);
		uint64_t closed_ms = servicenow_table_over_ms(one);

		if (strcmp(value(one, "company"), turn->customer->servicenow.company) != 0)
			continue;
		if (strcmp(value(one, "correlation_id"), key) == 0)
			return one;
		if (!over || (!best && closed_ms >= turn->incident.event_ms))
			best = one;
	}
	return best;
}

static void adopt_ticket(struct turn *turn, struct vendor_session *session,
			 const struct servicenow_record *ticket)
{
	struct incident *incident = &turn->incident;
	const char *sys_id = value(ticket, "sys_id"), *notes;
	const struct servicenow_place place = { turn_table(turn), sys_id };

	incident->sys_id = sys_id;
	incident->number = value(ticket, "number");
	incident->ticket_url =
	    servicenow_table_url(session->account->url, turn_table(turn), sys_id, turn->arena);
	incident->impact = servicenow_record_number(ticket, "impact");
	incident->urgency = servicenow_record_number(ticket, "urgency");
	incident->told_severity_id = incident->severity_id;
	incident->ticket_ms = clock_wall_ms();
	if (servicenow_table_is_over(turn_table(turn), ticket)) {
		/* It closes like any other: more than the ticket may still be open. */
		incident->closing.via = closure_via_name(CLOSURE_RECONCILER);
		incident->closing.hint_ms = turn_now_ms(turn);
		incident->steps[STEP_SERVICENOW_LINK] = (struct incident_step){
			.status = STEP_SKIPPED,
			.note = "the ticket is over",
		};
		incident->opening = NULL;
		return;
	}
	if (!servicenow_notes(session, &place, turn->arena, &notes, NULL, NULL) || !notes)
		notes = "";
	if (strstr(notes, "respond/trigger/tocsin/close"))
		incident->steps[STEP_SERVICENOW_LINK] = (struct incident_step){
			.status = STEP_SKIPPED,
			.note = "the closing URL is there",
		};
	if (!noted_event(notes, incident->event_id))
		fold_opening_as_note(turn);
}

struct saga_end adopt_servicenow(struct turn *turn)
{
	const char *account = turn->incident.servicenow_account;
	const struct servicenow_record *adopted;
	struct servicenow_record *found;
	struct vendor_session session;
	char prefix[INCIDENT_KEY_SIZE];
	const struct servicenow_search search = {
		.table = turn_table(turn),
		.correlation_id = prefix,
		.prefix = true,
		.fields = "company,impact,urgency,active,resolved_at,closed_at",
		.limit = FOUND_MAX,
	};
	struct err err = { 0 };
	size_t count;

	if (!turn_session(turn, account, SAGA_LOOK_UP, &session))
		return turn_unconfigured(turn, account, SAGA_LOOK_UP);
	/* The whole key without the id at its end. */
	incident_key(turn->app->installation, &turn->incident, prefix);
	prefix[strlen(prefix) - (INCIDENT_ID_SIZE - 1)] = '\0';
	if (!servicenow_find(&session, &search, turn->arena, &found, &count, NULL, &err))
		return turn_failed(turn, &session, SAGA_LOOK_UP, false, &err);
	adopted = pick_ticket(turn, found, count);
	if (!adopted)
		return end_of(SAGA_ABSENT, "looked up by its group: not there");
	adopt_ticket(turn, &session, adopted);
	return end_of(SAGA_OK, arena_printf(turn->arena, "adopted %s", turn->incident.number));
}
