/* A direct-mapped table: one place per hash, the later name wins. */
#include "memo.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"

struct place {
	char *name; /* NULL while empty */
	char *value;
	uint64_t until_ms; /* monotonic */
};

struct memo {
	pthread_mutex_t lock;
	uint64_t ttl_ms;
	size_t count;
	struct place *places;
};

struct memo *memo_new(size_t places, uint64_t ttl_ms)
{
	struct memo *memo = xcalloc(1, sizeof(*memo));

	pthread_mutex_init(&memo->lock, NULL);
	memo->ttl_ms = ttl_ms;
	memo->count = places;
	memo->places = xcalloc(places, sizeof(memo->places[0]));
	return memo;
}

static void place_clear(struct place *place)
{
	free(place->name);
	free(place->value);
	*place = (struct place){ 0 };
}

void memo_free(struct memo *memo)
{
	if (!memo)
		return;
	for (size_t i = 0; i < memo->count; i++)
		place_clear(&memo->places[i]);
	pthread_mutex_destroy(&memo->lock);
	free(memo->places);
	free(memo);
}

/* FNV-1a */
static struct place *place_of(struct memo *memo, const char *name)
{
	uint64_t hash = 14695981039346656037ULL;

	for (const char *c = name; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 1099511628211ULL;
	return &memo->places[hash % memo->count];
}

static bool holds(const struct place *place, const char *name)
{
	return place->name && strcmp(place->name, name) == 0 &&
	       place->until_ms > clock_mono_ms();
}

static void place_set(const struct memo *memo, struct place *place, const char *name,
		      const char *value)
{
	place_clear(place);
	place->name = xstrdup(name);
	place->value = xstrdup(value);
	place->until_ms = clock_mono_ms() + memo->ttl_ms;
}

const char *memo_get(struct memo *memo, const char *name, struct arena *arena)
{
	const char *value = NULL;

	pthread_mutex_lock(&memo->lock);
	const struct place *place = place_of(memo, name);

	if (holds(place, name))
		value = arena_strdup(arena, place->value);
	pthread_mutex_unlock(&memo->lock);
	return value;
}

void memo_set(struct memo *memo, const char *name, const char *value)
{
	pthread_mutex_lock(&memo->lock);
	place_set(memo, place_of(memo, name), name, value);
	pthread_mutex_unlock(&memo->lock);
}

bool memo_add(struct memo *memo, const char *name)
{
	pthread_mutex_lock(&memo->lock);
	struct place *place = place_of(memo, name);
	bool news = !holds(place, name);

	if (news)
		place_set(memo, place, name, "");
	pthread_mutex_unlock(&memo->lock);
	return news;
}
