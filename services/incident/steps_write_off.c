/*
 * The step that takes hosts out of the undo ledger which are gone for good: deleted at their
 * vendor, or installed anew under another id. An operator orders it, with a reason; nothing is
 * done at the vendor. It is refused when the vendor still knows the host as contained by us, or
 * cannot say, unless the order is forced.
 */
#include <strings.h>

#include "app.h"
#include "base/arena.h"
#include "base/log.h"
#include "bus/worker.h"
#include "closing_turn.h"
#include "contain.h"
#include "turn.h"

static const enum incident_step_id contain_steps[CONTAINMENT_METHODS] = {
	[CONTAINMENT_ISOLATE] = STEP_CONTAIN_ISOLATE,
	[CONTAINMENT_MOVE_GROUP] = STEP_CONTAIN_MOVE_GROUP,
};
static const enum incident_step_id release_steps[CONTAINMENT_METHODS] = {
	[CONTAINMENT_ISOLATE] = STEP_RELEASE_ISOLATE,
	[CONTAINMENT_MOVE_GROUP] = STEP_RELEASE_MOVE_GROUP,
};

static const char *name_of(const struct containment_entry *entry)
{
	return entry->host ? entry->host : entry->machine;
}

/* ---- what the vendor says ---- */

static bool is_contained(const struct containment_entry *entry, const struct machine *machine)
{
	if (!machine->found)
		return false;
	if (entry->method == CONTAINMENT_MOVE_GROUP)
		return entry->to && strcasecmp(machine->group, entry->to) == 0;
	return machine->isolation != MACHINE_FREE &&
	       (machine->ours || machine->isolation == MACHINE_UNKNOWN);
}

/* Why it stays in the ledger, as the note of an end; SAGA_ABSENT: it need not. */
static struct saga_end ask_vendor(struct turn *turn, const struct containment_entry *entry)
{
	const struct machine_place place = {
		.source = entry->source,
		.id = entry->machine,
		.installation = turn->app->installation,
	};
	struct machine *machine = arena_alloc(turn->arena, sizeof(*machine));
	struct vendor_session session;
	struct err err = { 0 };
	struct saga_end end;

	if (!contain_session(turn, entry->account, SAGA_CALL, &session))
		return turn_end(
		    SAGA_CALL, SAGA_NEEDLESS,
		    arena_printf(turn->arena, "account %s is not configured", entry->account));
	if (machine_read(&session, &place, turn->arena, machine, &err))
		return is_contained(entry, machine)
			   ? turn_end(SAGA_CALL, SAGA_NEEDLESS,
				      "its vendor still knows it as contained by us")
			   : turn_end(SAGA_CALL, SAGA_ABSENT, NULL);
	end = turn_failed(turn, &session, SAGA_CALL, false, &err);
	if (end.result == SAGA_FAILED ||
	    (session.status == 403 && session.refusal == VENDOR_ATTEMPTED))
		return turn_end(SAGA_CALL, SAGA_NEEDLESS, end.note);
	return end;
}

/* ---- ends ---- */

static void forget_order(struct incident *incident)
{
	incident->containment.write_off = NULL;
	incident->containment.write_off_forced = false;
}

static struct saga_end refused(struct turn *turn, const struct containment_entry *entry,
			       const char *why)
{
	const char *words = arena_printf(turn->arena, "%s is not written off: %s. --force does",
					 name_of(entry), why);

	log_warn("incident %s: %s", turn->incident.id, words);
	metric_add(&app_containments, 1, "write_off", "refused");
	forget_order(&turn->incident);
	return turn_end(SAGA_CALL, SAGA_NEEDLESS, words);
}

static bool let_go(struct turn *turn, enum containment_method method, const char *words,
		   struct err *err)
{
	struct containment_entry *entry = &contain_ledger(turn)->entries[method];
	struct incident_step *contain = &turn->incident.steps[contain_steps[method]];
	struct host_claim claim;

	contain_claim(turn, method, entry->machine, &claim);
	if (!host_settle(turn->redis, &claim, false, err))
		return false;
	entry->state = CONTAINMENT_WRITTEN_OFF;
	entry->words = words;
	entry->action = NULL;
	if (contain->status == STEP_INTENT || contain->status == STEP_PENDING)
		*contain = (struct incident_step){ .status = STEP_SKIPPED, .note = words };
	metric_add(&app_containments, 1, "write_off", "done");
	return true;
}

/* Nothing is left to let go, by any method: a closing waits for it no longer. */
static void end_release(struct incident *incident, const char *words)
{
	bool closing = saga_closing_accepted(incident);

	for (int i = 0; i < CONTAINMENT_METHODS; i++) {
		struct incident_step *step = &incident->steps[release_steps[i]];

		if (step->status != STEP_DONE)
			*step = (struct incident_step){
				.status = closing ? STEP_SKIPPED : STEP_NEW,
				.note = closing ? words : NULL,
			};
	}
}

/* A ticket that was told before is told again. */
static void tell(struct turn *turn, const char *words)
{
	struct incident *incident = &turn->incident;
	struct incident_step *report = &incident->steps[STEP_SERVICENOW_REPORT];

	contain_tell(turn, words);
	log_warn("incident %s: %s", incident->id, words);
	if (report->status == STEP_DONE || report->status == STEP_FAILED)
		*report = (struct incident_step){ 0 };
	if (incident->closing.release == RELEASE_ASK)
		closing_take_back_question(turn);
}

/* Again from the start after a crash: the holds go first, the ledger with the next write. */
static struct saga_end write_off(struct turn *turn)
{
	struct incident_containment *containment = &turn->incident.containment;
	const char *words = NULL;
	struct err err = { 0 };

	for (int i = 0; i < CONTAINMENT_METHODS; i++) {
		const struct containment_entry *entry = &contain_ledger(turn)->entries[i];

		if (!containment_is_due(entry))
			continue;
		words = arena_printf(
		    turn->arena, "%s is written off by %s%s", name_of(entry),
		    containment->write_off,
		    containment->write_off_forced ? " (its vendor was not asked)" : "");
		if (!let_go(turn, (enum containment_method)i, words, &err))
			return contain_again(SAGA_CALL, arena_strdup(turn->arena, err.text));
	}
	if (!containment_list_put(turn->redis, worker_partition(turn->worker),
				  CONTAINMENT_STUCK, turn->incident.customer, turn->incident.id,
				  0, &err))
		return contain_again(SAGA_CALL, arena_strdup(turn->arena, err.text));
	contain_keep(turn);
	end_release(&turn->incident, words);
	forget_order(&turn->incident);
	if (!words)
		return turn_end(SAGA_CALL, SAGA_NEEDLESS, "it holds no host any more");
	tell(turn, words);
	return turn_end(SAGA_CALL, SAGA_OK, words);
}

static struct saga_end write_off_call(struct turn *turn)
{
	const struct containment_ledger *ledger = contain_ledger(turn);

	for (int i = 0; i < CONTAINMENT_METHODS; i++) {
		const struct containment_entry *entry = &ledger->entries[i];
		struct saga_end end;

		if (!containment_is_due(entry) || turn->incident.containment.write_off_forced)
			continue;
		end = ask_vendor(turn, entry);
		if (end.result == SAGA_NEEDLESS)
			return refused(turn, entry, end.note);
		if (end.result != SAGA_ABSENT)
			return end;
	}
	return write_off(turn);
}

const struct step step_release_write_off = { .side = SIDE_HOST, .call = write_off_call };
