/* The one thread beside a process's workers: renews what they hold, finds what others left
 * lying, buries poison, wakes what is due, and watches whether setup has done its work. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/trace.h"
#include "bus/deferred.h"
#include "bus/setup.h"
#include "bus/worker_thread.h"

enum {
	PULSE_ARGS_MAX = 3000,
	WAKE_MAX = 100,
	WAKE_ROUNDS = 20,
	WAKE_MS = 1000,
	CHECK_MS = 5000,
	STOPPING_MS = 50,
	STREAMS_MAX = 8,
};

struct keeper {
	struct bus *bus;
	struct redis *redis;
	struct arena *arena;					   /* of one tick */
	uint64_t next_heartbeat, next_scan, next_wake, next_check; /* monotonic */
	size_t *wake_cursors; /* one per pool; the first of a
					 partition counts */
	char generation[GENERATION_SIZE];
	bool complained;
};

/* Said once per change, not once per failure. */
static void set_trouble(struct keeper *keeper, const char *text)
{
	struct bus *bus = keeper->bus;
	bool ready = text[0] == '\0';
	pthread_mutex_lock(&bus->lock);
	bool changed = ready != atomic_load(&bus->ready);
	snprintf(bus->trouble, sizeof(bus->trouble), "%s", text);
	atomic_store(&bus->ready, ready);
	if (changed)
		pthread_cond_broadcast(&bus->changed);
	pthread_mutex_unlock(&bus->lock);
	if (ready && changed)
		log_info("Redis is ready");
	else if (!ready && !keeper->complained)
		log_warn("waiting: %s", text);
	keeper->complained = !ready;
}

/* The pool is the first one of its partition. */
static bool leads_partition(const struct bus *bus, size_t pool)
{
	for (size_t i = 0; i < pool; i++) {
		if (bus->pools[i]->spec.partition == bus->pools[pool]->spec.partition)
			return false;
	}
	return true;
}

/* ---- heartbeat ---- */

/* What one call renews of one thread. */
struct pulse {
	struct worker_thread *thread;
	char (*ids)[ENTRY_ID_SIZE];
	size_t count;
	size_t key;
};

/* A thread that does not move loses what it holds: another worker may do better. */
static bool stuck(const struct worker_thread *thread, uint64_t now)
{
	uint64_t progress = atomic_load(&thread->progress_ms);
	return now > progress && now - progress >= thread->bus->settings->stuck_ms;
}

static void take_pulse(struct keeper *keeper, struct worker_thread *thread,
		       struct pulse *ret_pulse)
{
	pthread_mutex_lock(&thread->lock);
	ret_pulse->thread = thread;
	ret_pulse->count = thread->held_count;
	ret_pulse->ids = arena_alloc(keeper->arena, (thread->held_count + 1) * ENTRY_ID_SIZE);
	for (size_t i = 0; i < thread->held_count; i++)
		memcpy(ret_pulse->ids[i], thread->held[i].id, ENTRY_ID_SIZE);
	pthread_mutex_unlock(&thread->lock);
}

static bool mark_lost(struct worker_thread *thread, const char *id)
{
	for (size_t i = 0; i < thread->held_count; i++) {
		if (strcmp(thread->held[i].id, id) == 0) {
			thread->held[i].lost = true;
			return true;
		}
	}
	return false;
}

/* answers are those of this pulse's ids. What was settled in the meantime is no longer held and
 * was not lost. */
static void apply_pulse(const struct pulse *pulse, const struct redis_reply *answers,
			size_t from, uint64_t sent_ms)
{
	struct worker_thread *thread = pulse->thread;
	bool lost = false;
	pthread_mutex_lock(&thread->lock);
	for (size_t i = 0; i < pulse->count; i++) {
		if (reply_integer(reply_at(answers, from + i)) != 1)
			lost |= mark_lost(thread, pulse->ids[i]);
	}
	pthread_mutex_unlock(&thread->lock);
	if (lost)
		atomic_store(&thread->lost, true);
	atomic_store(&thread->renewed_ms, sent_ms);
}

