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
#include "contain_decide.h"
#include "turn.h"
#include "vendor/secure_endpoint.h"

enum { ATTEMPTS = 3, LONG_PENDING_MS = 15 * 60 * 1000 };

static struct machine_place place_of(const struct turn *turn)
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

static bool is_wanted(const struct turn *turn, enum containment_method method)
{
	const struct customer_containment *policy = &turn->customer->containment;
	const char *source = turn->incident.source;

	if (method == CONTAINMENT_ISOLATE)
		return policy->isolate && machine_source_isolates(source);
	return policy->triage_group && machine_source_moves(source);
}

static const char *host_name(const struct turn *turn, const struct machine *machine)
{
	if (machine && machine->name && *machine->name)
		return machine->name;
	return turn->incident.host ? turn->incident.host : turn->incident.containment.machine;
}

/* ---- ends ---- */

static struct saga_end redis_failed(struct turn *turn, enum saga_phase phase,
				    const struct err *err)
{
	return contain_again(phase, arena_strdup(turn->arena, err->text));
}

/* Nothing was done, and nothing will be: neither hold nor entry stays. */
static struct saga_end give_up(struct turn *turn, enum containment_method method,
			       enum saga_phase phase, enum saga_result result, const char *why)
{
	const char *machine = turn->incident.containment.machine;
	struct host_claim claim;
	struct err err = { 0 };

	contain_claim(turn, method, machine, &claim);
	if (contain_ledger(turn)->entries[method].machine &&
	    !host_settle(turn->redis, &claim, false, &err))
		return redis_failed(turn, phase, &err);
	if (containment_is_due(&contain_ledger(turn)->entries[method]))
		contain_forget(turn, method);
	return contain_end(phase, result, why);
}

/* It is there, but by somebody else. */
static struct saga_end foreign(struct turn *turn, enum containment_method method,
			       enum saga_phase phase, const struct machine *machine)
{
	struct containment_entry *entry = &contain_ledger(turn)->entries[method];
	const char *words =
	    method == CONTAINMENT_ISOLATE
		? arena_printf(turn->arena,
			       "%s is isolated already, not by us%s%.80s: it is not ours to "
			       "release",
			       host_name(turn, machine), *machine->by ? ": " : "", machine->by)
		: arena_printf(turn->arena,
			       "%s is in the triage group already: it is not ours to move back",
			       host_name(turn, machine));
	struct saga_end end = give_up(turn, method, phase, SAGA_NEEDLESS, words);

	if (end.result != SAGA_NEEDLESS)
		return end;
	*entry = (struct containment_entry){
		.method = method,
		.state = CONTAINMENT_FOREIGN,
		.since_ms = turn_now_ms(turn),
		.source = turn->incident.source,
		.account = turn->incident.containment.account,
		.machine = turn->incident.containment.machine,
		.host = host_name(turn, machine),
	};
	contain_keep(turn);
	turn->incident.containment.decided = true;
	contain_tell(turn, words);
	metric_add(&app_containments, 1, containment_method_name(method), "foreign");
	return end;
}

static struct saga_end held(struct turn *turn, enum containment_method method,
			    enum saga_phase phase, const struct machine *machine)
{
	struct containment_entry *entry = &contain_ledger(turn)->entries[method];
	const char *by = turn->incident.containment.approved;
	struct host_claim claim;
	struct err err = { 0 };
	const char *words;

	contain_claim(turn, method, entry->machine, &claim);
	if (!host_settle(turn->redis, &claim, true, &err))
		return redis_failed(turn, phase, &err);
	entry->state = CONTAINMENT_HELD;
	entry->action = NULL;
	contain_keep(turn);
	words = arena_printf(
	    turn->arena, "%s %s by Tocsin%s%s, verified", host_name(turn, machine),
	    method == CONTAINMENT_ISOLATE ? "isolated" : "moved to the triage group",
	    by ? ", approved by " : "", by ? by : "");
	contain_tell(turn, words);
	metric_add(&app_containments, 1, containment_method_name(method), "done");
	return contain_end(phase, SAGA_OK, words);
}

/* ---- prepare ---- */

