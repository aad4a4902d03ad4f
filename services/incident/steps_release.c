/*
 * The steps that undo containment, by the undo ledger: only what carries our mark, only when
 * no other incident holds the host, and until the host is seen to be free.
 *
 * What cannot be undone is a failed step: visible, told, alarmed, and never given up.
 */
#include <string.h>
#include <strings.h>

#include "app.h"
#include "base/arena.h"
#include "base/log.h"
#include "bus/worker.h"
#include "closing_turn.h"
#include "contain.h"
#include "turn.h"
#include "vendor/secure_endpoint.h"

enum { ATTEMPTS = 5 };

static struct containment_entry *entry_of(struct turn *turn, enum containment_method method)
{
	return &contain_ledger(turn)->entries[method];
}

static struct machine_place place_of(const struct turn *turn,
				     const struct containment_entry *entry)
{
	return (struct machine_place){
		.source = entry->source,
		.id = entry->machine,
		.installation = turn->app->installation,
	};
}

static const char *name_of(const struct containment_entry *entry)
{
	return entry->host ? entry->host : entry->machine;
}

/* ---- ends ---- */

static bool stuck(struct turn *turn, bool is_stuck, struct err *err)
{
	return containment_list_put(turn->redis, worker_partition(turn->worker),
				    CONTAINMENT_STUCK, turn->incident.customer,
				    turn->incident.id, is_stuck ? turn_now_ms(turn) : 0, err);
}

static struct saga_end redis_failed(struct turn *turn, enum saga_phase phase,
				    const struct err *err)
{
	return contain_again(phase, arena_strdup(turn->arena, err->text));
}

/* The entry is settled: the hold goes first, so that after a crash it is looked at again. */
static struct saga_end over(struct turn *turn, enum containment_method method,
			    enum saga_phase phase, enum containment_state state,
			    const char *words)
{
	struct containment_entry *entry = entry_of(turn, method);
	struct host_claim claim;
	struct err err = { 0 };

	contain_claim(turn, method, entry->machine, &claim);
	if (!host_settle(turn->redis, &claim, false, &err) || !stuck(turn, false, &err))
		return redis_failed(turn, phase, &err);
	entry->state = state;
	entry->action = NULL;
	contain_keep(turn);
	contain_tell(turn, words);
	metric_add(&app_containments, 1,
		   method == CONTAINMENT_ISOLATE ? "release" : "move_back",
		   state == CONTAINMENT_RELEASED ? "done" : "foreign");
	return turn_end(phase, SAGA_OK, words);
}

static struct saga_end released(struct turn *turn, enum containment_method method,
				enum saga_phase phase, const char *how)
{
	return over(turn, method, phase, CONTAINMENT_RELEASED,
		    arena_printf(turn->arena, "%s %s", name_of(entry_of(turn, method)), how));
}

static struct saga_end not_ours(struct turn *turn, enum containment_method method,
				enum saga_phase phase, const char *why)
{
	return over(turn, method, phase, CONTAINMENT_FOREIGN,
		    arena_printf(turn->arena, "%s stays as it is: %s",
				 name_of(entry_of(turn, method)), why));
}

/* Nobody may forget this host: it stays in the ledger and on the list. */
static struct saga_end failed(struct turn *turn, enum containment_method method,
			      enum saga_phase phase, const char *why)
{
	const struct containment_entry *entry = entry_of(turn, method);
	const char *words =
	    arena_printf(turn->arena, "%s is still contained: %s", name_of(entry), why);
	struct host_claim claim;
	struct err err = { 0 };

	contain_claim(turn, method, entry->machine, &claim);
	if (!host_settle(turn->redis, &claim, true, &err) || !stuck(turn, true, &err))
		return redis_failed(turn, phase, &err);
	contain_tell(turn, words);
	log_error("incident %s: %s", turn->incident.id, words);
	metric_add(&app_containments, 1,
		   method == CONTAINMENT_ISOLATE ? "release" : "move_back", "failed");
	return turn_end(phase, SAGA_FAILED, words);
}

