#ifndef CLI_CANARY_TRIP_H
#define CLI_CANARY_TRIP_H

#include <jansson.h>
#include <stdint.h>

struct cli;
struct directory;
struct redis;
struct vendor;

/* What all canaries of a run need. */
struct canary_outing {
	struct cli *cli;
	struct redis *redis;
	struct directory *directory;
	struct vendor *vendor;
	uint64_t wait_ms; /* for the ticket, and again for its end */
};

/*
 * Sends an event marked as a test to a ticket of this account and back, or goes on with the one
 * that an earlier run has sent: what is under way is written to the account's hash before it is
 * sent, so that there is never more than one. When it is back, canary_ms is written there.
 * {account, arrived, customer, event_id, incident, number, ticket_after_ms, closed_after_ms,
 * missing: which link is, in words}.
 */
json_t *canary_trip(const struct canary_outing *outing, const char *account);

#endif
