/*
 * timer: a heap of things to do later, and the thread that does them. It is what lets
 * thousands of slow answers wait at once.
 */
#include "timer.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"

struct due {
	uint64_t at_us;
	uint64_t order; /* equal times fire in the order they were added */
	void (*fire)(void *opaque);
	void *opaque;
};

struct timer {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct due *heap;
	size_t count;
	size_t room;
	uint64_t added;
	bool stopping;
};

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static bool before(const struct due *a, const struct due *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void swap(struct due *a, struct due *b)
{
	struct due keep = *a;

	*a = *b;
	*b = keep;
}

static void sift_up(struct due *heap, size_t at)
{
	while (at > 0 && before(&heap[at], &heap[(at - 1) / 2])) {
		swap(&heap[at], &heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
}

static void sift_down(struct due *heap, size_t count)
{
	for (size_t at = 0;;) {
		size_t least = at;

		for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++) {
			if (before(&heap[child], &heap[least]))
				least = child;
		}
		if (least == at)
			return;
		swap(&heap[at], &heap[least]);
		at = least;
	}
}

static struct due take_first(struct timer *timer)
{
	struct due first = timer->heap[0];

	timer->heap[0] = timer->heap[--timer->count];
	sift_down(timer->heap, timer->count);
	return first;
}

static void *timer_main(void *opaque)
{
	struct timer *timer = opaque;

	pthread_mutex_lock(&timer->lock);
	while (timer->count > 0 || !timer->stopping) {
		if (timer->count == 0) {
			pthread_cond_wait(&timer->wake, &timer->lock);
			continue;
		}
		uint64_t at_us = timer->heap[0].at_us;

		if (at_us > now_us() && !timer->stopping) {
			struct timespec until = { .tv_sec = (time_t)(at_us / 1000000),
						  .tv_nsec = (long)(at_us % 1000000) * 1000 };

			pthread_cond_timedwait(&timer->wake, &timer->lock, &until);
			continue;
		}
		struct due due = take_first(timer);

		pthread_mutex_unlock(&timer->lock);
		due.fire(due.opaque);
		pthread_mutex_lock(&timer->lock);
	}
	pthread_mutex_unlock(&timer->lock);
	return NULL;
}

struct timer *timer_new(void)
{
	struct timer *timer = xcalloc(1, sizeof(*timer));
	pthread_condattr_t monotonic;

	pthread_mutex_init(&timer->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&timer->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (pthread_create(&timer->thread, NULL, timer_main, timer) != 0)
		abort();
	return timer;
}

void timer_stop(struct timer *timer)
{
	pthread_mutex_lock(&timer->lock);
	bool stopped = timer->stopping;

	timer->stopping = true;
	pthread_cond_signal(&timer->wake);
	pthread_mutex_unlock(&timer->lock);
	if (!stopped)
		pthread_join(timer->thread, NULL);
}

void timer_free(struct timer *timer)
{
	if (!timer)
		return;
	pthread_cond_destroy(&timer->wake);
	pthread_mutex_destroy(&timer->lock);
	free(timer->heap);
	free(timer);
}

bool timer_add(struct timer *timer, uint64_t delay_ms, void (*fire)(void *opaque), void *opaque)
{
	uint64_t at_us = now_us() + delay_ms * 1000;

	pthread_mutex_lock(&timer->lock);
	if (timer->stopping) {
		pthread_mutex_unlock(&timer->lock);
		return false;
	}
	if (timer->count == timer->room) {
		timer->room = timer->room ? timer->room * 2 : 256;
		timer->heap = xrealloc(timer->heap, timer->room * sizeof(*timer->heap));
	}
	timer->heap[timer->count] = (struct due){ at_us, timer->added++, fire, opaque };
	sift_up(timer->heap, timer->count++);
	if (timer->heap[0].opaque == opaque)
		pthread_cond_signal(&timer->wake);
	pthread_mutex_unlock(&timer->lock);
	return true;
}
