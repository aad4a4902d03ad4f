/* The steps that end a ticket which was closed from elsewhere, and that write the last note. */
#include <string.h>

#include "app.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "closing.h"
#include "turn.h"
#include "vendor/servicenow.h"
#include "vendor/servicenow_table.h"

enum { REPORT_MAX = 8 << 10 };

/* ---- resolve ---- */

static const struct closing_template *template_of(const struct turn *turn)
{
	enum closure_verdict verdict = VERDICT_NONE;

	if (turn->incident.closing.verdict)
		closure_verdict_parse(turn->incident.closing.verdict, &verdict);
	return &turn->customer->closing.templates[verdict];
}

/* A value that the instance has: another one would be taken for none, and none refused. */
static bool close_code(struct turn *turn, struct vendor_session *session, const char **ret_code,
		       struct err *err)
{
	*ret_code = template_of(turn)->close_code;
	return *ret_code ||
	       servicenow_close_code(session, turn_table(turn), turn->incident.closing.verdict,
				     turn->arena, ret_code, err);
}

static const char *close_notes(const struct turn *turn)
{
	const struct incident_closing *closing = &turn->incident.closing;
	const char *notes = template_of(turn)->close_notes;

	if (notes)
		return notes;
	return arena_printf(turn->arena, "%s.%s%s",
			    closing->why ? closing->why : "Closed by Tocsin",
			    closing->note ? " " : "", closing->note ? closing->note : "");
}

/* The ticket as it is now. False: *ret_end says why there is nothing to be written. */
static bool still_open(struct turn *turn, struct vendor_session *session,
		       struct saga_end *ret_end)
{
	const struct servicenow_place place = { turn_table(turn), turn->incident.sys_id };
	const struct closing_case about = {
		.customer = turn->customer,
		.installation = turn->app->installation,
		.table = turn_table(turn),
		.adopted = turn->incident.adopted,
	};
	struct servicenow_record ticket;
	struct closing_look look;
	struct err err = { 0 };
	bool found = false;

	if (!servicenow_get(session, &place, CLOSING_COLUMNS, turn->arena, &found, &ticket,
			    NULL, &err)) {
		*ret_end = turn_failed(turn, session, SAGA_PREPARE, false, &err);
		return false;
	}
	if (!found) {
		*ret_end =
		    turn_end(SAGA_PREPARE, SAGA_FAILED, "the ticket is gone or hidden from us");
		return false;
	}
	closing_look(&about, &ticket, turn->arena, &look);
	if (look.ticket == CLOSING_TICKET_FOREIGN)
		*ret_end = turn_end(SAGA_PREPARE, SAGA_FAILED, look.words);
	else if (servicenow_table_is_over(turn_table(turn), &ticket))
		*ret_end = turn_end(SAGA_PREPARE, SAGA_NEEDLESS, look.words);
	else
		return true;
	if (ret_end->result == SAGA_NEEDLESS)
		turn->incident.closing.seen = look.seen ? look.seen : look.words;
	return false;
}

static struct saga_end resolve_prepare(struct turn *turn)
{
	const char *account = turn->incident.servicenow_account;
	struct vendor_session session;
	struct saga_end end;
	struct err err = { 0 };

	if (!turn_session(turn, account, SAGA_PREPARE, &session))
		return turn_unconfigured(turn, account, SAGA_PREPARE);
	if (!still_open(turn, &session, &end))
		return end;
	if (!close_code(turn, &session, &turn->close_code, &err))
		return turn_failed(turn, &session, SAGA_PREPARE, false, &err);
	return turn_end(SAGA_PREPARE, SAGA_ABSENT, NULL);
}

/* Whether the change of an attempt whose answer was lost is there. */
static struct saga_end resolve_look_up(struct turn *turn)
{
	const char *account = turn->incident.servicenow_account;
	struct vendor_session session;
	struct saga_end end;

	if (!turn_session(turn, account, SAGA_LOOK_UP, &session))
		return turn_unconfigured(turn, account, SAGA_LOOK_UP);
	if (still_open(turn, &session, &end))
		return turn_end(SAGA_LOOK_UP, SAGA_ABSENT, "looked up: still open");
	end.phase = SAGA_LOOK_UP;
	if (end.result == SAGA_NEEDLESS)
		end.result = SAGA_OK;
	return end;
}

static struct saga_end resolve_call(struct turn *turn)
{
	const char *account = turn->incident.servicenow_account;
	const struct servicenow_place place = { turn_table(turn), turn->incident.sys_id };
	const struct servicenow_table *table = servicenow_table(turn_table(turn));
	struct servicenow_column columns[SERVICENOW_CLOSE_COLUMNS];
	struct servicenow_created changed = { 0 };
	struct servicenow_answer answer;
	struct vendor_session session;
	struct err err = { 0 };
	size_t count =
	    servicenow_table_close_columns(table, turn->close_code, close_notes(turn), columns);