static struct saga_end call_failed(struct turn *turn, enum containment_method method,
				   enum saga_phase phase, const struct vendor_session *session,
				   const struct err *err)
{
	struct saga_end end = turn_failed(turn, session, phase, phase == SAGA_CALL, err);
	bool forbidden = session->status == 403 && session->refusal == VENDOR_ATTEMPTED;

	if (end.result != SAGA_FAILED && !forbidden)
		return end;
	return failed(turn, method, phase, end.note);
}

/* ---- prepare ---- */

static struct saga_end begin(struct turn *turn, enum containment_method method)
{
	struct containment_entry *entry = entry_of(turn, method);

	entry->state = CONTAINMENT_RELEASING;
	contain_keep(turn);
	return turn_end(SAGA_PREPARE, SAGA_ABSENT, NULL);
}

static struct saga_end isolation_found(struct turn *turn, const struct machine *machine)
{
	uint64_t since = entry_of(turn, CONTAINMENT_ISOLATE)->since_ms;

	switch (machine->isolation) {
	case MACHINE_FREE:
		return released(turn, CONTAINMENT_ISOLATE, SAGA_PREPARE,
				"is not isolated any more");
	case MACHINE_STARTING:
		if (machine->ours)
			return contain_later(turn, SAGA_PREPARE, since,
					     "the isolation has not come about yet");
		break;
	case MACHINE_ISOLATED:
		if (machine->ours)
			return begin(turn, CONTAINMENT_ISOLATE);
		break;
	case MACHINE_STOPPING:
		begin(turn, CONTAINMENT_ISOLATE);
		return contain_pending(turn, SAGA_PREPARE, turn_now_ms(turn),
				       "the isolation is ending");
	case MACHINE_UNKNOWN:
		return contain_later(turn, SAGA_PREPARE, since,
				     "the host is in a state that we do not know");
	}
	return not_ours(turn, CONTAINMENT_ISOLATE, SAGA_PREPARE,
			arena_printf(turn->arena, "its isolation is not ours%s%.80s",
				     *machine->by ? ": " : "", machine->by));
}

static struct saga_end group_found(struct turn *turn, const struct machine *machine)
{
	const struct containment_entry *entry = entry_of(turn, CONTAINMENT_MOVE_GROUP);

	if (!entry->from || !*entry->from)
		return not_ours(turn, CONTAINMENT_MOVE_GROUP, SAGA_PREPARE,
				"the group it came from is not known");
	if (strcasecmp(machine->group, entry->from) == 0)
		return released(turn, CONTAINMENT_MOVE_GROUP, SAGA_PREPARE,
				"is in its group again");
	if (strcasecmp(machine->group, entry->to) != 0)
		return not_ours(turn, CONTAINMENT_MOVE_GROUP, SAGA_PREPARE,
				"somebody moved it to another group meanwhile");
	return begin(turn, CONTAINMENT_MOVE_GROUP);
}

static struct saga_end claimed(struct turn *turn, enum containment_method method)
{
	const struct containment_entry *entry = entry_of(turn, method);
	const struct machine_place place = place_of(turn, entry);
	struct machine *machine = arena_alloc(turn->arena, sizeof(*machine));
	struct vendor_session session;
	struct err err = { 0 };

	if (!contain_session(turn, entry->account, SAGA_PREPARE, &session))
		return turn_unconfigured(turn, entry->account, SAGA_PREPARE);
	if (!machine_read(&session, &place, turn->arena, machine, &err))
		return call_failed(turn, method, SAGA_PREPARE, &session, &err);
	if (!machine->found)
		return failed(turn, method, SAGA_PREPARE,
			      "the vendor no longer knows this host");
	return method == CONTAINMENT_ISOLATE ? isolation_found(turn, machine)
					     : group_found(turn, machine);
}

