/* From what a handler decided to what is sent to Redis. */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/backoff.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/trace.h"
#include "bus/worker_thread.h"

enum { UNCOUNTED_MIN_MS = 1000, UNCOUNTED_MAX_MS = 5000 };

void batch_init(struct batch *batch)
{
	memset(batch, 0, sizeof(*batch));
	batch->arena = arena_new();
}

void batch_clear(struct batch *batch)
{
	struct arena *arena = batch->arena;
	reply_free(batch->reply);
	memset(batch, 0, sizeof(*batch));
	batch->arena = arena;
	if (arena)
		arena_reset(arena);
}

void batch_done(struct batch *batch)
{
	batch_clear(batch);
	arena_free(batch->arena);
	batch->arena = NULL;
}

void batch_load(struct batch *batch, struct redis_reply *whole,
		const struct redis_reply *entries, size_t room, unsigned deliveries)
{
	size_t gone = 0;
	batch_clear(batch);
	batch->reply = whole;
	batch->read_ms = clock_mono_ms();
	batch->entries = arena_alloc(batch->arena, room * sizeof(*batch->entries));
	batch->outcomes = arena_alloc(batch->arena, room * sizeof(*batch->outcomes));
	batch->count = entry_decode(entries, batch->arena, batch->entries, room, &gone);
	for (size_t i = 0; i < batch->count; i++)
		batch->entries[i].deliveries = deliveries;
	if (gone > 0)
		metric_add(&bus_metric_gone, (double)gone);
}

static const char *fate_of(struct worker_thread *self, struct batch *batch,
			   const struct entry *entry, const char *given)
{
	struct key key;
	const struct worker_spec *spec = &self->pool->spec;
	if (given || !spec->fate || !spec->fate(entry, spec->partition, &key))
		return given;
	return arena_strdup(batch->arena, key.text);
}

static void add_item(struct batch *batch, const struct entry *entry,
		     const struct outcome *outcome, enum settle_kind kind)
{
	batch->items[batch->item_count++] = (struct settle_item){
		.id = entry->id,
		.kind = kind,
		.fate_key = outcome->fate_key,
		.fate = outcome->fate,
		.reason = outcome->reason,
		.fields = kind == SETTLE_BURY ? NULL : outcome->fields,
		.field_count = kind == SETTLE_BURY ? 0 : outcome->field_count,
		.keep = outcome->keep,
	};
}

static void add_bury(struct worker_thread *self, struct batch *batch, const struct entry *entry,
		     struct outcome *outcome)
{
	if (!outcome->reason || outcome->reason[0] == '\0')
		outcome->reason = "no reason was given";
	outcome->fate_key = fate_of(self, batch, entry, outcome->fate_key);
	log_warn("%s entry %s is dead: %s", self->pool->spec.stream, entry->id,
		 outcome->reason);
	add_item(batch, entry, outcome, SETTLE_BURY);
}

static void add_defer(struct worker_thread *self, struct batch *batch,
		      const struct entry *entry, struct outcome *outcome)
{
	const struct bus_settings *settings = self->bus->settings;
	uint64_t now = clock_wall_ms();
	uint64_t age = now > entry->first_ms ? now - entry->first_ms : 0;
	const char *reason = outcome->reason ? outcome->reason : "";
	if (!outcome->uncounted && !outcome->ageless && age >= settings->give_up_ms) {
		char span[CLOCK_TEXT_SIZE];
		clock_format_span(settings->give_up_ms, span);
		outcome->reason =
		    arena_printf(batch->arena, "given up after %s: %s", span, reason);
		add_bury(self, batch, entry, outcome);
		return;
	}
	uint64_t delay = outcome->delay_ms;
	if (!outcome->uncounted)
		delay = backoff_ms(settings->backoff_base_ms, settings->backoff_cap_ms,
				   entry->attempt, delay);
	else if (delay == 0)
		delay = backoff_random(UNCOUNTED_MIN_MS, UNCOUNTED_MAX_MS);
	batch->defers[batch->defer_count++] = (struct defer_item){
		.id = entry->id,
		.delay_ms = delay,
		.counted = !outcome->uncounted,
		.reason = reason,
	};
}

/* Handed back at once, or, when a call may be under way, put off until its quarantine is over.
 */
static void add_release(struct worker_thread *self, struct batch *batch,
			const struct entry *entry)
{
	uint64_t intent = atomic_load(&self->intent_ms);
	uint64_t until = intent + self->bus->settings->quarantine_ms;
	uint64_t now = clock_wall_ms();
	if (intent == 0 || until <= now) {
		batch->releases[batch->release_count++] = entry->id;
		return;
	}
	batch->defers[batch->defer_count++] = (struct defer_item){
		.id = entry->id,
		.delay_ms = until - now,
		.reason = "stopped while a call was under way",
	};
}

/* A handler that asked for what cannot be sent has a defect: the entry waits for a better one.
 */
static void check_outcome(const struct worker_thread *self, const struct entry *entry,
			  struct outcome *outcome)
{
	const char *defect = NULL;
	if (outcome->kind == OUTCOME_UNDECIDED)
		defect = "the handler decided nothing";
	else if (outcome->kind == OUTCOME_PUBLISH && !self->pool->spec.output)
		defect = "the handler publishes without an output";
	else if (outcome->kind == OUTCOME_PUBLISH &&
		 (outcome->field_count == 0 || outcome->field_count > ENTRY_FIELDS_MAX))
		defect = "the handler publishes no fields, or too many";
	if (!defect)
		return;
	log_error("%s entry %s: %s; it is put off", self->pool->spec.stream, entry->id, defect);
	*outcome = (struct outcome){ .kind = OUTCOME_DEFER, .reason = defect };
}

