/* The decisions of containment: what a step waits for, and when somebody is warned. */
#include "saga_phase.h"

enum { WARN_HALF = 50, WARN_LATE = 90, WARN_END = 100, PERCENT = 100 };

/* The ticket's own second note goes before any on containment. */
static bool note_possible(const struct incident *incident)
{
	const struct incident_containment *containment = &incident->containment;

	return (containment->telling || containment->writing) &&
	       saga_done(incident, STEP_SERVICENOW_CREATE) &&
	       (saga_settled(incident, STEP_SERVICENOW_LINK) ||
		!saga_settled(incident, STEP_THREAT_RESPONSE_CREATE));
}

uint64_t saga_watch_due_ms(const struct incident *incident, const struct saga_policy *policy)
{
	static const unsigned percents[] = { WARN_HALF, WARN_LATE, WARN_END };
	const struct incident_containment *containment = &incident->containment;
	uint64_t warning = 0;

	if (containment->asked_ms > 0 && !containment->mailed)
		return containment->asked_ms;

	if (containment->due > 0 && containment->since_ms > 0 &&
	    containment->warned < sizeof(percents) / sizeof(percents[0]))
		warning = containment->since_ms +
			  policy->contain_max_ms / PERCENT * percents[containment->warned];
	if (containment->asked_ms == 0 || (warning > 0 && warning < containment->expires_ms))
		return warning;
	return containment->expires_ms;
}

static bool watch_possible(const struct incident *incident)
{
	const struct incident_containment *containment = &incident->containment;

	return containment->asked_ms > 0 ||
	       (containment->due > 0 && containment->since_ms > 0 && containment->warned < 3);
}

/* A closing only waits for what is under way to be known: whether it has come about is the
 * release's to find out. */
bool saga_contain_possible(const struct incident *incident, enum incident_step_id id)
{
	enum incident_step_status status = incident->steps[id].status;

	if (saga_closing_accepted(incident) || incident->state == INCIDENT_HELD ||
	    incident->state == INCIDENT_CLOSED || incident->containment.release)
		return status == STEP_INTENT;
	switch (id) {
	case STEP_CONTAIN_ISOLATE:
	case STEP_CONTAIN_MOVE_GROUP:
		/* Nothing to decide by before a finding has named the host. */
		return incident->containment.machine != NULL;
	case STEP_CONTAIN_WATCH:
		return watch_possible(incident);
	case STEP_CONTAIN_NOTE:
		return note_possible(incident);
	default:
		return false;
	}
}
