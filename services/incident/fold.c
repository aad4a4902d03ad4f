/* From the inbox into the state. */
#include "fold.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "contain.h"
#include "fold_closure.h"
#include "obey.h"
#include "ticket/prose.h"
#include "ticket/ticket.h"
#include "tickets.h"
#include "turn.h"

enum {
	HOST_CHARS = 64,
	WAITING_MAX = 8 << 10, /* lines of the next note */
};

static bool is_planned(const struct incident *incident)
{
	for (int i = 0; i < INCIDENT_STEPS; i++) {
		if (incident->steps[i].status != STEP_NEW)
			return true;
	}
	return incident->opening != NULL;
}

/* ---- the finding that opens it ---- */

static void plan(struct turn *turn)
{
	struct incident *incident = &turn->incident;
	const struct customer *customer = turn->customer;

	incident->servicenow_account = customer->servicenow.account;
	incident->threat_response_account =
	    customer->threat_response.create ? customer->threat_response.account : NULL;
	tickets_plan(turn);
	saga_plan(incident, customer_mail_wanted(&customer->mail));
}

static void tell_shadow_ticket(struct turn *turn)
{
	struct err err = { 0 };
	const struct ticket *ticket = tickets_make(turn, &err);
	const char *title = err.text;

	for (size_t i = 0; ticket && i < ticket->count; i++) {
		if (strcmp(ticket->columns[i].name, "short_description") == 0)
			title = ticket->columns[i].value;
	}
	turn_tell(turn, "shadow",
		  arena_printf(turn->arena, "would have created the ticket %s", title));
	if (ticket)
		tickets_tell(turn, ticket->problems, ticket->problem_count);
}

static void open_shadow(struct turn *turn)
{
	struct incident *incident = &turn->incident;

	incident->shadow = true;
	if (turn->customer->containment.mode != CONTAINMENT_OFF)
		turn_tell(turn, "shadow", "would have decided whether to contain the host");
	for (int i = 0; i < INCIDENT_STEPS; i++)
		incident->steps[i] = (struct incident_step){ .status = STEP_SKIPPED };
	if (incident->threat_response_account)
		turn_tell(turn, "shadow", "would have created an incident in Threat Response");
	if (incident->servicenow_account)
		tell_shadow_ticket(turn);
}

static void fold_opening(struct turn *turn, const char *text, const struct finding *finding)
{
	struct incident *incident = &turn->incident;

	incident->opening = text;
	incident->uid = finding->uid;
	incident->event_id = finding->event_id;
	incident->source = finding->source;
	incident->event_ms = finding->time_ms;
	incident->observed_ms = finding->observed_ms;
	obey_opening(turn, finding);
	plan(turn);
	if (turn->customer->mode == CUSTOMER_SHADOW) {
		open_shadow(turn);
		incident->opening = NULL;
		turn->facts = NULL;
	} else {
		incident->shadow = false;
		turn_tell(turn, "opened by event", finding->event_id);
		contain_offer(turn, finding);
	}
}

/* The opening finding stays in the inbox until the opening is over or the turn ends, which
 * mostly is the same: after a crash it is met again. */
static bool is_opening_again(const struct incident *incident, const struct finding *finding)
{
	return !incident->opening && !incident->shadow && !saga_opening_over(incident) &&
	       incident->uid && strcmp(incident->uid, finding->uid) == 0;
}

/* ---- later ones ---- */

static void keep_line(struct turn *turn, const struct finding *finding)
{
	struct incident *incident = &turn->incident;
	const char *lines = incident->waiting ? incident->waiting : "";
	struct finding_view *view = arena_alloc(turn->arena, sizeof(*view));

	if (!finding_view(view, finding->payload, finding->payload_size, turn->arena, NULL))
		*view = (struct finding_view){ 0 };

	const char *line = ticket_finding_line(turn->customer, finding, view, turn->arena);

	/* Its events are of many devices. */
	if (incident->storm && view->host)
		line = arena_printf(turn->arena, "%s, on %s", line,
				    prose_line(turn->arena, view->host, HOST_CHARS));

	if (strlen(lines) + strlen(line) < WAITING_MAX)
		incident->waiting =
		    arena_printf(turn->arena, "%s%s%s", lines, *lines ? "\n" : "", line);
}