static struct saga_end prepare(struct turn *turn, enum containment_method method)
{
	const struct containment_entry *entry = entry_of(turn, method);
	struct host_claim claim;
	struct host_reply reply;
	struct err err = { 0 };
	bool frozen;

	if (!containment_is_due(entry))
		return turn_end(SAGA_PREPARE, SAGA_NEEDLESS, NULL);
	contain_claim(turn, method, entry->machine, &claim);
	if (!closing_is_frozen(turn, &frozen, &err))
		return redis_failed(turn, SAGA_PREPARE, &err);
	if (frozen)
		return (struct saga_end){
			.phase = SAGA_PREPARE,
			.result = SAGA_REFUSED,
			.retry_after_ms = CLOSING_FROZEN_MS,
			.note = "closing is frozen",
		};
	if (!host_unhold(turn->redis, &claim, &reply, &err))
		return redis_failed(turn, SAGA_PREPARE, &err);
	if (reply.answer == HOST_BUSY)
		return contain_again(
		    SAGA_PREPARE,
		    arena_printf(turn->arena, "incident %s acts on the host", reply.other));
	if (reply.answer == HOST_SHARED)
		return released(
		    turn, method, SAGA_PREPARE,
		    arena_printf(turn->arena, "stays %s for incident %s",
				 method == CONTAINMENT_ISOLATE ? "isolated" : "in triage",
				 reply.other));
	return claimed(turn, method);
}

/* ---- call ---- */

static struct saga_end asked(struct turn *turn, enum containment_method method,
			     const char *action)
{
	struct containment_entry *entry = entry_of(turn, method);

	entry->action = action && *action ? action : NULL;
	contain_keep(turn);
	return contain_pending(turn, SAGA_CALL, turn_now_ms(turn),
			       "the vendor took the release; not seen to be free yet");
}

static struct saga_end isolate_call(struct turn *turn)
{
	const struct containment_entry *entry = entry_of(turn, CONTAINMENT_ISOLATE);
	const struct machine_place place = place_of(turn, entry);
	struct machine_answer answer = { 0 };
	struct vendor_session session;
	char key[INCIDENT_KEY_SIZE];
	struct err err = { 0 };

	if (!contain_session(turn, entry->account, SAGA_CALL, &session))
		return turn_unconfigured(turn, entry->account, SAGA_CALL);
	incident_key(turn->app->installation, &turn->incident, key);
	if (!machine_release(&session, &place,
			     arena_printf(turn->arena, "Released by Tocsin [%s]", key),
			     turn->arena, &answer, &err))
		return call_failed(turn, CONTAINMENT_ISOLATE, SAGA_CALL, &session, &err);
	if (answer.refused)
		return contain_later(turn, SAGA_CALL, entry->since_ms,
				     "the host is in another state, or busy");
	return asked(turn, CONTAINMENT_ISOLATE, answer.action);
}

static struct saga_end move_call(struct turn *turn)
{
	const struct containment_entry *entry = entry_of(turn, CONTAINMENT_MOVE_GROUP);
	struct vendor_session session;
	struct err err = { 0 };

	if (!contain_session(turn, entry->account, SAGA_CALL, &session))
		return turn_unconfigured(turn, entry->account, SAGA_CALL);
	if (secure_endpoint_move(&session, entry->machine, entry->from, turn->arena, &err))
		return asked(turn, CONTAINMENT_MOVE_GROUP, NULL);
	if (session.status == 400)
		return not_ours(turn, CONTAINMENT_MOVE_GROUP, SAGA_CALL,
				"the group it came from is not there any more");
	return call_failed(turn, CONTAINMENT_MOVE_GROUP, SAGA_CALL, &session, &err);
}

/* ---- look up ---- */