/* What is there already by this method. */
static enum contain_present present(const struct turn *turn, enum containment_method method,
				    const struct machine *machine)
{
	if (method == CONTAINMENT_MOVE_GROUP)
		return strcasecmp(machine->group, turn->customer->containment.triage_group) == 0
			   ? PRESENT_OURS /* if anybody knows where it came from */
			   : PRESENT_FREE;
	switch (machine->isolation) {
	case MACHINE_FREE:
		return PRESENT_FREE;
	case MACHINE_STARTING:
	case MACHINE_ISOLATED:
		return machine->ours ? PRESENT_OURS : PRESENT_THEIRS;
	case MACHINE_STOPPING:
		return PRESENT_CHANGING;
	case MACHINE_UNKNOWN:
		break;
	}
	return PRESENT_UNKNOWN;
}

static void describe(const struct turn *turn, enum containment_method method,
		     const struct machine *machine, struct contain_host *ret_host)
{
	*ret_host = (struct contain_host){
		.names = { .name = host_name(turn, machine),
			   .id = turn->incident.containment.machine,
			   .ips = machine->ips,
			   .ip_count = machine->ip_count },
		.found = machine->found,
		.system = machine->system,
		.able = method == CONTAINMENT_MOVE_GROUP || machine->able,
		.present = machine->found ? present(turn, method, machine) : PRESENT_UNKNOWN,
	};
}

/* The entry is written with the intent: what undoes it is known before it is done. */
static struct saga_end intend(struct turn *turn, enum containment_method method,
			      const struct machine *machine, const char *from)
{
	const char *group = turn->customer->containment.triage_group;
	bool moves = is_wanted(turn, CONTAINMENT_MOVE_GROUP);
	struct containment_entry *entry = &contain_ledger(turn)->entries[method];

	*entry = (struct containment_entry){
		.method = method,
		.state = CONTAINMENT_INTENT,
		.since_ms = turn_now_ms(turn),
		.source = turn->incident.source,
		.account = turn->incident.containment.account,
		.machine = turn->incident.containment.machine,
		.host = host_name(turn, machine),
	};
	if (method == CONTAINMENT_MOVE_GROUP) {
		entry->from = from;
		entry->to = arena_strdup(turn->arena, group);
	} else if (moves && strcasecmp(machine->group, group) != 0) {
		entry->from = machine->group; /* for the mark */
	}
	turn->incident.containment.decided = true;
	contain_keep(turn);
	return contain_end(SAGA_PREPARE, SAGA_ABSENT, NULL);
}

static struct saga_end ask(struct turn *turn, enum containment_method method, const char *why)
{
	struct err err = { 0 };

	if (!contain_ask(turn, why, &err))
		return redis_failed(turn, SAGA_PREPARE, &err);
	return give_up(turn, method, SAGA_PREPARE, SAGA_NEEDLESS,
		       arena_printf(turn->arena, "waits for approval: %s", why));
}

static struct saga_end act(struct turn *turn, enum containment_method method,
			   const struct machine *machine)
{
	struct host_claim claim;
	struct host_reply reply;
	struct err err = { 0 };

	contain_claim(turn, method, turn->incident.containment.machine, &claim);
	if (method == CONTAINMENT_MOVE_GROUP) {
		claim.from = machine->group;
		claim.to = turn->customer->containment.triage_group;
	}
	if (!host_hold(turn->redis, &claim, &reply, &err))
		return redis_failed(turn, SAGA_PREPARE, &err);
	switch (reply.answer) {
	case HOST_GRANTED:
		return intend(turn, method, machine, arena_strdup(turn->arena, reply.other));
	case HOST_FROZEN:
		return ask(
		    turn, method,
		    arena_printf(turn->arena, "containment is frozen by %s", reply.other));
	case HOST_CEILING:
		return ask(turn, method,
			   arena_printf(turn->arena,
					"%s incidents have contained hosts within the hour",
					reply.other));
	case HOST_BUSY:
	case HOST_SHARED:
		break;
	}
	return contain_again(
	    SAGA_PREPARE,
	    arena_printf(turn->arena, "incident %s acts on the host", reply.other));
}

