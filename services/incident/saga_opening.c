/* What the steps of an opening wait for. */
#include <stddef.h>

#include "saga_phase.h"

static bool note_wanted(const struct incident *incident)
{
	return incident->state != INCIDENT_CLOSED && incident->waiting_count > 0;
}

/* The closing URL goes before every later note, unless it has to wait for Threat Response. */
static bool link_is_next(const struct incident *incident)
{
	return !saga_settled(incident, STEP_SERVICENOW_LINK) &&
	       saga_settled(incident, STEP_THREAT_RESPONSE_CREATE);
}

static bool note_possible(const struct incident *incident)
{
	const struct incident_step *note = &incident->steps[STEP_SERVICENOW_NOTE];

	if (note->status == STEP_FAILED || note->status == STEP_SKIPPED ||
	    !saga_done(incident, STEP_SERVICENOW_CREATE) || link_is_next(incident))
		return false;
	return note->status == STEP_INTENT || incident->writing_count > 0 ||
	       note_wanted(incident);
}

/* What is left of the opening when the closing has begun: a call that may have had its effect
 * is looked up, and what went to nobody is taken back. */
static bool left_over(const struct incident *incident, enum incident_step_id step)
{
	if (incident->state == INCIDENT_CLOSED || incident->state == INCIDENT_HELD)
		return false;
	return incident->steps[step].status == STEP_INTENT ||
	       (step == STEP_SERVICENOW_CANCEL && incident->stray);
}

/* Whether what the step needs is there. */
bool saga_opening_possible(const struct incident *incident, enum incident_step_id step)
{
	if (saga_closing_accepted(incident) || incident->state == INCIDENT_CLOSED ||
	    incident->state == INCIDENT_HELD)
		return left_over(incident, step);
	switch (step) {
	case STEP_INSPECT:
		return true;
	case STEP_THREAT_RESPONSE_CREATE:
		return saga_settled(incident, STEP_INSPECT);
	case STEP_SERVICENOW_CANCEL:
		return incident->stray != NULL;
	case STEP_SERVICENOW_CREATE:
		return incident->stray == NULL;
	case STEP_SERVICENOW_LINK:
		return saga_done(incident, STEP_SERVICENOW_CREATE) &&
		       saga_settled(incident, STEP_THREAT_RESPONSE_CREATE);
	case STEP_THREAT_RESPONSE_LINK:
		return saga_done(incident, STEP_SERVICENOW_CREATE) &&
		       saga_done(incident, STEP_THREAT_RESPONSE_CREATE);
	case STEP_NOTIFY:
		return saga_settled(incident, STEP_SERVICENOW_CREATE) && !incident->stray;
	case STEP_SERVICENOW_NOTE:
		return note_possible(incident);
	default:
		break;
	}
	return false;
}
