/* How late a source's events come. */
#include "source/lateness.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

enum { SECOND_MS = 1000 };

static uint64_t bound_ms(unsigned class)
{
	return (uint64_t)SECOND_MS << class;
}

void lateness_note(struct lateness *lateness, uint64_t late_ms)
{
	struct lateness_half *half = &lateness->now;
	unsigned class = 0;

	while (class < LATENESS_CLASSES - 1 && late_ms > bound_ms(class))
		class ++;
	if (half->counts[class] < UINT32_MAX)
		half->counts[class]++;
	if (late_ms > half->max_ms)
		half->max_ms = late_ms;
}

void lateness_add(struct lateness *lateness, const struct lateness *more, uint64_t now_ms)
{
	if (now_ms >= lateness->since_ms + 2 * (uint64_t)LATENESS_HALF_MS) {
		*lateness = (struct lateness){ .since_ms = now_ms };
	} else if (now_ms >= lateness->since_ms + LATENESS_HALF_MS) {
		lateness->before = lateness->now;
		lateness->now = (struct lateness_half){ 0 };
		lateness->since_ms += LATENESS_HALF_MS;
	}
	for (unsigned i = 0; i < LATENESS_CLASSES; i++) {
		uint64_t sum = (uint64_t)lateness->now.counts[i] + more->now.counts[i];

		lateness->now.counts[i] = sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
	}
	if (more->now.max_ms > lateness->now.max_ms)
		lateness->now.max_ms = more->now.max_ms;
}

uint64_t lateness_max_ms(const struct lateness *lateness)
{
	return lateness->now.max_ms > lateness->before.max_ms ? lateness->now.max_ms
							      : lateness->before.max_ms;
}

uint64_t lateness_quantile_ms(const struct lateness *lateness, unsigned permille)
{
	uint64_t total = 0, within = 0, max_ms = lateness_max_ms(lateness);

	for (unsigned i = 0; i < LATENESS_CLASSES; i++)
		total += (uint64_t)lateness->now.counts[i] + lateness->before.counts[i];
	if (total == 0)
		return 0;
	for (unsigned i = 0; i < LATENESS_CLASSES - 1; i++) {
		within += (uint64_t)lateness->now.counts[i] + lateness->before.counts[i];
		if (within * 1000 >= total * permille)
			return bound_ms(i) < max_ms ? bound_ms(i) : max_ms;
	}
	return max_ms;
}

/* ---- as text: "1 <since> <max> <counts...> <max> <counts...>" ---- */

static int write_half(char *text, size_t room, const struct lateness_half *half)
{
	int size = snprintf(text, room, " %" PRIu64, half->max_ms);

	for (unsigned i = 0; i < LATENESS_CLASSES; i++)
		size +=
		    snprintf(text + size, room - (size_t)size, " %" PRIu32, half->counts[i]);
	return size;
}

const char *lateness_encode(const struct lateness *lateness, struct arena *arena)
{
	char text[LATENESS_TEXT_MAX];
	int size = snprintf(text, sizeof text, "1 %" PRIu64, lateness->since_ms);

	size += write_half(text + size, sizeof text - (size_t)size, &lateness->now);
	write_half(text + size, sizeof text - (size_t)size, &lateness->before);
	return arena_strdup(arena, text);
}

/* One number and what separates it from the next. */
static bool read_number(const char **at, uint64_t max, uint64_t *ret_number)
{
	char *end;

	if (**at < '0' || **at > '9')
		return false;
	*ret_number = strtoull(*at, &end, 10);
	*at = *end == ' ' ? end + 1 : end;
	return *ret_number <= max && (*end == ' ' || *end == '\0');
}

static bool read_half(const char **at, struct lateness_half *ret_half)
{
	uint64_t count;

	if (!read_number(at, UINT64_MAX / 4, &ret_half->max_ms))
		return false;
	for (unsigned i = 0; i < LATENESS_CLASSES; i++) {
		if (!read_number(at, UINT32_MAX, &count))
			return false;
		ret_half->counts[i] = (uint32_t)count;
	}
	return true;
}

void lateness_decode(struct lateness *ret_lateness, const char *text)
{
	struct lateness read = { 0 };
	uint64_t version;

	*ret_lateness = (struct lateness){ 0 };
	if (strlen(text) < LATENESS_TEXT_MAX && read_number(&text, 1, &version) &&
	    version == 1 && read_number(&text, UINT64_MAX / 4, &read.since_ms) &&
	    read_half(&text, &read.now) && read_half(&text, &read.before) && *text == '\0')
		*ret_lateness = read;
}
