#ifndef CLI_TEMPLATE_EVENT_H
#define CLI_TEMPLATE_EVENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "model/finding.h"

struct arena;
struct source_run;

/* An event as it is in a file: a vendor's record, alone or the first of a list or of the
 * vendor's page, or an OCSF Detection Finding, as the normalizer makes them. */
struct template_event {
	const char *text;
	size_t size;
	const char *customer; /* id */
	const char *source;   /* NULL: told from the event */
	struct source_run *run;
};

/* What the normalizer would make of it; strings live in the arena or in the event. False with
 * err: it is not readable, or it is no finding, and why. */
bool template_event_read(const struct template_event *event, struct arena *arena,
			 struct finding *ret_finding, struct err *err);

#endif
