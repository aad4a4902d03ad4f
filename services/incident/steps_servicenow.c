/* The steps that make and link a ticket in ServiceNow. Notes on later findings: steps_note.c.
 */
#include <string.h>

#include "adopt.h"
#include "app.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/metric.h"
#include "links.h"
#include "memo.h"
#include "ticket/ticket.h"
#include "tickets.h"
#include "turn.h"
#include "vendor/servicenow.h"
#include "vendor/servicenow_table.h"

enum { FOUND_MAX = 10 };

/* ---- create ---- */

static struct saga_end created(struct turn *turn, const struct vendor_session *session,
			       enum saga_phase phase, const char *sys_id, const char *number)
{
	struct incident *incident = &turn->incident;
	uint64_t now = clock_wall_ms();

	incident->sys_id = arena_strdup(turn->arena, sys_id);
	incident->number = arena_strdup(turn->arena, number);
	incident->ticket_url =
	    servicenow_table_url(session->account->url, turn_table(turn), sys_id, turn->arena);
	incident->told_severity_id = incident->severity_id;
	incident->ticket_ms = now;
	metric_add(&app_tickets, 1, metric_customer(incident->customer), incident->source);
	if (incident->observed_ms > 0 && now >= incident->observed_ms)
		metric_observe(&app_ticket_seconds,
			       (double)(now - incident->observed_ms) / 1000.0);
	return turn_end(phase, SAGA_OK,
			arena_printf(turn->arena, "%s %s",
				     phase == SAGA_CALL ? "created" : "looked up: exists as",
				     number && *number ? number : sys_id));
}

/* A ticket that belongs to no company, or to another one, is taken back before anything else,
 * and the account is stopped: every further ticket would be like it. */
static struct saga_end stray(struct turn *turn, struct vendor_session *session,
			     enum saga_phase phase, const struct servicenow_created *ticket,
			     const char *column)
{
	const char *name = ticket->number && *ticket->number ? ticket->number : ticket->sys_id;

	turn->incident.stray = arena_strdup(turn->arena, ticket->sys_id);
	turn->incident.steps[STEP_SERVICENOW_CANCEL] = (struct incident_step){ 0 };
	turn->reason = arena_printf(turn->arena, "account:%s", session->account->id);
	vendor_park(session,
		    arena_printf(turn->arena,
				 "ticket %s of customer %s came back without its %s", name,
				 turn->customer->id, column),
		    NULL);
	/* A look-up has then found nothing that could be kept. */
	return turn_end(phase, phase == SAGA_LOOK_UP ? SAGA_ABSENT : SAGA_REFUSED,
			arena_printf(turn->arena,
				     "%s has not the %s asked for: to be cancelled", name,
				     column));
}

/* Whether this instance keeps configuration items that we may read at all: one that does not
 * need not be asked for each device. */
static bool cmdb_used(struct turn *turn, struct vendor_session *session)
{
	const struct servicenow_query query = {
		.table = "cmdb_ci",
		.query = "nameISNOTEMPTY",
		.fields = "sys_id",
		.limit = 20, /* the instance counts rows before it hides those we may not see */
		.optional = true,
	};
	const char *name = session->account->id;
	const char *known = memo_get(turn->app->hosts, name, turn->arena);
	struct servicenow_answer answer;
	struct servicenow_record *rows;
	struct err ignored;
	size_t count = 0;

	if (known)
		return strcmp(known, "used") == 0;
	if (!servicenow_query(session, &query, turn->arena, &rows, &count, &answer, &ignored) &&
	    answer.outcome != SERVICENOW_FORBIDDEN && answer.outcome != SERVICENOW_NO_TABLE)
		return true;
	memo_set(turn->app->hosts, name, count > 0 ? "used" : "empty");
	return count > 0;
}

/* The device's configuration item, remembered for a while; a ticket does without. */
static const char *cmdb_ci(struct turn *turn, struct vendor_session *session, const char *host)
{
	const char *name = arena_printf(turn->arena, "%s %s", session->account->id, host);
	const char *sys_id = memo_get(turn->app->hosts, name, turn->arena);
	struct err ignored;

	if (!sys_id && cmdb_used(turn, session) &&
	    servicenow_cmdb_ci(session, host, turn->arena, &sys_id, &ignored))
		memo_set(turn->app->hosts, name, sys_id ? sys_id : "");
	return sys_id && *sys_id ? sys_id : NULL;
}