static bool send_pulses(struct keeper *keeper, const struct pulse *pulses, size_t count,
			unsigned partition, struct err *err)
{
	struct bus *bus = keeper->bus;
	struct redis_call call;
	uint64_t sent = clock_mono_ms();
	size_t ids = 0;
	redis_call_init(&call, "heartbeat");
	for (size_t p = 0; p < bus->pool_count; p++) {
		struct key key;
		if (bus->pools[p]->spec.partition != partition)
			continue;
		key_format(&key, partition, "%s", bus->pools[p]->spec.stream);
		redis_call_key(&call, arena_strdup(keeper->arena, key.text));
	}
	redis_call_text(&call, BUS_GROUP);
	for (size_t i = 0; i < count; i++) {
		redis_call_number(&call, pulses[i].key);
		redis_call_text(&call, pulses[i].thread->consumer);
		redis_call_number(&call, pulses[i].count);
		for (size_t n = 0; n < pulses[i].count; n++)
			redis_call_text(&call, pulses[i].ids[n]);
		ids += pulses[i].count;
	}
	struct redis_reply *reply =
	    redis_expect_list(redis_function(keeper->redis, &call, err), ids, err);
	if (!reply)
		return false;
	size_t from = 0;
	for (size_t i = 0; i < count; i++) {
		apply_pulse(&pulses[i], reply, from, sent);
		from += pulses[i].count;
	}
	reply_free(reply);
	return true;
}

/* Index in KEYS of the pool's stream among those of its partition. */
static size_t key_of_pool(const struct bus *bus, const struct pool *pool)
{
	size_t index = 0;
	for (size_t p = 0; p < bus->pool_count; p++) {
		index += bus->pools[p]->spec.partition == pool->spec.partition;
		if (bus->pools[p] == pool)
			break;
	}
	return index;
}

static bool heartbeat_partition(struct keeper *keeper, unsigned partition, struct err *err)
{
	struct bus *bus = keeper->bus;
	uint64_t now = clock_mono_ms();
	struct pulse *pulses = arena_alloc(keeper->arena, bus->thread_count * sizeof(*pulses));
	size_t count = 0;
	size_t args = 0;
	for (size_t i = 0; i < bus->thread_count; i++) {
		struct worker_thread *thread = bus->threads[i];
		if (thread->pool->spec.partition != partition || stuck(thread, now))
			continue;
		take_pulse(keeper, thread, &pulses[count]);
		if (pulses[count].count == 0)
			continue;
		pulses[count].key = key_of_pool(bus, thread->pool);
		args += 3 + pulses[count].count;
		count++;
		if (args > PULSE_ARGS_MAX) {
			if (!send_pulses(keeper, pulses, count, partition, err))
				return false;
			count = args = 0;
		}
	}
	return count == 0 || send_pulses(keeper, pulses, count, partition, err);
}

static bool heartbeat(struct keeper *keeper, struct err *err)
{
	const struct bus *bus = keeper->bus;
	for (size_t p = 0; p < bus->pool_count; p++) {
		if (leads_partition(bus, p) &&
		    !heartbeat_partition(keeper, bus->pools[p]->spec.partition, err))
			return false;
	}
	return true;
}

/* ---- what others left lying ---- */

static bool bury_poison(struct keeper *keeper, const struct pool *pool, const char *id,
			struct err *err)
{
	const struct worker_spec *spec = &pool->spec;
	struct settle_from from;
	struct key fate;
	bool buried = false;
	settle_from_init(&from, spec->partition, spec->stream, NULL, "",
			 keeper->bus->settings->fate_ttl_ms);
	struct redis_reply *reply =
	    redis_command(keeper->redis, err, "XRANGE %s %s %s", from.stream.text, id, id);
	if (!reply)
		return false;
	struct entry entry;
	bool read = entry_decode(reply, keeper->arena, &entry, 1, NULL) == 1;
	bool known = read && spec->fate && spec->fate(&entry, spec->partition, &fate);
	trace_log(read ? entry_text(&entry, "trace") : NULL);
	bool done =
	    settle_bury(keeper->redis, &from, id, known ? fate.text : NULL, DELIVERIES_MAX,
			keeper->bus->settings->claim_idle_ms, &buried, err);
	reply_free(reply);
	if (buried) {
		log_error("%s entry %s is dead: %d workers ended while they held it",
			  spec->stream, id, DELIVERIES_MAX);
		metric_add(&bus_metric_entries, 1.0, spec->stream, "poison");
	}
	trace_log(NULL);
	return done;
}

/* Readers that wait for new entries could take over what was found. */
static void unblock_readers(struct keeper *keeper, const struct pool *pool, size_t most)
{
	struct bus *bus = keeper->bus;
	for (size_t i = 0; i < bus->thread_count && most > 0; i++) {
		struct err ignored;
		int64_t id = atomic_load(&bus->threads[i]->reading);
		if (id == 0 || (pool && bus->threads[i]->pool != pool))
			continue;
		redis_run(keeper->redis, &ignored, "CLIENT UNBLOCK %lld", (long long)id);
		most--;
	}
}

