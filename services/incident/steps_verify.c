/* The step that reads the ticket: a callback is a hint, and before anything is undone the
 * ticket itself says that it is over, and for how long. */
#include <string.h>

#include "app.h"
#include "base/arena.h"
#include "closing.h"
#include "closing_turn.h"
#include "turn.h"
#include "vendor/servicenow.h"

enum { SURVIVORS_MAX = 5 }; /* a duplicate of a duplicate of ... */

static struct closing_case case_of(const struct turn *turn)
{
	return (struct closing_case){
		.customer = turn->customer,
		.installation = turn->app->installation,
		.table = turn_table(turn),
		.adopted = turn->incident.adopted,
	};
}

/* ---- what becomes of hosts ---- */

struct survivor {
	bool found;
	bool released; /* it is over, and its end lets hosts go */
	bool over;
	const char *sys_id; /* the last of the row */
};

/* The ticket that took this one's place, or the one that took its place in turn. It is another
 * ticket of the company, not necessarily one of ours. False with err. */
static bool follow(struct turn *turn, struct vendor_session *session, const char *sys_id,
		   struct survivor *ret_survivor, struct err *err)
{
	struct closing_case about = case_of(turn);

	about.adopted = true; /* it may have no key */
	*ret_survivor = (struct survivor){ .sys_id = sys_id };
	for (int i = 0; i < SURVIVORS_MAX; i++) {
		const struct servicenow_place place = { turn_table(turn),
							ret_survivor->sys_id };
		struct servicenow_record ticket;
		struct closing_look look;

		if (!servicenow_get(session, &place, CLOSING_COLUMNS, turn->arena,
				    &ret_survivor->found, &ticket, NULL, err))
			return false;
		if (!ret_survivor->found)
			return true;
		closing_look(&about, &ticket, turn->arena, &look);
		ret_survivor->over = look.ticket == CLOSING_TICKET_OVER;
		ret_survivor->released = ret_survivor->over && look.effect == CLOSING_RELEASE;
		if (!ret_survivor->over || !look.survivor ||
		    strcmp(look.survivor, ret_survivor->sys_id) == 0)
			return true;
		ret_survivor->sys_id = look.survivor;
	}
	return true;
}

/* False with err. */
static bool release_of_survivor(struct turn *turn, const struct survivor *survivor,
				enum incident_release *ret_release, struct err *err)
{
	struct incident_closing *closing = &turn->incident.closing;
	uint64_t waiting = 0;

	if (!closing_wait(turn, survivor->sys_id, &waiting, err))
		return false;
	if (survivor->found && !survivor->over) {
		closing->survivor = arena_strdup(turn->arena, survivor->sys_id);
		*ret_release = RELEASE_SURVIVOR;
	} else if (!survivor->released || waiting > turn->customer->closing.bulk) {
		*ret_release = RELEASE_ASK;
	}
	return true;
}

/* False with err: Redis or the instance did not answer, nothing is decided. */
static bool release_of(struct turn *turn, struct vendor_session *session,
		       const struct closing_look *look, enum incident_release *ret_release,
		       struct err *err)
{
	struct survivor survivor;

	*ret_release = RELEASE_NOW;
	if (!saga_holds_hosts(&turn->incident))
		return true;
	switch (look->effect) {
	case CLOSING_ASK:
		*ret_release = RELEASE_ASK;
		break;
	case CLOSING_KEEP:
		*ret_release = RELEASE_KEEP;
		break;
	case CLOSING_SURVIVOR:
		if (!follow(turn, session, look->survivor, &survivor, err) ||
		    !release_of_survivor(turn, &survivor, ret_release, err))
			return false;
		break;
	case CLOSING_RELEASE:
	case CLOSING_IGNORE:
		break;
	}
	return closing_gate(turn, ret_release, err);
}

/* ---- what the ticket says ---- */

static struct saga_end decide(struct turn *turn, struct vendor_session *session,
			      const struct closing_look *look)
{
	struct incident *incident = &turn->incident;
	bool over = look->ticket == CLOSING_TICKET_OVER;
	struct saga_closing_plan plan = {
		.resolve = !over && incident->sys_id,
		.defender = turn->customer->closing.defender && incident->source &&
			    strcmp(incident->source, "defender") == 0,
		.report = turn->customer->closing.report && look->writable,
	};
	struct err err = { 0 };

	if (!release_of(turn, session, look, &plan.release, &err))
		return turn_failed(turn, session, SAGA_CALL, false, &err);
	if (!saga_closing_decided(incident))
		closing_count(incident->closing.via, "closed");
	saga_closing_decide(incident, &plan);
	return turn_end(
	    SAGA_CALL, SAGA_OK,
	    arena_printf(turn->arena, "%s: %s%s", look->words,
			 over ? "what belongs to it is closed" : "it is ended by us",
			 closing_release_words(incident)));
}

/* Nothing may be done about a ticket that is not ours; a person may have decided already. */
static struct saga_end hold(struct turn *turn, struct vendor_session *session, const char *why)
{
	const struct closing_look without_ticket = { .words = why,
						     .ticket = CLOSING_TICKET_OVER };

