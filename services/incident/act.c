/*
 * The loop of a turn:
 *
 *   take ─▶ fold the inbox ─▶ next step? ─▶ intent (journal) ─▶ call ─▶ its end ─┐
 *                                 ▲                                              │
 *                                 └──────────────────────────────────────────────┘
 *   and at last: journal ─▶ release, with a wake-up when something is to be done later.
 *
 * The end of one step and the intent of the next are one write. Whatever happens to this
 * process, the wake-up in hand is somebody's again, and the journal says where to go on.
 * Nothing is given up here: an incident waits as long as an outage lasts.
 */
#include "act.h"

#include <string.h>

#include "adopt.h"
#include "app.h"
#include "base/arena.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/trace.h"
#include "bus/page.h"
#include "bus/redis.h"
#include "closing_turn.h"
#include "contain.h"
#include "fold.h"
#include "obey.h"
#include "service/roster.h"
#include "tickets.h"
#include "turn.h"

enum {
	CUSTOMER_WAIT_MS = 60 * 1000, /* for a customer to be there, or live, again */
	BUSY_SLACK_MS = 100,
	WAKE_SLACK_MS = 1000, /* wake-ups so close to each other are one */
	OVERDUE_MS = 5 * 60 * 1000,
	HANDED_ON_PAGE = 64,
	SEAT_WAIT_MS = 300,	/* in the thread, for a burst to pass */
	ALL_ITEMS = 1000000000, /* the inbox may stay as it is */
};

static const struct step *const steps[INCIDENT_STEPS] = {
	[STEP_INSPECT] = &step_inspect,
	[STEP_THREAT_RESPONSE_CREATE] = &step_threat_response_create,
	[STEP_SERVICENOW_CANCEL] = &step_servicenow_cancel,
	[STEP_SERVICENOW_CREATE] = &step_servicenow_create,
	[STEP_SERVICENOW_LINK] = &step_servicenow_link,
	[STEP_THREAT_RESPONSE_LINK] = &step_threat_response_link,
	[STEP_NOTIFY] = &step_notify,
	[STEP_SERVICENOW_NOTE] = &step_servicenow_note,
	[STEP_CONTAIN_ISOLATE] = &step_contain_isolate,
	[STEP_CONTAIN_MOVE_GROUP] = &step_contain_move_group,
	[STEP_CONTAIN_WATCH] = &step_contain_watch,
	[STEP_CONTAIN_NOTE] = &step_contain_note,
	[STEP_SERVICENOW_VERIFY] = &step_servicenow_verify,
	[STEP_THREAT_RESPONSE_REOPEN] = &step_threat_response_reopen,
	[STEP_THREAT_RESPONSE_CLOSE] = &step_threat_response_close,
	[STEP_SERVICENOW_RESOLVE] = &step_servicenow_resolve,
	[STEP_DEFENDER_RESOLVE] = &step_defender_resolve,
	[STEP_RELEASE_WRITE_OFF] = &step_release_write_off,
	[STEP_RELEASE_ISOLATE] = &step_release_isolate,
	[STEP_RELEASE_MOVE_GROUP] = &step_release_move_group,
	[STEP_SERVICENOW_REPORT] = &step_servicenow_report,
};

/* ---- one step ---- */

static const char *result_name(enum saga_result result)
{
	static const char *const names[] = {
		[SAGA_OK] = "ok",
		[SAGA_ABSENT] = "absent",
		[SAGA_AMBIGUOUS] = "ambiguous",
		[SAGA_RETRY] = "retry",
		[SAGA_REFUSED] = "refused",
		[SAGA_FAILED] = "failed",
		[SAGA_NEEDLESS] = "needless",
		[SAGA_PENDING] = "pending",
	};

	return names[result];
}

/* What repeats as long as an outage lasts is counted, not told each time, or it would push all
 * else out of the timeline. */
static bool worth_telling(const struct turn *turn, enum incident_step_id id,
			  const struct saga_end *end)
{
	const char *before = turn->incident.steps[id].note;

	if (!end->note || end->result == SAGA_OK || !before)
		return end->note != NULL;
	return !end->routine && strcmp(before, end->note) != 0;
}