static struct saga_end still(struct turn *turn)
{
	return contain_pending(turn, SAGA_LOOK_UP,
			       turn->incident.steps[STEP_RELEASE_ISOLATE].intent_ms,
			       "the vendor took the release; not seen to be free yet");
}

/* It is as it was before: asked for again, not for ever. */
static struct saga_end once_more(struct turn *turn, enum containment_method method)
{
	enum incident_step_id step =
	    method == CONTAINMENT_ISOLATE ? STEP_RELEASE_ISOLATE : STEP_RELEASE_MOVE_GROUP;

	if (turn->incident.steps[step].attempt >= ATTEMPTS)
		return failed(turn, method, SAGA_LOOK_UP, "the vendor did not let it go");
	return turn_end(SAGA_LOOK_UP, SAGA_ABSENT, "looked up: still contained");
}

static struct saga_end isolation_seen(struct turn *turn, const struct machine *machine)
{
	switch (machine->isolation) {
	case MACHINE_FREE:
		return released(turn, CONTAINMENT_ISOLATE, SAGA_LOOK_UP,
				"released from isolation by Tocsin, verified");
	case MACHINE_ISOLATED:
		if (machine->ours)
			return once_more(turn, CONTAINMENT_ISOLATE);
		return not_ours(turn, CONTAINMENT_ISOLATE, SAGA_LOOK_UP,
				"somebody isolated it again");
	case MACHINE_STARTING:
		if (machine->ours)
			return once_more(turn, CONTAINMENT_ISOLATE);
		return not_ours(turn, CONTAINMENT_ISOLATE, SAGA_LOOK_UP,
				"somebody isolates it again");
	case MACHINE_STOPPING:
	case MACHINE_UNKNOWN:
		break;
	}
	return still(turn);
}

static struct saga_end group_seen(struct turn *turn, const struct machine *machine)
{
	const struct containment_entry *entry = entry_of(turn, CONTAINMENT_MOVE_GROUP);

	if (strcasecmp(machine->group, entry->from) == 0)
		return released(turn, CONTAINMENT_MOVE_GROUP, SAGA_LOOK_UP,
				"moved back to its group by Tocsin, verified");
	if (strcasecmp(machine->group, entry->to) == 0)
		return once_more(turn, CONTAINMENT_MOVE_GROUP);
	return not_ours(turn, CONTAINMENT_MOVE_GROUP, SAGA_LOOK_UP,
			"somebody moved it to another group meanwhile");
}

static struct saga_end look_up(struct turn *turn, enum containment_method method)
{
	const struct containment_entry *entry = entry_of(turn, method);
	struct machine *machine = arena_alloc(turn->arena, sizeof(*machine));
	struct machine_place place;
	struct vendor_session session;
	struct err err = { 0 };

	/* A retry of what failed before anything was asked for. */
	if (entry->state != CONTAINMENT_RELEASING)
		return turn_end(SAGA_LOOK_UP, SAGA_ABSENT, NULL);
	place = place_of(turn, entry);
	if (!contain_session(turn, entry->account, SAGA_LOOK_UP, &session))
		return turn_unconfigured(turn, entry->account, SAGA_LOOK_UP);
	if (!machine_read(&session, &place, turn->arena, machine, &err))
		return call_failed(turn, method, SAGA_LOOK_UP, &session, &err);
	if (!machine->found)
		return failed(turn, method, SAGA_LOOK_UP,
			      "the vendor no longer knows this host");
	return method == CONTAINMENT_ISOLATE ? isolation_seen(turn, machine)
					     : group_seen(turn, machine);
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

const struct step step_release_isolate = {
	.side = SIDE_HOST,
	.effect = true,
	.prepare = isolate_prepare,
	.look_up = isolate_look_up,
	.call = isolate_call,
};

const struct step step_release_move_group = {
	.side = SIDE_HOST,
	.effect = true,
	.prepare = move_prepare,
	.look_up = move_look_up,
	.call = move_call,
};
