/* A bucket of tokens per customer. */
#include "rates.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"

enum { SLOTS = 4096, MINUTE_MS = 60000 };

struct bucket {
	struct bucket *next;
	double tokens;
	uint64_t filled_ms;
	char customer[];
};

struct rates {
	pthread_mutex_t lock;
	struct bucket *slots[SLOTS];
};

struct rates *rates_new(void)
{
	struct rates *rates = xcalloc(1, sizeof *rates);

	pthread_mutex_init(&rates->lock, NULL);
	return rates;
}

void rates_free(struct rates *rates)
{
	if (!rates)
		return;
	for (unsigned i = 0; i < SLOTS; i++) {
		while (rates->slots[i]) {
			struct bucket *next = rates->slots[i]->next;
			free(rates->slots[i]);
			rates->slots[i] = next;
		}
	}
	pthread_mutex_destroy(&rates->lock);
	free(rates);
}

static struct bucket *find(struct rates *rates, const char *customer, unsigned per_minute)
{
	uint32_t hash = 2166136261U; /* FNV-1a; only known customers come here */

	for (const char *at = customer; *at; at++)
		hash = (hash ^ (unsigned char)*at) * 16777619U;
	struct bucket **slot = &rates->slots[hash % SLOTS], *bucket;
	for (bucket = *slot; bucket; bucket = bucket->next) {
		if (strcmp(bucket->customer, customer) == 0)
			return bucket;
	}
	bucket = xcalloc(1, sizeof *bucket + strlen(customer) + 1);
	memcpy(bucket->customer, customer, strlen(customer) + 1);
	bucket->tokens = per_minute;
	bucket->filled_ms = clock_mono_ms();
	bucket->next = *slot;
	*slot = bucket;
	return bucket;
}

bool rates_take(struct rates *rates, const char *customer, unsigned per_minute, unsigned count,
		uint64_t *ret_retry_after_ms)
{
	double per_ms = (double)per_minute / MINUTE_MS;
	uint64_t now_ms = clock_mono_ms();

	pthread_mutex_lock(&rates->lock);
	struct bucket *bucket = find(rates, customer, per_minute);
	bucket->tokens += (double)(now_ms - bucket->filled_ms) * per_ms;
	if (bucket->tokens > per_minute)
		bucket->tokens = per_minute;
	bucket->filled_ms = now_ms;
	bool taken = bucket->tokens >= 1;
	if (taken)
		bucket->tokens -= count;
	else
		*ret_retry_after_ms = (uint64_t)((1 - bucket->tokens) / per_ms) + 1;
	pthread_mutex_unlock(&rates->lock);
	return taken;
}
