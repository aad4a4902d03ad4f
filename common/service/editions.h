#ifndef SERVICE_EDITIONS_H
#define SERVICE_EDITIONS_H

#include <stdint.h>

#include "base/err.h"

struct redis;
struct redis_reply;

/*
 * A hash that setup publishes, as this process last read it. It is looked at at most once a
 * second and read again only when its field "#version" changed; the new edition replaces the
 * old one as a whole, which lives on until its last user has put it back, so that nothing
 * changes in the middle of a call. A hash that cannot be read leaves the old one in place.
 * Thread-safe.
 */
struct edition_kind {
	const char *key;     /* of the hash */
	const char *name;    /* "customers", for people */
	const char *missing; /* said while there is none: "no customers yet: ..." */
	/* What the whole hash comes to; NULL with err when it is not readable. */
	void *(*read)(const struct redis_reply *hash, struct err *err);
	void (*free)(void *content); /* NULL is fine */
};

struct editions;

struct editions *editions_new(const struct edition_kind *kind); /* borrowed */
void editions_free(struct editions *editions); /* nobody may hold any more; NULL is fine */

/* Loads or refreshes when it is time, on the caller's connection. NULL with err (transient)
 * when nothing was ever read. Give it back with editions_put(). */
const void *editions_get(struct editions *editions, struct redis *redis, struct err *err);
void editions_put(struct editions *editions, const void *content); /* NULL is fine */

/* Of an edition in hand. */
uint64_t editions_version(struct editions *editions, const void *content);

/* Something is missing that may have been published since: the next editions_get() looks. */
void editions_look_again(struct editions *editions);

#endif
