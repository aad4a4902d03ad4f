/* The decisions of an incident's saga: which step now, which later, and what an end means. */
#include "saga.h"

#include <stddef.h>

#include "base/backoff.h"
#include "model/finding.h"
#include "saga_phase.h"

enum {
	DAY_MS = 24 * 60 * 60 * 1000,
	INSPECT_ATTEMPTS = 3,
	REFUSED_MIN_MS = 100,
	PATIENCE = 8, /* of the time waited so far, this part more */
	PATIENCE_MAX_MS = 30 * 1000,
};

bool saga_settled(const struct incident *incident, enum incident_step_id step)
{
	enum incident_step_status status = incident->steps[step].status;

	return status == STEP_DONE || status == STEP_SKIPPED || status == STEP_FAILED;
}

bool saga_done(const struct incident *incident, enum incident_step_id step)
{
	return incident->steps[step].status == STEP_DONE;
}

/* Whether what the step needs is there. */
static bool possible(const struct incident *incident, enum incident_step_id id)
{
	switch (incident_step_phase(id)) {
	case PHASE_OPENING:
		return saga_opening_possible(incident, id);
	case PHASE_CONTAINMENT:
		return saga_contain_possible(incident, id);
	case PHASE_CLOSING:
		return saga_closing_possible(incident, id);
	}
	return false;
}

/* ---- when ---- */

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t note_due_ms(const struct incident *incident, const struct saga_policy *policy,
			    uint64_t now_ms)
{
	bool rise = finding_severity_rank(incident->severity_id) >
		    finding_severity_rank(incident->told_severity_id);
	unsigned interval = incident->notes < 4 ? incident->notes : 3;
	uint64_t today = now_ms / DAY_MS;

	if (incident->writing_count > 0)
		return 0; /* counted and scheduled when it was first tried */
	if (incident->note_day == today && incident->notes_today >= policy->notes_per_day)
		return (today + 1) * DAY_MS;
	if (rise)
		return 0;
	return policy->note_interval_ms[interval] +
	       (incident->notes > 0 ? incident->note_ms : incident->waiting_since_ms);
}

static uint64_t due_ms(const struct incident *incident, const struct saga_policy *policy,
		       enum incident_step_id id, uint64_t now_ms)
{
	const struct incident_step *step = &incident->steps[id];
	uint64_t due = later(policy->not_before_ms[id], step->due_ms);

	if (step->status == STEP_INTENT && !policy->ahead[id])
		return later(due, step->intent_ms + policy->quarantine_ms);
	if (id == STEP_SERVICENOW_NOTE)
		return later(due, note_due_ms(incident, policy, now_ms));
	if (id == STEP_SERVICENOW_VERIFY)
		return later(due, saga_verify_due_ms(incident, policy));
	if (id == STEP_RELEASE_WRITE_OFF)
		return later(due, saga_write_off_due_ms(incident, policy));
	if (id == STEP_CONTAIN_WATCH)
		return later(due, saga_watch_due_ms(incident, policy));
	return due;
}

static struct saga_move run_move(const struct incident *incident,
				 const struct saga_policy *policy, enum incident_step_id id,
				 uint64_t now_ms)
{
	const struct incident_step *step = &incident->steps[id];
	bool intended = step->status == STEP_INTENT, ahead = policy->ahead[id];
	bool first = policy->look_first && step->status == STEP_NEW &&
		     (id == STEP_THREAT_RESPONSE_CREATE || id == STEP_SERVICENOW_CREATE);

	return (struct saga_move){
		.action = SAGA_RUN,
		.step = id,
		.look_up = first || (intended && !ahead) || step->status == STEP_PENDING,
		.begun = ahead && now_ms < step->intent_ms + policy->start_by_ms,
	};
}

static bool runs_again(enum incident_step_id id)
{
	return id == STEP_SERVICENOW_NOTE || id == STEP_SERVICENOW_VERIFY ||
	       id == STEP_CONTAIN_WATCH || id == STEP_CONTAIN_NOTE;
}

struct saga_move saga_next(const struct incident *incident, const struct saga_policy *policy,
			   uint64_t now_ms)
{
	struct saga_move move = { .action = SAGA_DONE };

	for (int i = 0; i < INCIDENT_STEPS; i++) {
		enum incident_step_id id = (enum incident_step_id)i;
		uint64_t due;

		if ((saga_settled(incident, id) && !runs_again(id)) || !possible(incident, id))
			continue;
		due = due_ms(incident, policy, id, now_ms);
		if (due <= now_ms)
			return run_move(incident, policy, id, now_ms);
		if (move.action == SAGA_DONE || due < move.due_ms)
			move = (struct saga_move){
				.action = SAGA_WAIT,
				.step = id,
				.due_ms = due,
			};
	}
	return move;
}

