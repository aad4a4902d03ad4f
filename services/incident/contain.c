/* What the steps of containment and release share: ledger, approvals, what is told. */
#include "contain.h"

#include <string.h>

#include "app.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "bus/worker.h"
#include "contain_decide.h"
#include "links.h"
#include "model/closure.h"
#include "turn.h"

enum {
	AGAIN_MS = 3000,
	POLL_MAX_MS = 5 * 60 * 1000,
	POLL_PART = 4, /* of the time waited so far */
	TELLING_MAX = 4 << 10,
	USED_MAX = 1024,
};

/* ---- ends of phases ---- */

/* A part of the time waited so far, between two limits. */
static uint64_t patience_ms(const struct turn *turn, uint64_t since_ms, uint64_t least_ms)
{
	uint64_t now = turn_now_ms(turn);
	uint64_t wait = now > since_ms ? (now - since_ms) / POLL_PART : 0;

	if (wait < least_ms)
		return least_ms;
	return wait < POLL_MAX_MS ? wait : POLL_MAX_MS;
}

struct saga_end contain_pending(const struct turn *turn, enum saga_phase phase,
				uint64_t since_ms, const char *note)
{
	return (struct saga_end){
		.phase = phase,
		.result = SAGA_PENDING,
		.retry_after_ms = patience_ms(turn, since_ms, turn->app->contain_poll_ms),
		.note = note,
	};
}

struct saga_end contain_later(const struct turn *turn, enum saga_phase phase, uint64_t since_ms,
			      const char *note)
{
	return (struct saga_end){
		.phase = phase,
		.result = SAGA_REFUSED,
		.retry_after_ms = patience_ms(turn, since_ms, turn->app->contain_poll_ms),
		.note = note,
	};
}

struct saga_end contain_again(enum saga_phase phase, const char *note)
{
	return (struct saga_end){
		.phase = phase,
		.result = SAGA_REFUSED,
		.retry_after_ms = AGAIN_MS,
		.note = note,
	};
}

/* ---- the ledger ---- */

struct containment_ledger *contain_ledger(struct turn *turn)
{
	struct err err = { 0 };

	if (turn->ledger)
		return turn->ledger;
	turn->ledger = arena_alloc(turn->arena, sizeof(*turn->ledger));
	if (!containment_ledger_decode(turn->ledger, turn->incident.containment.ledger,
				       turn->arena, &err))
		log_error("incident %s: %s", turn->incident.id, err.text);
	return turn->ledger;
}

void contain_keep(struct turn *turn)
{
	struct incident_containment *containment = &turn->incident.containment;
	const struct containment_ledger *ledger = contain_ledger(turn);

	containment->ledger = containment_ledger_encode(ledger, turn->arena);
	containment->due = 0;
	containment->since_ms = 0;
	for (int i = 0; i < CONTAINMENT_METHODS; i++) {
		const struct containment_entry *entry = &ledger->entries[i];

		if (!containment_is_due(entry))
			continue;
		containment->due++;
		if (containment->since_ms == 0 || entry->since_ms < containment->since_ms)
			containment->since_ms = entry->since_ms;
	}
	if (containment->due == 0)
		containment->warned = 0;
}

void contain_forget(struct turn *turn, enum containment_method method)
{
	contain_ledger(turn)->entries[method] = (struct containment_entry){ 0 };
	contain_keep(turn);
}

void contain_claim(const struct turn *turn, enum containment_method method, const char *machine,
		   struct host_claim *ret_claim)
{
	const struct incident_containment *containment = &turn->incident.containment;

	*ret_claim = (struct host_claim){
		.partition = worker_partition(turn->worker),
		.customer = turn->incident.customer,
		.machine = machine,
		.incident = turn->incident.id,
		.method = containment_method_name(method),
		.act_ttl_ms = turn->app->times->quarantine_ms,
		.by_itself = !containment->approved,
		.per_hour = turn->customer->containment.per_hour,
	};
}

bool contain_session(const struct turn *turn, const char *account, enum saga_phase phase,
		     struct vendor_session *ret_session)
{
	bool there = account && turn_session(turn, account, phase, ret_session);

	if (there)
		ret_session->class = VENDOR_CONTAINMENT;
	return there;
}

/* ---- what is told ---- */

