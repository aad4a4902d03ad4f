#ifndef TICKET_FACTS_H
#define TICKET_FACTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "model/customer.h"
#include "model/finding.h"
#include "model/incident.h"

struct arena;

/* Everything that tickets, notes and CTIM entities of an incident are made of. Strings live in
 * the arena or in what the facts were read from. */
struct facts {
	const struct incident *incident;
	const struct customer *customer;
	struct finding finding; /* the opening one */
	struct finding_view view;
	char key[INCIDENT_KEY_SIZE];	   /* correlation_id, external id */
	char group_key[INCIDENT_KEY_SIZE]; /* external id */
	const char *event_type;		   /* one line each, never NULL */
	const char *host;
	const char *time; /* "2026-11-21 18:16:05 UTC" */
	/* "2026-11-21 19:16:05 CET (UTC+01:00)", NULL without a time zone of the customer */
	const char *local_time;
	/* The finding's, then what inspect found beyond them and the victim's own. */
	struct observable observables[FINDING_OBSERVABLES_MAX];
	size_t observable_count;
	const char *investigate_url; /* NULL without Threat Response */
};

/* threat_response may be NULL. Permanent error when the opening finding is not readable. */
bool facts_read(struct facts *ret_facts, const struct incident *incident,
		const struct customer *customer, const struct account *threat_response,
		const char *installation, struct arena *arena, struct err *err);

/* "2026-11-21 18:16:05 UTC" */
const char *facts_time(struct arena *arena, uint64_t wall_ms);
/* As the customer's clocks show it; NULL when its zone is not set or not known here. */
const char *facts_local_time(const struct customer *customer, struct arena *arena,
			     uint64_t wall_ms);

#endif
