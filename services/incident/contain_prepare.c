/* What happens to a host before an act: it is read, decided on, and held. */
#include <strings.h>

#include "app.h"
#include "base/arena.h"
#include "bus/worker.h"
#include "contain.h"
#include "contain_decide.h"
#include "contain_steps.h"
#include "turn.h"

static bool is_wanted(const struct turn *turn, enum containment_method method)
{
	const struct customer_containment *policy = &turn->customer->containment;
	const char *source = turn->incident.source;

	if (method == CONTAINMENT_ISOLATE)
		return policy->isolate && machine_source_isolates(source);
	return policy->triage_group && machine_source_moves(source);
}

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
		.names = { .name = contain_host_name(turn, machine),
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
		.host = contain_host_name(turn, machine),
	};
	if (method == CONTAINMENT_MOVE_GROUP) {
		entry->from = from;
		entry->to = arena_strdup(turn->arena, group);
	} else if (moves && strcasecmp(machine->group, group) != 0) {
		entry->from = machine->group; /* for the mark */
	}
	turn->incident.containment.decided = true;
	contain_keep(turn);
	return turn_end(SAGA_PREPARE, SAGA_ABSENT, NULL);
}

static struct saga_end ask(struct turn *turn, enum containment_method method, const char *why)
{
	struct err err = { 0 };

	if (!contain_ask(turn, why, &err))
		return contain_redis_failed(turn, SAGA_PREPARE, &err);
	return contain_give_up(turn, method, SAGA_PREPARE, SAGA_NEEDLESS,
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
		return contain_redis_failed(turn, SAGA_PREPARE, &err);
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
					"the ceiling is reached: %s contained within the hour",
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
		return contain_redis_failed(turn, SAGA_PREPARE, &err);
	if (reply.answer != HOST_GRANTED)
		return contain_again(
		    SAGA_PREPARE,
		    arena_printf(turn->arena, "incident %s acts on the host", reply.other));
	intend(turn, method, machine, arena_strdup(turn->arena, reply.other));
	if (method == CONTAINMENT_MOVE_GROUP && !*reply.other)
		return contain_foreign(turn, method, SAGA_PREPARE, machine);
	entry->state = CONTAINMENT_HELD;
	entry->shared = true;
	contain_keep(turn);
	words = arena_printf(turn->arena, "%s is %s already by Tocsin: held for this as well",
			     contain_host_name(turn, machine),
			     method == CONTAINMENT_ISOLATE ? "isolated" : "in triage");
	contain_tell(turn, words);
	metric_add(&app_containments, 1, containment_method_name(method), "joined");
	return turn_end(SAGA_PREPARE, SAGA_OK, words);
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
		return contain_foreign(turn, method, SAGA_PREPARE, machine);
	case CONTAIN_WAIT:
		return contain_later(turn, SAGA_PREPARE, turn->incident.containment.event_ms,
				     decision->why);
	case CONTAIN_NO:
		break;
	}
	turn->incident.containment.decided = true;
	metric_add(&app_containments, 1, containment_method_name(method), "refused");
	return contain_give_up(turn, method, SAGA_PREPARE, SAGA_NEEDLESS, decision->why);
}

/* An approval that was given, or ran out, is no longer to be given. */
static bool off_the_list(struct turn *turn, struct err *err)
{
	return !turn->incident.containment.approved ||
	       containment_list_put(turn->redis, worker_partition(turn->worker),
				    CONTAINMENT_APPROVALS, turn->incident.customer,
				    turn->incident.id, 0, err);
}

struct saga_end contain_prepare(struct turn *turn, enum containment_method method)
{
	const struct machine_place place = contain_place(turn);
	struct contain_decision decision;
	struct contain_facts facts;
	struct contain_host host;
	struct vendor_session session;
	struct host_claim claim;
	struct err err = { 0 };

	if (!is_wanted(turn, method))
		return contain_give_up(turn, method, SAGA_PREPARE, SAGA_NEEDLESS, NULL);
	facts_of(turn, method, &facts);
	contain_claim(turn, method, place.id, &claim);
	if (!off_the_list(turn, &err) || !host_held(turn->redis, &claim, &facts.held, &err))
		return contain_redis_failed(turn, SAGA_PREPARE, &err);
	decision = contain_decide(&facts, turn->arena);
	if (decision.verdict != CONTAIN_ACT)
		return contain_give_up(turn, method, SAGA_PREPARE, SAGA_NEEDLESS, decision.why);
	if (!contain_session(turn, turn->incident.containment.account, SAGA_PREPARE, &session))
		return turn_unconfigured(turn, turn->incident.containment.account,
					 SAGA_PREPARE);
	struct machine *machine = arena_alloc(turn->arena, sizeof(*machine));
	if (!machine_read(&session, &place, turn->arena, machine, &err))
		return contain_failed(turn, method, SAGA_PREPARE, &session, &err);
	turn->machine = machine;
	describe(turn, method, turn->machine, &host);
	facts.host = &host;
	decision = contain_decide(&facts, turn->arena);
	return decided(turn, method, &decision, turn->machine);
}
