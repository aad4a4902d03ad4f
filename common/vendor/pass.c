#include "vendor/pass.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"

enum { SLOTS = 4096, ID_SIZE = 56 };

struct slot {
	char account[ID_SIZE];
	uint64_t until_ms;
};

struct pass_cache {
	pthread_mutex_t lock;
	struct slot slots[SLOTS];
};

struct pass_cache *pass_cache_new(void)
{
	struct pass_cache *cache = xcalloc(1, sizeof *cache);

	pthread_mutex_init(&cache->lock, NULL);
	return cache;
}

void pass_cache_free(struct pass_cache *cache)
{
	if (!cache)
		return;
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

static struct slot *slot_of(struct pass_cache *cache, const char *account)
{
	uint32_t hash = 2166136261U; /* FNV-1a */

	for (const char *c = account; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619U;
	return &cache->slots[hash % SLOTS];
}

bool pass_cache_valid(struct pass_cache *cache, const char *account)
{
	pthread_mutex_lock(&cache->lock);
	const struct slot *slot = slot_of(cache, account);
	bool valid = strcmp(slot->account, account) == 0 && clock_mono_ms() < slot->until_ms;
	pthread_mutex_unlock(&cache->lock);
	return valid;
}

void pass_cache_keep(struct pass_cache *cache, const char *account, uint64_t until_mono_ms)
{
	size_t size = strlen(account);

	if (size >= ID_SIZE)
		return;
	pthread_mutex_lock(&cache->lock);
	struct slot *slot = slot_of(cache, account);
	memcpy(slot->account, account, size + 1);
	slot->until_ms = until_mono_ms;
	pthread_mutex_unlock(&cache->lock);
}

void pass_cache_forget(struct pass_cache *cache, const char *account)
{
	pthread_mutex_lock(&cache->lock);
	struct slot *slot = slot_of(cache, account);
	if (strcmp(slot->account, account) == 0)
		slot->until_ms = 0;
	pthread_mutex_unlock(&cache->lock);
}
