#ifndef INCIDENT_WATCH_H
#define INCIDENT_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/incident.h"

struct account;
struct app;
struct arena;
struct directory;
struct redis;

enum { WATCH_TABLES = 32 };

/* One that is looked after, as short as it can be: there may be very many. */
struct watch_row {
	char id[INCIDENT_ID_SIZE];
	unsigned char table;		       /* place in the watch's tables */
	const struct account *servicenow;      /* where its ticket is; NULL: none to be read */
	const struct account *threat_response; /* NULL: an end there means nothing */
};

/* The incidents whose tickets the reconciler looks after: the sorted set `open`. */
struct watch {
	const struct app *app;
	struct redis *redis;
	unsigned partition;
	const struct directory *directory;
	struct arena *arena; /* of what is being compared: reset page by page */
	uint64_t now_ms;
	uint64_t watch_ms; /* so long after its closing a ticket is watched */

	char *tables[WATCH_TABLES]; /* that tickets are in; what is beyond counts as the last */
	struct watch_row *rows; /* of live customers, by table, then by id; see watch_done() */
	size_t count;
};

/* Reads who they are, and takes out of the set what need not be watched any more. False with
 * err. */
bool watch_read(struct watch *watch, struct err *err);
void watch_done(struct watch *watch);

/* Incidents as they are now, without what only their turns need, in the arena; one that is gone
 * is left out. False with err. */
bool watch_load(const struct watch *watch, const struct watch_row *const *rows, size_t count,
		struct incident **ret_incidents, size_t *ret_count, struct err *err);

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
