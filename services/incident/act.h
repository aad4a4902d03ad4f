#ifndef INCIDENT_ACT_H
#define INCIDENT_ACT_H

#include "bus/worker.h"

/* Handles wake-ups of the stream `actions`: takes the incident, does what is to be done about
 * it, gives it back. worker_state() is a struct app. */
worker_handle act_handle;

#endif
