#include "handler.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/metric.h"
#include "base/trace.h"
#include "bus/entry.h"
#include "bus/worker.h"
#include "jq/jq.h"
#include "model/finding.h"
#include "model/raw.h"
#include "normalize/normalize.h"

#include "rulings.h"
#include "source_programs.h"

static struct metric events = {
	.name = "tocsin_normalizer_events_total",
	.kind = METRIC_COUNTER,
	.help = "raw events by what became of them: finding, suppressed, skipped, "
		"refused",
	.labels = "customer,source,outcome",
};
static struct metric payload_bytes = {
	.name = "tocsin_normalizer_payload_bytes_total",
	.kind = METRIC_COUNTER,
	.help = "bytes of vendors' records read",
	.labels = "source",
};

struct metric *const handler_metrics[] = {
	&events,	 &payload_bytes,    &source_programs_metric, &rulings_matches,
	&rulings_errors, &rulings_left_out, &rulings_wrong,	     NULL,
};

/* So many of a batch are kept among the recent findings: when little comes all of them, of a
 * burst a sample, for it would push everything else out, and writing everything twice costs a
 * fifth. */
enum { KEPT_OF_BATCH = 8 };

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

static void refuse(struct arena *arena, const char *customer, const char *source,
		   const struct err *err, struct outcome *outcome)
{
	outcome->kind = OUTCOME_BURY;
	outcome->reason = arena_strdup(arena, err->text);
	metric_add(&events, 1, metric_customer(customer), source, "refused");
}

/* keep: among the recent findings, also when it is suppressed. */
static void publish(struct arena *arena, struct finding *finding, const struct policy *policy,
		    bool keep, struct outcome *outcome)
{
	struct field *fields = arena_alloc(arena, FINDING_FIELDS * sizeof *fields);
	const char *customer = metric_customer(finding->customer);
	char *trace = arena_alloc(arena, TRACE_ROOM);

	trace_child(finding->trace, trace);
	finding->trace = trace;
	judge_obey(policy, finding, arena);
	outcome->keep = keep;
	if (keep || !policy->suppress) {
		outcome->field_count = finding_encode(finding, arena, fields);
		outcome->fields = fields;
	}
	if (policy->suppress) {
		outcome->kind = OUTCOME_DONE;
		outcome->fate = arena_printf(arena, "suppressed:%s", policy->suppress);
		metric_add(&events, 1, customer, finding->source, "suppressed");
		return;
	}
	outcome->kind = OUTCOME_PUBLISH;
	outcome->fate = "queued"; /* still on its way: the incident service has the last word */
	metric_add(&events, 1, customer, finding->source, "finding");
}

static void skip(struct arena *arena, const struct raw *raw, const char *why,
		 struct outcome *outcome)
{
	outcome->kind = OUTCOME_DONE;
	outcome->fate = arena_printf(arena, "skipped:%s", why);
	metric_add(&events, 1, metric_customer(raw->customer), raw->source, "skipped");
}

/* ---- a batch ---- */

/* What a thread has of its own. */
struct local {
	struct normalize_scratch *scratch;
	struct jq *jq;
	struct source_programs *sources;
	struct rulings *rulings;
};

struct batch {
	struct worker_thread *self;
	struct outcome *outcomes;
	size_t count;
	struct raw *raws;
	bool *read;		       /* raws[i] is filled */
	struct source_result *results; /* of sources that are jq programs */
	struct finding *findings;      /* what has become of them ... */
	size_t *places;		       /* ... and which of the entries each was */
	size_t finding_count;
};

static void read_one(struct batch *batch, const struct entry *entry, size_t at)
{
	struct arena *arena = worker_arena(batch->self);
	struct outcome *outcome = &batch->outcomes[at];
	struct raw *raw = &batch->raws[at];
	struct err err = { 0 };

	trace_log(entry_text(entry, "trace"));
	batch->read[at] = raw_decode(raw, entry->fields, entry->field_count, &err);
	if (!batch->read[at]) {
		refuse(arena, "unknown", "unknown", &err,
		       outcome); /* whose fate it would be is unknown */
		return;
	}
	struct key *key = arena_alloc(arena, sizeof *key);
	raw_fate(worker_partition(batch->self), raw, key);
	outcome->fate_key = key->text;
	metric_add(&payload_bytes, (double)raw->payload_size, raw->source);
}

static void run_programs(struct batch *batch)
{
	struct local *local = worker_local(batch->self);
	struct arena *arena = worker_arena(batch->self);
	const struct raw **chosen = arena_alloc(arena, batch->count * sizeof *chosen);
	bool any = false;

	batch->results = arena_alloc(arena, batch->count * sizeof *batch->results);

	for (size_t i = 0; i < batch->count; i++) {
		if (!batch->read[i] || normalize_knows(batch->raws[i].source))
			continue;
		chosen[i] = &batch->raws[i];
		any = true;
	}
	if (any)
		source_programs_run(local->sources, worker_redis(batch->self), chosen,
				    batch->count, arena, batch->results);
}

