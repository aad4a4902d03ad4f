/* Compiled when the first event of a source comes, again when setup has published others. */
#include "source_programs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "jq/jq.h"
#include "model/raw.h"
#include "service/programs.h"

struct metric source_programs_metric = {
	.name = "tocsin_normalizer_source_program_runs_total",
	.kind = METRIC_COUNTER,
	.help = "events given to the jq programs of sources, by source and by what came of it: "
		"result, error, nothing, several, too_large, deadline, memory, died, skipped",
	.labels = "source,outcome",
};

/* A program that ends its process on one event after the other leaves time to other sources. */
enum { PAUSE_MS = 10 * 1000 };

struct compiled {
	char *name; /* "source:wazuh" */
	int program;
	uint64_t paused_until_ms; /* mono; 0: not paused */
};

struct source_programs {
	struct programs *programs;
	struct jq *jq;
	uint64_t version; /* of what is compiled */
	struct compiled *compiled;
	size_t count;
};

struct source_programs *source_programs_new(struct programs *programs, struct jq *jq)
{
	struct source_programs *sources = xcalloc(1, sizeof *sources);

	sources->programs = programs;
	sources->jq = jq;
	return sources;
}

static void forget(struct source_programs *sources)
{
	for (size_t i = 0; i < sources->count; i++) {
		jq_remove(sources->jq, sources->compiled[i].program);
		free(sources->compiled[i].name);
	}
	sources->count = 0;
}

void source_programs_free(struct source_programs *sources)
{
	if (!sources)
		return;
	forget(sources);
	free(sources->compiled);
	free(sources);
}

/* ---- finding a program ---- */

static const struct program_set_item *find_item(const struct program_set *set,
						const struct raw *raw)
{
	char name[PROGRAM_SET_NAME_MAX + 1];

	snprintf(name, sizeof name, "source:%s/%s", raw->customer, raw->source);
	const struct program_set_item *own = program_set_find(set, name);
	if (own)
		return own;
	snprintf(name, sizeof name, "source:%s", raw->source);
	return program_set_find(set, name);
}

static int put_off(const struct compiled *compiled, struct err *err)
{
	uint64_t now_ms = clock_mono_ms();

	if (now_ms >= compiled->paused_until_ms)
		return compiled->program;
	err_fill(err, ERR_TRANSIENT,
		 "the program %s ended its process on one event after the other: put off",
		 compiled->name);
	err->retry_after_ms = compiled->paused_until_ms - now_ms;
	return -1;
}

/* Its number; -1 with err: what setup has checked and does not compile here is nobody's event's
 * fault. */
static int compile(struct source_programs *sources, const struct program_set_item *item,
		   struct err *err)
{
	for (size_t i = 0; i < sources->count; i++) {
		if (strcmp(sources->compiled[i].name, item->name) == 0)
			return put_off(&sources->compiled[i], err);
	}
	int program = jq_add(sources->jq, item->name, item->text, NULL, err);
	if (program < 0) {
		err->kind = ERR_TRANSIENT;
		return -1;
	}
	sources->compiled =
	    xrealloc(sources->compiled, (sources->count + 1) * sizeof *sources->compiled);
	sources->compiled[sources->count++] =
	    (struct compiled){ xstrdup(item->name), program, 0 };
	return program;
}

/* The set in force, looked for anew when it has no program for one of the events: it may be
 * younger than our last look. */
static const struct program_set *get_set(struct source_programs *sources, struct redis *redis,
					 const struct raw *const *raws, size_t count,
					 struct err *err)
{
	uint64_t version = 0;
	const struct program_set *set = programs_get(sources->programs, redis, &version, err);

	for (size_t i = 0; set && i < count; i++) {
		if (!raws[i] || find_item(set, raws[i]))
			continue;
		programs_put(sources->programs, set);
		programs_look_again(sources->programs);
		set = programs_get(sources->programs, redis, &version, err);
		break;
	}
	if (set && version != sources->version) {
		forget(sources);
		sources->version = version;
	}
	return set;
}

