/* What people are asked about hosts, and what they say: approvals and releases. */
#include <string.h>

#include "app.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "bus/worker.h"
#include "contain.h"
#include "links.h"
#include "model/closure.h"
#include "ticket/prose.h"
#include "turn.h"

enum { USED_MAX = 1024, REASON_CHARS = 300 };

/* ---- asking ---- */

bool contain_asks(const struct turn *turn)
{
	const struct incident_containment *containment = &turn->incident.containment;

	return containment->asked_ms > 0 && containment->expires_ms > turn_now_ms(turn);
}

static const char *ask_words(struct turn *turn, const char *why)
{
	const struct incident *incident = &turn->incident;
	char until[CLOCK_TEXT_SIZE];

	clock_format_plain(incident->containment.expires_ms, until);
	/* The code is put in when the note is written: it is kept nowhere. */
	return arena_printf(
	    turn->arena,
	    "containment of %s waits for approval until %s UTC: %s. To contain it, open the "
	    "approval link of the e-mail and enter the code " CONTAIN_CODE_PLACE
	    ", or run: tocsin containment approve %s",
	    incident->host ? incident->host : "the host", until, why, incident->id);
}

bool contain_ask(struct turn *turn, const char *why, struct err *err)
{
	struct incident_containment *containment = &turn->incident.containment;
	const struct incident *incident = &turn->incident;
	uint64_t now = turn_now_ms(turn);

	containment->decided = true;
	if (!contain_asks(turn)) {
		containment->asked_ms = now;
		containment->expires_ms = now + turn->customer->containment.approval_time_ms;
		containment->asked = why;
		containment->approved = NULL;
		containment->wrong_codes = 0;
		containment->mailed = false;
		contain_tell(turn, ask_words(turn, why));
		metric_add(&app_containments, 1, "approval", "asked");
	}
	return containment_list_put(turn->redis, worker_partition(turn->worker),
				    CONTAINMENT_APPROVALS, incident->customer, incident->id,
				    containment->expires_ms, err);
}

/* Each link acts once; the newest are remembered, older ones have expired. */
static bool use_link(struct turn *turn, const char *id)
{
	struct incident_closing *closing = &turn->incident.closing;
	const char *used = closing->used ? closing->used : "";

	if (strstr(used, id))
		return false;
	while (strlen(used) > USED_MAX && strchr(used, ' '))
		used = strchr(used, ' ') + 1;
	closing->used = arena_printf(turn->arena, "%s%s%s", used, *used ? " " : "", id);
	return true;
}

/* What a closure carries for this incident, verified here again. NULL: it is good. */
static const char *link_read(struct turn *turn, const struct closure *closure,
			     struct link *ret_link)
{
	const struct links *links = turn->app->links;
	const struct link_check check = {
		.installation = turn->app->installation,
		.purpose = LINK_APPROVE,
		.now_ms = turn_now_ms(turn),
	};
	enum link_fault fault;

	if (!links->keys)
		return "nothing is signed here (TOCSIN_LINK_KEY_FILE)";
	fault = link_verify(links->keys, &check, closure->token, turn->arena, ret_link);
	if (fault != LINK_GOOD)
		return arena_printf(turn->arena, "the link is %s", link_fault_name(fault));
	if (strcmp(ret_link->incident, turn->incident.id) != 0 ||
	    strcmp(ret_link->customer, turn->incident.customer) != 0)
		return "the link is of another incident";
	return NULL;
}

/* Why the code does not count; NULL: it does. */
static const char *code_fault(struct turn *turn, const struct closure *closure)
{
	struct incident_containment *containment = &turn->incident.containment;

	if (!contain_asks(turn))
		return "nothing waits for approval";
	if (containment->wrong_codes >= CODE_ATTEMPTS)
		return "too many wrong codes were given";
	if (code_verify(turn->app->links->keys, turn->app->installation, turn->incident.id,
			CODE_APPROVE, closure->code))
		return NULL;
	containment->wrong_codes++;
	return arena_printf(turn->arena, "the code is wrong (%u of %d)",
			    containment->wrong_codes, CODE_ATTEMPTS);
}

static const char *approval_fault(struct turn *turn, const struct closure *closure)
{
	const char *fault;
	struct link link;

	if (saga_closing_accepted(&turn->incident))
		return "the incident is closing";
	if (!turn->incident.containment.machine ||
	    turn->customer->containment.mode == CONTAINMENT_OFF)
		return "there is no host to contain, or containment is off";
	if (turn->incident.containment.due > 0)
		return "the host is contained already";
	fault = link_read(turn, closure, &link);
	/* A link without a code is never mailed: the client makes it for an operator. */
	if (!fault && link.needs_code)
		fault = code_fault(turn, closure);
	if (fault)
		return fault;
	return use_link(turn, link.id) ? NULL : "the link has been used";
}

