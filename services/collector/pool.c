/* Two heaps, one lock. Of the threads that wait, one watches the clock; it wakes the next one
 * when it takes something, so that a due time wakes one thread and not all. */
#include "pool.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/backoff.h"
#include "base/buf.h"
#include "base/clock.h"

enum {
	SUSPECT_SHARE = 4, /* a quarter of the threads */
	LEASE_MARGIN_MS =
	    1000, /* a poll that starts later than this before the end is futile */
	LEASE_AGAIN_MS = 1000,
	HOLD_SPREAD_MS = 2000,
	FULL_MIN_MS = 5000,
	FULL_MAX_MS = 30000,
};

static struct task *task_of(struct schedule_item *item)
{
	return (struct task *)((char *)item - offsetof(struct task, item));
}

void pool_init(struct pool *pool, unsigned threads, unsigned partitions)
{
	pthread_condattr_t attributes;

	*pool = (struct pool){ .partitions = partitions };
	pool->suspects_max = threads / SUSPECT_SHARE > 0 ? threads / SUSPECT_SHARE : 1;
	pool->holds = xcalloc(partitions, sizeof(*pool->holds));
	for (size_t i = 0; i < POOL_LANES; i++)
		schedule_init(&pool->lanes[i]);
	pthread_mutex_init(&pool->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&pool->changed, &attributes);
	pthread_condattr_destroy(&attributes);
}

void pool_done(struct pool *pool)
{
	for (size_t i = 0; i < POOL_LANES; i++)
		schedule_done(&pool->lanes[i]);
	free(pool->holds);
	pthread_cond_destroy(&pool->changed);
	pthread_mutex_destroy(&pool->lock);
}

uint64_t pool_due(uint64_t interval_ms, uint64_t phase_ms)
{
	uint64_t wall = clock_wall_ms();

	return clock_mono_ms() + schedule_next(wall, interval_ms, phase_ms) - wall;
}

static void put(struct pool *pool, struct task *task, uint64_t due_ms)
{
	struct schedule *lane = &pool->lanes[task->suspect];

	schedule_put(lane, &task->item, due_ms);
	if (schedule_first(lane) == &task->item)
		pthread_cond_broadcast(&pool->changed);
}

void pool_pace(struct pool *pool, struct task *task, uint64_t interval_ms, uint64_t phase_ms)
{
	pthread_mutex_lock(&pool->lock);
	if (task->interval_ms != interval_ms || task->phase_ms != phase_ms) {
		task->interval_ms = interval_ms;
		task->phase_ms = phase_ms;
		if (task->item.place)
			put(pool, task, pool_due(task->interval_ms, task->phase_ms));
	}
	pthread_mutex_unlock(&pool->lock);
}

void pool_grant(struct pool *pool, struct task *task, const struct lease *lease,
		uint64_t due_ms)
{
	pthread_mutex_lock(&pool->lock);
	task->lease = *lease;
	task->held = true;
	if (!task->in_flight)
		put(pool, task, due_ms);
	pthread_mutex_unlock(&pool->lock);
}

void pool_renew(struct pool *pool, struct task *task, const struct lease *lease)
{
	pthread_mutex_lock(&pool->lock);
	task->lease = *lease;
	if (!lease->token[0]) {
		task->held = false;
		schedule_remove(&pool->lanes[task->suspect], &task->item);
	}
	pthread_mutex_unlock(&pool->lock);
}

bool pool_withdraw(struct pool *pool, struct task *task)
{
	pthread_mutex_lock(&pool->lock);

	bool idle = !task->in_flight;

	if (idle) {
		schedule_remove(&pool->lanes[task->suspect], &task->item);
		task->held = false;
	}
	pthread_mutex_unlock(&pool->lock);
	return idle;
}

bool pool_holds(struct pool *pool, const struct task *task, struct lease *ret_lease)
{
	pthread_mutex_lock(&pool->lock);

	bool held = task->held;

	if (ret_lease)
		*ret_lease = task->lease;
	pthread_mutex_unlock(&pool->lock);
	return held;
}

bool pool_is_idle(struct pool *pool, const struct task *task)
{
	pthread_mutex_lock(&pool->lock);

	bool idle = !task->in_flight;

	pthread_mutex_unlock(&pool->lock);
	return idle;
}

void pool_hold(struct pool *pool, unsigned partition, uint64_t until_ms)
{
	pthread_mutex_lock(&pool->lock);
	if (pool->holds[partition].until_ms < until_ms)
		pool->holds[partition].until_ms = until_ms;
	pthread_mutex_unlock(&pool->lock);
}

bool pool_is_held(struct pool *pool, unsigned partition)
{
	pthread_mutex_lock(&pool->lock);

	bool held = pool->holds[partition].until_ms > clock_mono_ms();

	pthread_mutex_unlock(&pool->lock);
	return held;
}

