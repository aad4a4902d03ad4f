/*
 * The steps that contain a host: isolation, and the move to the triage group.
 *
 * The state is read first and the decision made; the hold is taken and the ledger written with
 * the intent; the vendor's "accepted" is not believed: the host is looked at until it is so.
 */
#include <string.h>
#include <strings.h>

#include "app.h"
#include "base/arena.h"
#include "base/log.h"
#include "bus/worker.h"
#include "contain.h"
#include "contain_steps.h"
#include "turn.h"
#include "vendor/secure_endpoint.h"

enum { ATTEMPTS = 3, LONG_PENDING_MS = 15 * 60 * 1000 };

struct machine_place contain_place(const struct turn *turn)
{
	return (struct machine_place){
		.source = turn->incident.source,
		.id = turn->incident.containment.machine,
		.installation = turn->app->installation,
	};
}

static enum incident_step_id step_of(enum containment_method method)
{
	return method == CONTAINMENT_ISOLATE ? STEP_CONTAIN_ISOLATE : STEP_CONTAIN_MOVE_GROUP;
}

const char *contain_host_name(const struct turn *turn, const struct machine *machine)
{
	if (machine && machine->name && *machine->name)
		return machine->name;
	return turn->incident.host ? turn->incident.host : turn->incident.containment.machine;
}

/* ---- ends ---- */

struct saga_end contain_redis_failed(struct turn *turn, enum saga_phase phase,
				     const struct err *err)
{
	return contain_again(phase, arena_strdup(turn->arena, err->text));
}

/* Nothing was done, and nothing will be: neither hold nor entry stays. */
struct saga_end contain_give_up(struct turn *turn, enum containment_method method,
				enum saga_phase phase, enum saga_result result, const char *why)
{
	const char *machine = turn->incident.containment.machine;
	struct host_claim claim;
	struct err err = { 0 };

	contain_claim(turn, method, machine, &claim);
	if (contain_ledger(turn)->entries[method].machine &&
	    !host_settle(turn->redis, &claim, false, &err))
		return contain_redis_failed(turn, phase, &err);
	if (containment_is_due(&contain_ledger(turn)->entries[method]))
		contain_forget(turn, method);
	return turn_end(phase, result, why);
}

struct saga_end contain_failed(struct turn *turn, enum containment_method method,
			       enum saga_phase phase, const struct vendor_session *session,
			       const struct err *err)
{
	struct saga_end end = turn_failed(turn, session, phase, phase == SAGA_CALL, err);

	/* An application without the right: nothing else of the account is wrong, and asking
	 * again for every host would use up its calls. */
	if (session->status == 403 && session->refusal == VENDOR_ATTEMPTED)
		end.result = SAGA_FAILED;
	if (end.result != SAGA_FAILED)
		return end;
	contain_tell(turn, arena_printf(turn->arena, "containment of %s failed: %s",
					contain_host_name(turn, turn->machine), err->text));
	metric_add(&app_containments, 1, containment_method_name(method), "failed");
	return contain_give_up(turn, method, phase, SAGA_FAILED, end.note);
}

/* It is there, but by somebody else. */
struct saga_end contain_foreign(struct turn *turn, enum containment_method method,
				enum saga_phase phase, const struct machine *machine)
{
	struct containment_entry *entry = &contain_ledger(turn)->entries[method];
	const char *words =
	    method == CONTAINMENT_ISOLATE
		? arena_printf(turn->arena,
			       "%s is isolated already, not by us%s%.80s: it is not ours to "
			       "release",
			       contain_host_name(turn, machine), *machine->by ? ": " : "",
			       machine->by)
		: arena_printf(turn->arena,
			       "%s is in the triage group already: it is not ours to move back",
			       contain_host_name(turn, machine));
	struct saga_end end = contain_give_up(turn, method, phase, SAGA_NEEDLESS, words);

	if (end.result != SAGA_NEEDLESS)
		return end;
	*entry = (struct containment_entry){
		.method = method,
		.state = CONTAINMENT_FOREIGN,
		.since_ms = turn_now_ms(turn),
		.source = turn->incident.source,
		.account = turn->incident.containment.account,
		.machine = turn->incident.containment.machine,
		.host = contain_host_name(turn, machine),
	};
	contain_keep(turn);
	turn->incident.containment.decided = true;
	contain_tell(turn, words);
	metric_add(&app_containments, 1, containment_method_name(method), "foreign");
	return end;
}

