#ifndef COLLECTOR_KEEPER_H
#define COLLECTOR_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "fleet.h"

struct pool;
struct redis;
struct roster;

/*
 * Decides what this replica polls: follows the customers, announces itself to the other
 * replicas, takes and renews leases up to its share, gives back what is more, and holds polling
 * while the pipeline behind is full. One thread, one connection of its own.
 */
struct keeper;

struct keeper_settings {
	struct redis *redis; /* this and the next two are borrowed */
	struct roster *roster;
	struct pool *pool;
	const char *owner; /* unique per process; borrowed */
	struct pin pin;	   /* borrowed */
	unsigned partitions;
	uint64_t lease_ms;
	uint64_t renew_ms;
	uint64_t raw_limit; /* entries of `raw` from which polling waits; 0: no limit */
};

struct keeper *keeper_new(const struct keeper_settings *settings);
/* Gives every lease back and takes the announcement away, if Redis answers; no thread may be
 * polling any more. NULL is fine. */
void keeper_free(struct keeper *keeper);

/* One round, to be called keeper_tick_ms() after the last. False: Redis does not answer or
 * setup has not done its work; leases run out by themselves. */
bool keeper_tick(struct keeper *keeper, struct err *err);
uint64_t keeper_tick_ms(const struct keeper *keeper);

#endif
