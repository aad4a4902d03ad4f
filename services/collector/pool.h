#ifndef COLLECTOR_POOL_H
#define COLLECTOR_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/lease.h"
#include "schedule.h"
#include "source/cursor.h"

/*
 * Sources and the threads that poll them: the one due first goes to the thread that is free
 * first. Sources that were slow or failing last time use their own lane, which never holds more
 * than a quarter of the threads, so that what hangs delays nobody who does not. All functions
 * are thread-safe; the keeper puts sources in and takes them out, threads claim and finish.
 */
struct task {
	/* Of the keeper. */
	char customer[32];
	char source[40];
	unsigned partition;
	bool wanted; /* its customer is active */
	bool mine;   /* and this replica may poll it */

	/* Under the pool's lock. */
	uint64_t interval_ms;
	uint64_t phase_ms;
	struct lease lease;
	bool held; /* the lease is ours */
	struct schedule_item item;
	bool in_flight;
	bool suspect;
	bool excused; /* was held back on purpose: not late */

	/* Of the thread that has claimed it. */
	struct lateness lateness;
	uint64_t failures; /* in a row */
};

enum { POOL_LANES = 2 /* sound, suspect */ };

/* Back-pressure: nothing of the partition starts before until_ms. */
struct pool_hold {
	uint64_t until_ms;
	unsigned full; /* times in a row that Redis was full */
};

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct schedule lanes[POOL_LANES];
	unsigned suspects_in_flight, suspects_max;
	struct pool_hold *holds; /* of each partition */
	unsigned partitions;
	bool watched; /* one waiting thread watches the clock for all */
	bool stopping;
};

void pool_init(struct pool *pool, unsigned threads, unsigned partitions);
void pool_done(struct pool *pool); /* no thread may be inside */

/* The interval of a task's polls; one that is scheduled moves to its new instant. */
void pool_pace(struct pool *pool, struct task *task, uint64_t interval_ms, uint64_t phase_ms);
/* Its lease is ours: polls from due_ms (monotonic) on. */
void pool_grant(struct pool *pool, struct task *task, const struct lease *lease,
		uint64_t due_ms);
/* The lease as renewing left it; one that was lost ends the task's polls. */
void pool_renew(struct pool *pool, struct task *task, const struct lease *lease);
/* Before giving the lease back: no thread gets the task from now on. False, and nothing
 * changed: a thread is polling it right now. */
bool pool_withdraw(struct pool *pool, struct task *task);
/* Whether the lease is ours; ret_lease (NULL is fine) gets a copy of it. */
bool pool_holds(struct pool *pool, const struct task *task, struct lease *ret_lease);
/* A task in flight must not be freed. */
bool pool_is_idle(struct pool *pool, const struct task *task);
/* Nothing of this partition is started before until_ms (monotonic). */
void pool_hold(struct pool *pool, unsigned partition, uint64_t until_ms);
bool pool_is_held(struct pool *pool, unsigned partition);
/* Redis took no more events of this partition, or took some again: waits of 5 to 30 s, doubled
 * each time. pool_full() gives the wait, 0 when another thread has just said so. */
uint64_t pool_full(struct pool *pool, unsigned partition);
void pool_roomy(struct pool *pool, unsigned partition);
/* pool_claim() finds nothing from now on. */
void pool_stop(struct pool *pool);

/* When (monotonic) the next poll of that interval and phase is due. */
uint64_t pool_due(uint64_t interval_ms, uint64_t phase_ms);

/* What a thread gets: the task is its own until pool_finish(). */
struct claim {
	struct task *task;
	struct lease lease; /* these three as they were then */
	uint64_t interval_ms;
	uint64_t phase_ms;
	uint64_t due_ms;
	bool suspect;
	bool excused; /* it was held back on purpose: not late */
};

/* Waits at most wait_ms. False: nothing was due, or stopping. */
bool pool_claim(struct pool *pool, uint64_t wait_ms, struct claim *ret_claim);
/* due_ms 0: its lease turned out to be lost. suspect: it uses that lane next. */
void pool_finish(struct pool *pool, struct claim *claim, uint64_t due_ms, bool suspect);

#endif