static void handle_one(struct batch *batch, size_t at)
{
	const struct handler_shared *shared = worker_state(batch->self);
	struct local *local = worker_local(batch->self);
	struct arena *arena = worker_arena(batch->self);
	struct outcome *outcome = &batch->outcomes[at];
	const struct raw *raw = &batch->raws[at];
	const struct source_result *result = &batch->results[at];
	struct finding *finding = &batch->findings[batch->finding_count];
	enum normalize_verdict verdict;
	struct err err = { 0 };
	const char *why;

	trace_log(raw->trace);
	if (normalize_knows(raw->source)) {
		verdict = normalize(shared->normalizer, raw, local->scratch, arena, finding,
				    &why, &err);
	} else if (result->result.text) {
		verdict = normalize_mapped(shared->normalizer, raw, &result->result,
					   local->scratch, arena, finding, &why, &err);
	} else {
		err = result->err;
		verdict = NORMALIZE_REFUSE;
	}
	if (verdict == NORMALIZE_FINDING)
		batch->places[batch->finding_count++] = at;
	else if (verdict == NORMALIZE_SKIP)
		skip(arena, raw, why, outcome);
	else if (err.kind == ERR_PERMANENT)
		refuse(arena, raw->customer, raw->source, &err, outcome);
	else
		outcome_from_error(batch->self, &err, outcome);
}

/* Rules see all findings of the batch at once. */
static void judge_all(struct batch *batch)
{
	struct local *local = worker_local(batch->self);
	struct arena *arena = worker_arena(batch->self);
	size_t count = batch->finding_count;
	size_t step = (count + KEPT_OF_BATCH - 1) / KEPT_OF_BATCH;
	struct judgement *judgements = arena_alloc(arena, (count + 1) * sizeof *judgements);
	const struct finding **findings = arena_alloc(arena, (count + 1) * sizeof *findings);
	struct err err = { 0 };

	for (size_t i = 0; i < count; i++)
		findings[i] = &batch->findings[i];
	bool judged = rulings_run(local->rulings, worker_redis(batch->self),
				  worker_partition(batch->self), findings, count, arena,
				  judgements, &err);
	for (size_t i = 0; i < count; i++) {
		struct outcome *outcome = &batch->outcomes[batch->places[i]];

		trace_log(batch->findings[i].trace);
		if (judged)
			publish(arena, &batch->findings[i], &judgements[i].policy,
				i % step == 0, outcome);
		else
			outcome_from_error(batch->self, &err, outcome);
	}
}

void handler_handle(struct worker_thread *self, const struct entry *entries,
		    struct outcome *outcomes, size_t count)
{
	struct arena *arena = worker_arena(self);
	struct batch batch = {
		.self = self,
		.outcomes = outcomes,
		.count = count,
		.raws = arena_alloc(arena, count * sizeof *batch.raws),
		.read = arena_alloc(arena, count * sizeof *batch.read),
		.findings = arena_alloc(arena, count * sizeof *batch.findings),
		.places = arena_alloc(arena, count * sizeof *batch.places),
	};

	for (size_t i = 0; i < count; i++)
		read_one(&batch, &entries[i], i);
	trace_log(NULL);
	run_programs(&batch);
	for (size_t i = 0; i < count; i++) {
		if (batch.read[i])
			handle_one(&batch, i);
	}
	trace_log(NULL);
	if (batch.finding_count > 0)
		judge_all(&batch);
}

/* ---- a thread's own ---- */

static bool going(void *opaque)
{
	struct worker_thread *self = opaque;

	worker_progress(self);
	return !worker_stopping(self) && !worker_lost(self);
}

bool handler_open(struct worker_thread *self, void **ret_local, struct err *err)
{
	const struct handler_shared *shared = worker_state(self);
	struct local *local = xcalloc(1, sizeof *local);

	(void)err;
	local->scratch = normalize_scratch_new();
	local->jq = jq_new(shared->jq);
	jq_watch(local->jq, going, self);
	local->sources = source_programs_new(shared->programs, local->jq);
	local->rulings = rulings_new(shared->programs, local->jq);
	*ret_local = local;
	return true;
}

void handler_close(void *opaque)
{
	struct local *local = opaque;

	rulings_free(local->rulings);
	source_programs_free(local->sources);
	jq_free(local->jq);
	normalize_scratch_free(local->scratch);
	free(local);
}