/* Contained by us already, for another incident: held for this one as well. */
static struct saga_end join(struct turn *turn, enum containment_method method,
			    const struct machine *machine)
{
	struct containment_entry *entry = &contain_ledger(turn)->entries[method];
	struct host_claim claim;
	struct host_reply reply;
	struct err err = { 0 };
	const char *words;

	contain_claim(turn, method, turn->incident.containment.machine, &claim);
	if (!host_join(turn->redis, &claim, &reply, &err))
		return redis_failed(turn, SAGA_PREPARE, &err);
	if (reply.answer != HOST_GRANTED)
		return contain_again(
		    SAGA_PREPARE,
		    arena_printf(turn->arena, "incident %s acts on the host", reply.other));
	intend(turn, method, machine, arena_strdup(turn->arena, reply.other));
	if (method == CONTAINMENT_MOVE_GROUP && !*reply.other)
		return foreign(turn, method, SAGA_PREPARE, machine);
	entry->state = CONTAINMENT_HELD;
	entry->shared = true;
	contain_keep(turn);
	words = arena_printf(turn->arena, "%s is %s already by Tocsin: held for this as well",
			     host_name(turn, machine),
			     method == CONTAINMENT_ISOLATE ? "isolated" : "in triage");
	contain_tell(turn, words);
	metric_add(&app_containments, 1, containment_method_name(method), "joined");
	return contain_end(SAGA_PREPARE, SAGA_OK, words);
}

static void facts_of(struct turn *turn, enum containment_method method,
		     struct contain_facts *ret_facts)
{
	const struct incident_containment *containment = &turn->incident.containment;

	*ret_facts = (struct contain_facts){
		.policy = &turn->customer->containment,
		.method = method,
		.severity_id = containment->severity_id,
		.event_ms = containment->event_ms,
		.live = origin_is_live(origin_parse(containment->origin)),
		.now_ms = turn_now_ms(turn),
		.approved = containment->approved != NULL,
	};
}

static struct saga_end decided(struct turn *turn, enum containment_method method,
			       const struct contain_decision *decision,
			       const struct machine *machine)
{
	switch (decision->verdict) {
	case CONTAIN_ACT:
		return act(turn, method, machine);
	case CONTAIN_ASK:
		return ask(turn, method, decision->why);
	case CONTAIN_JOIN:
		return join(turn, method, machine);
	case CONTAIN_FOREIGN:
		return foreign(turn, method, SAGA_PREPARE, machine);
	case CONTAIN_WAIT:
		return contain_again(SAGA_PREPARE, decision->why);
	case CONTAIN_NO:
		break;
	}
	turn->incident.containment.decided = true;
	metric_add(&app_containments, 1, containment_method_name(method), "refused");
	return give_up(turn, method, SAGA_PREPARE, SAGA_NEEDLESS, decision->why);
}

/* An approval that was given, or ran out, is no longer to be given. */
static bool off_the_list(struct turn *turn, struct err *err)
{
	return !turn->incident.containment.approved ||
	       containment_list_put(turn->redis, worker_partition(turn->worker),
				    CONTAINMENT_APPROVALS, turn->incident.customer,
				    turn->incident.id, 0, err);
}

static struct saga_end prepare(struct turn *turn, enum containment_method method)
{
	const struct machine_place place = place_of(turn);
	struct contain_decision decision;
	struct contain_facts facts;
	struct contain_host host;
	struct vendor_session session;
	struct host_claim claim;
	struct err err = { 0 };

	if (!is_wanted(turn, method))
		return give_up(turn, method, SAGA_PREPARE, SAGA_NEEDLESS, NULL);
	facts_of(turn, method, &facts);
	contain_claim(turn, method, place.id, &claim);
	if (!off_the_list(turn, &err) || !host_held(turn->redis, &claim, &facts.held, &err))
		return redis_failed(turn, SAGA_PREPARE, &err);
	decision = contain_decide(&facts, turn->arena);
	if (decision.verdict != CONTAIN_ACT)
		return give_up(turn, method, SAGA_PREPARE, SAGA_NEEDLESS, decision.why);
	if (!contain_session(turn, turn->incident.containment.account, SAGA_PREPARE, &session))
		return turn_unconfigured(turn, turn->incident.containment.account,
					 SAGA_PREPARE);
	turn->machine = arena_alloc(turn->arena, sizeof(*turn->machine));
	if (!machine_read(&session, &place, turn->arena, turn->machine, &err))
		return turn_failed(turn, &session, SAGA_PREPARE, false, &err);
	describe(turn, method, turn->machine, &host);
	facts.host = &host;
	decision = contain_decide(&facts, turn->arena);
	return decided(turn, method, &decision, turn->machine);
}

