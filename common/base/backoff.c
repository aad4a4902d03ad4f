#include "base/backoff.h"

#include <stdbool.h>
#include <sys/random.h>
#include <time.h>

/* splitmix64: small, fast, good enough to spread retries. */
static uint64_t random_word(void)
{
	static _Thread_local uint64_t state;
	static _Thread_local bool seeded;

	if (!seeded) {
		if (getrandom(&state, sizeof state, GRND_NONBLOCK) != sizeof state) {
			struct timespec now;
			clock_gettime(CLOCK_MONOTONIC, &now);
			state = (uint64_t)now.tv_nsec ^ (uint64_t)(uintptr_t)&state;
		}
		seeded = true;
	}
	uint64_t word = state += 0x9e3779b97f4a7c15U;
	word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9U;
	word = (word ^ (word >> 27)) * 0x94d049bb133111ebU;
	return word ^ (word >> 31);
}

uint64_t backoff_random(uint64_t low, uint64_t high)
{
	uint64_t span = high - low + 1;

	if (span == 0)
		return random_word();
	/* Words below the remainder of 2^64 / span would favour small results. */
	uint64_t remainder = (UINT64_MAX - span + 1) % span;
	uint64_t word;
	do
		word = random_word();
	while (word < remainder);
	return low + word % span;
}

uint64_t backoff_ms(uint64_t base_ms, uint64_t cap_ms, unsigned attempt, uint64_t floor_ms)
{
	uint64_t window = base_ms;

	while (attempt-- > 0 && window < cap_ms && window > 0)
		window = window > cap_ms / 2 ? cap_ms : window * 2;
	if (window > cap_ms)
		window = cap_ms;
	uint64_t spread = floor_ms / 8;
	uint64_t least = floor_ms > UINT64_MAX - spread ? UINT64_MAX : floor_ms + spread;
	if (window < least)
		window = least;
	return backoff_random(floor_ms, window);
}
