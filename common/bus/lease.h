#ifndef BUS_LEASE_H
#define BUS_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "bus/key.h"

struct redis;

/* The right to do something alone, with a number that only grows (fence). Whoever writes under
 * it sends the token along and the function compares it: an owner that slept too long writes
 * nothing. */
struct lease {
	struct key key;		/* "lease:<customer>:<source>" */
	struct key fence;	/* its counter; outlives the lease */
	char token[160];	/* "<owner>:<fence>"; "" while it is not ours */
	uint64_t until_mono_ms; /* ours at least until then, by our own clock */
};

/* name is what follows "lease:". */
void lease_init(struct lease *ret_lease, unsigned partition, const char *name);
/* owner is unique per process and has no ':' at its end. False with err for trouble; *ret_taken
 * says whether it is ours now (it also is when we already held it). */
bool lease_take(struct redis *redis, struct lease *lease, const char *owner, uint64_t ttl_ms,
		bool *ret_taken, struct err *err);
/* Many in one round trip; afterwards a lease that is not ours has no token. What an error left
 * unanswered keeps its token and its time. */
bool lease_take_all(struct redis *redis, struct lease *const *leases, size_t count,
		    const char *owner, uint64_t ttl_ms, struct err *err);
bool lease_renew_all(struct redis *redis, struct lease *const *leases, size_t count,
		     uint64_t ttl_ms, struct err *err);
bool lease_release(struct redis *redis, struct lease *lease, struct err *err);

#endif
