#ifndef COLLECTOR_METRICS_H
#define COLLECTOR_METRICS_H

#include "base/metric.h"

/* What the collector counts. Rows for service_about, NULL-terminated. */
extern struct metric *const collector_metrics[];

extern struct metric metric_polls;	    /* source, outcome */
extern struct metric metric_poll_seconds;   /* source */
extern struct metric metric_poll_delay;	    /* how long after it was due a poll began */
extern struct metric metric_polls_late;	    /* source, lane */
extern struct metric metric_events;	    /* source, result */
extern struct metric metric_event_lateness; /* source */
extern struct metric metric_events_late;    /* source */
extern struct metric metric_sources;	    /* held, active */
extern struct metric metric_leases;
extern struct metric metric_replicas;
extern struct metric metric_paused; /* partition */

#endif