/* ---- call ---- */

/* The vendor did not do it, for good: nothing is held. */
static struct saga_end call_failed(struct turn *turn, enum containment_method method,
				   const struct vendor_session *session, const struct err *err)
{
	struct saga_end end = turn_failed(turn, session, SAGA_CALL, true, err);

	/* An application without the right: nothing else of the account is wrong. */
	if (session->status == 403 && session->refusal == VENDOR_ATTEMPTED)
		end.result = SAGA_FAILED;
	if (end.result != SAGA_FAILED)
		return end;
	contain_tell(turn, arena_printf(turn->arena, "containment of %s failed: %s",
					host_name(turn, turn->machine), err->text));
	metric_add(&app_containments, 1, containment_method_name(method), "failed");
	return give_up(turn, method, SAGA_CALL, SAGA_FAILED, end.note);
}

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
	const struct machine_place place = place_of(turn);
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
		return call_failed(turn, CONTAINMENT_ISOLATE, &session, &err);
	if (answer.refused)
		return contain_again(SAGA_CALL, "the host is in another state, or busy");
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
		return call_failed(turn, CONTAINMENT_MOVE_GROUP, &session, &err);
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
			 host_name(turn, machine), turn->incident.id);
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
		return contain_end(SAGA_LOOK_UP, SAGA_ABSENT, "looked up: not there");
	if (machine->failed && attempt < ATTEMPTS)
		return contain_end(SAGA_LOOK_UP, SAGA_ABSENT, "the vendor did not manage it");
	words = arena_printf(turn->arena, "%s is not contained: %s", host_name(turn, machine),
			     machine->failed ? "the vendor did not manage it"
					     : "somebody took it back");
	contain_tell(turn, words);
	log_warn("incident %s: %s", turn->incident.id, words);
	metric_add(&app_containments, 1, containment_method_name(method),
		   machine->failed ? "failed" : "taken back");
	return give_up(turn, method, SAGA_LOOK_UP,
		       machine->failed ? SAGA_FAILED : SAGA_NEEDLESS, words);
}

static struct saga_end isolate_seen(struct turn *turn, const struct machine *machine)
{
	switch (machine->isolation) {
	case MACHINE_ISOLATED:
		return machine->ours
			   ? held(turn, CONTAINMENT_ISOLATE, SAGA_LOOK_UP, machine)
			   : foreign(turn, CONTAINMENT_ISOLATE, SAGA_LOOK_UP, machine);
	case MACHINE_STARTING:
		if (!machine->ours)
			return foreign(turn, CONTAINMENT_ISOLATE, SAGA_LOOK_UP, machine);
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
		return held(turn, CONTAINMENT_MOVE_GROUP, SAGA_LOOK_UP, machine);
	return not_there(turn, CONTAINMENT_MOVE_GROUP, machine);
}

static struct saga_end look_up(struct turn *turn, enum containment_method method)
{
	const struct machine_place place = place_of(turn);
	struct vendor_session session;
	struct machine *machine = arena_alloc(turn->arena, sizeof(*machine));
	struct err err = { 0 };

	if (!contain_ledger(turn)->entries[method].machine)
		return contain_end(SAGA_LOOK_UP, SAGA_ABSENT, NULL);
	if (!contain_session(turn, turn->incident.containment.account, SAGA_LOOK_UP, &session))
		return turn_unconfigured(turn, turn->incident.containment.account,
					 SAGA_LOOK_UP);
	if (!machine_read(&session, &place, turn->arena, machine, &err))
		return turn_failed(turn, &session, SAGA_LOOK_UP, false, &err);
	if (!machine->found)
		return give_up(turn, method, SAGA_LOOK_UP, SAGA_NEEDLESS,
			       "the vendor no longer knows the host");
	return method == CONTAINMENT_ISOLATE ? isolate_seen(turn, machine)
					     : move_seen(turn, machine);
}

static struct saga_end isolate_prepare(struct turn *turn)
{
	return prepare(turn, CONTAINMENT_ISOLATE);
}

static struct saga_end isolate_look_up(struct turn *turn)
{
	return look_up(turn, CONTAINMENT_ISOLATE);
}

static struct saga_end move_prepare(struct turn *turn)
{
	return prepare(turn, CONTAINMENT_MOVE_GROUP);
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
