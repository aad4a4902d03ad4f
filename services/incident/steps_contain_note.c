/* What the ticket is told about containment, and who is told when it lasts. */
#include <string.h>

#include "app.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "bus/worker.h"
#include "contain.h"
#include "letter.h"
#include "links.h"
#include "model/customer.h"
#include "turn.h"
#include "vendor/servicenow.h"
#include "vendor/servicenow_table.h"

enum { WARNINGS = 3 };

/* ---- the note ---- */

static const char *marker(struct turn *turn)
{
	return arena_printf(turn->arena, "[tocsin:%s:containment:%u]", turn->incident.id,
			    turn->incident.containment.notes);
}

/* From here on the text of this note does not change: it may have to be looked up. */
static void freeze(struct incident_containment *containment)
{
	if (containment->writing)
		return;
	containment->writing = containment->telling;
	containment->telling = NULL;
	containment->notes++;
}

static struct saga_end note_prepare(struct turn *turn)
{
	struct incident *incident = &turn->incident;
	const struct servicenow_place place = { turn_table(turn), incident->sys_id };
	struct servicenow_record ticket;
	struct vendor_session session;
	const char *company;
	struct err err = { 0 };
	bool found = false;

	if (!turn_session(turn, incident->servicenow_account, SAGA_PREPARE, &session))
		return turn_unconfigured(turn, incident->servicenow_account, SAGA_PREPARE);
	if (!servicenow_get(&session, &place, "state,active,company", turn->arena, &found,
			    &ticket, NULL, &err))
		return turn_failed(turn, &session, SAGA_PREPARE, false, &err);
	company = found ? servicenow_record_value(&ticket, "company") : NULL;
	if (company && strcmp(company, turn->customer->servicenow.company) == 0 &&
	    !servicenow_table_is_over(turn_table(turn), &ticket)) {
		freeze(&incident->containment);
		return turn_end(SAGA_PREPARE, SAGA_ABSENT, NULL);
	}
	/* The timeline has it; what has become of the ticket is found out elsewhere. */
	incident->containment.telling = incident->containment.writing = NULL;
	return turn_end(SAGA_PREPARE, SAGA_NEEDLESS, "the ticket is not open: not told");
}

static struct saga_end note_look_up(struct turn *turn)
{
	struct saga_end end = turn_look_up_note(turn, marker(turn));

	if (end.result == SAGA_OK)
		turn->incident.containment.writing = NULL;
	return end;
}

/* The code stands in the ticket only: not in Redis, not in the mail. */
static const char *with_code(struct turn *turn, const char *text)
{
	const char *place = strstr(text, CONTAIN_CODE_PLACE);
	char code[CODE_SHOWN_SIZE];

	if (!place)
		return text;
	if (!links_code(turn->app->links, &turn->incident, CODE_APPROVE, code))
		memcpy(code, "(none)", sizeof("(none)"));
	return arena_printf(turn->arena, "%.*s%s%s", (int)(place - text), text, code,
			    place + strlen(CONTAIN_CODE_PLACE));
}

/* Who closes it by a link in a mail lets the host go, and needs to have the ticket, too. */
static const char *release_line(struct turn *turn)
{
	char code[CODE_SHOWN_SIZE];

	if (!saga_holds_hosts(&turn->incident) ||
	    !links_code(turn->app->links, &turn->incident, CODE_RELEASE, code))
		return "";
	return arena_printf(turn->arena,
			    "Code for closing it, and letting the host go, by a link in a "
			    "mail: %s\n",
			    code);
}

static struct saga_end note_call(struct turn *turn)
{
	struct incident *incident = &turn->incident;
	const struct servicenow_place place = { turn_table(turn), incident->sys_id };
	const char *text = with_code(turn, incident->containment.writing);
	const struct servicenow_column column = {
		"work_notes",
		arena_printf(turn->arena, "Tocsin\n%s\n%s%s", text, release_line(turn),
			     marker(turn)),
		SERVICENOW_JOURNAL,
	};
	struct servicenow_created changed;
	struct vendor_session session;
	struct err err = { 0 };

