/* The decisions of a closing. */
#include <stddef.h>

#include "saga_phase.h"

/* The effects, which begin when it is decided. */
static const enum incident_step_id effects[] = {
	STEP_THREAT_RESPONSE_CLOSE, STEP_SERVICENOW_RESOLVE, STEP_DEFENDER_RESOLVE,
	STEP_RELEASE_ISOLATE,	    STEP_RELEASE_MOVE_GROUP, STEP_SERVICENOW_REPORT,
};

enum { EFFECTS = sizeof(effects) / sizeof(effects[0]) };

bool saga_closing_accepted(const struct incident *incident)
{
	return incident->closing.since_ms > 0;
}

bool saga_closing_decided(const struct incident *incident)
{
	return saga_closing_accepted(incident) &&
	       incident->closing.release != RELEASE_UNDECIDED;
}

bool saga_holds_hosts(const struct incident *incident)
{
	return incident->containment.due > 0;
}

/* ---- what a step waits for ---- */

/* What was under way when the closing began is known by now. */
static bool begun_is_known(const struct incident *incident, enum incident_step_id first,
			   enum incident_step_id last)
{
	for (int i = (int)first; i <= (int)last; i++) {
		if (incident->steps[i].status == STEP_INTENT)
			return false;
	}
	return true;
}

static bool report_possible(const struct incident *incident)
{
	for (int i = 0; i < EFFECTS; i++) {
		if (effects[i] != STEP_SERVICENOW_REPORT && !saga_settled(incident, effects[i]))
			return false;
	}
	return true;
}

bool saga_closing_busy(const struct incident *incident)
{
	for (int i = 0; saga_closing_decided(incident) && i < EFFECTS; i++) {
		if (!saga_settled(incident, effects[i]) &&
		    saga_closing_possible(incident, effects[i]))
			return true;
	}
	return false;
}

/* A closing that is under way is a goal: what has become of the ticket meanwhile is looked at
 * when it is reached. */
static bool verify_possible(const struct incident *incident)
{
	return incident->closing.hint_ms > 0 &&
	       incident->steps[STEP_SERVICENOW_CREATE].status != STEP_INTENT &&
	       !saga_closing_busy(incident);
}

bool saga_closing_possible(const struct incident *incident, enum incident_step_id step)
{
	bool decided = saga_closing_decided(incident);

	switch (step) {
	case STEP_SERVICENOW_VERIFY:
		return verify_possible(incident);
	case STEP_THREAT_RESPONSE_REOPEN:
		return incident->reopened > 0 && incident->ctim_id &&
		       incident->state != INCIDENT_HELD &&
		       (!saga_closing_accepted(incident) ||
			incident->steps[step].status == STEP_INTENT);
	case STEP_THREAT_RESPONSE_CLOSE:
		return decided &&
		       begun_is_known(incident, STEP_INSPECT, STEP_SERVICENOW_NOTE) &&
		       incident->steps[STEP_THREAT_RESPONSE_REOPEN].status != STEP_INTENT;
	case STEP_SERVICENOW_RESOLVE:
		return decided && begun_is_known(incident, STEP_INSPECT, STEP_SERVICENOW_NOTE);
	case STEP_DEFENDER_RESOLVE:
		return decided;
	case STEP_RELEASE_WRITE_OFF:
		return incident->containment.write_off != NULL;
	case STEP_RELEASE_ISOLATE:
	case STEP_RELEASE_MOVE_GROUP:
		return ((decided && incident->closing.release == RELEASE_NOW) ||
			incident->containment.release) &&
		       begun_is_known(incident, STEP_CONTAIN_ISOLATE, STEP_CONTAIN_MOVE_GROUP);
	case STEP_SERVICENOW_REPORT:
		return decided && report_possible(incident);
	default:
		return false;
	}
}

uint64_t saga_verify_due_ms(const struct incident *incident, const struct saga_policy *policy)
{
	const struct incident_closing *closing = &incident->closing;

	if (!saga_closing_accepted(incident) || saga_closing_decided(incident) ||
	    !closing->seen)
		return 0;
	return closing->seen_ms + policy->grace_ms;
}

/* A call that is under way may still contain the host, or let it go. */
uint64_t saga_write_off_due_ms(const struct incident *incident,
			       const struct saga_policy *policy)
{
	static const enum incident_step_id acts[] = {
		STEP_CONTAIN_ISOLATE,
		STEP_CONTAIN_MOVE_GROUP,
		STEP_RELEASE_ISOLATE,
		STEP_RELEASE_MOVE_GROUP,
	};
	uint64_t due = 0;

	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		const struct incident_step *step = &incident->steps[acts[i]];

		if (step->status == STEP_INTENT &&
		    step->intent_ms + policy->quarantine_ms > due)
			due = step->intent_ms + policy->quarantine_ms;
	}
	return due;
}

