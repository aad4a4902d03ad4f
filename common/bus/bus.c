/* The threads of a process that work on streams: made, started, watched, stopped. */
#include "bus/bus.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "bus/worker_thread.h"

enum { STACK_BYTES = 256 << 10, HAND_BACK_MS = 1000, END_MS = 300 };

static const double seconds_bounds[] = { 0.0005, 0.002, 0.01, 0.05, 0.2, 1, 5, 30, 120, 0 };

struct metric bus_metric_entries = { .name = "tocsin_entries_total",
				     .kind = METRIC_COUNTER,
				     .help = "Stream entries by what became of them",
				     .labels = "stream,outcome" };
struct metric bus_metric_seconds = { .name = "tocsin_handle_seconds",
				     .kind = METRIC_HISTOGRAM,
				     .help = "Time a handler took for what was read together",
				     .labels = "stream",
				     .bounds = seconds_bounds };
struct metric bus_metric_taken_over = { .name = "tocsin_taken_over_total",
					.kind = METRIC_COUNTER,
					.help = "Entries taken over from workers that ended",
					.labels = "stream" };
struct metric bus_metric_gone = { .name = "tocsin_entries_gone_total",
				  .kind = METRIC_COUNTER,
				  .help =
				      "Entries delivered without a body: somebody trimmed a "
				      "work stream" };
struct metric bus_metric_woken = { .name = "tocsin_deferred_woken_total",
				   .kind = METRIC_COUNTER,
				   .help = "Entries brought back from the deferred set" };
struct metric bus_metric_redis_errors = { .name = "tocsin_redis_errors_total",
					  .kind = METRIC_COUNTER,
					  .help = "Round trips of workers that failed" };

struct metric *const bus_metrics[] = {
	&bus_metric_entries,
	&bus_metric_seconds,
	&bus_metric_taken_over,
	&bus_metric_gone,
	&bus_metric_woken,
	&bus_metric_redis_errors,
	NULL,
};

static void name_instance(struct bus *bus)
{
	uint64_t random = clock_wall_ms();
	char host[HOST_NAME_MAX + 1] = "";
	if (gethostname(host, sizeof(host) - 1) != 0)
		host[0] = '\0';
	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		random ^= (uint64_t)getpid() << 32;
	const char *name = bus->settings->instance ? bus->settings->instance : host;
	snprintf(bus->instance, sizeof(bus->instance), "%.40s-%016" PRIx64, name, random);
}

