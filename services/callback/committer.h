#ifndef CALLBACK_COMMITTER_H
#define CALLBACK_COMMITTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "bus/bus.h"
#include "bus/page.h"
#include "net/httpd.h"

struct arena;
struct metric;
struct service;

/*
 * How requests become durable. A handler makes a commit, fills it, submits it and returns
 * HTTPD_PENDING: the request sleeps. A thread gathers what waits and appends it in one
 * function call: one round trip and one fsync for many requests. Then each commit's end() gives
 * the answer and the request is sent on its way. A Redis that restarts meanwhile is waited for
 * until the commit's time is up; what was appended before is found by its nonce and fates.
 */
enum commit_result {
	COMMIT_DURABLE,	    /* answers[] say what became of each item */
	COMMIT_FULL,	    /* Redis takes no more until something drains */
	COMMIT_UNAVAILABLE, /* perhaps appended, perhaps not: the sender must repeat */
};

struct commit {
	struct httpd_exchange *exchange;
	struct arena *arena; /* of this commit: what items point to lives here or in the
			      * exchange */
	struct key stream;
	struct append_item *items; /* in the order given: a nonce that several share is taken
				    * (nonce_ttl_ms) by the last */
	size_t item_count;
	enum append_answer *answers;
	/* Gives the answer with httpd_answer(); called once, by a thread of the committer's. */
	void (*end)(struct commit *commit, enum commit_result result);
	void *state; /* for end() */

	uint64_t deadline_ms; /* private, like the next */
	struct commit *next;
};

/* For stream (STREAM_RAW ...) of a partition, with room for that many items, zeroed. end is
 * commit_answer unless replaced. */
struct commit *commit_new(struct httpd_exchange *exchange, unsigned partition,
			  const char *stream, size_t item_count);
/* For one that is not submitted. */
void commit_free(struct commit *commit);
/* The next step of the trace that the request came with (`traceparent`), or of a new one: for
 * an item's field `trace`. Lives in the commit's arena. */
const char *commit_trace(struct commit *commit);

/* The usual end: 202 {"accepted": n, "duplicate": n}, 409 when a nonce was taken for something
 * else, 503 with Retry-After. */
void commit_answer(struct commit *commit, enum commit_result result);

struct committer;

struct committer *committer_new(const struct bus_settings *settings, struct service *service,
				struct err *err);
/* Takes the commit over. Return what it returns: PENDING, or DONE when too much waits already
 * and 503 was answered. */
enum httpd_outcome committer_submit(struct committer *committer, struct commit *commit);
/* Whether the last attempt went well; ret_text (SERVICE_TEXT_SIZE bytes) says why not. */
bool committer_ready(void *committer, char *ret_text);
/* Makes a last attempt at what waits, ends the rest with COMMIT_UNAVAILABLE, and the thread. To
 * be called before service_finish(); what is submitted after is unavailable at once. */
void committer_stop(struct committer *committer);
void committer_free(struct committer *committer); /* stopped; NULL is fine */

/* NULL-terminated. */
extern struct metric *const committer_metrics[];

#endif