static const char *outcome_name(enum outcome_kind kind)
{
	switch (kind) {
	case OUTCOME_DONE:
		return "done";
	case OUTCOME_PUBLISH:
		return "published";
	case OUTCOME_DEFER:
		return "deferred";
	case OUTCOME_BURY:
		return "dead";
	case OUTCOME_RELEASE:
		return "released";
	case OUTCOME_SETTLED:
		return "settled";
	case OUTCOME_UNDECIDED:
	default:
		return "undecided";
	}
}

static void decide_one(struct worker_thread *self, struct batch *batch,
		       const struct entry *entry, struct outcome *outcome)
{
	check_outcome(self, entry, outcome);
	log_debug("%s entry %s: %s", self->pool->spec.stream, entry->id,
		  outcome_name(outcome->kind));
	switch (outcome->kind) {
	case OUTCOME_DONE:
		add_item(batch, entry, outcome, SETTLE_DROP);
		break;
	case OUTCOME_PUBLISH:
		add_item(batch, entry, outcome, SETTLE_PUBLISH);
		break;
	case OUTCOME_BURY:
		add_bury(self, batch, entry, outcome);
		break;
	case OUTCOME_DEFER:
		add_defer(self, batch, entry, outcome);
		break;
	case OUTCOME_RELEASE:
		add_release(self, batch, entry);
		break;
	case OUTCOME_UNDECIDED:
	case OUTCOME_SETTLED:
		break;
	}
}

static void count_outcomes(const struct worker_thread *self, const struct batch *batch)
{
	unsigned counts[OUTCOME_SETTLED + 1] = { 0 };
	for (size_t i = 0; i < batch->count; i++)
		counts[batch->outcomes[i].kind]++;
	for (unsigned kind = 0; kind <= OUTCOME_SETTLED; kind++) {
		if (counts[kind] > 0)
			metric_add(&bus_metric_entries, counts[kind], self->pool->spec.stream,
				   outcome_name(kind));
	}
}

void batch_decide(struct worker_thread *self, struct batch *batch)
{
	size_t count = batch->count;
	batch->item_count = batch->defer_count = batch->release_count = batch->apart = 0;
	batch->full = false;
	batch->items = arena_alloc(batch->arena, count * sizeof(*batch->items));
	batch->defers = arena_alloc(batch->arena, count * sizeof(*batch->defers));
	batch->releases = arena_alloc(batch->arena, count * sizeof(*batch->releases));
	for (size_t i = 0; i < count; i++) {
		trace_log(entry_text(&batch->entries[i], "trace"));
		decide_one(self, batch, &batch->entries[i], &batch->outcomes[i]);
	}
	trace_log(NULL);
	batch->handled = true;
	count_outcomes(self, batch);
}

void batch_append(struct worker_thread *self, const struct batch *batch)
{
	settle_append(self->redis, &self->from, batch->items, batch->apart);
	settle_append(self->redis, &self->from, batch->items + batch->apart,
		      batch->item_count - batch->apart);
	for (size_t i = 0; i < batch->defer_count; i++)
		settle_append_defer(self->redis, &self->from, &batch->defers[i]);
	if (batch->release_count > 0)
		settle_append_release(self->redis, &self->from, batch->releases,
				      batch->release_count);
}

/* While nothing can be published, what only makes room does not wait for it. */
static void set_apart(struct batch *batch)
{
	batch->apart = 0;
	for (size_t i = 0; i < batch->item_count; i++) {
		struct settle_item item = batch->items[i];

		if (item.kind == SETTLE_PUBLISH)
			continue;
		batch->items[i] = batch->items[batch->apart];
		batch->items[batch->apart++] = item;
	}
}

/* What is no longer ours was not published; whoever has it now does the same work. */
static void log_not_ours(const struct worker_thread *self, const char *id)
{
	log_debug("%s entry %s was settled before, or is another's now",
		  self->pool->spec.stream, id);
}

bool batch_read(struct worker_thread *self, struct batch *batch, struct err *err)
{
	struct err why = { 0 };
	bool settled_stack[64] = { false };
	bool *settled = batch->item_count <= 64
			    ? settled_stack
			    : arena_alloc(batch->arena, batch->item_count * sizeof(*settled));
	enum redis_error error = REDIS_NONE;
	bool complete =
	    settle_read(self->redis, batch->items, batch->apart, settled, &error, err);

	complete = settle_read(self->redis, batch->items + batch->apart,
			       batch->item_count - batch->apart, settled + batch->apart, &error,
			       complete ? err : &why) &&
		   complete;
	for (size_t i = 0; complete && i < batch->item_count; i++) {
		if (!settled[i])
			log_not_ours(self, batch->items[i].id);
	}
	size_t rest = batch->defer_count + (batch->release_count > 0);
	for (size_t i = 0; i < rest; i++) {
		struct redis_reply *reply = redis_read(self->redis, complete ? err : &why);
		complete = complete && reply;
		if (reply && reply_integer(reply) == 0 && i < batch->defer_count)
			log_not_ours(self, batch->defers[i].id);
		reply_free(reply);
	}
	batch->full = error == REDIS_FULL;
	if (batch->full)
		set_apart(batch);
	return complete;
}
