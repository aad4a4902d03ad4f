#ifndef BUS_WORKER_H
#define BUS_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/field.h"
#include "bus/entry.h"
#include "bus/key.h"

struct arena;
struct bus;
struct redis;
struct settle_from;

/* One thread = one consumer = one connection = one stream. It reads entries, has them handled,
 * and settles them in one step; the handler says what becomes of each. */
struct worker_thread;

enum outcome_kind {
	OUTCOME_UNDECIDED, /* a handler must not leave it so: put off, and an error logged */
	OUTCOME_DONE,	   /* nothing to publish */
	OUTCOME_PUBLISH,   /* fields to the worker's output */
	OUTCOME_DEFER,
	OUTCOME_BURY,	 /* proved to be this entry's own fault */
	OUTCOME_RELEASE, /* back to the stream uncounted: we are stopping */
	OUTCOME_SETTLED, /* the handler has settled it itself (bus/saga.h) */
};

/* Zeroed before the handler sees it. Strings and fields live in worker_arena() or longer. */
struct outcome {
	enum outcome_kind kind;
	const struct field *fields; /* PUBLISH; DONE: only kept */
	size_t field_count;
	bool keep;	      /* PUBLISH: in STREAM_RECENT as well */
	const char *fate_key; /* DONE, PUBLISH, BURY; NULL: no fate is written */
	const char *fate;     /* DONE, PUBLISH ("queued", "skipped:<why>") */
	const char *reason;   /* DEFER, BURY: for people, kept with the entry */
	uint64_t delay_ms;    /* DEFER: at least this long; counted ones back off on top */
	bool uncounted;	      /* DEFER: nothing was tried (parked, no slot): does not age */
	bool ageless;	      /* DEFER: never give up (closing, undo) */
};

/* DEFER for transient and account errors (the latter uncounted), BURY for permanent ones,
 * RELEASE when stopping. Borrows err->text into the thread's arena. */
void outcome_from_error(struct worker_thread *self, const struct err *err,
			struct outcome *ret_outcome);

/* Handles count entries (at most the spec's batch), fills outcomes[i] for entries[i]. */
typedef void worker_handle(struct worker_thread *self, const struct entry *entries,
			   struct outcome *outcomes, size_t count);

struct worker_spec {
	const char *stream; /* STREAM_... */
	const char *output; /* NULL for a sink */
	unsigned partition;
	unsigned threads;
	unsigned batch; /* most entries at once; 1 for work that waits for a network */
	worker_handle *handle;
	const void *state; /* shared by all threads, only read; outlives the bus */
	/* Per-thread state, opened in the thread before its first entry; NULL, NULL for none.
	 */
	bool (*open)(struct worker_thread *self, void **ret_local, struct err *err);
	void (*close)(void *local);
	/* The fate of an entry that is buried without the handler (poison, age); NULL: none has
	 * one. False: this one has none. */
	bool (*fate)(const struct entry *entry, unsigned partition, struct key *ret_key);
	size_t stack_bytes; /* 0: 256 KiB */
	/* How much of what is to be kept is in STREAM_RECENT: about so many, no longer than so.
	 * 0: nothing is. */
	unsigned recent_count;
	uint64_t recent_ms;
};

/* Before bus_start(). spec is copied. */
void worker_add(struct bus *bus, const struct worker_spec *spec);

/* For handlers, in their own thread. */
const void *worker_state(const struct worker_thread *self);
void *worker_local(const struct worker_thread *self);
struct redis *worker_redis(struct worker_thread *self);
struct arena *worker_arena(
    struct worker_thread *self); /* reset before each call of the handler */
const char *worker_consumer(const struct worker_thread *self); /* also the owner of holds */
unsigned worker_partition(const struct worker_thread *self);
/* Keys, consumer and fate retention for the functions of bus/saga.h and bus/settle.h. */
const struct settle_from *worker_from(const struct worker_thread *self);

/* Start nothing new: the process is stopping. */
bool worker_stopping(const struct worker_thread *self);
/* Sleeps, with what is in hand; shorter when the process is told to stop. */
void worker_wait(struct worker_thread *self, uint64_t ms);
/* What is in hand may be another's by now (taken over, or no heartbeat went through for too
 * long): have no further effect outside, return. */
bool worker_lost(const struct worker_thread *self);
/* A step was made: liveness counts from now, and heartbeats go on. */
void worker_progress(struct worker_thread *self);
/* A call that may have effects starts, or started, at this wall time: should the entry be
 * handed back, then not before quarantine is over. 0 withdraws it. */
void worker_intent(struct worker_thread *self, uint64_t intent_wall_ms);

#endif