/* ---- before and after a call ---- */

static void intend(struct incident_step *step, uint64_t fence, uint64_t now_ms)
{
	step->status = STEP_INTENT;
	step->fence = fence;
	step->attempt++;
	step->intent_ms = now_ms;
	step->due_ms = 0; /* the note stays: how the attempt before ended */
}

void saga_begin(struct incident *incident, struct saga_policy *policy, enum incident_step_id id,
		uint64_t fence, uint64_t now_ms)
{
	struct incident_step *link = &incident->steps[STEP_SERVICENOW_LINK];

	intend(&incident->steps[id], fence, now_ms);
	policy->ahead[id] = false;
	if (id == STEP_SERVICENOW_CREATE && link->status == STEP_NEW &&
	    saga_settled(incident, STEP_THREAT_RESPONSE_CREATE)) {
		intend(link, fence, now_ms);
		policy->ahead[STEP_SERVICENOW_LINK] = true;
	}
}

void saga_withdraw(struct incident *incident, struct saga_policy *policy)
{
	for (int i = 0; i < INCIDENT_STEPS; i++) {
		if (policy->ahead[i])
			incident->steps[i] = (struct incident_step){ 0 };
		policy->ahead[i] = false;
	}
}

/* The gate's hint is when one more call fits. Thousands may wait for it: if all came then,
 * their turns would leave no room for anybody else's. Who has waited long can wait a little
 * more. */
static uint64_t refused_until_ms(const struct incident *incident, uint64_t hint_ms,
				 uint64_t now_ms)
{
	uint64_t waited = incident->created_ms > 0 && now_ms > incident->created_ms
			      ? now_ms - incident->created_ms
			      : 0;
	uint64_t more = waited / PATIENCE;

	return now_ms + later(hint_ms, REFUSED_MIN_MS) +
	       backoff_random(0, more < PATIENCE_MAX_MS ? more : PATIENCE_MAX_MS);
}

static void put_off(struct incident *incident, struct saga_policy *policy,
		    enum incident_step_id id, const struct saga_end *end, uint64_t now_ms)
{
	struct incident_step *step = &incident->steps[id];

	if (end->phase == SAGA_PREPARE && end->result == SAGA_RETRY)
		step->attempt++;
	if (end->phase == SAGA_CALL && end->result == SAGA_REFUSED)
		step->attempt--;
	/* An incident without what inspect would add is better than none. */
	if (id == STEP_INSPECT && step->attempt >= INSPECT_ATTEMPTS) {
		step->status = STEP_SKIPPED;
		return;
	}
	/* A look-up that failed leaves the question open. */
	if (end->phase != SAGA_LOOK_UP)
		step->status = STEP_WAITING;
	if (end->result == SAGA_REFUSED)
		policy->not_before_ms[id] =
		    refused_until_ms(incident, end->retry_after_ms, now_ms);
	else
		step->due_ms =
		    now_ms + backoff_ms(policy->backoff_base_ms, policy->backoff_cap_ms,
					step->attempt, end->retry_after_ms);
}

void saga_end(struct incident *incident, struct saga_policy *policy, enum incident_step_id id,
	      const struct saga_end *end, uint64_t now_ms)
{
	struct incident_step *step = &incident->steps[id];

	/* Why it waits for the gate is not worth forgetting how the last attempt ended. */
	if (!end->routine || !step->note)
		step->note = end->note;
	step->due_ms = 0;
	policy->ahead[id] = false;
	if (end->result != SAGA_OK)
		saga_withdraw(incident, policy);
	switch (end->result) {
	case SAGA_OK:
		step->status = STEP_DONE;
		break;
	case SAGA_ABSENT:
		/* What a closing finds not done need not be done any more. */
		step->status =
		    saga_closing_accepted(incident) && incident_step_phase(id) != PHASE_CLOSING
			? STEP_SKIPPED
			: STEP_WAITING;
		break;
	case SAGA_AMBIGUOUS:
		step->status = STEP_INTENT;
		break;
	case SAGA_RETRY:
	case SAGA_REFUSED:
		put_off(incident, policy, id, end, now_ms);
		break;
	case SAGA_FAILED:
		step->status = STEP_FAILED;
		break;
	case SAGA_NEEDLESS:
		step->status = STEP_SKIPPED;
		break;
	case SAGA_PENDING:
		step->status = STEP_PENDING;
		step->due_ms = now_ms + end->retry_after_ms;
		break;
	}
}

