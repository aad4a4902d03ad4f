#include "vendor/token.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"

enum {
	BUCKETS = 256,
	RENEW_PERCENT = 80,
	/* Of its life a token is used; what is left covers the way to the vendor. */
	USE_PERCENT = 95,
	/* After a renewal that failed the old token serves this long before the next try. */
	RENEW_AGAIN_MS = 5000,
};

struct entry {
	struct entry *next;
	char *account;
	char *fingerprint; /* of token, or of the fetch under way */
	char *token;	   /* NULL: none */
	uint64_t renew_ms; /* clock_mono_ms() */
	uint64_t expires_ms;
	bool fetching;
	uint64_t round; /* fetches that ended */
	bool failed;	/* how the last one ended */
	struct err error;
};

struct token_cache {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct entry *buckets[BUCKETS];
};

struct token_cache *token_cache_new(void)
{
	struct token_cache *cache = xcalloc(1, sizeof *cache);
	pthread_condattr_t attr;

	pthread_mutex_init(&cache->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&cache->changed, &attr);
	pthread_condattr_destroy(&attr);
	return cache;
}

void token_wipe(char *token)
{
	if (!token)
		return;
	explicit_bzero(token, strlen(token));
	free(token);
}

void token_cache_free(struct token_cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct entry *entry = cache->buckets[i], *next; entry; entry = next) {
			next = entry->next;
			token_wipe(entry->token);
			free(entry->fingerprint);
			free(entry->account);
			free(entry);
		}
	}
	pthread_cond_destroy(&cache->changed);
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

/* Entries are never removed: there are no more than accounts were ever used. */
static struct entry *entry_of(struct token_cache *cache, const char *account)
{
	uint32_t hash = 2166136261U; /* FNV-1a */

	for (const char *c = account; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619U;
	struct entry **bucket = &cache->buckets[hash % BUCKETS];

	for (struct entry *entry = *bucket; entry; entry = entry->next) {
		if (strcmp(entry->account, account) == 0)
			return entry;
	}
	struct entry *entry = xcalloc(1, sizeof *entry);

	entry->account = xstrdup(account);
	entry->fingerprint = xstrdup("");
	entry->next = *bucket;
	*bucket = entry;
	return entry;
}

static bool entry_usable(const struct entry *entry, const struct token_request *request)
{
	return entry->token && strcmp(entry->fingerprint, request->fingerprint) == 0 &&
	       clock_mono_ms() < entry->expires_ms;
}

static void entry_store(struct entry *entry, char *token, uint64_t asked_ms, uint64_t life_ms)
{
	token_wipe(entry->token);
	entry->token = token;
	entry->renew_ms = asked_ms + life_ms / 100 * RENEW_PERCENT;
	entry->expires_ms = asked_ms + life_ms / 100 * USE_PERCENT;
}

/* Called and left with the lock held; the vendor is asked without it. */
static char *entry_fetch(struct token_cache *cache, struct entry *entry,
			 const struct token_request *request, struct err *err)
{
	uint64_t asked_ms = clock_mono_ms();
	uint64_t life_ms = 0;
	struct err failure = { 0 };
	char *token = NULL;

	if (strcmp(entry->fingerprint, request->fingerprint) != 0) {
		token_wipe(entry->token);
		entry->token = NULL;
		free(entry->fingerprint);
		entry->fingerprint = xstrdup(request->fingerprint);
	}
	entry->fetching = true;
	pthread_mutex_unlock(&cache->lock);
	bool ok = request->fetch(request->opaque, &token, &life_ms, &failure);
	pthread_mutex_lock(&cache->lock);
	entry->fetching = false;
	entry->round++;
	entry->failed = !ok;
	entry->error = failure;
	pthread_cond_broadcast(&cache->changed);
	if (ok) {
		entry_store(entry, token, asked_ms, life_ms);
		return xstrdup(token);
	}
	if (entry_usable(entry, request)) { /* it was only a renewal */
		entry->renew_ms = clock_mono_ms() + RENEW_AGAIN_MS;
		return xstrdup(entry->token);
	}
	if (err)
		*err = failure;
	return NULL;
}

/* Waits until a fetch ends. False when the deadline came first. */
static bool entry_wait(struct token_cache *cache, uint64_t deadline_ms)
{
	uint64_t now_ms = clock_mono_ms();

	if (now_ms >= deadline_ms)
		return false;

	struct timespec until = clock_mono_after(deadline_ms - now_ms);

	pthread_cond_timedwait(&cache->changed, &cache->lock, &until);
	return true;
}

static char *entry_get(struct token_cache *cache, const struct token_request *request,
		       struct err *err)
{
	struct entry *entry = entry_of(cache, request->account);

	for (;;) {
		if (entry_usable(entry, request) &&
		    (entry->fetching || clock_mono_ms() < entry->renew_ms))
			return xstrdup(entry->token);
		if (!entry->fetching)
			return entry_fetch(cache, entry, request, err);

		uint64_t round = entry->round;
		bool same = strcmp(entry->fingerprint, request->fingerprint) == 0;

		while (entry->round == round) {
			if (!entry_wait(cache, request->deadline_ms)) {
				err_fill(
				    err, ERR_TRANSIENT,
				    "%s: no token in time: another thread still asks for one",
				    request->account);
				return NULL;
			}
		}
		if (same && entry->failed) {
			if (err)
				*err = entry->error;
			return NULL;
		}
	}
}

char *token_get(struct token_cache *cache, const struct token_request *request, struct err *err)
{
	pthread_mutex_lock(&cache->lock);
	char *token = entry_get(cache, request, err);
	pthread_mutex_unlock(&cache->lock);
	return token;
}

void token_drop(struct token_cache *cache, const char *account, const char *token)
{
	pthread_mutex_lock(&cache->lock);
	struct entry *entry = entry_of(cache, account);

	if (entry->token && strcmp(entry->token, token) == 0) {
		token_wipe(entry->token);
		entry->token = NULL;
	}
	pthread_mutex_unlock(&cache->lock);
}
