#ifndef CLI_TRACE_H
#define CLI_TRACE_H

#include <jansson.h>

#include "base/err.h"

struct redis;

/* One event by its identity. */
struct trace_quarry {
	struct redis *redis;
	unsigned partition;
	const char *customer, *source, *event_id;
};

/* What became of it: {event_id, customer, source, partition, fate, story: lines in words,
 * incident: its whole view (incident_view.h) or null}. NULL: it has no fate, or with err. */
json_t *trace_event(const struct trace_quarry *quarry, struct err *err);

#endif