/* After a restart of Redis everything looks idle that its owners just could not renew; except
 * what was never delivered by now, which somebody handed back (settle_release). */
static bool may_take(const struct keeper *keeper, int64_t deliveries)
{
	return deliveries == 0 ||
	       redis_connected_ms(keeper->redis) >= keeper->bus->settings->claim_idle_ms;
}

static bool scan_pool(struct keeper *keeper, struct pool *pool, struct err *err)
{
	const struct bus_settings *settings = keeper->bus->settings;
	struct key key;
	key_format(&key, pool->spec.partition, "%s", pool->spec.stream);
	struct redis_reply *reply =
	    redis_command(keeper->redis, err, "XPENDING %s %s IDLE %llu - + %d", key.text,
			  BUS_GROUP, (unsigned long long)settings->claim_idle_ms, STALE_MAX);
	if (!reply)
		return false;
	struct stale *found = arena_alloc(keeper->arena, STALE_MAX * sizeof(*found));
	size_t count = 0;
	bool done = true;
	for (size_t i = 0; i < reply_count(reply) && count < STALE_MAX && done; i++) {
		const struct redis_reply *row = reply_at(reply, i);
		const char *id = reply_text(reply_at(row, 0));
		int64_t deliveries = reply_integer(reply_at(row, 3));
		if (entry_id_ms(id) == 0 || strlen(id) >= ENTRY_ID_SIZE ||
		    !may_take(keeper, deliveries))
			continue;
		if (deliveries >= DELIVERIES_MAX) {
			done = bury_poison(keeper, pool, id, err);
			continue;
		}
		found[count].deliveries = deliveries > 0 ? (unsigned)deliveries : 0;
		snprintf(found[count++].id, ENTRY_ID_SIZE, "%s", id);
	}
	reply_free(reply);
	pthread_mutex_lock(&pool->lock);
	for (size_t i = 0; i < count; i++)
		pool->stale[i] = found[count - 1 - i]; /* taken from the end: oldest first */
	pool->stale_count = count;
	pthread_mutex_unlock(&pool->lock);
	unblock_readers(keeper, pool, count);
	return done;
}

static bool scan(struct keeper *keeper, struct err *err)
{
	struct bus *bus = keeper->bus;
	for (size_t p = 0; p < bus->pool_count; p++) {
		if (!scan_pool(keeper, bus->pools[p], err))
			return false;
	}
	return true;
}

/* ---- the deferred set ---- */

static bool wake_partition(struct keeper *keeper, size_t leader, struct err *err)
{
	const struct bus *bus = keeper->bus;
	unsigned partition = bus->pools[leader]->spec.partition;
	const char *streams[STREAMS_MAX];
	size_t count = 0;
	for (size_t p = 0; p < bus->pool_count && count < STREAMS_MAX; p++) {
		if (bus->pools[p]->spec.partition == partition)
			streams[count++] = bus->pools[p]->spec.stream;
	}
	for (unsigned round = 0; round < WAKE_ROUNDS; round++) {
		size_t woken = 0;
		if (!deferred_wake(keeper->redis, partition, streams, count, WAKE_MAX,
				   &keeper->wake_cursors[leader], &woken, err))
			return false;
		if (woken > 0)
			metric_add(&bus_metric_woken, (double)woken);
		if (woken < WAKE_MAX)
			break;
	}
	return true;
}

static bool wake(struct keeper *keeper, struct err *err)
{
	for (size_t p = 0; p < keeper->bus->pool_count; p++) {
		if (leads_partition(keeper->bus, p) && !wake_partition(keeper, p, err))
			return false;
	}
	return true;
}

/* ---- setup ---- */

static bool check(struct keeper *keeper, struct err *err)
{
	const struct bus *bus = keeper->bus;
	for (size_t p = 0; p < bus->pool_count; p++) {
		char generation[GENERATION_SIZE];
		if (!leads_partition(bus, p))
			continue;
		if (!setup_check(keeper->redis, bus->pools[p]->spec.partition, generation, err))
			return false;
		if (p != 0)
			continue;
		if (keeper->generation[0] != '\0' &&
		    strcmp(keeper->generation, generation) != 0)
			log_error("Redis has lost its data: generation %s is now %s",
				  keeper->generation, generation);
		memcpy(keeper->generation, generation, sizeof(generation));
	}
	return true;
}

/* ---- the end ---- */

/* On behalf of a thread that did not come to an end in time. What it has begun must not look as
 * if nobody had seen it (entry->woken), so it is put off, if only for a moment. */
