#ifndef SOURCE_LATENESS_H
#define SOURCE_LATENESS_H

#include <stdbool.h>
#include <stdint.h>

struct arena;

/*
 * How late a source's events come, vendor's time to our first sight: counts in classes that
 * double, for the half day that runs and the one before it. So it speaks of the last 12 to 24
 * hours and forgets by itself.
 */
enum {
	LATENESS_CLASSES = 22, /* up to 1 s, 2 s, 4 s ... 12 days; the last holds the rest */
	LATENESS_HALF_MS = 12 * 60 * 60 * 1000,
	LATENESS_TEXT_MAX = 1024,
};

struct lateness_half {
	uint64_t max_ms;
	uint32_t counts[LATENESS_CLASSES];
};

struct lateness {
	uint64_t since_ms; /* when the half day that runs began; 0: nothing was counted yet */
	struct lateness_half now, before;
};

/* Counts one new event that came late_ms after its own time. */
void lateness_note(struct lateness *lateness, uint64_t late_ms);
/* Adds what was noted in more, and forgets what is too old at now_ms. */
void lateness_add(struct lateness *lateness, const struct lateness *more, uint64_t now_ms);

uint64_t lateness_max_ms(const struct lateness *lateness);
/* The least bound of a class that permille of the events keep, never above the maximum; 0: no
 * events. */
uint64_t lateness_quantile_ms(const struct lateness *lateness, unsigned permille);

/* As one field of a hash; anything malformed reads as nothing counted. */
const char *lateness_encode(const struct lateness *lateness, struct arena *arena);
void lateness_decode(struct lateness *ret_lateness, const char *text);

#endif