/* It is there, and ours. */
static struct saga_end contain_held(struct turn *turn, enum containment_method method,
				    enum saga_phase phase, const struct machine *machine)
{
	struct containment_entry *entry = &contain_ledger(turn)->entries[method];
	const char *by = turn->incident.containment.approved;
	struct host_claim claim;
	struct err err = { 0 };
	const char *how, *words;

	contain_claim(turn, method, entry->machine, &claim);
	if (!host_settle(turn->redis, &claim, true, &err))
		return contain_redis_failed(turn, phase, &err);
	entry->state = CONTAINMENT_HELD;
	entry->action = NULL;
	contain_keep(turn);
	how = method == CONTAINMENT_ISOLATE
		  ? "isolated"
		  : arena_printf(turn->arena, "moved from group %s to triage", entry->from);
	words = arena_printf(turn->arena, "%s %s by Tocsin%s%s, verified",
			     contain_host_name(turn, machine), how, by ? ", approved by " : "",
			     by ? by : "");
	contain_tell(turn, words);
	metric_add(&app_containments, 1, containment_method_name(method), "done");
	return turn_end(phase, SAGA_OK, words);
}

/* ---- call ---- */

static struct saga_end accepted(struct turn *turn, enum containment_method method,
				const char *action)
{
	struct containment_entry *entry = &contain_ledger(turn)->entries[method];

	entry->state = CONTAINMENT_PENDING;
	entry->action = action && *action ? action : NULL;
	contain_keep(turn);
	return contain_pending(turn, SAGA_CALL, turn_now_ms(turn),
			       "the vendor took it; not seen to be there yet");
}

static struct saga_end isolate_call(struct turn *turn)
{
	const struct machine_place place = contain_place(turn);
	struct machine_answer answer = { 0 };
	struct vendor_session session;
	char key[INCIDENT_KEY_SIZE];
	const struct containment_mark mark = {
		.key = key,
		.number = turn->incident.number,
		.from = contain_ledger(turn)->entries[CONTAINMENT_ISOLATE].from,
	};
	struct err err = { 0 };

	if (!contain_session(turn, turn->incident.containment.account, SAGA_CALL, &session))
		return turn_unconfigured(turn, turn->incident.containment.account, SAGA_CALL);
	incident_key(turn->app->installation, &turn->incident, key);
	if (!machine_isolate(&session, &place, turn->customer->containment.selective,
			     containment_mark_text(&mark, turn->arena), turn->arena, &answer,
			     &err))
		return contain_failed(turn, CONTAINMENT_ISOLATE, SAGA_CALL, &session, &err);
	if (answer.refused)
		return contain_later(turn, SAGA_CALL, turn->incident.containment.event_ms,
				     "the host is in another state, or busy");
	return accepted(turn, CONTAINMENT_ISOLATE, answer.action);
}

static struct saga_end move_call(struct turn *turn)
{
	const struct containment_entry *entry =
	    &contain_ledger(turn)->entries[CONTAINMENT_MOVE_GROUP];
	struct vendor_session session;
	struct err err = { 0 };

	if (!contain_session(turn, entry->account, SAGA_CALL, &session))
		return turn_unconfigured(turn, entry->account, SAGA_CALL);
	if (!secure_endpoint_move(&session, entry->machine, entry->to, turn->arena, &err))
		return contain_failed(turn, CONTAINMENT_MOVE_GROUP, SAGA_CALL, &session, &err);
	return accepted(turn, CONTAINMENT_MOVE_GROUP, NULL);
}

/* ---- look up ---- */

static struct saga_end still_pending(struct turn *turn, enum containment_method method,
				     const struct machine *machine)
{
	struct containment_entry *entry = &contain_ledger(turn)->entries[method];
	const char *subject = arena_printf(turn->arena, "pending:%s", turn->incident.id);

	if (entry->state == CONTAINMENT_INTENT) {
		entry->state = CONTAINMENT_PENDING;
		contain_keep(turn);
	}
	if (turn_now_ms(turn) > entry->since_ms + LONG_PENDING_MS &&
	    app_alarm_due(turn->app, subject))
		log_warn("%s of incident %s is asked for and not isolated yet: is it on?",
			 contain_host_name(turn, machine), turn->incident.id);
	return contain_pending(turn, SAGA_LOOK_UP, entry->since_ms,
			       "the vendor took it; not seen to be there yet");
}

/* It is not there. What had been accepted was either tried in vain, or taken back by somebody,
 * who knows better. */
