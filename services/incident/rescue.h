#ifndef INCIDENT_RESCUE_H
#define INCIDENT_RESCUE_H

#include <stdbool.h>

struct app;
struct arena;
struct directory;
struct redis;

/*
 * Hosts that are contained although Redis has forgotten them: after it lost its data, the marks
 * on isolations at the vendors say which incident each is of, and its ledger is written anew;
 * its ticket and its incident in Threat Response are looked up by the same mark. Once per loss
 * and customer. A host that was only moved carries no mark: where it came from is in its
 * ticket.
 */
struct rescue {
	const struct app *app;
	struct redis *redis;
	unsigned partition;
	const struct directory *directory;
	struct arena *arena;
	const char *owner; /* of leases */
};

void rescue_hosts(const struct rescue *rescue);

/* Approvals of incidents that are gone are no longer listed. */
void rescue_expire(const struct rescue *rescue);

#endif