static void step_ended(struct turn *turn, enum incident_step_id id, const struct saga_end *end)
{
	const char *name = incident_step_name(id);

	if (worth_telling(turn, id, end))
		turn_tell(turn, name, end->note);
	saga_end(&turn->incident, &turn->policy, id, end, turn_now_ms(turn));
	contain_tidy(turn);
	saga_set_state(&turn->incident);
	if (saga_opening_over(&turn->incident))
		turn->incident.opening = turn->incident.observables = NULL;
	metric_add(&app_steps, 1, name, result_name(end->result));
	if (end->result == SAGA_FAILED)
		log_warn("step %s of incident %s failed: %s", name, turn->incident.id,
			 end->note ? end->note : "");
	else
		log_debug("step %s: %s %s", name, result_name(end->result),
			  end->note ? end->note : "");
}

/* Makes the intent durable. False with err. */
static bool step_begin(struct turn *turn, enum incident_step_id id, struct err *err)
{
	turn->intent_mono_ms = clock_mono_ms();
	saga_begin(&turn->incident, &turn->policy, id, turn->hold.fence, turn_now_ms(turn));
	if (!steps[id]->effect)
		return true;
	worker_intent(turn->worker, clock_wall_ms());
	return turn_journal(turn, err);
}

/* Nothing is closed by itself while people have stopped that. */
static bool is_frozen(struct turn *turn, enum incident_step_id id, struct saga_end *ret_end)
{
	struct err err = { 0 };
	bool frozen = false;

	if (incident_step_phase(id) != PHASE_CLOSING || !steps[id]->effect ||
	    (closing_is_frozen(turn, &frozen, &err) && !frozen))
		return false;
	*ret_end = (struct saga_end){
		.phase = SAGA_PREPARE,
		.result = SAGA_REFUSED,
		.retry_after_ms = CLOSING_FROZEN_MS,
		.note = frozen ? "closing is frozen" : arena_strdup(turn->arena, err.text),
	};
	return true;
}

/* Runs one step as far as it goes now, with a seat at its account. False with err: Redis, or
 * the incident is another's. */
static bool step_go(struct turn *turn, const struct saga_move *move, struct err *err)
{
	const struct step *step = steps[move->step];
	struct saga_end end = { .phase = SAGA_LOOK_UP, .result = SAGA_ABSENT };

	if (move->look_up) {
		if (step->look_up)
			end = step->look_up(turn);
		step_ended(turn, move->step, &end);
		return true;
	}
	if (is_frozen(turn, move->step, &end)) {
		step_ended(turn, move->step, &end);
		return true;
	}
	if (step->prepare) {
		end = step->prepare(turn);
		if (end.result != SAGA_ABSENT) {
			step_ended(turn, move->step, &end);
			return true;
		}
	}
	if (!move->begun && !step_begin(turn, move->step, err))
		return false;
	/* Writing the intent may have taken long enough for another to take over. */
	if (worker_lost(turn->worker))
		return err_set(err, ERR_TRANSIENT, "taken over by another worker");
	end = step->call(turn);
	step_ended(turn, move->step, &end);
	return true;
}

static const char *account_of(const struct turn *turn, enum step_side side)
{
	switch (side) {
	case SIDE_SERVICENOW:
		return turn->incident.servicenow_account;
	case SIDE_THREAT_RESPONSE:
		return turn->incident.threat_response_account;
	case SIDE_DEFENDER:
		return turn_source_account(turn);
	case SIDE_HOST:
		return turn->incident.containment.account;
	case SIDE_NONE:
		break;
	}
	return NULL;
}

/* Without a seat nothing is begun: a vendor that hangs has its share of threads and no more. */
static bool step_run(struct turn *turn, const struct saga_move *move, struct err *err)
{
	const char *account = account_of(turn, steps[move->step]->side);
	const char *customer = turn->incident.customer;
	uint64_t again_ms;

	turn->step = move->step;
	if (!account)
		return step_go(turn, move, err);
	if (!vendor_seat_take(turn->app->vendor, account, customer, SEAT_WAIT_MS, &again_ms)) {
		const struct saga_end end = {
			.phase = move->look_up ? SAGA_LOOK_UP : SAGA_PREPARE,
			.result = SAGA_REFUSED,
			.retry_after_ms = again_ms,
			.note = "the account has its share of this process",
			.routine = true,
		};

		step_ended(turn, move->step, &end);
		return true;
	}
	bool ok = step_go(turn, move, err);

	vendor_seat_give(turn->app->vendor, account, customer);
	return ok;
}