/* Company and the other references are of the instance that the customer is at now. */
static bool has_moved(const struct turn *turn)
{
	return strcmp(turn->customer->servicenow.account, turn->incident.servicenow_account) !=
	       0;
}

static struct saga_end create_prepare(struct turn *turn)
{
	const char *account = turn->incident.servicenow_account;
	struct vendor_session session;
	struct err err = { 0 };

	if (!turn_session(turn, account, SAGA_PREPARE, &session))
		return turn_unconfigured(turn, account, SAGA_PREPARE);
	if (has_moved(turn)) /* the next turn follows */
		return turn_end(SAGA_PREPARE, SAGA_REFUSED, "the customer has moved");

	const struct facts *facts = turn_facts(turn, &err);

	if (!facts)
		return turn_failed(turn, &session, SAGA_PREPARE, false, &err);
	turn->cmdb_ci = facts->view.host ? cmdb_ci(turn, &session, facts->view.host) : NULL;
	turn->ticket = tickets_make(turn, &err);
	if (!turn->ticket)
		return turn_failed(turn, &session, SAGA_PREPARE, false, &err);
	return turn_end(SAGA_PREPARE, SAGA_ABSENT, NULL);
}

static bool is_ours(const struct turn *turn, const struct servicenow_record *record)
{
	const char *company = servicenow_record_value(record, "company");

	return company && strcmp(company, turn->customer->servicenow.company) == 0;
}

static struct saga_end create_look_up(struct turn *turn)
{
	const char *account = turn->incident.servicenow_account;
	struct servicenow_record *found;
	struct vendor_session session;
	char key[INCIDENT_KEY_SIZE];
	const struct servicenow_search search = {
		.table = turn_table(turn),
		.correlation_id = key,
		.fields = "company,impact,urgency",
		.limit = FOUND_MAX,
	};
	struct err err = { 0 };
	size_t count;

	if (turn_looks_first(turn, STEP_SERVICENOW_CREATE))
		return adopt_servicenow(turn);
	if (!turn_session(turn, account, SAGA_LOOK_UP, &session))
		return turn_unconfigured(turn, account, SAGA_LOOK_UP);
	incident_key(turn->app->installation, &turn->incident, key);
	if (!servicenow_find(&session, &search, turn->arena, &found, &count, NULL, &err))
		return turn_failed(turn, &session, SAGA_LOOK_UP, false, &err);
	for (size_t i = 0; i < count; i++) {
		const struct servicenow_created ticket = {
			.sys_id = servicenow_record_value(&found[i], "sys_id"),
			.number = servicenow_record_value(&found[i], "number"),
		};
		const char *state = servicenow_record_value(&found[i], "state");

		/* Of the company it was opened for nothing is known any more but our key. */
		if (has_moved(turn) || is_ours(turn, &found[i])) {
			turn->incident.impact = servicenow_record_number(&found[i], "impact");
			turn->incident.urgency = servicenow_record_number(&found[i], "urgency");
			return created(turn, &session, SAGA_LOOK_UP, ticket.sys_id,
				       ticket.number);
		}
		if (!state || strcmp(state, "8") != 0)
			return stray(turn, &session, SAGA_LOOK_UP, &ticket, "company");
	}
	return turn_end(SAGA_LOOK_UP, SAGA_ABSENT, "looked up: not there");
}

/* The first of the columns that must be as asked for, or the ticket is nobody's. */
static const char *lost_column(const struct servicenow_created *created)
{
	for (size_t i = 0; i < created->mismatch_count; i++) {
		const char *column = created->mismatches[i].column;

		if (strcmp(column, "company") == 0 || strcmp(column, "correlation_id") == 0)
			return column;
	}
	return NULL;
}

