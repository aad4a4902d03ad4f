#ifndef INCIDENT_WATCH_H
#define INCIDENT_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/incident.h"

struct app;
struct arena;
struct directory;
struct redis;

/* The incidents whose tickets the reconciler looks after: the sorted set `open`. */
struct watch {
	const struct app *app;
	struct redis *redis;
	unsigned partition;
	const struct directory *directory;
	struct arena *arena;
	uint64_t now_ms;
	uint64_t watch_ms; /* so long after its closing a ticket is watched */

	struct incident *incidents; /* without what only their turns need */
	size_t count;
};

/* Reads them all, and takes out of the set what need not be watched any more. False with err.
 */
bool watch_read(struct watch *watch, struct err *err);

/* A hint, into the incident's inbox. False with err. */
bool watch_hint(const struct watch *watch, const struct incident *incident, enum closure_op op,
		const char *note, struct err *err);
/* It was merged into another one in Threat Response, then. */
bool watch_merged(const struct watch *watch, const struct incident *incident, const char *when,
		  struct err *err);
/* It is to be closed: an analyst has closed it in Threat Response. */
bool watch_order(const struct watch *watch, const struct incident *incident,
		 enum closure_verdict verdict, struct err *err);

#endif