/* ---- running ---- */

static void take_result(const struct raw *raw, const struct jq_result *result,
			struct arena *arena, struct source_result *ret_result)
{
	metric_add(&source_programs_metric, 1, raw->source, jq_outcome_name(result->outcome));
	if (result->outcome == JQ_RESULT)
		ret_result->result =
		    (struct normalize_result){ arena_strndup(arena, result->text, result->size),
					       result->size };
	else
		err_fill(&ret_result->err,
			 result->outcome == JQ_SKIPPED ? ERR_TRANSIENT : ERR_PERMANENT,
			 "the program of source %s: %s", raw->source, result->text);
}

static void pause_program(struct source_programs *sources, int program)
{
	for (size_t i = 0; i < sources->count; i++) {
		struct compiled *compiled = &sources->compiled[i];

		if (compiled->program != program)
			continue;
		compiled->paused_until_ms = clock_mono_ms() + PAUSE_MS;
		log_warn("the program %s ended its process on %d events in a row: its events "
			 "are put off for %d s",
			 compiled->name, JQ_PATIENCE, PAUSE_MS / 1000);
	}
}

/* All events that have this program, in one batch. */
static void run_program(struct source_programs *sources, int program, const int *chosen,
			const struct raw *const *raws, size_t count, struct arena *arena,
			struct source_result *ret_results)
{
	struct jq_input *inputs = arena_alloc(arena, count * sizeof *inputs);
	struct jq_result *results = arena_alloc(arena, count * sizeof *results);
	size_t size = 0;
	struct err err = { 0 };

	for (size_t i = 0; i < count; i++) {
		if (chosen[i] == program)
			inputs[size++].value =
			    (struct jq_json){ raws[i]->payload, raws[i]->payload_size };
	}
	bool run = jq_run(sources->jq, program, inputs, size, results, &err);
	size = 0;
	for (size_t i = 0; i < count; i++) {
		if (chosen[i] != program)
			continue;
		if (run)
			take_result(raws[i], &results[size++], arena, &ret_results[i]);
		else
			ret_results[i].err = err;
	}
	if (run && size > 0 && results[size - 1].outcome == JQ_SKIPPED)
		pause_program(sources, program);
}

/* Which program each event has; -1: none, and ret_results say why. */
static void choose(struct source_programs *sources, const struct program_set *set,
		   const struct raw *const *raws, size_t count, int *ret_chosen,
		   struct source_result *ret_results)
{
	for (size_t i = 0; i < count; i++) {
		ret_chosen[i] = -1;
		if (!raws[i])
			continue;
		const struct program_set_item *item = find_item(set, raws[i]);
		if (item)
			ret_chosen[i] = compile(sources, item, &ret_results[i].err);
		else
			err_fill(&ret_results[i].err, ERR_PERMANENT, "no mapping for source %s",
				 raws[i]->source);
	}
}

void source_programs_run(struct source_programs *sources, struct redis *redis,
			 const struct raw *const *raws, size_t count, struct arena *arena,
			 struct source_result *ret_results)
{
	int *chosen = arena_alloc(arena, count * sizeof *chosen);
	struct err err = { 0 };
	const struct program_set *set = get_set(sources, redis, raws, count, &err);

	for (size_t i = 0; i < count; i++)
		ret_results[i] = (struct source_result){ .err = err };
	if (!set)
		return;
	for (size_t i = 0; i < count; i++)
		ret_results[i].err = (struct err){ 0 };
	choose(sources, set, raws, count, chosen, ret_results);
	programs_put(sources->programs, set);
	for (size_t i = 0; i < count; i++) {
		bool first = chosen[i] >= 0;

		for (size_t k = 0; first && k < i; k++)
			first = chosen[k] != chosen[i];
		if (first)
			run_program(sources, chosen[i], chosen, raws, count, arena,
				    ret_results);
	}
}