enum saga_result saga_result_of(const struct err *err, bool refused, bool effect)
{
	if (refused)
		return SAGA_REFUSED;
	if (err->ambiguous && effect)
		return SAGA_AMBIGUOUS;
	switch (err->kind) {
	case ERR_PERMANENT:
		return SAGA_FAILED;
	case ERR_ACCOUNT:
	case ERR_STOPPING:
		return SAGA_REFUSED;
	case ERR_TRANSIENT:
	case ERR_NONE:
		break;
	}
	return SAGA_RETRY;
}

/* ---- the whole ---- */

static void skip(struct incident *incident, enum incident_step_id step, const char *why)
{
	incident->steps[step] = (struct incident_step){ .status = STEP_SKIPPED, .note = why };
}

void saga_plan(struct incident *incident, bool notify)
{
	for (int i = 0; i < INCIDENT_STEPS; i++)
		incident->steps[i] = (struct incident_step){ 0 };
	if (!incident->threat_response_account) {
		skip(incident, STEP_INSPECT, NULL);
		skip(incident, STEP_THREAT_RESPONSE_CREATE, NULL);
	}
	if (!incident->servicenow_account) {
		skip(incident, STEP_SERVICENOW_CREATE, NULL);
		skip(incident, STEP_SERVICENOW_LINK, NULL);
		skip(incident, STEP_SERVICENOW_NOTE, NULL);
	}
	if (!incident->servicenow_account || !incident->threat_response_account)
		skip(incident, STEP_THREAT_RESPONSE_LINK, NULL);
	if (!notify)
		skip(incident, STEP_NOTIFY, NULL);
}

bool saga_retry(struct incident *incident, uint64_t now_ms)
{
	bool any = incident->state == INCIDENT_HELD;

	if (any)
		incident->closing.hint_ms = now_ms;
	for (int i = 0; i < INCIDENT_STEPS; i++) {
		struct incident_step *step = &incident->steps[i];

		if (step->status != STEP_FAILED)
			continue;
		/* The old intent is long past its quarantine: look up at once. */
		step->status = step->intent_ms > 0 ? STEP_INTENT : STEP_NEW;
		any = true;
	}
	if (any && saga_closing_decided(incident) &&
	    saga_done(incident, STEP_SERVICENOW_REPORT))
		incident->steps[STEP_SERVICENOW_REPORT] = (struct incident_step){ 0 };
	return any;
}

/* The step without which there is nothing for people to work on. */
static enum incident_step_id main_step(const struct incident *incident)
{
	return incident->servicenow_account ? STEP_SERVICENOW_CREATE
					    : STEP_THREAT_RESPONSE_CREATE;
}

void saga_set_state(struct incident *incident)
{
	const struct incident_step *step = &incident->steps[main_step(incident)];

	/* A ticket without its company stands in the way of the right one. */
	if (incident->steps[STEP_SERVICENOW_CANCEL].status == STEP_FAILED)
		step = &incident->steps[STEP_SERVICENOW_CANCEL];

	if (saga_closing_accepted(incident)) {
		saga_closing_set_state(incident);
		return;
	}
	if (incident->state != INCIDENT_OPENING && incident->state != INCIDENT_OPEN &&
	    incident->state != INCIDENT_FAILED)
		return;
	incident->reason = NULL;
	switch (step->status) {
	case STEP_DONE:
	case STEP_SKIPPED:
		incident->state = INCIDENT_OPEN;
		break;
	case STEP_FAILED:
		incident->state = INCIDENT_FAILED;
		incident->reason = step->note;
		break;
	default:
		incident->state = INCIDENT_OPENING;
		break;
	}
}

bool saga_opening_over(const struct incident *incident)
{
	for (int i = 0; i < INCIDENT_STEPS; i++) {
		enum incident_step_status status = incident->steps[i].status;

		if (i == STEP_SERVICENOW_NOTE || i == STEP_SERVICENOW_CANCEL ||
		    incident_step_phase((enum incident_step_id)i) != PHASE_OPENING)
			continue;
		if (status != STEP_DONE && status != STEP_SKIPPED)
			return false;
	}
	return incident->stray == NULL;
}
