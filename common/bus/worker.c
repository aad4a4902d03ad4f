/* The loop of one worker thread, and what handlers ask of it. */
#include "bus/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/backoff.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/trace.h"
#include "bus/worker_thread.h"

enum { PAUSE_BASE_MS = 20, PAUSE_CAP_MS = 1000, COMPLAIN_MS = 10000, HISTORY_MAX = 1000 };

/* ---- what is in hand, shared with the keeper ---- */

static void hold(struct worker_thread *self, const struct batch *batch)
{
	pthread_mutex_lock(&self->lock);
	size_t needed = self->held_count + batch->count;
	if (needed > self->held_room) {
		self->held = xrealloc(self->held, needed * sizeof(*self->held));
		self->held_room = needed;
	}
	for (size_t i = 0; i < batch->count; i++) {
		struct held *held = &self->held[self->held_count++];
		held->lost = false;
		snprintf(held->id, sizeof(held->id), "%s", batch->entries[i].id);
	}
	pthread_mutex_unlock(&self->lock);
}

static bool batch_has(const struct batch *batch, const char *id)
{
	for (size_t i = 0; i < batch->count; i++) {
		if (strcmp(batch->entries[i].id, id) == 0)
			return true;
	}
	return false;
}

static void let_go(struct worker_thread *self, const struct batch *batch)
{
	size_t kept = 0;
	pthread_mutex_lock(&self->lock);
	for (size_t i = 0; i < self->held_count; i++) {
		if (!batch_has(batch, self->held[i].id))
			self->held[kept++] = self->held[i];
	}
	self->held_count = kept;
	pthread_mutex_unlock(&self->lock);
}

static void note_trouble(struct worker_thread *self, const char *text)
{
	pthread_mutex_lock(&self->lock);
	snprintf(self->trouble, sizeof(self->trouble), "%s", text);
	pthread_mutex_unlock(&self->lock);
}

/* ---- one turn: settle what is handled, read what comes next, handle it ---- */

static bool take_stale(struct worker_thread *self, struct stale *ret_stale)
{
	struct pool *pool = self->pool;
	bool found = false;
	pthread_mutex_lock(&pool->lock);
	if (pool->stale_count > 0) {
		*ret_stale = pool->stale[--pool->stale_count];
		found = true;
	}
	pthread_mutex_unlock(&pool->lock);
	return found;
}

/* Asks for new entries, or for one that another worker left lying; *ret_stale is then what the
 * keeper saw of it, else empty. */
static void append_read(struct worker_thread *self, struct stale *ret_stale)
{
	const struct bus_settings *settings = self->bus->settings;
	memset(ret_stale, 0, sizeof(*ret_stale));
	if (take_stale(self, ret_stale)) {
		redis_append(self->redis, "XCLAIM %s %s %s %llu %s", self->from.stream.text,
			     BUS_GROUP, self->consumer,
			     (unsigned long long)settings->claim_idle_ms, ret_stale->id);
		return;
	}
	redis_append(self->redis, "XREADGROUP GROUP %s %s COUNT %u BLOCK %llu STREAMS %s >",
		     BUS_GROUP, self->consumer, self->read_count,
		     (unsigned long long)settings->block_ms, self->from.stream.text);
	/* Known only now: appending may have connected. */
	atomic_store(&self->reading, redis_client_id(self->redis));
}

/* Which of the two shapes: XCLAIM gives entries, XREADGROUP streams of entries, or nil. */
static void load_read(struct worker_thread *self, struct batch *batch,
		      const struct stale *stale, struct redis_reply *reply)
{
	bool claimed = stale->id[0] != '\0';
	const struct redis_reply *entries = claimed ? reply : reply_at(reply_at(reply, 0), 1);
	batch_load(batch, reply, entries, self->pool->spec.batch, stale->deliveries + 1);
	if (claimed && batch->count > 0)
		metric_add(&bus_metric_taken_over, (double)batch->count,
			   self->pool->spec.stream);
	if (batch->count > 0)
		hold(self, batch);
	else
		batch_clear(batch);
}

/* What does not pass by itself is said aloud, by one thread for all. */
static void complain(struct worker_thread *self, const struct err *err)
{
	struct bus *bus = self->bus;
	uint64_t now = clock_mono_ms();
	uint64_t last = atomic_load(&bus->complained_ms);
	if (redis_error_row(redis_error(self->redis))->action != REDIS_ALARM ||
	    (last != 0 && now - last < COMPLAIN_MS))
		return;
	if (atomic_compare_exchange_strong(&bus->complained_ms, &last, now))
		log_error("%s: %s", self->pool->spec.stream, err->text);
}

