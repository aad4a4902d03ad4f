#include "handler.h"

#include "base/arena.h"
#include "base/metric.h"
#include "bus/entry.h"
#include "bus/worker.h"
#include "model/finding.h"
#include "model/raw.h"

#include "normalize/normalize.h"

static struct metric events = {
	.name = "tocsin_normalizer_events_total",
	.kind = METRIC_COUNTER,
	.help = "raw events by source and by what became of them: finding, skipped, refused",
	.labels = "source,outcome",
};
static struct metric payload_bytes = {
	.name = "tocsin_normalizer_payload_bytes_total",
	.kind = METRIC_COUNTER,
	.help = "bytes of vendors' records read",
	.labels = "source",
};

struct metric *const handler_metrics[] = { &events, &payload_bytes, NULL };

/* ---- the fate's key ---- */

static void raw_fate(unsigned partition, const struct raw *raw, struct key *ret_key)
{
	key_fate(ret_key, partition, raw->customer, raw->source, raw->event_id);
}

bool handler_fate(const struct entry *entry, unsigned partition, struct key *ret_key)
{
	struct raw raw;

	if (!raw_decode(&raw, entry->fields, entry->field_count, NULL))
		return false;
	raw_fate(partition, &raw, ret_key);
	return true;
}

/* ---- one entry ---- */

static void refuse(struct arena *arena, const char *source, const struct err *err,
		   struct outcome *outcome)
{
	outcome->kind = OUTCOME_BURY;
	outcome->reason = arena_strdup(arena, err->text);
	metric_add(&events, 1, source, "refused");
}

static void publish(struct arena *arena, const struct finding *finding, struct outcome *outcome)
{
	struct field *fields = arena_alloc(arena, FINDING_FIELDS * sizeof *fields);

	outcome->kind = OUTCOME_PUBLISH;
	outcome->field_count = finding_encode(finding, arena, fields);
	outcome->fields = fields;
	outcome->fate = "queued"; /* still on its way: the incident service has the last word */
	metric_add(&events, 1, finding->source, "finding");
}

static void handle_one(struct worker_thread *self, const struct entry *entry,
		       struct outcome *outcome)
{
	struct arena *arena = worker_arena(self);
	struct key *key = arena_alloc(arena, sizeof *key);
	struct err err = { 0 };
	struct raw raw;
	struct finding finding;
	const char *skip;

	if (!raw_decode(&raw, entry->fields, entry->field_count, &err)) {
		refuse(arena, "unknown", &err, outcome); /* whose fate it would be is unknown */
		return;
	}
	raw_fate(worker_partition(self), &raw, key);
	outcome->fate_key = key->text;
	metric_add(&payload_bytes, (double)raw.payload_size, raw.source);
	switch (normalize(worker_state(self), &raw, worker_local(self), arena, &finding, &skip,
			  &err)) {
	case NORMALIZE_FINDING:
		publish(arena, &finding, outcome);
		return;
	case NORMALIZE_SKIP:
		outcome->kind = OUTCOME_DONE;
		outcome->fate = arena_printf(arena, "skipped:%s", skip);
		metric_add(&events, 1, raw.source, "skipped");
		return;
	case NORMALIZE_REFUSE:
		refuse(arena, raw.source, &err, outcome);
		return;
	}
}

void handler_handle(struct worker_thread *self, const struct entry *entries,
		    struct outcome *outcomes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		handle_one(self, &entries[i], &outcomes[i]);
}

bool handler_open(struct worker_thread *self, void **ret_local, struct err *err)
{
	(void)self;
	(void)err;
	*ret_local = normalize_scratch_new();
	return true;
}

void handler_close(void *local)
{
	normalize_scratch_free(local);
}
