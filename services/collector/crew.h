#ifndef COLLECTOR_CREW_H
#define COLLECTOR_CREW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct pool;
struct redis_settings;
struct roster;
struct service;
struct vendor;

/* The threads that poll: each claims what is due from the pool, polls it over a connection of
 * its own, and says when it is due again. */
struct crew;

struct crew_settings {
	struct service *service; /* this and all that follow are borrowed */
	const struct redis_settings *redis;
	struct roster *roster;
	struct vendor *vendor;
	struct pool *pool;
	unsigned threads;
	uint64_t fate_ttl_ms;
	uint64_t retry_base_ms, retry_cap_ms;
	uint64_t look_back_max_ms, wide_interval_ms;
	uint64_t deadline_ms; /* of a vendor call */
	uint64_t stuck_ms;    /* a thread without progress for so long fails liveness */
};

/* NULL with err when threads cannot be started. */
struct crew *crew_start(const struct crew_settings *settings, struct err *err);
/* Waits for every thread; pool_stop() must have been called. NULL is fine. */
void crew_join(struct crew *crew);

#endif
