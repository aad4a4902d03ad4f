/* Work notes on later findings, and what is done when the ticket turns out to be closed. */
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "noted.h"
#include "ticket/sheet.h"
#include "ticket/ticket.h"
#include "tickets.h"
#include "turn.h"
#include "vendor/servicenow.h"
#include "vendor/servicenow_table.h"

enum { DAY_MS = 24 * 60 * 60 * 1000 };

/* The closing begins with the ticket being read once more (steps_verify.c); what came later is
 * handed on to a new incident (act.c). */
static struct saga_end closed(struct turn *turn, const struct servicenow_record *ticket)
{
	struct incident *incident = &turn->incident;
	uint64_t over_ms = servicenow_table_over_ms(ticket);

	if (over_ms > 0 && incident->closing.past_ms == CLOSING_PAST_ANY)
		incident->closing.past_ms = over_ms;
	if (over_ms > 0 && over_ms == incident->closing.past_ms) {
		incident->waiting = incident->writing = NULL;
		incident->waiting_count = incident->writing_count = 0;
		return turn_end(SAGA_PREPARE, SAGA_OK,
				"reopened by a person, but the ticket is over: not written");
	}
	if (!incident->closing.via)
		incident->closing.via = closure_via_name(CLOSURE_RECONCILER);
	incident->closing.hint_ms = turn_now_ms(turn);
	return turn_end(SAGA_PREPARE, SAGA_REFUSED, "the ticket is over");
}

/* Impact and urgency only upward, and only while nobody else has changed them. */
static void plan_raise(struct turn *turn, const struct servicenow_record *ticket)
{
	const struct incident *incident = &turn->incident;
	const struct customer_priority wanted = ticket_priority(turn->customer, incident);

	turn->raise_impact = turn->raise_urgency = 0;
	if (servicenow_record_number(ticket, "impact") != incident->impact ||
	    servicenow_record_number(ticket, "urgency") != incident->urgency)
		return;
	if (wanted.impact < incident->impact)
		turn->raise_impact = wanted.impact;
	if (wanted.urgency < incident->urgency)
		turn->raise_urgency = wanted.urgency;
}

/* From here on the text of this note does not change: it may have to be looked up. */
static void freeze(struct incident *incident, uint64_t now)
{
	unsigned today = (unsigned)(now / DAY_MS);

	if (incident->writing_count > 0)
		return;
	incident->writing = incident->waiting;
	incident->writing_count = incident->waiting_count;
	incident->waiting = NULL;
	incident->waiting_count = 0;
	incident->waiting_since_ms = 0;
	incident->steps[STEP_SERVICENOW_NOTE].attempt = 0;
	incident->notes++;
	incident->note_ms = now;
	incident->notes_today = incident->note_day == today ? incident->notes_today + 1 : 1;
	incident->note_day = today;
}

static struct saga_end note_prepare(struct turn *turn)
{
	struct incident *incident = &turn->incident;
	const struct servicenow_place place = { turn_table(turn), incident->sys_id };
	struct servicenow_record ticket;
	struct vendor_session session;
	struct err err = { 0 };
	bool found = false, unknown;

	if (!turn_session(turn, incident->servicenow_account, SAGA_PREPARE, &session))
		return turn_unconfigured(turn, incident->servicenow_account, SAGA_PREPARE);
	if (!servicenow_get(&session, &place,
			    "state,active,company,impact,urgency,resolved_at,closed_at",
			    turn->arena, &found, &ticket, NULL, &err))
		return turn_failed(turn, &session, SAGA_PREPARE, false, &err);
	if (!found)
		return turn_end(SAGA_PREPARE, SAGA_FAILED,
				"the ticket is gone or hidden from us");

	const char *company = servicenow_record_value(&ticket, "company");

	if (!company || strcmp(company, turn->customer->servicenow.company) != 0)
		return turn_end(SAGA_PREPARE, SAGA_FAILED,
				"the ticket is another company's now");
	if (servicenow_table_is_over(turn_table(turn), &ticket))
		return closed(turn, &ticket);
	if (!noted_unknown(turn, &unknown, &err) ||
	    (unknown && !noted_drop(turn, &session, &err)))
		return turn_failed(turn, &session, SAGA_PREPARE, false, &err);
	if (unknown && incident->waiting_count == 0)
		return turn_end(SAGA_PREPARE, SAGA_OK, "the ticket has it already");
	plan_raise(turn, &ticket);
	freeze(incident, turn_now_ms(turn));
	turn->note = tickets_note(turn, &turn->note_problem, &err);
	if (!turn->note)
		return turn_failed(turn, &session, SAGA_PREPARE, false, &err);
	return turn_end(SAGA_PREPARE, SAGA_ABSENT, NULL);
}

static void written(struct incident *incident)
{
	incident->writing = NULL;
	incident->writing_count = 0;
	incident->told_severity_id = incident->severity_id;
}

static struct saga_end note_look_up(struct turn *turn)
{
	struct saga_end end =
	    turn_look_up_note(turn, ticket_note_marker(&turn->incident, turn->arena));

	if (end.result == SAGA_OK)
		written(&turn->incident);
	return end;
}

/* Where the instance does not compute it. */
static const char *raised_priority(const struct turn *turn)
{
	struct customer_priority priority = { turn->incident.impact, turn->incident.urgency };

	if ((!turn->raise_impact && !turn->raise_urgency) ||
	    !servicenow_table(turn_table(turn))->sets_priority)
		return NULL;
	if (turn->raise_impact)
		priority.impact = turn->raise_impact;
	if (turn->raise_urgency)
		priority.urgency = turn->raise_urgency;
	return arena_printf(turn->arena, "%u", sheet_priority(&priority));
}

static struct saga_end note_call(struct turn *turn)
{
	struct incident *incident = &turn->incident;
	const struct servicenow_place place = { turn_table(turn), incident->sys_id };
	unsigned count = incident->writing_count;
	const struct servicenow_column columns[] = {
		{ "work_notes", turn->note, SERVICENOW_JOURNAL },
		{ "impact",
		  turn->raise_impact ? arena_printf(turn->arena, "%u", turn->raise_impact)
				     : NULL,
		  SERVICENOW_TEXT },
		{ "urgency",
		  turn->raise_urgency ? arena_printf(turn->arena, "%u", turn->raise_urgency)
				      : NULL,
		  SERVICENOW_TEXT },
		{ "priority", raised_priority(turn), SERVICENOW_TEXT },
	};
	struct servicenow_created changed;
	struct vendor_session session;
	struct err err = { 0 };

	if (!turn_session(turn, incident->servicenow_account, SAGA_CALL, &session))
		return turn_unconfigured(turn, incident->servicenow_account, SAGA_CALL);
	if (!servicenow_patch(&session, &place, columns, sizeof(columns) / sizeof(columns[0]),
			      turn->arena, &changed, NULL, &err))
		return turn_failed(turn, &session, SAGA_CALL, true, &err);
	if (turn->raise_impact)
		incident->impact = turn->raise_impact;
	if (turn->raise_urgency)
		incident->urgency = turn->raise_urgency;
	tickets_tell(turn, &turn->note_problem, 1);
	written(incident);
	return turn_end(SAGA_CALL, SAGA_OK,
			arena_printf(turn->arena, "note %u on %u later event%s",
				     incident->notes, count, count == 1 ? "" : "s"));
}

const struct step step_servicenow_note = {
	.side = SIDE_SERVICENOW,
	.effect = true,
	.prepare = note_prepare,
	.look_up = note_look_up,
	.call = note_call,
};