	if (!turn_session(turn, account, SAGA_CALL, &session))
		return turn_unconfigured(turn, account, SAGA_CALL);
	if (!servicenow_patch(&session, &place, columns, count, turn->arena, &changed, &answer,
			      &err))
		return turn_failed(turn, &session, SAGA_CALL, true, &err);
	for (size_t i = 0; i < changed.mismatch_count; i++) {
		if (strcmp(changed.mismatches[i].column, "state") == 0)
			return turn_end(SAGA_CALL, SAGA_FAILED,
					"the instance did not take the state");
		turn_tell(turn, "servicenow.resolve",
			  arena_printf(turn->arena, "column %s was not taken as sent",
				       changed.mismatches[i].column));
	}
	turn->incident.closing.seen = "resolved by us";
	return turn_end(SAGA_CALL, SAGA_OK,
			arena_printf(turn->arena, "resolved %s%s%s%s",
				     turn->incident.number ? turn->incident.number : "it",
				     turn->close_code ? " (" : "",
				     turn->close_code ? turn->close_code : "",
				     turn->close_code ? ")" : ""));
}

const struct step step_servicenow_resolve = {
	.side = SIDE_SERVICENOW,
	.effect = true,
	.prepare = resolve_prepare,
	.look_up = resolve_look_up,
	.call = resolve_call,
};

/* ---- report ---- */

static const char *report_marker(const struct turn *turn)
{
	return arena_printf(turn->arena, "[tocsin:%s:report:%u]", turn->incident.id,
			    turn->incident.closing.reports);
}

static void report_step(struct buf *note, const struct incident *incident,
			enum incident_step_id id, const char *what)
{
	const struct incident_step *step = &incident->steps[id];

	if (step->status == STEP_DONE)
		buf_addf(note, "%s: %s\n", what, step->note ? step->note : "done");
	else if (step->status == STEP_FAILED)
		buf_addf(note, "%s: FAILED, %s\n", what, step->note ? step->note : "");
}

static const char *report_text(const struct turn *turn)
{
	const struct incident *incident = &turn->incident;
	const char *text;
	struct buf note;

	buf_init(&note, REPORT_MAX);
	buf_addf(&note, "Tocsin has closed this incident: %s\n",
		 incident->closing.why ? incident->closing.why : "");
	report_step(&note, incident, STEP_THREAT_RESPONSE_CLOSE, "Threat Response");
	report_step(&note, incident, STEP_DEFENDER_RESOLVE, "Defender");
	report_step(&note, incident, STEP_SERVICENOW_RESOLVE, "ServiceNow");
	report_step(&note, incident, STEP_RELEASE_WRITE_OFF, "Host");
	report_step(&note, incident, STEP_RELEASE_ISOLATE, "Isolation");
	report_step(&note, incident, STEP_RELEASE_MOVE_GROUP, "Group");
	buf_addf(&note, "%s", report_marker(turn));
	text = arena_strdup(turn->arena, buf_text(&note));
	buf_done(&note);
	return text;
}

/* A ticket that is closed for good is not written to. */
static struct saga_end report_prepare(struct turn *turn)
{
	const char *account = turn->incident.servicenow_account;
	const struct servicenow_place place = { turn_table(turn), turn->incident.sys_id };
	struct servicenow_record ticket;
	struct vendor_session session;
	struct err err = { 0 };
	bool found = false;

	if (!turn_session(turn, account, SAGA_PREPARE, &session))
		return turn_unconfigured(turn, account, SAGA_PREPARE);
	if (!servicenow_get(&session, &place, CLOSING_COLUMNS, turn->arena, &found, &ticket,
			    NULL, &err))
		return turn_failed(turn, &session, SAGA_PREPARE, false, &err);
	if (!found || servicenow_table_phase(servicenow_table(turn_table(turn)), &ticket) >=
			  SERVICENOW_PHASE_CLOSED)
		return turn_end(SAGA_PREPARE, SAGA_NEEDLESS,
				"the ticket is not written any more");
	turn->incident.closing.reports++;
	return turn_end(SAGA_PREPARE, SAGA_ABSENT, NULL);
}

static struct saga_end report_look_up(struct turn *turn)
{
	return turn_look_up_note(turn, report_marker(turn));
}

static struct saga_end report_call(struct turn *turn)
{
	const char *account = turn->incident.servicenow_account;
	const struct servicenow_place place = { turn_table(turn), turn->incident.sys_id };
	const struct servicenow_column column = { "work_notes", report_text(turn),
						  SERVICENOW_JOURNAL };
	struct servicenow_created changed;
	struct servicenow_answer answer;
	struct vendor_session session;
	struct err err = { 0 };

	if (!turn_session(turn, account, SAGA_CALL, &session))
		return turn_unconfigured(turn, account, SAGA_CALL);
	if (servicenow_patch(&session, &place, &column, 1, turn->arena, &changed, &answer,
			     &err))
		return turn_end(SAGA_CALL, SAGA_OK, "wrote what was done");
	/* Many sites let nobody write to a ticket that is over: that is theirs to say. */
	if (answer.outcome == SERVICENOW_BUSINESS_RULE ||
	    answer.outcome == SERVICENOW_DATA_POLICY || answer.outcome == SERVICENOW_NOT_FOUND)
		return turn_end(SAGA_CALL, SAGA_NEEDLESS, "the instance takes no last note");
	return turn_failed(turn, &session, SAGA_CALL, true, &err);
}

const struct step step_servicenow_report = {
	.side = SIDE_SERVICENOW,
	.effect = true,
	.prepare = report_prepare,
	.look_up = report_look_up,
	.call = report_call,
};
