#ifndef BASE_BACKOFF_H
#define BASE_BACKOFF_H

#include <stdint.h>

/* Full jitter: a uniformly random time in [floor, min(cap, base * 2^attempt)], where floor is
 * the peer's Retry-After (0 for none). A floor above that window is spread over an eighth of
 * itself, so that all who were told the same do not come back at once. attempt counts from 0.
 */
uint64_t backoff_ms(uint64_t base_ms, uint64_t cap_ms, unsigned attempt, uint64_t floor_ms);

/* A uniformly random number in [low, high]; high >= low. Per-thread generator, not for secrets.
 */
uint64_t backoff_random(uint64_t low, uint64_t high);

#endif
