#ifndef VENDOR_TOKEN_H
#define VENDOR_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Bearer tokens of one process, one per account. One thread fetches, the others wait for it and
 * share what it learns, an error too: bad credentials must not be tried by every thread at once
 * (vendors lock accounts). After 80 % of a token's life one thread renews it while the others
 * go on with the old one. Thread-safe.
 */
struct token_cache;

struct token_cache *token_cache_new(void);
void token_cache_free(struct token_cache *cache); /* nobody may be waiting; tokens are wiped */

/* Asks the vendor. ret_token is a malloc'd text that the cache takes over. */
typedef bool token_fetch(void *opaque, char **ret_token, uint64_t *ret_life_ms,
			 struct err *err);

struct token_request {
	const char *account;	 /* id */
	const char *fingerprint; /* of the credentials: another one makes a held token stale */
	uint64_t deadline_ms; /* clock_mono_ms(): no longer wait for another thread's fetch */
	token_fetch *fetch;
	void *opaque;
};

/* A copy for this caller; wiped and freed with token_wipe(). NULL with err filled. */
char *token_get(struct token_cache *cache, const struct token_request *request,
		struct err *err);
/* The vendor refused exactly this one: the next token_get() asks for a new one, unless another
 * thread has already. */
void token_drop(struct token_cache *cache, const char *account, const char *token);
void token_wipe(char *token); /* NULL is fine */

#endif
