/* The collector's rows of the metric table. */
#include "metrics.h"

#include <stddef.h>

static const double poll_bounds[] = { 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 0 };
static const double delay_bounds[] = { 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 0 };
static const double lateness_bounds[] = { 1,   5,    15,   30,	  60,	 120,	300,
					  600, 1800, 3600, 14400, 43200, 86400, 0 };

struct metric metric_polls = {
	.name = "tocsin_collector_polls_total",
	.kind = METRIC_COUNTER,
	.help = "Polls by what came of them",
	.labels = "source,outcome",
};

struct metric metric_poll_seconds = {
	.name = "tocsin_collector_poll_seconds",
	.kind = METRIC_HISTOGRAM,
	.help = "Time from the start of a poll to its last commit",
	.labels = "source",
	.bounds = poll_bounds,
};

struct metric metric_poll_delay = {
	.name = "tocsin_collector_poll_delay_seconds",
	.kind = METRIC_HISTOGRAM,
	.help = "How long after it was due a poll began",
	.labels = "source",
	.bounds = delay_bounds,
};

struct metric metric_polls_late = {
	.name = "tocsin_collector_polls_late_total",
	.kind = METRIC_COUNTER,
	.help =
	    "Polls that began later than a tenth of their interval (at least 1 s); suspects "
	    "failed or were slow last time and share a quarter of the threads",
	.labels = "source,lane",
};

struct metric metric_events = {
	.name = "tocsin_collector_events_total",
	.kind = METRIC_COUNTER,
	.help = "Events read from vendors: new, or duplicate of a known one",
	.labels = "customer,source,result",
};

struct metric metric_event_lateness = {
	.name = "tocsin_collector_event_lateness_seconds",
	.kind = METRIC_HISTOGRAM,
	.help = "Vendor's time of an event to our first sight of it, catching up left out",
	.labels = "source",
	.bounds = lateness_bounds,
};

struct metric metric_events_late = {
	.name = "tocsin_collector_events_beyond_look_back_total",
	.kind = METRIC_COUNTER,
	.help = "New events that came later than the look-back: consider a longer one",
	.labels = "source",
};

struct metric metric_sources = {
	.name = "tocsin_collector_sources",
	.kind = METRIC_GAUGE,
	.help = "Sources of active customers",
};

struct metric metric_leases = {
	.name = "tocsin_collector_leases",
	.kind = METRIC_GAUGE,
	.help = "Sources this replica polls",
};

struct metric metric_replicas = {
	.name = "tocsin_collector_replicas",
	.kind = METRIC_GAUGE,
	.help = "Collectors alive, this one included",
};

struct metric metric_paused = {
	.name = "tocsin_collector_paused",
	.kind = METRIC_GAUGE,
	.help = "1 while polling waits for the pipeline: Redis full, or too much raw work left",
	.labels = "partition",
};

struct metric *const collector_metrics[] = {
	&metric_polls,	&metric_poll_seconds,	&metric_poll_delay,  &metric_polls_late,
	&metric_events, &metric_event_lateness, &metric_events_late, &metric_sources,
	&metric_leases, &metric_replicas,	&metric_paused,	     NULL,
};
