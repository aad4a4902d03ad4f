/*
 * The sets are counted like the roster's directories: whoever works with one keeps it alive.
 */
#include "service/programs.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "bus/key.h"
#include "bus/redis.h"

enum { LOOK_MS = 1000 };

struct edition {
	struct program_set *set;
	uint64_t version;
	unsigned users;
	struct edition *older; /* all that are still in use */
};

struct programs {
	pthread_mutex_t lock;
	struct edition *current; /* and, behind it, the older ones */
	uint64_t looked_mono_ms;
	bool looking; /* a thread is asking Redis */
};

struct programs *programs_new(void)
{
	struct programs *programs = xcalloc(1, sizeof *programs);

	pthread_mutex_init(&programs->lock, NULL);
	return programs;
}

static void edition_free(struct edition *edition)
{
	program_set_free(edition->set);
	free(edition);
}

void programs_free(struct programs *programs)
{
	if (!programs)
		return;
	while (programs->current) {
		struct edition *older = programs->current->older;

		edition_free(programs->current);
		programs->current = older;
	}
	pthread_mutex_destroy(&programs->lock);
	free(programs);
}

/* ---- reading ---- */

static bool read_version(struct redis *redis, uint64_t *ret_version, struct err *err)
{
	struct redis_reply *reply = redis_command(redis, err, "HGET %s #version", KEY_PROGRAMS);

	if (!reply)
		return false;
	int64_t version = reply_integer(reply);

	reply_free(reply);
	if (version <= 0)
		return err_set(err, ERR_TRANSIENT,
			       "no programs yet: setup has not published them");
	*ret_version = (uint64_t)version;
	return true;
}

static struct program_set *read_set(const struct redis_reply *all)
{
	struct program_set *set = program_set_new();

	for (size_t i = 0; i + 1 < reply_count(all); i += 2) {
		const char *name = reply_text(reply_at(all, i));
		const struct redis_reply *value = reply_at(all, i + 1);

		if (name[0] != '#' &&
		    !program_set_add(set, name, reply_text(value), reply_size(value)))
			log_warn(KEY_PROGRAMS " %s is too large and left out", name);
	}
	return set;
}

static void publish(struct programs *programs, struct program_set *set, uint64_t version)
{
	struct edition *edition = xcalloc(1, sizeof *edition);

	size_t count = program_set_count(set); /* afterwards others may free it */

	edition->set = set;
	edition->version = version;
	pthread_mutex_lock(&programs->lock);
	struct edition *old = programs->current;
	if (old && old->users == 0) {
		edition->older = old->older;
		edition_free(old);
	} else {
		edition->older = old;
	}
	programs->current = edition;
	pthread_mutex_unlock(&programs->lock);
	log_info("programs of version %llu: %zu", (unsigned long long)version, count);
}

static bool refresh(struct programs *programs, struct redis *redis, uint64_t known,
		    struct err *err)
{
	uint64_t version;

	if (!read_version(redis, &version, err))
		return false;
	if (version == known)
		return true;
	struct redis_reply *all = redis_command(redis, err, "HGETALL %s", KEY_PROGRAMS);
	if (!all)
		return false;
	/* The version that came with the texts, should setup have been at it in between. */
	version = (uint64_t)reply_integer(reply_find(all, "#version"));
	publish(programs, read_set(all), version);
	reply_free(all);
	return true;
}

const struct program_set *programs_get(struct programs *programs, struct redis *redis,
				       uint64_t *ret_version, struct err *err)
{
	const struct program_set *set = NULL;
	uint64_t now = clock_mono_ms();

	pthread_mutex_lock(&programs->lock);
	bool mine = !programs->current ||
		    (!programs->looking && (programs->looked_mono_ms == 0 ||
					    now >= programs->looked_mono_ms + LOOK_MS));
	uint64_t known = programs->current ? programs->current->version : 0;
	if (mine)
		programs->looking = true;
	pthread_mutex_unlock(&programs->lock);

	if (mine)
		refresh(programs, redis, known, err);

	pthread_mutex_lock(&programs->lock);
	if (mine) {
		programs->looking = false;
		programs->looked_mono_ms = now;
	}
	if (programs->current) {
		programs->current->users++;
		set = programs->current->set;
		*ret_version = programs->current->version;
	}
	pthread_mutex_unlock(&programs->lock);
	return set;
}

void programs_look_again(struct programs *programs)
{
	pthread_mutex_lock(&programs->lock);
	programs->looked_mono_ms = 0;
	pthread_mutex_unlock(&programs->lock);
}

void programs_put(struct programs *programs, const struct program_set *set)
{
	struct edition **at, *unused = NULL;

	if (!set)
		return;
	pthread_mutex_lock(&programs->lock);
	for (at = &programs->current; *at && (*at)->set != set; at = &(*at)->older)
		;
	if (*at && --(*at)->users == 0 && *at != programs->current) {
		unused = *at;
		*at = unused->older;
	}
	pthread_mutex_unlock(&programs->lock);
	if (unused)
		edition_free(unused);
}