static struct saga_move next_move(struct turn *turn)
{
	uint64_t now = turn_now_ms(turn);
	struct saga_move move = saga_next(&turn->incident, &turn->policy, now);

	/* Back in shadow mode: what was begun waits like a paused customer's. */
	if (turn->customer->mode == CUSTOMER_SHADOW && move.action != SAGA_DONE) {
		move.action = SAGA_WAIT;
		move.due_ms = now + CUSTOMER_WAIT_MS;
		turn->reason = arena_printf(turn->arena, "customer:%s", turn->customer->id);
	}
	return move;
}

/* Everything that can be done now. */
static bool steps_run(struct turn *turn, struct saga_move *ret_move, struct err *err)
{
	for (;;) {
		*ret_move = next_move(turn);
		if (ret_move->action != SAGA_RUN || worker_stopping(turn->worker))
			return true;
		if (worker_lost(turn->worker))
			return err_set(err, ERR_TRANSIENT, "taken over by another worker");
		if (!step_run(turn, ret_move, err))
			return false;
	}
}

/* ---- a closed ticket ---- */

/* Those of a page of the list that are newer than the closing, back to the stream. */
static bool hand_on_page(struct turn *turn, const struct redis_reply *page, size_t *ret_count,
			 struct err *err)
{
	const struct incident *incident = &turn->incident;
	struct append_item items[HANDED_ON_PAGE] = { 0 };
	enum append_answer answers[HANDED_ON_PAGE];
	size_t count = 0;
	struct key stream;

	for (size_t i = 0; i < reply_count(page) && count < HANDED_ON_PAGE; i++) {
		struct field *fields =
		    arena_alloc(turn->arena, FINDING_FIELDS * sizeof(*fields));
		struct incident_item item;

		if (!incident_item_decode(&item, reply_text(reply_at(page, i)), incident,
					  turn->arena, NULL) ||
		    (incident->closed_ms > 0 && item.finding.time_ms <= incident->closed_ms))
			continue;
		items[count].event.fields = fields;
		items[count].event.field_count =
		    finding_encode(&item.finding, turn->arena, fields);
		count++;
	}
	key_format(&stream, worker_partition(turn->worker), STREAM_FINDINGS);
	*ret_count += count;
	return count == 0 || page_append(turn->redis, &stream, items, count,
					 turn->app->times->fate_ttl_ms, answers, err);
}

/* Findings newer than the closing go back to the stream, where they open a new incident that
 * names this one; older ones are on record here. Adding one twice does no harm. */
static bool hand_on(struct turn *turn, struct err *err)
{
	struct incident *incident = &turn->incident;
	unsigned all = incident->waiting_count + incident->writing_count;
	unsigned left = all < TURN_KEPT_MAX ? all : TURN_KEPT_MAX, lost = all - left;
	size_t count = 0;
	bool ok = true;

	for (; ok && left > 0; left -= left < HANDED_ON_PAGE ? left : HANDED_ON_PAGE) {
		struct redis_reply *page = redis_command(
		    turn->redis, err, "LRANGE %s -%u -%u", turn->keys.waiting.text, left,
		    left > HANDED_ON_PAGE ? left - HANDED_ON_PAGE + 1 : 1);

		ok = page && hand_on_page(turn, page, &count, err);
		reply_free(page);
	}
	if (!ok)
		return false;
	turn_tell(turn, "closed",
		  arena_printf(
		      turn->arena,
		      "%s; %u later events recorded, %zu of them open a new incident%s",
		      incident->reason ? incident->reason : "ticket", all, count,
		      lost > 0 ? arena_printf(turn->arena,
					      "; the %u oldest were too many to be kept", lost)
			       : ""));
	incident->waiting = incident->writing = NULL;
	incident->waiting_count = incident->writing_count = 0;
	incident->waiting_since_ms = 0;
	return true;
}

static bool hand_on_if_closing(struct turn *turn, struct err *err)
{
	bool closing =
	    turn->incident.state == INCIDENT_CLOSED || saga_closing_accepted(&turn->incident);

	if (!closing || turn->incident.waiting_count + turn->incident.writing_count == 0)
		return true;
	/* The group first, or they would come back here. */
	return turn_journal(turn, err) && hand_on(turn, err);
}