struct bus *bus_new(const struct bus_settings *settings, const char *service)
{
	pthread_condattr_t attributes;
	struct bus *bus = xcalloc(1, sizeof(*bus));
	bus->settings = settings;
	snprintf(bus->service, sizeof(bus->service), "%s", service);
	bus_redis_settings(settings, &bus->redis_settings);
	name_instance(bus);
	snprintf(bus->trouble, sizeof(bus->trouble), "not connected to Redis yet");
	pthread_mutex_init(&bus->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&bus->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	return bus;
}

struct redis *bus_connection(const struct bus *bus, const char *name)
{
	char full[192];
	snprintf(full, sizeof(full), "tocsin-%s-%s", bus->service, name);
	return redis_new(&bus->redis_settings, full);
}

static struct worker_thread *thread_new(struct pool *pool, unsigned number)
{
	struct bus *bus = pool->bus;
	struct worker_thread *thread = xcalloc(1, sizeof(*thread));
	thread->bus = bus;
	thread->pool = pool;
	thread->read_count = pool->spec.batch;
	snprintf(thread->consumer, sizeof(thread->consumer), "%s-%s-%u", bus->service,
		 bus->instance, number);
	settle_from_init(&thread->from, pool->spec.partition, pool->spec.stream,
			 pool->spec.output, thread->consumer, bus->settings->fate_ttl_ms);
	if (pool->spec.recent_count > 0)
		key_format(&thread->from.recent, pool->spec.partition, STREAM_RECENT);
	thread->from.recent_count = pool->spec.recent_count;
	thread->from.recent_ms = pool->spec.recent_ms;
	for (size_t i = 0; i < 2; i++)
		batch_init(&thread->batches[i]);
	pthread_mutex_init(&thread->lock, NULL);
	atomic_store(&thread->progress_ms, clock_mono_ms());
	atomic_store(&thread->renewed_ms, clock_mono_ms());
	return thread;
}

void worker_add(struct bus *bus, const struct worker_spec *spec)
{
	struct pool *pool = xcalloc(1, sizeof(*pool));
	pool->bus = bus;
	pool->spec = *spec;
	if (pool->spec.batch == 0)
		pool->spec.batch = 1;
	pthread_mutex_init(&pool->lock, NULL);
	bus->pools = xrealloc(bus->pools, (bus->pool_count + 1) * sizeof(struct pool *));
	bus->pools[bus->pool_count++] = pool;
	bus->threads = xrealloc(bus->threads, (bus->thread_count + spec->threads + 1) *
						  sizeof(struct worker_thread *));
	for (unsigned i = 0; i < spec->threads; i++) {
		bus->threads[bus->thread_count] = thread_new(pool, (unsigned)bus->thread_count);
		bus->thread_count++;
	}
}

static void thread_free(struct worker_thread *thread)
{
	for (size_t i = 0; i < 2; i++)
		batch_done(&thread->batches[i]);
	pthread_mutex_destroy(&thread->lock);
	free(thread->held);
	free(thread);
}

void bus_free(struct bus *bus)
{
	if (!bus)
		return;
	/* A thread that never came back still uses all of this; the process ends. */
	if (bus->keeper_started)
		return;
	for (size_t i = 0; i < bus->thread_count; i++) {
		if (bus->threads[i]->started)
			return;
	}
	for (size_t i = 0; i < bus->thread_count; i++)
		thread_free(bus->threads[i]);
	for (size_t i = 0; i < bus->pool_count; i++) {
		pthread_mutex_destroy(&bus->pools[i]->lock);
		free(bus->pools[i]);
	}
	free(bus->threads);
	free(bus->pools);
	pthread_cond_destroy(&bus->changed);
	pthread_mutex_destroy(&bus->lock);
	free(bus);
}

static bool spawn(pthread_t *ret_thread, size_t stack_bytes, void *(*run)(void *), void *opaque)
{
	pthread_attr_t attributes;
	size_t stack = stack_bytes ? stack_bytes : STACK_BYTES;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	stack *= 8; /* their frames are larger */
#endif
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, stack);
	int error = pthread_create(ret_thread, &attributes, run, opaque);
	pthread_attr_destroy(&attributes);
	return error == 0;
}

bool bus_start(struct bus *bus, struct err *err)
{
	bus->keeper_started = spawn(&bus->keeper, 0, keeper_main, bus);
	if (!bus->keeper_started)
		return err_set(err, ERR_PERMANENT, "cannot start a thread");
	for (size_t i = 0; i < bus->thread_count; i++) {
		struct worker_thread *thread = bus->threads[i];
		thread->started =
		    spawn(&thread->thread, thread->pool->spec.stack_bytes, worker_main, thread);
		if (!thread->started) {
			bus_stop(bus);
			bus_join(bus, clock_mono_ms() + bus->settings->stop_grace_ms);
			return err_set(err, ERR_PERMANENT,
				       "cannot start thread %zu of %zu: lower the number of "
				       "threads or raise the limit",
				       i + 1, bus->thread_count);
		}
	}
	return true;
}

void bus_signal(struct bus *bus)
{
	pthread_mutex_lock(&bus->lock);
	pthread_cond_broadcast(&bus->changed);
	pthread_mutex_unlock(&bus->lock);
}

void bus_stop(struct bus *bus)
{
	atomic_store(&bus->stopping, true);
	bus_signal(bus);
}

void bus_pause(struct bus *bus, uint64_t ms)
{
	struct timespec at = clock_mono_after(ms);
	pthread_mutex_lock(&bus->lock);
	if (!atomic_load(&bus->abandoned) && !bus->keeper_end)
		pthread_cond_timedwait(&bus->changed, &bus->lock, &at);
	pthread_mutex_unlock(&bus->lock);
}

void bus_wait_ready(struct bus *bus, uint64_t ms)
{
	struct timespec at = clock_mono_after(ms);
	pthread_mutex_lock(&bus->lock);
	if (!atomic_load(&bus->stopping) && !atomic_load(&bus->ready))
		pthread_cond_timedwait(&bus->changed, &bus->lock, &at);
	pthread_mutex_unlock(&bus->lock);
}

