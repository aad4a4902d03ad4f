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
	const void *who; /* tries it */
	uint64_t try_until_ms;
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

/* The slot is the account's own; whose it was before is forgotten. NULL for an id that is none.
 */
static struct slot *slot_of(struct pass_cache *cache, const char *account)
{
	size_t size = strlen(account);
	uint32_t hash = 2166136261U; /* FNV-1a */

	for (const char *c = account; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619U;
	struct slot *slot = &cache->slots[hash % SLOTS];

	if (size >= sizeof slot->account)
		return NULL;
	if (strcmp(slot->account, account) != 0) {
		*slot = (struct slot){ .until_ms = 0 };
		memcpy(slot->account, account, size);
	}
	return slot;
}

bool pass_cache_valid(struct pass_cache *cache, const char *account)
{
	pthread_mutex_lock(&cache->lock);
	const struct slot *slot = slot_of(cache, account);
	bool valid = slot && clock_mono_ms() < slot->until_ms;
	pthread_mutex_unlock(&cache->lock);
	return valid;
}

void pass_cache_keep(struct pass_cache *cache, const char *account, uint64_t until_mono_ms)
{
	pthread_mutex_lock(&cache->lock);
	struct slot *slot = slot_of(cache, account);
	if (slot)
		slot->until_ms = until_mono_ms;
	pthread_mutex_unlock(&cache->lock);
}

bool pass_cache_trying(struct pass_cache *cache, const char *account, const void *who)
{
	pthread_mutex_lock(&cache->lock);
	const struct slot *slot = slot_of(cache, account);
	bool trying = slot && slot->who == who && clock_mono_ms() < slot->try_until_ms;
	pthread_mutex_unlock(&cache->lock);
	return trying;
}

void pass_cache_try(struct pass_cache *cache, const char *account, const void *who,
		    uint64_t until_mono_ms)
{
	pthread_mutex_lock(&cache->lock);
	struct slot *slot = slot_of(cache, account);
	if (slot) {
		slot->who = who;
		slot->try_until_ms = until_mono_ms;
	}
	pthread_mutex_unlock(&cache->lock);
}

void pass_cache_forget(struct pass_cache *cache, const char *account)
{
	pthread_mutex_lock(&cache->lock);
	struct slot *slot = slot_of(cache, account);
	if (slot)
		slot->until_ms = slot->try_until_ms = 0;
	pthread_mutex_unlock(&cache->lock);
}
