#ifndef VENDOR_PASS_H
#define VENDOR_PASS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Which accounts' gates need not be asked for the next moments, because the last answer said so
 * (bus/gate.h, valid_ms). Saves two round trips a call where there is neither budget nor limit.
 * A cache: what it forgets is asked again. Thread-safe.
 */
struct pass_cache;

struct pass_cache *pass_cache_new(void);
void pass_cache_free(struct pass_cache *cache); /* NULL is fine */
bool pass_cache_valid(struct pass_cache *cache, const char *account);
void pass_cache_keep(struct pass_cache *cache, const char *account, uint64_t until_mono_ms);
void pass_cache_forget(struct pass_cache *cache, const char *account);

#endif