/* What else was not taken as sent is told, not acted on. */
static void tell_mismatches(struct turn *turn, const struct servicenow_created *created)
{
	for (size_t i = 0; i < created->mismatch_count; i++)
		turn_tell(turn, "servicenow.create",
			  arena_printf(turn->arena, "column %s was not taken as sent",
				       created->mismatches[i].column));
}

static struct saga_end create_call(struct turn *turn)
{
	const char *account = turn->incident.servicenow_account;
	const struct ticket *wanted = turn->ticket;
	struct servicenow_created ticket = { 0 };
	struct vendor_session session;
	struct err err = { 0 };

	if (!turn_session(turn, account, SAGA_CALL, &session))
		return turn_unconfigured(turn, account, SAGA_CALL);
	if (!servicenow_create(&session, wanted->table, wanted->columns, wanted->count,
			       turn->arena, &ticket, NULL, &err))
		return turn_failed(turn, &session, SAGA_CALL, true, &err);

	const char *lost = lost_column(&ticket);

	if (lost)
		return stray(turn, &session, SAGA_CALL, &ticket, lost);
	tell_mismatches(turn, &ticket);
	tickets_tell(turn, wanted->problems, wanted->problem_count);
	turn->incident.impact = wanted->impact;
	turn->incident.urgency = wanted->urgency;
	return created(turn, &session, SAGA_CALL, ticket.sys_id, ticket.number);
}

const struct step step_servicenow_create = {
	.side = SIDE_SERVICENOW,
	.effect = true,
	.prepare = create_prepare,
	.look_up = create_look_up,
	.call = create_call,
};

/* ---- cancel ---- */

static struct saga_end cancel_call(struct turn *turn)
{
	const char *account = turn->incident.servicenow_account;
	const struct servicenow_place place = { turn_table(turn), turn->incident.stray };
	struct servicenow_column columns[TICKET_CANCEL_COLUMNS];
	size_t count = ticket_cancel_columns(turn_table(turn), columns);
	struct servicenow_created changed;
	struct vendor_session session;
	struct err err = { 0 };

	if (!turn_session(turn, account, SAGA_CALL, &session))
		return turn_unconfigured(turn, account, SAGA_CALL);
	session.probe = true; /* the account is parked because of this ticket */
	if (!servicenow_patch(&session, &place, columns, count, turn->arena, &changed, NULL,
			      &err))
		return turn_failed(turn, &session, SAGA_CALL, true, &err);
	turn->incident.stray = NULL;
	return turn_end(SAGA_CALL, SAGA_OK, "cancelled the ticket that was nobody's");
}

/* Sets the same values each time: made again, it changes nothing. */
const struct step step_servicenow_cancel = {
	.side = SIDE_SERVICENOW,
	.effect = true,
	.call = cancel_call,
};

/* ---- link ---- */

static struct saga_end link_look_up(struct turn *turn)
{
	return turn_look_up_note(turn, ticket_link_marker(&turn->incident, turn->arena));
}

static struct saga_end link_call(struct turn *turn)
{
	const char *account = turn->incident.servicenow_account;
	const struct servicenow_place place = { turn_table(turn), turn->incident.sys_id };
	const struct links *links = turn->app->links;
	const struct ticket_link link = {
		.token = links_token(links, LINK_CLOSE, &turn->incident, turn->customer, 0,
				     false, turn->arena),
		.public_url = links->public_url,
	};
	const struct servicenow_column column = {
		"work_notes",
		ticket_link_note(&turn->incident, turn->customer, &link, turn->arena),
		SERVICENOW_JOURNAL,
	};
	struct servicenow_created changed;
	struct vendor_session session;
	struct err err = { 0 };

	if (!turn_session(turn, account, SAGA_CALL, &session))
		return turn_unconfigured(turn, account, SAGA_CALL);
	if (!servicenow_patch(&session, &place, &column, 1, turn->arena, &changed, NULL, &err))
		return turn_failed(turn, &session, SAGA_CALL, true, &err);
	return turn_end(SAGA_CALL, SAGA_OK, "wrote the closing URL");
}

const struct step step_servicenow_link = {
	.side = SIDE_SERVICENOW,
	.effect = true,
	.look_up = link_look_up,
	.call = link_call,
};
