#include "bus/lease.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "bus/redis.h"

void lease_init(struct lease *ret_lease, unsigned partition, const char *name)
{
	memset(ret_lease, 0, sizeof(*ret_lease));
	key_format(&ret_lease->key, partition, "lease:%s", name);
	key_format(&ret_lease->fence, partition, "fence:%s", name);
}

static void append_take(struct redis *redis, const struct lease *lease, const char *owner,
			uint64_t ttl_ms)
{
	struct redis_call call;
	redis_call_init(&call, "lease_take");
	redis_call_key(&call, lease->key.text);
	redis_call_key(&call, lease->fence.text);
	redis_call_text(&call, owner);
	redis_call_number(&call, ttl_ms);
	redis_append_function(redis, &call);
}

static bool read_take(struct redis *redis, struct lease *lease, uint64_t until_mono_ms,
		      struct err *err)
{
	struct redis_reply *reply = redis_read(redis, err);
	if (!reply)
		return false;
	lease->token[0] = '\0';
	lease->until_mono_ms = 0;
	if (reply_integer(reply_at(reply, 0)) == 1) {
		snprintf(lease->token, sizeof(lease->token), "%s",
			 reply_text(reply_at(reply, 1)));
		lease->until_mono_ms = until_mono_ms;
	}
	reply_free(reply);
	return true;
}

static void append_renew(struct redis *redis, const struct lease *lease, uint64_t ttl_ms)
{
	struct redis_call call;
	redis_call_init(&call, "lease_renew");
	redis_call_key(&call, lease->key.text);
	redis_call_text(&call, lease->token);
	redis_call_number(&call, ttl_ms);
	redis_append_function(redis, &call);
}

static bool read_renew(struct redis *redis, struct lease *lease, uint64_t until_mono_ms,
		       struct err *err)
{
	struct redis_reply *reply = redis_read(redis, err);
	if (reply) {
		lease->until_mono_ms = until_mono_ms;
		reply_free(reply);
		return true;
	}
	if (redis_error(redis) == REDIS_STALE) {
		lease->token[0] = '\0';
		lease->until_mono_ms = 0;
	}
	return false;
}

bool lease_take(struct redis *redis, struct lease *lease, const char *owner, uint64_t ttl_ms,
		bool *ret_taken, struct err *err)
{
	/* Counted from before the question: never longer than Redis means it. */
	uint64_t until = clock_mono_ms() + ttl_ms;
	append_take(redis, lease, owner, ttl_ms);
	bool answered = read_take(redis, lease, until, err);
	*ret_taken = answered && lease->token[0] != '\0';
	return answered;
}

/* What is sent before its answers are read stays small: both sides have buffers. */
enum { LEASES_AT_ONCE = 256 };

bool lease_take_all(struct redis *redis, struct lease *const *leases, size_t count,
		    const char *owner, uint64_t ttl_ms, struct err *err)
{
	bool complete = true;
	for (size_t from = 0; from < count; from += LEASES_AT_ONCE) {
		size_t to = from + LEASES_AT_ONCE < count ? from + LEASES_AT_ONCE : count;
		uint64_t until = clock_mono_ms() + ttl_ms;
		for (size_t i = from; i < to; i++)
			append_take(redis, leases[i], owner, ttl_ms);
		for (size_t i = from; i < to; i++) {
			struct err why;
			complete &= read_take(redis, leases[i], until, complete ? err : &why);
		}
	}
	return complete;
}

bool lease_renew_all(struct redis *redis, struct lease *const *leases, size_t count,
		     uint64_t ttl_ms, struct err *err)
{
	bool complete = true;
	for (size_t from = 0; from < count; from += LEASES_AT_ONCE) {
		size_t to = from + LEASES_AT_ONCE < count ? from + LEASES_AT_ONCE : count;
		uint64_t until = clock_mono_ms() + ttl_ms;
		for (size_t i = from; i < to; i++)
			append_renew(redis, leases[i], ttl_ms);
		for (size_t i = from; i < to; i++) {
			struct err why;
			bool renewed =
			    read_renew(redis, leases[i], until, complete ? err : &why);
			/* A stale one is an answer, told by its empty token. */
			complete &= renewed || redis_error(redis) == REDIS_STALE;
		}
	}
	return complete;
}

bool lease_release(struct redis *redis, struct lease *lease, struct err *err)
{
	if (lease->token[0] == '\0')
		return true;
	append_renew(redis, lease, 0);
	struct redis_reply *reply = redis_read(redis, err);
	if (!reply)
		return false;
	reply_free(reply);
	lease->token[0] = '\0';
	lease->until_mono_ms = 0;
	return true;
}