/* ---- on the way ---- */

static void skip(struct incident *incident, enum incident_step_id id, const char *why)
{
	incident->steps[id] = (struct incident_step){ .status = STEP_SKIPPED, .note = why };
}

void saga_closing_accept(struct incident *incident, uint64_t now_ms)
{
	for (int i = 0; i < STEP_SERVICENOW_VERIFY; i++) {
		struct incident_step *step = &incident->steps[i];
		bool opening = incident_step_phase((enum incident_step_id)i) == PHASE_OPENING;

		if (i == STEP_SERVICENOW_CANCEL || i == STEP_SERVICENOW_NOTE)
			continue;
		if (step->status == STEP_NEW || step->status == STEP_WAITING ||
		    (opening && step->status == STEP_FAILED))
			step->status = STEP_SKIPPED;
	}
	incident->closing.since_ms = now_ms;
	incident->closing.release = RELEASE_UNDECIDED;
	incident->state = INCIDENT_CLOSING;
}

/* All that a closing has written, except what was said about it before. */
static void closing_clear(struct incident *incident)
{
	const char *used = incident->closing.used;
	uint64_t past_ms = incident->closing.past_ms;
	unsigned wrong = incident->closing.wrong_codes, reports = incident->closing.reports;

	incident->closing = (struct incident_closing){
		.past_ms = past_ms, .used = used, .wrong_codes = wrong, .reports = reports
	};
	for (int i = 0; i < EFFECTS; i++)
		incident->steps[effects[i]] = (struct incident_step){ 0 };
	incident->closed_ms = 0;
	incident->reason = NULL;
	incident->state = INCIDENT_OPEN;
}

void saga_closing_withdraw(struct incident *incident)
{
	closing_clear(incident);
}

/* Known at once, or when what was under way has been looked up. */
static void skip_what_is_not_there(struct incident *incident)
{
	if (!incident->ctim_id &&
	    incident->steps[STEP_THREAT_RESPONSE_CREATE].status != STEP_INTENT &&
	    !saga_settled(incident, STEP_THREAT_RESPONSE_CLOSE))
		skip(incident, STEP_THREAT_RESPONSE_CLOSE, NULL);
}

void saga_closing_decide(struct incident *incident, const struct saga_closing_plan *plan)
{
	bool again = saga_closing_decided(incident);

	incident->closing.release = plan->release;
	incident->closing.hint_ms = 0;
	if (again)
		return;
	skip_what_is_not_there(incident);
	if (!plan->resolve)
		skip(incident, STEP_SERVICENOW_RESOLVE, NULL);
	if (!plan->defender)
		skip(incident, STEP_DEFENDER_RESOLVE, NULL);
	if (!plan->report)
		skip(incident, STEP_SERVICENOW_REPORT, NULL);
	if (!saga_holds_hosts(incident)) {
		skip(incident, STEP_RELEASE_ISOLATE, NULL);
		skip(incident, STEP_RELEASE_MOVE_GROUP, NULL);
	}
	if (plan->release == RELEASE_KEEP) {
		skip(incident, STEP_RELEASE_ISOLATE, "hosts stay as they are");
		skip(incident, STEP_RELEASE_MOVE_GROUP, "hosts stay as they are");
	}
}

void saga_reopen(struct incident *incident)
{
	bool closed = saga_done(incident, STEP_THREAT_RESPONSE_CLOSE);

	closing_clear(incident);
	incident->reopened++;
	incident->steps[STEP_THREAT_RESPONSE_REOPEN] = (struct incident_step){ 0 };
	if (!closed)
		skip(incident, STEP_THREAT_RESPONSE_REOPEN, NULL);
}

/* ---- the whole ---- */

static const char *waits_for(const struct incident *incident)
{
	switch (incident->closing.release) {
	case RELEASE_ASK:
		return "a person has to confirm that hosts are let go";
	case RELEASE_SURVIVOR:
		return "hosts are held for the ticket that took its place";
	default:
		return NULL;
	}
}

void saga_closing_set_state(struct incident *incident)
{
	const char *failed = NULL;
	bool pending = false, any_failed = false;

	if (incident->state == INCIDENT_HELD || !saga_closing_decided(incident))
		return;
	skip_what_is_not_there(incident);
	for (int i = 0; i < EFFECTS; i++) {
		const struct incident_step *step = &incident->steps[effects[i]];

		pending |= !saga_settled(incident, effects[i]);
		if (step->status == STEP_FAILED && !any_failed) {
			any_failed = true;
			failed = step->note;
		}
	}
	if (any_failed) {
		incident->state = INCIDENT_FAILED;
		incident->reason = failed;
	} else if (pending) {
		incident->state = INCIDENT_CLOSING;
		incident->reason = waits_for(incident);
	} else {
		incident->state = INCIDENT_CLOSED;
		incident->reason = incident->closing.why;
	}
}
