#ifndef INCIDENT_INTAKE_H
#define INCIDENT_INTAKE_H

#include "bus/worker.h"

/* Handles the stream `findings`: what is severe enough joins or opens an incident, in one step
 * with its fate and its settling. What its source has already resolved opens none.
 * worker_state() is a struct app. */
worker_handle intake_handle;

/* The fate of a finding that is buried unseen. */
bool intake_fate(const struct entry *entry, unsigned partition, struct key *ret_key);

#endif
