/* What somebody says should become of an incident, from its inbox into its state. */
#include "fold_closure.h"

#include <string.h>

#include "app.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "closing_turn.h"
#include "contain.h"
#include "links.h"
#include "turn.h"

enum { USED_MAX_BYTES = 1000 };

static void refuse(struct turn *turn, const struct closure *closure, const char *why)
{
	const char *via = closure_via_name(closure->via);

	closing_count(via, "refused");
	log_warn("%s of incident %s by %s is refused: %s", closure_op_name(closure->op),
		 turn->incident.id, via, why);
	turn_tell(
	    turn, "refused",
	    arena_printf(turn->arena, "%s by %s: %s", closure_op_name(closure->op), via, why));
}

/* ---- links ---- */

static bool is_used(const struct incident *incident, const char *id)
{
	return incident->closing.used && strstr(incident->closing.used, id) != NULL;
}

/* With the journal's next write, so that it is used when it has acted. */
static void use(struct turn *turn, const char *id)
{
	struct incident *incident = &turn->incident;
	const char *used = incident->closing.used ? incident->closing.used : "";

	while (strlen(used) > USED_MAX_BYTES && strchr(used, ' '))
		used = strchr(used, ' ') + 1;
	incident->closing.used =
	    arena_printf(turn->arena, "%s%s%s", used, *used ? " " : "", id);
}

/* Why the code is not enough; NULL when it is. A host is let go only by who has the ticket. */
static const char *code_fault(struct turn *turn, const struct closure *closure,
			      const struct link *link)
{
	struct incident *incident = &turn->incident;

	if (!link->needs_code && !saga_holds_hosts(incident))
		return NULL;
	if (incident->closing.wrong_codes >= CODE_ATTEMPTS)
		return "too many wrong codes";
	if (code_verify(turn->app->links->keys, turn->app->installation, incident->id,
			CODE_RELEASE, closure->code))
		return NULL;
	incident->closing.wrong_codes++;
	return "the code is not right";
}

static const char *link_fault_of(struct turn *turn, const struct closure *closure)
{
	const struct link_check check = {
		.installation = turn->app->installation,
		.purpose = LINK_VERDICT,
		.now_ms = clock_wall_ms(),
	};
	enum link_fault fault;
	const char *why;
	struct link link;

	if (!turn->app->links || !turn->app->links->keys)
		return "no key verifies links here";
	fault = link_verify(turn->app->links->keys, &check, closure->token, turn->arena, &link);
	if (fault != LINK_GOOD)
		return link_fault_name(fault);
	if (strcmp(link.incident, turn->incident.id) != 0 ||
	    strcmp(link.customer, turn->incident.customer) != 0)
		return "the link is another incident's";
	if (is_used(&turn->incident, link.id))
		return "the link was used before";
	why = code_fault(turn, closure, &link);
	if (!why)
		use(turn, link.id);
	return why;
}

/* ---- what is said ---- */

/* A caller that speaks for another instance than the ticket's, a copy of it for example. */
static bool of_another_instance(const struct turn *turn, const struct closure *closure)
{
	const char *account = turn->incident.servicenow_account;

	return *closure->instance && (!account || strcmp(closure->instance, account) != 0);
}

static bool of_another_ticket(const struct turn *turn, const struct closure *closure)
{
	const char *sys_id = turn->incident.sys_id;

	return *closure->sys_id && sys_id && strcmp(closure->sys_id, sys_id) != 0 &&
	       closure->via != CLOSURE_RECONCILER;
}

static void fold_hint(struct turn *turn, const struct closure *closure)
{
	if (turn->incident.shadow)
		return;
	closing_count(closure_via_name(closure->via), "hint");
	turn_tell(turn, "hint",
		  arena_printf(turn->arena, "%s by %s: the ticket is read",
			       closure_op_name(closure->op), closure_via_name(closure->via)));
	closing_hint(turn, closure);
}

static void close_shadow(struct turn *turn, const struct closure *closure)
{
	turn->incident.state = INCIDENT_CLOSED;
	turn->incident.closed_ms = turn_now_ms(turn);
	turn->incident.reason = arena_printf(turn->arena, "closed by %s", closure->actor);
	turn->drop_group = true;
	turn_tell(turn, "shadow", "would have been closed outside");
}

