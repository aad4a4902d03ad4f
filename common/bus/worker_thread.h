#ifndef BUS_WORKER_THREAD_H
#define BUS_WORKER_THREAD_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/metric.h"
#include "bus/bus.h"
#include "bus/redis.h"
#include "bus/settle.h"
#include "bus/worker.h"

/* Private to the bus: what the threads of a process and their keeper share. */

enum { ENTRY_ID_SIZE = 48, STALE_MAX = 128, DELIVERIES_MAX = 3, ENTRY_FIELDS_MAX = 1500 };

/* An entry that may be taken over, as the keeper saw it; whoever claims it first has it. */
struct stale {
	char id[ENTRY_ID_SIZE];
	unsigned deliveries;
};

/* All threads of one worker_add(). */
struct pool {
	struct bus *bus;
	struct worker_spec spec;
	pthread_mutex_t lock;
	struct stale stale[STALE_MAX];
	size_t stale_count;
};

/* An entry in hand. */
struct held {
	char id[ENTRY_ID_SIZE];
	bool lost; /* the last heartbeat said that it is not ours */
};

/* Entries read together, and what became of them. There are two: one may wait to be settled
 * while the next is read in the same round trip. */
struct batch {
	struct arena *arena;
	struct redis_reply *reply; /* what the entries borrow from */
	struct entry *entries;
	struct outcome *outcomes;
	size_t count;
	uint64_t read_ms; /* monotonic */
	bool handled;	  /* has outcomes, is to be settled */
	struct settle_item *items;
	size_t item_count;
	size_t apart; /* the first of them are settled in calls of their own */
	bool full;    /* Redis has no room for the others now */
	struct defer_item *defers;
	size_t defer_count;
	const char **releases;
	size_t release_count;
};

struct worker_thread {
	struct bus *bus;
	struct pool *pool;
	char consumer[128];
	pthread_t thread;
	bool started;
	struct redis *redis;
	struct settle_from from;
	void *local;
	bool opened;
	unsigned failures;   /* of Redis, in a row */
	unsigned read_count; /* entries to ask for: fewer after an answer that was lost */
	bool read_lost;	     /* Redis may have delivered entries that never arrived here */
	struct batch batches[2];
	struct batch *current; /* in the handler's hands */

	_Atomic bool ended;
	_Atomic bool lost;	      /* something of the current batch */
	_Atomic uint64_t progress_ms; /* monotonic */
	_Atomic uint64_t renewed_ms; /* monotonic: the last heartbeat that covered everything */
	_Atomic uint64_t intent_ms;  /* wall */
	_Atomic int64_t reading;     /* client id while a read may be blocking; 0 */

	pthread_mutex_t lock; /* of what follows */
	struct held *held;
	size_t held_count, held_room;
	char trouble[BUS_TEXT_SIZE]; /* why Redis does not serve this thread; "" */
};

struct bus {
	const struct bus_settings *settings;
	struct redis_settings redis_settings;
	char service[32];
	char instance[80]; /* unique: never shared with another process, or a fence would not
			      hold */
	struct pool **pools;
	size_t pool_count;
	struct worker_thread **threads;
	size_t thread_count;
	_Atomic bool stopping;
	_Atomic bool abandoned; /* the time to stop is over: leave what cannot be settled */
	_Atomic bool ready;	/* setup has done its work, as far as the keeper saw */
	_Atomic uint64_t keeper_progress_ms;
	_Atomic bool keeper_ended;
	_Atomic uint64_t
	    complained_ms; /* monotonic: all threads see the same trouble at once */

	pthread_t keeper;
	bool keeper_started;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	bool keeper_end;
	bool handed_back;
	bool hand_back; /* asked of the keeper */
	char trouble[BUS_TEXT_SIZE];
};

extern struct metric bus_metric_entries, bus_metric_seconds, bus_metric_taken_over,
    bus_metric_gone, bus_metric_woken, bus_metric_redis_errors;

void *worker_main(void *opaque);
void *keeper_main(void *opaque);

/* Waits so long, or until something changed: the bus stops, is abandoned, becomes ready. */
void bus_pause(struct bus *bus, uint64_t ms);
/* The same, but not when it is ready or stopping already. */
void bus_wait_ready(struct bus *bus, uint64_t ms);
/* To everyone who waits in bus_pause(). */
void bus_signal(struct bus *bus);

/* worker_batch.c */
void batch_init(struct batch *batch);
void batch_done(struct batch *batch);
void batch_clear(struct batch *batch);
/* Entries out of a reply, which the batch then owns. */
void batch_load(struct batch *batch, struct redis_reply *whole,
		const struct redis_reply *entries, size_t room, unsigned deliveries);
/* From outcomes to what is sent. */
void batch_decide(struct worker_thread *self, struct batch *batch);
void batch_append(struct worker_thread *self, const struct batch *batch);
/* Reads every reply batch_append() asked for; false with err when something must be repeated.
 */
bool batch_read(struct worker_thread *self, struct batch *batch, struct err *err);

#endif