static bool all_ended(const struct bus *bus)
{
	for (size_t i = 0; i < bus->thread_count; i++) {
		if (bus->threads[i]->started && !atomic_load(&bus->threads[i]->ended))
			return false;
	}
	return true;
}

/* Waits for done(bus), under the bus's lock. */
static bool wait_until(struct bus *bus, uint64_t until_mono_ms,
		       bool (*done)(const struct bus *bus))
{
	uint64_t now = clock_mono_ms();
	struct timespec at = clock_mono_after(until_mono_ms > now ? until_mono_ms - now : 0);
	pthread_mutex_lock(&bus->lock);
	int error = 0;
	while (!done(bus) && error == 0)
		error = pthread_cond_timedwait(&bus->changed, &bus->lock, &at);
	bool reached = done(bus);
	pthread_mutex_unlock(&bus->lock);
	return reached;
}

static bool handed_back(const struct bus *bus)
{
	return bus->handed_back;
}

static bool keeper_ended(const struct bus *bus)
{
	return atomic_load(&bus->keeper_ended);
}

/* One that waits for a Redis that does not answer is left behind; the process ends. */
static void end_keeper(struct bus *bus)
{
	pthread_mutex_lock(&bus->lock);
	bus->keeper_end = true;
	pthread_cond_broadcast(&bus->changed);
	pthread_mutex_unlock(&bus->lock);
	if (!bus->keeper_started || !wait_until(bus, clock_mono_ms() + END_MS, keeper_ended))
		return;
	pthread_join(bus->keeper, NULL);
	bus->keeper_started = false;
}

static void ask_to_hand_back(struct bus *bus)
{
	pthread_mutex_lock(&bus->lock);
	bus->hand_back = true;
	pthread_cond_broadcast(&bus->changed);
	pthread_mutex_unlock(&bus->lock);
	wait_until(bus, clock_mono_ms() + HAND_BACK_MS, handed_back);
}

bool bus_join(struct bus *bus, uint64_t until_mono_ms)
{
	bool ended = wait_until(bus, until_mono_ms, all_ended);
	if (!ended && bus->keeper_started)
		ask_to_hand_back(bus);
	atomic_store(&bus->abandoned, true);
	end_keeper(bus);
	if (!ended)
		wait_until(bus, clock_mono_ms() + END_MS, all_ended);
	for (size_t i = 0; i < bus->thread_count; i++) {
		struct worker_thread *thread = bus->threads[i];
		if (!thread->started || !atomic_load(&thread->ended))
			continue;
		pthread_join(thread->thread, NULL);
		thread->started = false;
	}
	return ended;
}

bool bus_ready(struct bus *bus, char *ret_text)
{
	ret_text[0] = '\0';
	if (atomic_load(&bus->stopping)) {
		snprintf(ret_text, BUS_TEXT_SIZE, "stopping");
		return false;
	}
	pthread_mutex_lock(&bus->lock);
	snprintf(ret_text, BUS_TEXT_SIZE, "%s", bus->trouble);
	pthread_mutex_unlock(&bus->lock);
	for (size_t i = 0; i < bus->thread_count && ret_text[0] == '\0'; i++) {
		struct worker_thread *thread = bus->threads[i];
		pthread_mutex_lock(&thread->lock);
		snprintf(ret_text, BUS_TEXT_SIZE, "%s", thread->trouble);
		pthread_mutex_unlock(&thread->lock);
	}
	return ret_text[0] == '\0';
}

static bool too_old(const struct bus *bus, uint64_t progress_ms, uint64_t now)
{
	return now > progress_ms && now - progress_ms >= bus->settings->stuck_ms;
}

bool bus_stuck(struct bus *bus, char *ret_text)
{
	uint64_t now = clock_mono_ms();
	ret_text[0] = '\0';
	if (bus->keeper_started && too_old(bus, atomic_load(&bus->keeper_progress_ms), now))
		snprintf(ret_text, BUS_TEXT_SIZE, "the keeper thread makes no progress");
	for (size_t i = 0; i < bus->thread_count && ret_text[0] == '\0'; i++) {
		const struct worker_thread *thread = bus->threads[i];
		if (thread->started && !atomic_load(&thread->ended) &&
		    too_old(bus, atomic_load(&thread->progress_ms), now))
			snprintf(ret_text, BUS_TEXT_SIZE, "%.100s makes no progress",
				 thread->consumer);
	}
	return ret_text[0] != '\0';
}
