#ifndef VENDOR_PASS_H
#define VENDOR_PASS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What this process knows of the accounts' gates for the next moments. That one need not be
 * asked, because the last answer said so (bus/gate.h, valid_ms): saves two round trips a call
 * where there is neither budget nor limit. And which thread was let through to try a parked
 * account and has proved nothing yet. A cache: what it forgets is asked again. Thread-safe.
 */
struct pass_cache;

struct pass_cache *pass_cache_new(void);
void pass_cache_free(struct pass_cache *cache); /* NULL is fine */
bool pass_cache_valid(struct pass_cache *cache, const char *account);
void pass_cache_keep(struct pass_cache *cache, const char *account, uint64_t until_mono_ms);

/* who stands for a thread: the address of something that is its own. */
bool pass_cache_trying(struct pass_cache *cache, const char *account, const void *who);
void pass_cache_try(struct pass_cache *cache, const char *account, const void *who,
		    uint64_t until_mono_ms);

/* Both. */
void pass_cache_forget(struct pass_cache *cache, const char *account);

#endif