/* More is known now than when it was closed, and Defender has not been told yet. */
static void add_verdict(struct incident *incident, const struct closure *closure)
{
	if (!incident->closing.verdict && closure->verdict != VERDICT_NONE &&
	    incident->steps[STEP_DEFENDER_RESOLVE].status == STEP_NEW)
		incident->closing.verdict = closure_verdict_name(closure->verdict);
}

static void fold_verdict(struct turn *turn, const struct closure *closure)
{
	struct incident *incident = &turn->incident;
	const char *why = closure->via == CLOSURE_LINK ? link_fault_of(turn, closure) : NULL;

	if (why) {
		refuse(turn, closure, why);
	} else if (incident->shadow) {
		close_shadow(turn, closure);
	} else if (saga_closing_accepted(incident) || incident->state == INCIDENT_CLOSED) {
		add_verdict(incident, closure);
		turn_tell(turn, "closed already", closure->actor);
	} else {
		turn_tell(turn, "closed by", closure->actor);
		closing_order(turn, closure);
	}
}

static void fold_reopen(struct turn *turn, const struct closure *closure)
{
	struct incident *incident = &turn->incident;

	if (closure->via != CLOSURE_CLI) {
		fold_hint(turn, closure);
		return;
	}
	if (!saga_closing_accepted(incident) && incident->state != INCIDENT_CLOSED) {
		turn_tell(turn, "reopen", "it is not closed");
		return;
	}
	if (saga_closing_busy(incident)) {
		/* A closing under way is a goal; after it, the ticket decides. */
		refuse(turn, closure, "it is being closed: try again when it is");
		return;
	}
	turn_tell(turn, "reopened by", closure->actor);
	/* Our clock and the instance's differ about when it was closed: the ticket is read at
	 * once to know which closing counts no more. */
	closing_reopen(turn, CLOSING_PAST_ANY);
	incident->closing.hint_ms = turn_now_ms(turn);
}

static void fold_release(struct turn *turn, const struct closure *closure)
{
	const char *why;

	if (saga_closing_accepted(&turn->incident)) {
		closing_confirm(turn, closure);
		return;
	}
	/* A confirmation for all that wait is no order for what does not wait any more. */
	if (!*closure->incident) {
		refuse(turn, closure, "it is open again");
		return;
	}
	why = contain_release(turn, closure);
	if (why)
		refuse(turn, closure, why);
}

/* No end: Threat Response names neither the incident it went into nor who merged it, so that
 * nobody knows when that one is over. People have the ticket. */
static void fold_merged(struct turn *turn, const struct closure *closure)
{
	struct incident *incident = &turn->incident;
	const char *words;

	if (closure->via != CLOSURE_THREAT_RESPONSE) {
		refuse(turn, closure, "only Threat Response says so");
		return;
	}
	if (incident->merged && strcmp(incident->merged, closure->note) == 0)
		return;
	incident->merged = closure->note;
	words =
	    arena_printf(turn->arena,
			 "the incident in Threat Response was closed there as merged into "
			 "another one, on %s; it does not say into which, nor by whom. This "
			 "ticket stays open, and so does what was done to hosts",
			 closure->note);
	turn_tell(turn, "merged", words);
	contain_tell(turn, words);
}

static void fold_write_off(struct turn *turn, const struct closure *closure)
{
	const char *why = contain_write_off(turn, closure);

	if (why)
		refuse(turn, closure, why);
}

void fold_closure(struct turn *turn, const struct closure *closure)
{
	if (of_another_instance(turn, closure) || of_another_ticket(turn, closure)) {
		refuse(turn, closure,
		       arena_printf(turn->arena, "%s is not where its ticket is",
				    *closure->instance_name ? closure->instance_name
							    : closure->instance));
		return;
	}
	switch (closure->op) {
	case CLOSURE_CLOSED:
		fold_hint(turn, closure);
		break;
	case CLOSURE_VERDICT:
		fold_verdict(turn, closure);
		break;
	case CLOSURE_REOPEN:
		fold_reopen(turn, closure);
		break;
	case CLOSURE_RELEASE:
		fold_release(turn, closure);
		break;
	case CLOSURE_MERGED:
		fold_merged(turn, closure);
		break;
	case CLOSURE_WRITE_OFF:
		fold_write_off(turn, closure);
		break;
	case CLOSURE_APPROVE:
		contain_approve(turn, closure);
		break;
	}
}