static void wait_for_note(struct turn *turn, const char *text, const struct finding *finding)
{
	struct incident *incident = &turn->incident;

	turn_keep(turn, text);
	keep_line(turn, finding);
	if (incident->waiting_count++ == 0)
		incident->waiting_since_ms = turn_now_ms(turn);
}

static void fold_later(struct turn *turn, const char *text, const struct finding *finding)
{
	struct incident *incident = &turn->incident;

	if (incident->shadow && turn->customer->mode == CUSTOMER_LIVE) {
		fold_opening(turn, text, finding);
		return;
	}
	obey_later(turn, finding);
	if (!incident->shadow)
		contain_offer(turn, finding);
	if (incident->shadow || !incident->servicenow_account) {
		turn_tell(turn, incident->shadow ? "shadow: would note event" : "event joined",
			  finding->event_id);
		return;
	}
	wait_for_note(turn, text, finding);
	turn_tell(turn, "event joined", finding->event_id);
}

void fold_opening_as_note(struct turn *turn)
{
	struct incident_item item;

	if (incident_item_decode(&item, turn->incident.opening, &turn->incident, turn->arena,
				 NULL))
		wait_for_note(turn, turn->incident.opening, &item.finding);
}

/* ---- all of it ---- */

static void fold_item(struct turn *turn, const char *text)
{
	struct incident_item item;
	struct err err = { 0 };

	if (!incident_item_decode(&item, text, &turn->incident, turn->arena, &err)) {
		turn_tell(turn, "inbox", err.text);
		log_warn("incident %s: %s", turn->incident.id, err.text);
		return;
	}
	switch (item.op) {
	case ITEM_FINDING:
		if (is_opening_again(&turn->incident, &item.finding) &&
		    is_planned(&turn->incident))
			turn->incident.opening = text;
		else if (is_planned(&turn->incident))
			fold_later(turn, text, &item.finding);
		else
			fold_opening(turn, text, &item.finding);
		break;
	case ITEM_RETRY:
		turn_tell(turn, "retry",
			  saga_retry(&turn->incident, turn_now_ms(turn))
			      ? "failed steps are tried again"
			      : "nothing had failed");
		break;
	case ITEM_CLOSURE:
		fold_closure(turn, &item.closure);
		break;
	case ITEM_HOST:
		contain_found(turn, item.ledger);
		break;
	}
}

/* Nothing is there yet, and nothing may still come of an attempt. */
static bool is_untouched(const struct incident *incident, enum incident_step_id create)
{
	enum incident_step_status status = incident->steps[create].status;

	return status == STEP_NEW || status == STEP_WAITING;
}

/* A customer that was given another account before anything was made at the old one. */
static void follow_account(struct turn *turn)
{
	struct incident *incident = &turn->incident;
	const char *account = turn->customer->servicenow.account;

	if (account && incident->servicenow_account && !incident->stray &&
	    is_untouched(incident, STEP_SERVICENOW_CREATE)) {
		incident->servicenow_account = account;
		tickets_plan(turn);
	}
	account = turn->customer->threat_response.account;
	if (account && incident->threat_response_account &&
	    is_untouched(incident, STEP_THREAT_RESPONSE_CREATE))
		incident->threat_response_account = account;
}

void fold_inbox(struct turn *turn)
{
	for (size_t i = 0; i < turn->hold.item_count; i++)
		fold_item(turn, turn->hold.items[i]);
	turn->items_done += turn->hold.item_count;
	turn->keep_opening = turn->hold.item_count == 1 && turn->incident.opening &&
			     turn->incident.opening == turn->hold.items[0];
	follow_account(turn);
}
