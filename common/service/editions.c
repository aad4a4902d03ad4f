/* Editions of a hash, counted: whoever works with one keeps it alive. */
#include "service/editions.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "bus/redis.h"

enum { LOOK_MS = 1000 };

struct edition {
	void *content;
	uint64_t version;
	unsigned users;
	struct edition *older; /* all that are still in use */
};

struct editions {
	const struct edition_kind *kind;
	pthread_mutex_t lock;
	struct edition *current;  /* and, behind it, the older ones */
	uint64_t refused_version; /* complained about already */
	uint64_t looked_mono_ms;  /* 0: look now */
	bool looking;		  /* a thread is asking Redis */
};

struct editions *editions_new(const struct edition_kind *kind)
{
	struct editions *editions = xcalloc(1, sizeof *editions);

	editions->kind = kind;
	pthread_mutex_init(&editions->lock, NULL);
	return editions;
}

static void edition_free(struct editions *editions, struct edition *edition)
{
	if (!edition)
		return;
	editions->kind->free(edition->content);
	free(edition);
}

void editions_free(struct editions *editions)
{
	if (!editions)
		return;
	while (editions->current) {
		struct edition *older = editions->current->older;

		edition_free(editions, editions->current);
		editions->current = older;
	}
	pthread_mutex_destroy(&editions->lock);
	free(editions);
}

/* ---- reading ---- */

static bool read_version(struct editions *editions, struct redis *redis, uint64_t *ret_version,
			 struct err *err)
{
	struct redis_reply *reply =
	    redis_command(redis, err, "HGET %s #version", editions->kind->key);

	if (!reply)
		return false;
	int64_t version = reply_integer(reply);

	reply_free(reply);
	if (version <= 0)
		return err_set(err, ERR_TRANSIENT, "%s", editions->kind->missing);
	*ret_version = (uint64_t)version;
	return true;
}

static void publish(struct editions *editions, void *content, uint64_t version)
{
	struct edition *edition = xcalloc(1, sizeof *edition), *unused = NULL;

	edition->content = content;
	edition->version = version;
	pthread_mutex_lock(&editions->lock);
	edition->older = editions->current;
	if (edition->older && edition->older->users == 0) {
		unused = edition->older;
		edition->older = unused->older;
	}
	editions->current = edition;
	pthread_mutex_unlock(&editions->lock);
	edition_free(editions, unused);
	log_info("%s of version %llu", editions->kind->name, (unsigned long long)version);
}

static void refuse(struct editions *editions, uint64_t version, struct err *err)
{
	pthread_mutex_lock(&editions->lock);
	bool news = editions->refused_version != version;

	editions->refused_version = version;
	pthread_mutex_unlock(&editions->lock);
	if (news)
		log_warn("%s of version %llu are not readable, the last ones stay: %s",
			 editions->kind->name, (unsigned long long)version, err->text);
	err->kind = ERR_TRANSIENT;
}

static void refresh(struct editions *editions, struct redis *redis, uint64_t known,
		    struct err *err)
{
	uint64_t version;

	if (!read_version(editions, redis, &version, err) || version == known)
		return;
	struct redis_reply *hash = redis_command(redis, err, "HGETALL %s", editions->kind->key);
	if (!hash)
		return;
	/* The version that came with the rest, should setup have been at it in between. */
	version = (uint64_t)reply_integer(reply_find(hash, "#version"));
	void *content = editions->kind->read(hash, err);

	reply_free(hash);
	if (content)
		publish(editions, content, version);
	else
		refuse(editions, version, err);
}

/* ---- using ---- */

const void *editions_get(struct editions *editions, struct redis *redis, struct err *err)
{
	uint64_t now = clock_mono_ms();
	const void *content = NULL;
	struct err ignored;

	pthread_mutex_lock(&editions->lock);
	bool due = editions->looked_mono_ms == 0 || now >= editions->looked_mono_ms + LOOK_MS;
	bool mine = !editions->current || (!editions->looking && due);
	uint64_t known = editions->current ? editions->current->version : 0;
	if (mine)
		editions->looking = true;
	pthread_mutex_unlock(&editions->lock);

	if (mine)
		refresh(editions, redis, known, err ? err : &ignored);

	pthread_mutex_lock(&editions->lock);
	if (mine) {
		editions->looking = false;
		editions->looked_mono_ms = now;
	}
	if (editions->current) {
		editions->current->users++;
		content = editions->current->content;
	}
	pthread_mutex_unlock(&editions->lock);
	return content;
}

/* Where the list has it; with the lock held. */
static struct edition **find(struct editions *editions, const void *content)
{
	struct edition **at = &editions->current;

	while (*at && (*at)->content != content)
		at = &(*at)->older;
	return at;
}

uint64_t editions_version(struct editions *editions, const void *content)
{
	pthread_mutex_lock(&editions->lock);
	const struct edition *edition = *find(editions, content);
	uint64_t version = edition ? edition->version : 0;

	pthread_mutex_unlock(&editions->lock);
	return version;
}

void editions_put(struct editions *editions, const void *content)
{
	struct edition *unused = NULL;

	pthread_mutex_lock(&editions->lock);
	struct edition **at = find(editions, content);
	if (*at && --(*at)->users == 0 && *at != editions->current) {
		unused = *at;
		*at = unused->older;
	}
	pthread_mutex_unlock(&editions->lock);
	edition_free(editions, unused);
}

void editions_look_again(struct editions *editions)
{
	pthread_mutex_lock(&editions->lock);
	editions->looked_mono_ms = 0;
	pthread_mutex_unlock(&editions->lock);
}