static struct saga_end not_there(struct turn *turn, enum containment_method method,
				 const struct machine *machine)
{
	const struct containment_entry *entry = &contain_ledger(turn)->entries[method];
	unsigned attempt = turn->incident.steps[step_of(method)].attempt;
	const char *words;

	if (entry->state == CONTAINMENT_INTENT)
		return turn_end(SAGA_LOOK_UP, SAGA_ABSENT, "looked up: not there");
	if (machine->failed && attempt < ATTEMPTS)
		return turn_end(SAGA_LOOK_UP, SAGA_ABSENT, "the vendor did not manage it");
	words = arena_printf(
	    turn->arena, "%s is not contained: %s", contain_host_name(turn, machine),
	    machine->failed ? "the vendor did not manage it" : "somebody took it back");
	contain_tell(turn, words);
	log_warn("incident %s: %s", turn->incident.id, words);
	metric_add(&app_containments, 1, containment_method_name(method),
		   machine->failed ? "failed" : "taken back");
	return contain_give_up(turn, method, SAGA_LOOK_UP,
			       machine->failed ? SAGA_FAILED : SAGA_NEEDLESS, words);
}

static struct saga_end isolate_seen(struct turn *turn, const struct machine *machine)
{
	switch (machine->isolation) {
	case MACHINE_ISOLATED:
		return machine->ours
			   ? contain_held(turn, CONTAINMENT_ISOLATE, SAGA_LOOK_UP, machine)
			   : contain_foreign(turn, CONTAINMENT_ISOLATE, SAGA_LOOK_UP, machine);
	case MACHINE_STARTING:
		if (!machine->ours)
			return contain_foreign(turn, CONTAINMENT_ISOLATE, SAGA_LOOK_UP,
					       machine);
		break;
	case MACHINE_FREE:
		return not_there(turn, CONTAINMENT_ISOLATE, machine);
	case MACHINE_STOPPING:
	case MACHINE_UNKNOWN:
		break;
	}
	return still_pending(turn, CONTAINMENT_ISOLATE, machine);
}

static struct saga_end move_seen(struct turn *turn, const struct machine *machine)
{
	const struct containment_entry *entry =
	    &contain_ledger(turn)->entries[CONTAINMENT_MOVE_GROUP];

	if (strcasecmp(machine->group, entry->to) == 0)
		return contain_held(turn, CONTAINMENT_MOVE_GROUP, SAGA_LOOK_UP, machine);
	return not_there(turn, CONTAINMENT_MOVE_GROUP, machine);
}

static struct saga_end look_up(struct turn *turn, enum containment_method method)
{
	const struct machine_place place = contain_place(turn);
	struct vendor_session session;
	struct machine *machine = arena_alloc(turn->arena, sizeof(*machine));
	struct err err = { 0 };

	if (!contain_ledger(turn)->entries[method].machine)
		return turn_end(SAGA_LOOK_UP, SAGA_ABSENT, NULL);
	if (!contain_session(turn, turn->incident.containment.account, SAGA_LOOK_UP, &session))
		return turn_unconfigured(turn, turn->incident.containment.account,
					 SAGA_LOOK_UP);
	if (!machine_read(&session, &place, turn->arena, machine, &err))
		return turn_failed(turn, &session, SAGA_LOOK_UP, false, &err);
	if (!machine->found)
		return contain_give_up(turn, method, SAGA_LOOK_UP, SAGA_NEEDLESS,
				       "the vendor no longer knows the host");
	return method == CONTAINMENT_ISOLATE ? isolate_seen(turn, machine)
					     : move_seen(turn, machine);
}

static struct saga_end isolate_prepare(struct turn *turn)
{
	return contain_prepare(turn, CONTAINMENT_ISOLATE);
}

static struct saga_end isolate_look_up(struct turn *turn)
{
	return look_up(turn, CONTAINMENT_ISOLATE);
}

static struct saga_end move_prepare(struct turn *turn)
{
	return contain_prepare(turn, CONTAINMENT_MOVE_GROUP);
}

static struct saga_end move_look_up(struct turn *turn)
{
	return look_up(turn, CONTAINMENT_MOVE_GROUP);
}

const struct step step_contain_isolate = {
	.side = SIDE_HOST,
	.effect = true,
	.prepare = isolate_prepare,
	.look_up = isolate_look_up,
	.call = isolate_call,
};

const struct step step_contain_move_group = {
	.side = SIDE_HOST,
	.effect = true,
	.prepare = move_prepare,
	.look_up = move_look_up,
	.call = move_call,
};
