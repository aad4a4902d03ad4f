#ifndef CLI_STATUS_H
#define CLI_STATUS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct directory;
struct redis;

/* Parts of `tocsin status`. Each reads its part from Redis, says in verdict what is not as it
 * should be, and returns JSON; NULL with err filled. */
enum health { HEALTH_OK, HEALTH_BEHIND, HEALTH_BROKEN };

struct verdict {
	enum health health; /* the worst of all */
	json_t *why;	    /* array of lines; owned by the caller */
	uint64_t now_ms;
};

void verdict_add(struct verdict *verdict, enum health health, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* {memory_bytes, limit_bytes, rewrite_failed}; limit_bytes 0: none */
json_t *status_redis(struct redis *redis, struct verdict *verdict, struct err *err);
/* [{partition, stream, length, pending, oldest_ms}] */
json_t *status_streams(struct redis *redis, unsigned partitions, struct verdict *verdict,
		       struct err *err);
/* {count, next_ms, reasons: [{reason, count, next_ms}]} */
json_t *status_deferred(struct redis *redis, unsigned partitions, struct err *err);
/* {count, oldest_ms} */
json_t *status_dead(struct redis *redis, unsigned partitions, struct verdict *verdict,
		    struct err *err);
/* [{id, kind, state, reason, parked_ms, next_ms}] */
json_t *status_accounts(struct redis *redis, const struct directory *directory,
			struct verdict *verdict, struct err *err);
/* [{customer, source, mode, state, last_poll_ms, lag_ms, next_ms, failures, last_error,
 * lateness_p99_ms, lateness_max_ms, look_back_ms, collector}]; collector: who polls it */
json_t *status_sources(struct redis *redis, const struct directory *directory,
		       struct verdict *verdict, struct err *err);

/* How an account fares: "ok", "parked", "failing" (breaker), "throttled". */
json_t *status_account(struct redis *redis, const char *id, struct err *err);

#endif
