#ifndef INCIDENT_SAGA_PHASE_H
#define INCIDENT_SAGA_PHASE_H

#include <stdbool.h>
#include <stdint.h>

#include "model/incident.h"
#include "saga.h"

/* Between the files of the saga: what each phase's steps wait for. */

bool saga_settled(const struct incident *incident, enum incident_step_id step);
bool saga_done(const struct incident *incident, enum incident_step_id step);

bool saga_opening_possible(const struct incident *incident, enum incident_step_id step);
bool saga_contain_possible(const struct incident *incident, enum incident_step_id step);
bool saga_closing_possible(const struct incident *incident, enum incident_step_id step);

/* When the ticket is read again: at once after a hint, and at the end of the grace. */
uint64_t saga_verify_due_ms(const struct incident *incident, const struct saga_policy *policy);
/* When no call to the host can be under way any more. */
uint64_t saga_write_off_due_ms(const struct incident *incident,
			       const struct saga_policy *policy);
void saga_closing_set_state(struct incident *incident);

#endif