static void hand_back_thread(struct keeper *keeper, struct worker_thread *thread)
{
	const struct bus_settings *settings = keeper->bus->settings;
	struct pulse pulse;
	struct err err;
	uint64_t now = clock_wall_ms();
	uint64_t intent = atomic_load(&thread->intent_ms);
	uint64_t until = intent > 0 ? intent + settings->quarantine_ms : 0;
	atomic_store(&thread->lost, true);
	take_pulse(keeper, thread, &pulse);
	for (size_t i = 0; i < pulse.count; i++) {
		const struct defer_item item = {
			.id = pulse.ids[i],
			.delay_ms = until > now ? until - now : 0,
			.reason = until > now ? "stopped while a call was under way"
					      : "stopped while it was worked on",
		};
		if (!settle_defer(keeper->redis, &thread->from, &item, NULL, &err))
			log_warn("%s entry %s stays with %s: %s", thread->pool->spec.stream,
				 item.id, thread->consumer, err.text);
	}
}

static void hand_back(struct keeper *keeper)
{
	struct bus *bus = keeper->bus;
	for (size_t i = 0; i < bus->thread_count; i++) {
		if (!atomic_load(&bus->threads[i]->ended))
			hand_back_thread(keeper, bus->threads[i]);
	}
}

/* ---- the loop ---- */

static bool due(uint64_t *next, uint64_t now, uint64_t interval)
{
	if (now < *next)
		return false;
	*next = now + interval;
	return true;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool tick(struct keeper *keeper, struct err *err)
{
	struct bus *bus = keeper->bus;
	const struct bus_settings *settings = bus->settings;
	uint64_t now = clock_mono_ms();
	bool stopping = atomic_load(&bus->stopping);
	if (due(&keeper->next_check, now, CHECK_MS) && !check(keeper, err))
		return false;
	/* Heartbeats first: what is late there costs most. */
	if (due(&keeper->next_heartbeat, now, settings->heartbeat_ms) &&
	    !heartbeat(keeper, err))
		return false;
	if (stopping) {
		unblock_readers(keeper, NULL, bus->thread_count);
		return true;
	}
	if (due(&keeper->next_wake, now, least(settings->scan_ms, WAKE_MS)) &&
	    !wake(keeper, err))
		return false;
	return !due(&keeper->next_scan, now, settings->scan_ms) || scan(keeper, err);
}

static uint64_t until_next(const struct keeper *keeper)
{
	uint64_t now = clock_mono_ms();
	uint64_t next = least(keeper->next_heartbeat, keeper->next_check);
	if (atomic_load(&keeper->bus->stopping)) /* nothing is looked for any more */
		next = least(next, now + STOPPING_MS);
	else
		next = least(next, least(keeper->next_scan, keeper->next_wake));
	return next > now ? next - now : 1;
}

static bool keeper_asked(struct bus *bus, bool *ret_hand_back)
{
	pthread_mutex_lock(&bus->lock);
	bool end = bus->keeper_end;
	*ret_hand_back = bus->hand_back && !bus->handed_back;
	pthread_mutex_unlock(&bus->lock);
	return !end;
}

void *keeper_main(void *opaque)
{
	struct bus *bus = opaque;
	bool asked = false;
	struct keeper keeper = {
		.bus = bus,
		.redis = bus_connection(bus, "keeper"),
		.arena = arena_new(),
		.wake_cursors = xcalloc(bus->pool_count + 1, sizeof(size_t)),
	};
	while (keeper_asked(bus, &asked)) {
		struct err err = { 0 };
		arena_reset(keeper.arena);
		atomic_store(&bus->keeper_progress_ms, clock_mono_ms());
		if (asked) {
			hand_back(&keeper);
			pthread_mutex_lock(&bus->lock);
			bus->handed_back = true;
			pthread_cond_broadcast(&bus->changed);
			pthread_mutex_unlock(&bus->lock);
			continue;
		}
		bool good = tick(&keeper, &err);
		set_trouble(&keeper, good ? "" : err.text);
		if (!good) {
			keeper.next_check = 0; /* nothing else until that is answered */
			bus_pause(bus, err.retry_after_ms > 0 ? least(err.retry_after_ms, 1000)
							      : 100);
			continue;
		}
		bus_pause(bus, until_next(&keeper));
	}
	redis_free(keeper.redis);
	arena_free(keeper.arena);
	free(keeper.wake_cursors);
	atomic_store(&bus->keeper_ended, true);
	bus_signal(bus);
	return NULL;
}