uint64_t pool_full(struct pool *pool, unsigned partition)
{
	struct pool_hold *hold = &pool->holds[partition];
	uint64_t now = clock_mono_ms();
	uint64_t wait = 0;

	pthread_mutex_lock(&pool->lock);
	if (hold->until_ms <= now) {
		wait = (uint64_t)FULL_MIN_MS << (hold->full < 8 ? hold->full : 8);
		if (wait > FULL_MAX_MS)
			wait = FULL_MAX_MS;
		hold->until_ms = now + wait;
		hold->full++;
	}
	pthread_mutex_unlock(&pool->lock);
	return wait;
}

void pool_roomy(struct pool *pool, unsigned partition)
{
	pthread_mutex_lock(&pool->lock);
	pool->holds[partition].full = 0;
	pthread_mutex_unlock(&pool->lock);
}

void pool_stop(struct pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	pool->stopping = true;
	pthread_cond_broadcast(&pool->changed);
	pthread_mutex_unlock(&pool->lock);
}

/* The task due first in a lane that may start one; NULL when there is none. */
static struct task *first_task(const struct pool *pool)
{
	struct schedule_item *sound = schedule_first(&pool->lanes[false]);
	struct schedule_item *suspect = pool->suspects_in_flight < pool->suspects_max
					    ? schedule_first(&pool->lanes[true])
					    : NULL;

	if (!sound && !suspect)
		return NULL;
	if (!sound || (suspect && suspect->due_ms < sound->due_ms))
		return task_of(suspect);
	return task_of(sound);
}

/* What keeps a due task from starting: 0, or when to look again. */
static uint64_t held_until(const struct pool *pool, const struct task *task, uint64_t now_ms)
{
	uint64_t hold = pool->holds[task->partition].until_ms;

	if (hold > now_ms)
		return hold + backoff_random(0, HOLD_SPREAD_MS);
	if (!task->lease.token[0] || task->lease.until_mono_ms < now_ms + LEASE_MARGIN_MS)
		return now_ms + LEASE_AGAIN_MS; /* not renewed: the keeper has no Redis */
	return 0;
}

/* The first task that can start now; NULL with the time of the next one in ret_next_ms. */
static struct task *take_due(struct pool *pool, uint64_t *ret_next_ms)
{
	uint64_t now = clock_mono_ms();
	struct task *task;

	while ((task = first_task(pool)) && task->item.due_ms <= now) {
		uint64_t until = held_until(pool, task, now);

		if (!until) {
			schedule_remove(&pool->lanes[task->suspect], &task->item);
			return task;
		}
		task->excused = true;
		schedule_put(&pool->lanes[task->suspect], &task->item, until);
	}
	*ret_next_ms = task ? task->item.due_ms : UINT64_MAX;
	return NULL;
}

static void wait_until(struct pool *pool, uint64_t until_ms)
{
	struct timespec when = {
		.tv_sec = (time_t)(until_ms / 1000),
		.tv_nsec = (long)(until_ms % 1000) * 1000000,
	};

	pthread_cond_timedwait(&pool->changed, &pool->lock, &when);
}

static struct task *wait_due(struct pool *pool, uint64_t deadline_ms)
{
	struct task *task = NULL;

	while (!pool->stopping) {
		uint64_t next = 0;

		task = take_due(pool, &next);
		if (task || clock_mono_ms() >= deadline_ms)
			break;
		if (pool->watched) {
			wait_until(pool, deadline_ms);
			continue;
		}
		pool->watched = true;
		wait_until(pool, next < deadline_ms ? next : deadline_ms);
		pool->watched = false;
	}
	return task;
}

bool pool_claim(struct pool *pool, uint64_t wait_ms, struct claim *ret_claim)
{
	pthread_mutex_lock(&pool->lock);

	struct task *task = wait_due(pool, clock_mono_ms() + wait_ms);

	if (task) {
		task->in_flight = true;
		pool->suspects_in_flight += task->suspect;
		*ret_claim = (struct claim){
			.task = task,
			.lease = task->lease,
			.interval_ms = task->interval_ms,
			.phase_ms = task->phase_ms,
			.due_ms = task->item.due_ms,
			.suspect = task->suspect,
			.excused = task->excused,
		};
		task->excused = false;
	}
	if (!pool->watched)
		pthread_cond_signal(&pool->changed); /* someone must watch the clock now */
	pthread_mutex_unlock(&pool->lock);
	return task != NULL;
}

void pool_finish(struct pool *pool, struct claim *claim, uint64_t due_ms, bool suspect)
{
	struct task *task = claim->task;

	pthread_mutex_lock(&pool->lock);
	if (task->suspect && pool->suspects_in_flight-- == pool->suspects_max)
		pthread_cond_broadcast(&pool->changed); /* its lane is free again */
	task->in_flight = false;
	task->suspect = suspect;
	/* What was lost is the lease of back then: the keeper may have a new one by now. */
	if (!due_ms && strcmp(task->lease.token, claim->lease.token) == 0)
		task->held = false;
	if (task->held)
		put(pool, task, due_ms ? due_ms : clock_mono_ms());
	pthread_mutex_unlock(&pool->lock);
}