void contain_tell(struct turn *turn, const char *words)
{
	struct incident *incident = &turn->incident;
	const char *before = incident->containment.telling;
	char now[CLOCK_TEXT_SIZE];

	if (!incident->servicenow_account || saga_closing_accepted(incident))
		return;
	if (before && strlen(before) + strlen(words) > TELLING_MAX)
		return;
	clock_format_plain(clock_wall_ms(), now);
	incident->containment.telling =
	    arena_printf(turn->arena, "%s%s%s UTC: %s", before ? before : "",
			 before ? "\n" : "", now, words);
}

/* ---- findings ---- */

/* The host's id at the vendor of the finding, once. */
static bool know_machine(struct turn *turn, const struct finding *finding)
{
	struct incident_containment *containment = &turn->incident.containment;
	const struct customer_source *source = customer_source(turn->customer, finding->source);
	struct finding_view *view;

	if (containment->machine)
		return true;
	if (!source || !machine_source_isolates(finding->source))
		return false;
	view = arena_alloc(turn->arena, sizeof(*view));
	if (!finding_view(view, finding->payload, finding->payload_size, turn->arena, NULL) ||
	    !containment_machine_valid(view->host_uid))
		return false;
	containment->machine = view->host_uid;
	containment->account = arena_strdup(turn->arena, source->account);
	return true;
}

static void start_over(struct incident *incident, enum incident_step_id id)
{
	if (incident->steps[id].status == STEP_SKIPPED)
		incident->steps[id] = (struct incident_step){ 0 };
}

void contain_offer(struct turn *turn, const struct finding *finding)
{
	struct incident_containment *containment = &turn->incident.containment;
	const struct contain_facts facts = {
		.policy = &turn->customer->containment,
		.severity_id = finding->severity_id,
		.event_ms = finding->time_ms,
		.live = origin_is_live(finding->origin),
		.now_ms = turn_now_ms(turn),
	};

	if (facts.policy->mode == CONTAINMENT_OFF || containment->decided ||
	    !know_machine(turn, finding))
		return;
	if (containment->event_ms > 0 &&
	    contain_decide(&facts, turn->arena).verdict != CONTAIN_ACT)
		return;
	containment->event_ms = finding->time_ms;
	containment->origin = origin_name(finding->origin);
	containment->severity_id = finding->severity_id;
	start_over(&turn->incident, STEP_CONTAIN_ISOLATE);
	start_over(&turn->incident, STEP_CONTAIN_MOVE_GROUP);
}

/* ---- found again ---- */

void contain_found(struct turn *turn, const char *ledger)
{
	static const enum incident_step_id acts[] = { STEP_CONTAIN_ISOLATE,
						      STEP_CONTAIN_MOVE_GROUP };
	struct incident *incident = &turn->incident;
	struct containment_ledger found;
	struct err err = { 0 };

	if (!containment_ledger_decode(&found, ledger, turn->arena, &err)) {
		log_warn("incident %s: %s", incident->id, err.text);
		return;
	}
	for (int i = 0; i < CONTAINMENT_METHODS; i++) {
		const struct containment_entry *entry = &found.entries[i];

		if (!entry->machine || containment_is_due(&contain_ledger(turn)->entries[i]))
			continue;
		contain_ledger(turn)->entries[i] = *entry;
		incident->containment.machine = entry->machine;
		incident->containment.account = entry->account;
		incident->steps[acts[i]] = (struct incident_step){
			.status = STEP_DONE,
			.note = "contained before Redis was lost",
		};
		turn_tell(turn, "found contained", entry->host ? entry->host : entry->machine);
	}
	incident->containment.decided = true;
	contain_keep(turn);
}

static void finish_step(struct incident_step *step)
{
	if (step->status == STEP_PENDING)
		step->status = STEP_DONE;
}

void contain_tidy(struct turn *turn)
{
	struct incident *incident = &turn->incident;
	struct incident_step *steps = incident->steps;

	if (saga_closing_accepted(incident) && incident->containment.asked_ms > 0)
		contain_stop_asking(turn);
	if (incident->containment.due == 0) {
		finish_step(&steps[STEP_CONTAIN_ISOLATE]);
		finish_step(&steps[STEP_CONTAIN_MOVE_GROUP]);
	}
	if (!incident->containment.release || incident->containment.due > 0 ||
	    saga_closing_accepted(incident))
		return;
	incident->containment.release = NULL;
	steps[STEP_RELEASE_ISOLATE] = (struct incident_step){ 0 };
	steps[STEP_RELEASE_MOVE_GROUP] = (struct incident_step){ 0 };
}