static void redis_trouble(struct worker_thread *self, const struct err *err)
{
	metric_add(&bus_metric_redis_errors, 1.0);
	note_trouble(self, err->text);
	complain(self, err);
	uint64_t wait = backoff_ms(PAUSE_BASE_MS, PAUSE_CAP_MS, self->failures, PAUSE_BASE_MS);
	if (self->failures < 16)
		self->failures++;
	bus_pause(self->bus, wait);
}

static void release_all(struct worker_thread *self, struct batch *batch)
{
	atomic_store(&self->intent_ms, 0);
	for (size_t i = 0; i < batch->count; i++)
		batch->outcomes[i].kind = OUTCOME_RELEASE;
	batch_decide(self, batch);
}

/* Puts entries that no command could write again behind the others, buried; returns how many
 * others there are. */
static size_t set_aside(struct batch *batch)
{
	size_t count = batch->count;
	for (size_t i = 0; i < count;) {
		struct entry entry = batch->entries[i];
		if (entry.field_count <= ENTRY_FIELDS_MAX) {
			i++;
			continue;
		}
		batch->entries[i] = batch->entries[--count];
		batch->entries[count] = entry;
		batch->outcomes[count] = (struct outcome){ .kind = OUTCOME_BURY,
							   .reason = "more than 1,500 fields" };
	}
	return count;
}

static void handle(struct worker_thread *self, struct batch *batch)
{
	size_t count = set_aside(batch);
	uint64_t started = clock_mono_ms();
	atomic_store(&self->lost, false);
	atomic_store(&self->intent_ms, 0);
	worker_progress(self);
	self->current = batch;
	if (count == 1) /* of several the handler says which it is at */
		trace_log(entry_text(&batch->entries[0], "trace"));
	if (count > 0)
		self->pool->spec.handle(self, batch->entries, batch->outcomes, count);
	metric_observe(&bus_metric_seconds, (double)(clock_mono_ms() - started) / 1000.0,
		       self->pool->spec.stream);
	batch_decide(self, batch);
	self->current = NULL;
	worker_progress(self);
}

/* The batch with handled entries, and the one that is free for reading. */
static struct batch *batch_in(struct worker_thread *self, bool full, bool handled)
{
	for (size_t i = 0; i < 2; i++) {
		struct batch *batch = &self->batches[i];
		if ((batch->count > 0) == full && (!full || batch->handled == handled))
			return batch;
	}
	return NULL;
}

static bool holds(struct worker_thread *self, const char *id)
{
	bool held = false;
	pthread_mutex_lock(&self->lock);
	for (size_t i = 0; i < self->held_count && !held; i++)
		held = strcmp(self->held[i].id, id) == 0;
	pthread_mutex_unlock(&self->lock);
	return held;
}

/* Hands back what was delivered in an answer that never arrived: no worker died of it, so it
 * must not count towards poison, nor wait until it looks idle. */
static bool recover(struct worker_thread *self, struct err *err)
{
	const char *ids[HISTORY_MAX];
	size_t count = 0;
	struct redis_reply *reply =
	    redis_command(self->redis, err, "XPENDING %s %s - + %d %s", self->from.stream.text,
			  BUS_GROUP, HISTORY_MAX, self->consumer);
	if (!reply)
		return false;
	for (size_t i = 0; i < reply_count(reply) && i < HISTORY_MAX; i++) {
		const char *id = reply_text(reply_at(reply_at(reply, i), 0));
		if (!holds(self, id))
			ids[count++] = id;
	}
	bool done = settle_release(self->redis, &self->from, ids, count, err);
	reply_free(reply);
	self->read_lost = !done;
	return done;
}

/* An answer that is lost for its size must not be asked for again. */
static void note_read(struct worker_thread *self, bool answered)
{
	unsigned most = self->pool->spec.batch;
	if (!answered && redis_error(self->redis) == REDIS_IO) {
		self->read_lost = true;
		self->read_count = self->read_count > 1 ? self->read_count / 2 : 1;
	} else if (answered && self->read_count < most) {
		self->read_count = self->read_count * 2 < most ? self->read_count * 2 : most;
	}
}

/* One round trip. False with err when any part of it failed. */
static bool exchange(struct worker_thread *self, struct batch *done, bool read, struct err *err)
{
	struct err ignored;
	struct stale stale = { 0 };
	bool settled = true;
	bool answered = true;
	if (done)
		batch_append(self, done);
	if (read)
		append_read(self, &stale);
	if (done)
		settled = batch_read(self, done, err);
	if (done && settled) {
		let_go(self, done);
		batch_clear(done);
	}
	if (read) {
		struct redis_reply *reply = redis_read(self->redis, settled ? err : &ignored);
		struct batch *empty = batch_in(self, false, false);
		answered = reply != NULL;
		note_read(self, answered);
		if (reply && empty)
			load_read(self, empty, &stale, reply);
		else
			reply_free(reply);
	}
	atomic_store(&self->reading, 0);
	return settled && answered;
}