/* ---- giving it back ---- */

/* Whether this wake-up has to come back, and how soon. While the incident waits there is one in
 * the deferred set; a new one, from a finding that joined, is needed only when it comes first.
 */
static bool comes_again(const struct turn *turn, const struct entry *entry,
			const struct saga_move *move, uint64_t *ret_delay_ms)
{
	bool carrier = entry->woken || entry->deliveries > 1;
	uint64_t now = turn_now_ms(turn), wake = turn->incident.wake_ms;
	/* One that did not come when it should have may be dead, or lost with its set. */
	bool awaited = wake > 0 && wake + OVERDUE_MS > now;

	if (move->action == SAGA_DONE)
		return false;
	if (!carrier && awaited && move->action == SAGA_WAIT &&
	    wake <= move->due_ms + WAKE_SLACK_MS)
		return false;
	*ret_delay_ms =
	    move->action == SAGA_WAIT && move->due_ms > now ? move->due_ms - now : 0;
	return true;
}

static bool finish(struct turn *turn, const struct entry *entry, const struct saga_move *move,
		   bool *ret_released, struct err *err)
{
	struct incident_end end = {
		.from = worker_from(turn->worker),
		.entry_id = entry->id,
	};

	end.again = comes_again(turn, entry, move, &end.delay_ms);
	saga_withdraw(&turn->incident, &turn->policy);
	if (move->action == SAGA_DONE && (entry->woken || entry->deliveries > 1))
		turn->incident.wake_ms = 0;
	if (!turn->reason && move->action == SAGA_WAIT)
		turn->reason =
		    arena_printf(turn->arena, "%s waits", incident_step_name(move->step));
	end.reason = turn->reason ? turn->reason : "";
	return turn_finish(turn, &end, ret_released, err);
}

/* ---- a turn ---- */

static void policy_init(struct turn *turn)
{
	const struct bus_settings *times = turn->app->times;

	turn->policy = (struct saga_policy){
		.start_by_ms = turn->app->start_by_ms,
		.quarantine_ms = times->quarantine_ms,
		.backoff_base_ms = times->backoff_base_ms,
		.backoff_cap_ms = times->backoff_cap_ms,
		.notes_per_day = turn->customer->notes_per_day,
		.contain_max_ms = turn->customer->containment.maximum_time_ms,
		.grace_ms = turn->customer->closing.grace_ms,
		.look_first = turn->lost_ms > 0,
	};
	if (saga_holds_hosts(&turn->incident) &&
	    turn->policy.grace_ms < turn->app->release_wait_ms)
		turn->policy.grace_ms = turn->app->release_wait_ms;
	memcpy(turn->policy.note_interval_ms, turn->customer->note_interval_ms,
	       sizeof(turn->policy.note_interval_ms));
}

/* What must be true before anything is done. */
static bool customer_ready(struct turn *turn)
{
	const char *id = turn->incident.customer;

	turn->customer = directory_customer(turn->directory, id);
	if (turn->customer && turn->customer->mode != CUSTOMER_PAUSED) {
		obey_incident(turn);
		return true;
	}
	turn->reason = arena_printf(turn->arena, "customer:%s", id);
	return false;
}

/* Whoever has the incident cannot give it up before having seen what made this wake-up, so a
 * new one is not needed. One that was with a worker before may be all that is left of a turn
 * that died: it stays until the hold has run out. */
static void leave_to_holder(const struct turn *turn, const struct entry *entry,
			    struct outcome *outcome)
{
	if (!entry->woken && entry->deliveries == 1) {
		outcome->kind = OUTCOME_DONE;
		return;
	}
	outcome->kind = OUTCOME_DEFER;
	outcome->delay_ms = turn->hold.busy_until_ms > turn->hold.now_ms
				? turn->hold.busy_until_ms - turn->hold.now_ms
				: 0;
	outcome->delay_ms += BUSY_SLACK_MS;
	outcome->uncounted = true;
	outcome->reason = "another worker has the incident";
}

static bool take(struct turn *turn, const struct entry *entry, struct outcome *outcome,
		 struct err *err)
{
	/* Two calls that take all their time, and what is between them. */
	uint64_t call_ms = turn->app->times->call_deadline_ms, ttl = 2 * call_ms + call_ms / 6;