	if (turn->incident.closing.forced && !saga_closing_decided(&turn->incident))
		return decide(turn, session, &without_ticket);
	return closing_hold(turn, why);
}

static struct saga_end unchanged(struct turn *turn, const char *words)
{
	turn->incident.closing.hint_ms = 0;
	return turn_end(SAGA_CALL, SAGA_OK, words);
}

static struct saga_end ticket_over(struct turn *turn, struct vendor_session *session,
				   const struct closing_look *look)
{
	struct incident *incident = &turn->incident;
	struct incident_closing *closing = &incident->closing;
	uint64_t now = turn_now_ms(turn);
	bool person = saga_closing_accepted(incident) && !closing->seen;
	bool same = closing->seen && strcmp(closing->seen, look->seen) == 0;
	uint64_t waiting = 0;
	struct err err = { 0 };

	if (closing->past_ms == CLOSING_PAST_ANY)
		closing->past_ms = look->over_ms;
	if (!saga_closing_accepted(incident) && closing->past_ms > 0 &&
	    closing->past_ms == look->over_ms)
		return unchanged(turn, "that closing was taken back by a person");
	if (saga_closing_decided(incident) && closing->release != RELEASE_SURVIVOR)
		return unchanged(turn, look->words);
	closing->seen = look->seen;
	if (!same)
		closing->seen_ms = now;
	if (!saga_closing_accepted(incident)) {
		/* All children of a parent, and all that end together, are known before the
		 * first of them is decided. */
		if (saga_holds_hosts(incident) &&
		    !(look->survivor ? closing_wait(turn, look->survivor, &waiting, &err)
				     : closing_count_release(turn, &err)))
			return turn_failed(turn, session, SAGA_CALL, false, &err);
		closing_accept(turn, look);
	}
	/* Who closed it here need not wait for what they see there. */
	if (!person && now < closing->seen_ms + turn->policy.grace_ms)
		return turn_end(
		    SAGA_CALL, SAGA_OK,
		    arena_printf(turn->arena, "%s: nothing is undone yet", look->words));
	return decide(turn, session, look);
}

static struct saga_end ticket_open(struct turn *turn, struct vendor_session *session,
				   const struct closing_look *look)
{
	struct incident *incident = &turn->incident;
	bool held = incident->state == INCIDENT_HELD,
	     closed = incident->state == INCIDENT_CLOSED;

	if (incident->closing.past_ms == CLOSING_PAST_ANY)
		incident->closing.past_ms = 0;
	if (saga_closing_decided(incident) || closed) {
		/* What we could not resolve was never over. */
		if (!incident->closing.seen && !closed)
			return unchanged(turn, look->words);
		closing_reopen(turn, 0);
		return turn_end(SAGA_CALL, SAGA_OK,
				arena_printf(turn->arena, "%s again", look->words));
	}
	if (saga_closing_accepted(incident) && !incident->closing.seen)
		return decide(turn, session, look);
	if (saga_closing_accepted(incident) || held) {
		saga_closing_withdraw(incident);
		turn->take_group = true;
		return turn_end(
		    SAGA_CALL, SAGA_OK,
		    arena_printf(turn->arena, "%s: nothing was undone", look->words));
	}
	saga_closing_withdraw(incident);
	return turn_end(SAGA_CALL, SAGA_OK,
			arena_printf(turn->arena, "%s: nothing is closed", look->words));
}

static struct saga_end verify_call(struct turn *turn)
{
	struct incident *incident = &turn->incident;
	const struct servicenow_place place = { turn_table(turn), incident->sys_id };
	const struct closing_case about = case_of(turn);
	const struct closing_look no_ticket = { .words = "there is no ticket" };
	struct servicenow_record ticket;
	struct vendor_session session = { 0 };
	struct closing_look look;
	struct err err = { 0 };
	bool found = false;

	if (!incident->sys_id)
		return saga_closing_accepted(incident) ? decide(turn, &session, &no_ticket)
						       : unchanged(turn, no_ticket.words);
	if (!turn_session(turn, incident->servicenow_account, SAGA_CALL, &session))
		return turn_unconfigured(turn, incident->servicenow_account, SAGA_CALL);
	if (!servicenow_get(&session, &place, CLOSING_COLUMNS, turn->arena, &found, &ticket,
			    NULL, &err))
		return turn_failed(turn, &session, SAGA_CALL, false, &err);
	if (!found)
		return hold(turn, &session, "the ticket is gone or hidden from us");
	closing_look(&about, &ticket, turn->arena, &look);
	switch (look.ticket) {
	case CLOSING_TICKET_FOREIGN:
		return hold(turn, &session, look.words);
	case CLOSING_TICKET_OVER:
		return ticket_over(turn, &session, &look);
	case CLOSING_TICKET_OPEN:
		break;
	}
	return ticket_open(turn, &session, &look);
}

const struct step step_servicenow_verify = { .side = SIDE_SERVICENOW, .call = verify_call };
