/* Operators' texts, as editions. */
#include "service/programs.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"
#include "bus/key.h"
#include "bus/redis.h"
#include "service/editions.h"

static void *read_set(const struct redis_reply *hash, struct err *err)
{
	struct program_set *set = program_set_new();

	(void)err;
	for (size_t i = 0; i + 1 < reply_count(hash); i += 2) {
		const char *name = reply_text(reply_at(hash, i));
		const struct redis_reply *value = reply_at(hash, i + 1);

		if (name[0] != '#' &&
		    !program_set_add(set, name, reply_text(value), reply_size(value)))
			log_warn(KEY_PROGRAMS " %s is too large and left out", name);
	}
	return set;
}

static void free_set(void *set)
{
	program_set_free(set);
}

static const struct edition_kind kind = {
	.key = KEY_PROGRAMS,
	.name = "programs",
	.missing = "no programs yet: setup has not published them",
	.read = read_set,
	.free = free_set,
};

struct programs {
	struct editions *editions;
};

struct programs *programs_new(void)
{
	struct programs *programs = xcalloc(1, sizeof *programs);

	programs->editions = editions_new(&kind);
	return programs;
}

void programs_free(struct programs *programs)
{
	if (!programs)
		return;
	editions_free(programs->editions);
	free(programs);
}

const struct program_set *programs_get(struct programs *programs, struct redis *redis,
				       uint64_t *ret_version, struct err *err)
{
	const struct program_set *set = editions_get(programs->editions, redis, err);

	if (set)
		*ret_version = editions_version(programs->editions, set);
	return set;
}

void programs_put(struct programs *programs, const struct program_set *set)
{
	editions_put(programs->editions, set);
}

void programs_look_again(struct programs *programs)
{
	editions_look_again(programs->editions);
}
