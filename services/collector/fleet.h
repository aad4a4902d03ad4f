#ifndef COLLECTOR_FLEET_H
#define COLLECTOR_FLEET_H

#include <stdbool.h>
#include <stddef.h>

#include "model/pin.h"

struct customer;

/*
 * Which collector polls whom. Replicas announce themselves together with what they are pinned
 * to (TOCSIN_CUSTOMERS, TOCSIN_COLLECTOR_LABEL); customers that a live pinned replica claims
 * are left alone by the others, the rest is shared by those that are not pinned. Pure: no
 * Redis, no clock. What keeps two replicas from polling the same source is the lease, this only
 * decides how many each should want.
 */
enum { FLEET_MAX = 256 };

/* The replicas alive now, this one included. */
struct fleet {
	struct pin pins[FLEET_MAX];
	size_t count;
	size_t self; /* index of this process */
};

void fleet_done(struct fleet *fleet); /* zeroed is fine */
/* False when there is no room; the replica is then not seen, leases still keep it safe. */
bool fleet_add(struct fleet *fleet, const char *announcement, bool self);

/* How many replicas may poll this customer; 0 when this one may not. */
size_t fleet_sharers(const struct fleet *fleet, const struct customer *customer);

/* Sum of 1/sharers over everything this replica may poll, rounded up: what it should hold. */
struct fleet_share {
	double sum;
};

void fleet_share_add(struct fleet_share *share, size_t sharers);
size_t fleet_share_target(const struct fleet_share *share);

#endif