	if (!turn_session(turn, incident->servicenow_account, SAGA_CALL, &session))
		return turn_unconfigured(turn, incident->servicenow_account, SAGA_CALL);
	if (!servicenow_patch(&session, &place, &column, 1, turn->arena, &changed, NULL, &err))
		return turn_failed(turn, &session, SAGA_CALL, true, &err);
	incident->containment.writing = NULL;
	return turn_end(SAGA_CALL, SAGA_OK, "told the ticket");
}

const struct step step_contain_note = {
	.side = SIDE_SERVICENOW,
	.effect = true,
	.prepare = note_prepare,
	.look_up = note_look_up,
	.call = note_call,
};

/* ---- the watch ---- */

static const char *span_text(struct turn *turn, uint64_t ms)
{
	char text[CLOCK_TEXT_SIZE];

	clock_format_span(ms / 1000 * 1000, text);
	return arena_strdup(turn->arena, text);
}

/* By mail, with the link: what it says is read from Redis, so the question must be there. */
static struct saga_end ask_by_mail(struct turn *turn)
{
	struct incident *incident = &turn->incident;
	struct err err = { 0 };

	if (!turn_journal(turn, &err) ||
	    (customer_mail_wanted(&turn->customer->mail) &&
	     !letter_announce(turn->redis, turn->customer, incident, true, &err)))
		return contain_again(SAGA_CALL, arena_strdup(turn->arena, err.text));
	incident->containment.mailed = true;
	return turn_end(SAGA_CALL, SAGA_OK, NULL);
}

static struct saga_end approval_expired(struct turn *turn)
{
	struct incident *incident = &turn->incident;
	struct err err = { 0 };

	if (!containment_list_put(turn->redis, worker_partition(turn->worker),
				  CONTAINMENT_APPROVALS, incident->customer, incident->id, 0,
				  &err))
		return contain_again(SAGA_CALL, arena_strdup(turn->arena, err.text));
	incident->containment.asked_ms = incident->containment.expires_ms = 0;
	incident->containment.asked = NULL;
	contain_tell(turn, "nobody approved the containment in time: it is not done");
	metric_add(&app_containments, 1, "approval", "expired");
	return turn_end(SAGA_CALL, SAGA_OK, "the approval expired");
}

static struct saga_end warn(struct turn *turn)
{
	struct incident *incident = &turn->incident;
	struct incident_containment *containment = &incident->containment;
	const struct customer_containment *policy = &turn->customer->containment;
	const char *host = incident->host ? incident->host : containment->machine;
	const char *lasted = span_text(turn, turn_now_ms(turn) - containment->since_ms);
	const char *most = span_text(turn, policy->maximum_time_ms), *words;

	containment->warned++;
	if (containment->warned < WARNINGS)
		words = arena_printf(turn->arena, "%s has been contained for %s of at most %s",
				     host, lasted, most);
	else if (policy->release_by_itself)
		words = arena_printf(turn->arena, "%s has been contained for %s: it is let go",
				     host, most);
	else
		words = arena_printf(turn->arena,
				     "%s has been contained for %s: shall it stay so? Resolve "
				     "the ticket, or run: tocsin containment release %s",
				     host, most, incident->id);
	contain_tell(turn, words);
	log_warn("incident %s: %s", incident->id, words);
	if (containment->warned == WARNINGS && policy->release_by_itself)
		contain_let_go(turn, "the customer's maximum time");
	return turn_end(SAGA_CALL, SAGA_OK, words);
}

static struct saga_end watch_call(struct turn *turn)
{
	const struct incident_containment *containment = &turn->incident.containment;

	if (containment->asked_ms > 0 && !contain_asks(turn))
		return approval_expired(turn);
	if (containment->asked_ms > 0 && !containment->mailed)
		return ask_by_mail(turn);
	if (saga_watch_due_ms(&turn->incident, &turn->policy) > turn_now_ms(turn))
		return turn_end(SAGA_CALL, SAGA_OK, NULL);
	return warn(turn);
}

const struct step step_contain_watch = { .side = SIDE_NONE, .call = watch_call };
