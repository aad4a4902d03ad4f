#ifndef INCIDENT_ADOPT_H
#define INCIDENT_ADOPT_H

#include <stdint.h>

#include "turn.h"

/*
 * After Redis lost its data: what was opened before is found outside by the key of its group
 * and goes on, instead of being opened once more. Both are look-ups of a create step: SAGA_OK
 * when something was adopted, SAGA_ABSENT when there is nothing.
 */
step_phase adopt_threat_response;
step_phase adopt_servicenow;

/* When this partition's data were lost, as setup noticed; 0: never, or too long ago for what
 * was opened before to matter. Read each time: one that was read before the loss would open
 * everything twice. */
bool adopt_lost_ms(struct redis *redis, unsigned partition, uint64_t *ret_lost_ms,
		   struct err *err);

#endif
