/*
 * Customers as setup last applied them. Editions are immutable and counted: whoever works with
 * one keeps it alive, so that a customer does not change in the middle of a call.
 */
#include "service/roster.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "bus/key.h"
#include "bus/redis.h"

enum { LOOK_MS = 1000 };

struct edition {
	struct directory *directory;
	unsigned users;
	struct edition *older; /* all that are still in use */
};

struct roster {
	pthread_mutex_t lock;
	struct edition *current;  /* and, behind it, the older ones */
	uint64_t version;	  /* of current */
	uint64_t refused_version; /* complained about already */
	uint64_t looked_mono_ms;
	bool looking; /* a thread is asking Redis */
};

struct roster *roster_new(void)
{
	struct roster *roster = xcalloc(1, sizeof(*roster));

	pthread_mutex_init(&roster->lock, NULL);
	return roster;
}

static void edition_free(struct edition *edition)
{
	directory_free(edition->directory);
	free(edition);
}

void roster_free(struct roster *roster)
{
	if (!roster)
		return;
	while (roster->current) {
		struct edition *older = roster->current->older;

		edition_free(roster->current);
		roster->current = older;
	}
	pthread_mutex_destroy(&roster->lock);
	free(roster);
}

uint64_t roster_version(struct roster *roster)
{
	pthread_mutex_lock(&roster->lock);
	uint64_t version = roster->version;

	pthread_mutex_unlock(&roster->lock);
	return version;
}

/* ---- reading ---- */

static bool record_add(struct directory *directory, const char *id, const char *text,
		       size_t size, struct err *err)
{
	char where[128];

	snprintf(where, sizeof(where), KEY_CUSTOMERS " %s", id);
	if (id[0] == '@') {
		struct account *account = account_decode(text, size, where, err);

		if (account)
			directory_add_account(directory, account);
		return account != NULL;
	}
	struct customer *customer = customer_decode(text, size, where, err);

	if (customer)
		directory_add_customer(directory, customer);
	return customer != NULL;
}

static struct directory *directory_read(const struct redis_reply *all, struct err *err)
{
	struct directory *directory = directory_new();

	for (size_t i = 0; i + 1 < reply_count(all); i += 2) {
		const char *id = reply_text(reply_at(all, i));
		const struct redis_reply *value = reply_at(all, i + 1);

		if (id[0] == '#')
			continue;
		if (!record_add(directory, id, reply_text(value), reply_size(value), err))
			goto fail;
	}
	if (directory_check(directory, err))
		return directory;
fail:
	directory_free(directory);
	return NULL;
}

static bool version_read(struct redis *redis, uint64_t *ret_version, struct err *err)
{
	struct redis_reply *reply =
	    redis_command(redis, err, "HGET %s #version", KEY_CUSTOMERS);

	if (!reply)
		return false;
	int64_t version = reply_integer(reply);

	reply_free(reply);
	if (version <= 0)
		return err_set(err, ERR_TRANSIENT,
			       "no customers yet: setup has not applied them");
	*ret_version = (uint64_t)version;
	return true;
}

/* ---- editions ---- */

static void edition_publish(struct roster *roster, struct directory *directory,
			    uint64_t version)
{
	struct edition *edition = xcalloc(1, sizeof(*edition)), *old;

	edition->directory = directory;
	pthread_mutex_lock(&roster->lock);
	old = roster->current;
	if (old && old->users == 0) {
		edition->older = old->older;
		edition_free(old);
	} else {
		edition->older = old;
	}
	roster->current = edition;
	roster->version = version;
	pthread_mutex_unlock(&roster->lock);
}

static bool refresh(struct roster *roster, struct redis *redis, uint64_t known, struct err *err)
{
	struct redis_reply *all;
	struct directory *directory;
	uint64_t version;

	if (!version_read(redis, &version, err))
		return false;
	if (version == known)
		return true;
	all = redis_command(redis, err, "HGETALL %s", KEY_CUSTOMERS);
	if (!all)
		return false;
	/* The version that came with the records, should setup have been at it in between. */
	version = (uint64_t)reply_integer(reply_find(all, "#version"));
	directory = directory_read(all, err);
	reply_free(all);
	if (!directory) {
		pthread_mutex_lock(&roster->lock);
		bool news = roster->refused_version != version;

		roster->refused_version = version;
		pthread_mutex_unlock(&roster->lock);
		if (news)
			log_warn("customers of version %llu are not readable, the last ones "
				 "stay: %s",
				 (unsigned long long)version, err->text);
		err->kind = ERR_TRANSIENT;
		return false;
	}
	edition_publish(roster, directory, version);
	return true;
}

const struct directory *roster_get(struct roster *roster, struct redis *redis, struct err *err)
{
	const struct directory *directory = NULL;
	uint64_t now = clock_mono_ms();
	struct err ignored;

	pthread_mutex_lock(&roster->lock);
	bool mine =
	    !roster->current || (!roster->looking && now >= roster->looked_mono_ms + LOOK_MS);
	uint64_t known = roster->current ? roster->version : 0;

	if (mine)
		roster->looking = true;
	pthread_mutex_unlock(&roster->lock);

	if (mine)
		refresh(roster, redis, known, err ? err : &ignored);

	pthread_mutex_lock(&roster->lock);
	if (mine) {
		roster->looking = false;
		roster->looked_mono_ms = now;
	}
	if (roster->current) {
		roster->current->users++;
		directory = roster->current->directory;
	}
	pthread_mutex_unlock(&roster->lock);
	return directory;
}

void roster_put(struct roster *roster, const struct directory *directory)
{
	struct edition **at, *unused = NULL;

	if (!directory)
		return;
	pthread_mutex_lock(&roster->lock);
	for (at = &roster->current; *at && (*at)->directory != directory; at = &(*at)->older)
		;
	if (*at && --(*at)->users == 0 && *at != roster->current) {
		unused = *at;
		*at = unused->older;
	}
	pthread_mutex_unlock(&roster->lock);
	if (unused)
		edition_free(unused);
}
