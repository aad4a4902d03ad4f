/* Buckets for strangers. */
#include "throttle.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"

enum { BUCKETS = 4096 };

struct throttle {
	unsigned char secret[crypto_shorthash_KEYBYTES];
	pthread_mutex_t lock;	   /* of the rest */
	uint64_t full_ms[BUCKETS]; /* when the bucket is full again; before now: it is full */
};

struct throttle *throttle_new(void)
{
	struct throttle *throttle = xcalloc(1, sizeof(*throttle));

	randombytes_buf(throttle->secret, sizeof(throttle->secret));
	pthread_mutex_init(&throttle->lock, NULL);
	return throttle;
}

void throttle_free(struct throttle *throttle)
{
	if (!throttle)
		return;
	pthread_mutex_destroy(&throttle->lock);
	free(throttle);
}

static uint64_t *bucket_of(struct throttle *throttle, const struct throttle_rule *rule,
			   const char *key)
{
	unsigned char hash[crypto_shorthash_BYTES];
	uint64_t of_name, of_key;

	crypto_shorthash(hash, (const unsigned char *)rule->name, strlen(rule->name),
			 throttle->secret);
	memcpy(&of_name, hash, sizeof(of_name));
	crypto_shorthash(hash, (const unsigned char *)key, strlen(key), throttle->secret);
	memcpy(&of_key, hash, sizeof(of_key));
	return &throttle->full_ms[(of_name ^ of_key) % BUCKETS];
}

/* A bucket that is full at T lacks (T - now) / refill tries. */
static bool look(struct throttle *throttle, const struct throttle_rule *rule, const char *key,
		 bool take, uint64_t *ret_wait_ms)
{
	uint64_t now = clock_mono_ms(), span = rule->burst * rule->refill_ms;
	uint64_t *full = bucket_of(throttle, rule, key);

	pthread_mutex_lock(&throttle->lock);

	uint64_t from = *full > now ? *full : now;
	uint64_t until = from + rule->refill_ms;
	bool allowed = until <= now + span;

	if (allowed && take)
		*full = until;
	pthread_mutex_unlock(&throttle->lock);
	*ret_wait_ms = allowed ? 0 : until - now - span;
	return allowed;
}

bool throttle_allows(struct throttle *throttle, const struct throttle_rule *rule,
		     const char *key, uint64_t *ret_wait_ms)
{
	return look(throttle, rule, key, false, ret_wait_ms);
}

bool throttle_take(struct throttle *throttle, const struct throttle_rule *rule, const char *key,
		   uint64_t *ret_wait_ms)
{
	return look(throttle, rule, key, true, ret_wait_ms);
}