/* False when there is nothing left to do for ever. */
static bool turn(struct worker_thread *self)
{
	struct bus *bus = self->bus;
	struct err err = { 0 };
	bool stopping = atomic_load(&bus->stopping);
	struct batch *done = batch_in(self, true, true);
	struct batch *fresh = batch_in(self, true, false);
	bool read = !stopping && !fresh && atomic_load(&bus->ready);
	worker_progress(self);
	if (done || read) {
		bool whole = !self->read_lost || recover(self, &err);
		/* Nobody waits for room while it is told to stop; another takes it from the
		 * start. */
		if (stopping && done && done->full)
			release_all(self, done);
		if (whole && exchange(self, done, read, &err)) {
			self->failures = 0;
			note_trouble(self, "");
		} else {
			redis_trouble(self, &err);
		}
	} else if (!fresh) {
		if (stopping)
			return false;
		bus_wait_ready(bus, PAUSE_CAP_MS);
	}
	/* Handled only when nothing waits before it: its settling needs the round trip. */
	fresh = batch_in(self, true, false);
	if (fresh && !batch_in(self, true, true)) {
		if (atomic_load(&bus->stopping))
			release_all(self, fresh);
		else
			handle(self, fresh);
	}
	return true;
}

static bool open_local(struct worker_thread *self)
{
	const struct worker_spec *spec = &self->pool->spec;
	struct err err = { 0 };
	if (self->opened || !spec->open)
		return true;
	self->opened = spec->open(self, &self->local, &err);
	if (!self->opened) {
		note_trouble(self, err.text);
		bus_pause(self->bus, PAUSE_CAP_MS);
	} else {
		note_trouble(self, "");
	}
	return self->opened;
}

void *worker_main(void *opaque)
{
	struct worker_thread *self = opaque;
	struct bus *bus = self->bus;
	self->redis = bus_connection(bus, self->consumer);
	redis_set_block(self->redis, bus->settings->block_ms);
	while (!atomic_load(&bus->stopping) && !open_local(self))
		worker_progress(self);
	while (!atomic_load(&bus->abandoned) && turn(self))
		continue;
	if (self->opened && self->pool->spec.close)
		self->pool->spec.close(self->local);
	redis_free(self->redis);
	self->redis = NULL;
	log_context_clear();
	atomic_store(&self->ended, true);
	bus_signal(bus);
	return NULL;
}

/* ---- for handlers ---- */

void outcome_from_error(struct worker_thread *self, const struct err *err,
			struct outcome *ret_outcome)
{
	*ret_outcome = (struct outcome){
		.kind = OUTCOME_DEFER,
		.delay_ms = err->retry_after_ms,
		.reason = arena_strdup(worker_arena(self), err->text),
		.uncounted = err->kind == ERR_ACCOUNT,
	};
	if (err->kind == ERR_PERMANENT)
		ret_outcome->kind = OUTCOME_BURY;
	else if (err->kind == ERR_STOPPING)
		ret_outcome->kind = OUTCOME_RELEASE;
}

const void *worker_state(const struct worker_thread *self)
{
	return self->pool->spec.state;
}

void *worker_local(const struct worker_thread *self)
{
	return self->local;
}

struct redis *worker_redis(struct worker_thread *self)
{
	return self->redis;
}

struct arena *worker_arena(struct worker_thread *self)
{
	return self->current ? self->current->arena : self->batches[0].arena;
}

const char *worker_consumer(const struct worker_thread *self)
{
	return self->consumer;
}

unsigned worker_partition(const struct worker_thread *self)
{
	return self->pool->spec.partition;
}

const struct settle_from *worker_from(const struct worker_thread *self)
{
	return &self->from;
}

bool worker_stopping(const struct worker_thread *self)
{
	return atomic_load(&self->bus->stopping);
}

void worker_wait(struct worker_thread *self, uint64_t ms)
{
	worker_progress(self);
	bus_pause(self->bus, ms);
	worker_progress(self);
}

bool worker_lost(const struct worker_thread *self)
{
	if (atomic_load(&self->lost))
		return true;
	uint64_t sure = atomic_load(&self->renewed_ms);
	if (self->current && self->current->read_ms > sure)
		sure = self->current->read_ms;
	return clock_mono_ms() - sure >= self->bus->settings->claim_idle_ms;
}

void worker_progress(struct worker_thread *self)
{
	atomic_store(&self->progress_ms, clock_mono_ms());
}

void worker_intent(struct worker_thread *self, uint64_t intent_wall_ms)
{
	atomic_store(&self->intent_ms, intent_wall_ms);
}