void contain_approve(struct turn *turn, const struct closure *closure)
{
	struct incident_containment *containment = &turn->incident.containment;
	const char *actor = closure->actor && *closure->actor ? closure->actor : "somebody";
	const char *fault = approval_fault(turn, closure);

	if (fault) {
		turn_tell(turn, "approval refused", fault);
		log_warn("approval of incident %s by %s is refused: %s", turn->incident.id,
			 actor, fault);
		metric_add(&app_containments, 1, "approval", "refused");
		return;
	}
	containment->approved =
	    arena_printf(turn->arena, "%s (%s)", actor, closure_via_name(closure->via));
	containment->asked_ms = containment->expires_ms = 0;
	containment->asked = NULL;
	containment->decided = true;
	turn->incident.steps[STEP_CONTAIN_ISOLATE] = (struct incident_step){ 0 };
	turn->incident.steps[STEP_CONTAIN_MOVE_GROUP] = (struct incident_step){ 0 };
	turn_tell(turn, "containment approved", containment->approved);
	contain_tell(turn, arena_printf(turn->arena, "containment approved by %s",
					containment->approved));
	metric_add(&app_containments, 1, "approval", "given");
}

/* Nobody is asked any more. The list is for people: what stays there runs out. */
void contain_stop_asking(struct turn *turn)
{
	struct incident_containment *containment = &turn->incident.containment;
	struct err err = { 0 };

	if (!containment_list_put(turn->redis, worker_partition(turn->worker),
				  CONTAINMENT_APPROVALS, turn->incident.customer,
				  turn->incident.id, 0, &err))
		log_debug("approval of incident %s: %s", turn->incident.id, err.text);
	containment->asked_ms = containment->expires_ms = 0;
	containment->asked = NULL;
}

/* ---- letting go ---- */

static bool ledger_has(struct turn *turn, enum containment_state state)
{
	const struct containment_ledger *ledger = contain_ledger(turn);

	for (int i = 0; i < CONTAINMENT_METHODS; i++) {
		if (ledger->entries[i].machine && ledger->entries[i].state == state)
			return true;
	}
	return false;
}

bool contain_let_go(struct turn *turn, const char *who)
{
	struct incident *incident = &turn->incident;

	if (saga_closing_accepted(incident) || incident->containment.due == 0)
		return false;
	incident->containment.release = arena_strdup(turn->arena, who);
	incident->steps[STEP_RELEASE_ISOLATE] = (struct incident_step){ 0 };
	incident->steps[STEP_RELEASE_MOVE_GROUP] = (struct incident_step){ 0 };
	turn_tell(turn, "release asked for by", who);
	return true;
}

/* Only the client makes a token that needs no code. NULL: an operator says so. */
static const char *order_fault(struct turn *turn, const struct closure *closure)
{
	struct link link;
	const char *fault = link_read(turn, closure, &link);

	if (!fault && link.needs_code)
		fault = "only an operator can say so";
	if (!fault && !use_link(turn, link.id))
		fault = "the link has been used";
	return fault;
}

const char *contain_release(struct turn *turn, const struct closure *closure)
{
	const char *fault = order_fault(turn, closure);

	if (!fault && !contain_let_go(turn, closure->actor))
		fault = "it holds no host";
	return fault;
}

const char *contain_write_off(struct turn *turn, const struct closure *closure)
{
	struct incident *incident = &turn->incident;
	const char *fault = order_fault(turn, closure);

	if (!fault && incident->containment.due == 0)
		fault = "it holds no host";
	if (!fault && !*closure->note)
		fault = "no reason is given";
	if (fault)
		return fault;
	incident->containment.write_off =
	    arena_printf(turn->arena, "%s: %s", closure->actor,
			 prose_line(turn->arena, closure->note, REASON_CHARS));
	incident->containment.write_off_forced = closure->force;
	incident->steps[STEP_RELEASE_WRITE_OFF] = (struct incident_step){ 0 };
	turn_tell(turn,
		  closure->force ? "write-off ordered, whatever the vendor says, by"
				 : "write-off ordered by",
		  incident->containment.write_off);
	return NULL;
}

void contain_reopened(struct turn *turn)
{
	struct err err = { 0 };

	if (turn->incident.containment.due > 0 || !turn->incident.containment.machine ||
	    !ledger_has(turn, CONTAINMENT_RELEASED))
		return;
	if (!contain_ask(turn, "the incident was opened again", &err))
		log_warn("incident %s: %s", turn->incident.id, err.text);
}