	turn->taken_mono_ms = clock_mono_ms();
	if (!incident_take(turn->redis, &turn->keys, worker_consumer(turn->worker), ttl,
			   turn->arena, &turn->hold, err))
		return false;
	if (!turn->hold.taken) {
		leave_to_holder(turn, entry, outcome);
	} else if (turn->hold.field_count == 0) {
		outcome->kind = OUTCOME_DONE; /* expired, or a wake-up of nothing */
	} else if (!incident_decode(&turn->incident, turn->hold.fields, turn->hold.field_count,
				    err)) {
		return false;
	}
	turn->saved = turn->incident;
	if (turn->hold.taken)
		trace_log(turn->incident.trace);
	return true;
}

/* Nothing is done for this customer now: the wake-up comes back, the inbox stays. */
static bool wait_for_customer(struct turn *turn, const struct entry *entry, bool *ret_released,
			      struct err *err)
{
	const struct incident_end end = {
		.from = worker_from(turn->worker),
		.entry_id = entry->id,
		.again = true,
		.delay_ms = CUSTOMER_WAIT_MS,
		.reason = turn->reason,
		.items_left = ALL_ITEMS,
	};

	return incident_release(turn->redis, &turn->keys, &turn->hold, &end, ret_released, err);
}

/* One take to release. outcome stays undecided when the incident must be taken again, because
 * more has come in meanwhile. */
static bool turn_once(struct turn *turn, const struct entry *entry, struct outcome *outcome,
		      struct err *err)
{
	struct saga_move move = { .action = SAGA_WAIT };
	bool released = false;

	if (!take(turn, entry, outcome, err))
		return false;
	if (outcome->kind != OUTCOME_UNDECIDED)
		return true;
	if (customer_ready(turn)) {
		if (!adopt_lost_ms(turn->redis, worker_partition(turn->worker), &turn->lost_ms,
				   err))
			return false;
		policy_init(turn);
		fold_inbox(turn);
		if (!steps_run(turn, &move, err) || !hand_on_if_closing(turn, err) ||
		    !finish(turn, entry, &move, &released, err))
			return false;
	} else if (!wait_for_customer(turn, entry, &released, err)) {
		return false;
	}
	if (released)
		outcome->kind = OUTCOME_SETTLED;
	return true;
}

static bool turns(struct worker_thread *self, const struct entry *entry, const char *id,
		  struct outcome *outcome, struct err *err)
{
	const struct app *app = worker_state(self);
	const struct directory *directory = roster_get(app->roster, worker_redis(self), err);
	bool ok = true;

	if (!directory)
		return false;
	while (ok && outcome->kind == OUTCOME_UNDECIDED) {
		struct turn *turn = arena_alloc(worker_arena(self), sizeof(*turn));

		*turn = (struct turn){
			.app = app,
			.worker = self,
			.redis = worker_redis(self),
			.arena = worker_arena(self),
			.directory = directory,
		};
		turn->press = tickets_refresh(self, &turn->templates_known);
		saga_keys_init(&turn->keys, worker_partition(self), id);
		ok = turn_once(turn, entry, outcome, err);
	}
	roster_put(app->roster, directory);
	return ok;
}

void act_handle(struct worker_thread *self, const struct entry *entries,
		struct outcome *outcomes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *id = entry_text(&entries[i], "incident");
		struct err err = { 0 };

		if (!id || strlen(id) != INCIDENT_ID_SIZE - 1) {
			outcomes[i].kind = OUTCOME_BURY;
			outcomes[i].reason = "a wake-up that names no incident";
			continue;
		}
		log_context("incident", id);
		if (turns(self, &entries[i], id, &outcomes[i], &err)) {
			worker_intent(self, 0);
		} else {
			/* An intent that was written stands: the journal is looked at again. */
			log_debug("turn ended early: %s", err.text);
			outcomes[i] = (struct outcome){ 0 };
			outcome_from_error(self, &err, &outcomes[i]);
			outcomes[i].uncounted = true;
			/* Not handed back as new: we may still have the incident. */
			if (outcomes[i].kind == OUTCOME_RELEASE)
				outcomes[i].kind = OUTCOME_DEFER;
		}
		log_context("incident", NULL);
		trace_log(NULL);
	}
}
