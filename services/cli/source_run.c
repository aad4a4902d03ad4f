#include "source_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/conf.h"
#include "cli.h"
#include "jq/jq.h"
#include "model/customer.h"
#include "store.h"

enum { COMPILED_MAX = 64, PATH_BYTES = 4096 };

struct source_run {
	const struct cli *cli;
	struct normalizer *normalizer;
	struct normalize_scratch *scratch;
	struct jq *jq;
	int used; /* of source_run_use(); -1: none */
	struct {
		char *path;
		int program;
	} compiled[COMPILED_MAX];
	size_t count;
};

struct source_run *source_run_new(const struct cli *cli, struct err *err)
{
	struct normalizer *normalizer = normalizer_new(cli->settings.grouping, err);

	if (!normalizer)
		return NULL;
	struct source_run *run = xcalloc(1, sizeof *run);
	run->cli = cli;
	run->normalizer = normalizer;
	run->scratch = normalize_scratch_new();
	run->jq = jq_new(&cli->jq);
	run->used = -1;
	return run;
}

void source_run_free(struct source_run *run)
{
	if (!run)
		return;
	for (size_t i = 0; i < run->count; i++)
		free(run->compiled[i].path);
	jq_free(run->jq);
	normalize_scratch_free(run->scratch);
	normalizer_free(run->normalizer);
	free(run);
}

/* ---- the program ---- */

/* A customer's own, or the one named like the source. */
static void find_path(const struct source_run *run, const struct raw *raw, char *ret_path)
{
	const char *folder = run->cli->settings.config_dir;
	char path[PATH_BYTES];

	snprintf(path, sizeof path, "%s/customers/%s.json", folder, raw->customer);
	char *text = conf_read_file(path, STORE_FILE_MAX, NULL);
	struct customer *customer =
	    text ? customer_decode(text, strlen(text), path, NULL) : NULL;
	const struct customer_push_source *source =
	    customer ? customer_push_source(&customer->push, raw->source) : NULL;
	if (source && source->program)
		snprintf(ret_path, PATH_BYTES, "%s/sources/%s", folder, source->program);
	else
		snprintf(ret_path, PATH_BYTES, "%s/sources/%s.jq", folder, raw->source);
	customer_free(customer);
	free(text);
}

static int compile(struct source_run *run, const char *path, struct err *err)
{
	for (size_t i = 0; i < run->count; i++) {
		if (strcmp(run->compiled[i].path, path) == 0)
			return run->compiled[i].program;
	}
	if (run->count == COMPILED_MAX) {
		err_fill(err, ERR_PERMANENT, "more than %d programs at once", COMPILED_MAX);
		return -1;
	}
	char *text = conf_read_file(path, JQ_PROGRAM_BYTES, err);
	int program = text ? jq_add(run->jq, path, text, NULL, err) : -1;
	free(text);
	if (program < 0)
		return -1;
	run->compiled[run->count].path = xstrdup(path);
	run->compiled[run->count++].program = program;
	return program;
}

bool source_run_use(struct source_run *run, const char *path, struct err *err)
{
	run->used = compile(run, path, err);
	return run->used >= 0;
}

/* ---- one event ---- */

static bool run_program(struct source_run *run, const struct raw *raw,
			struct normalize_result *ret_result, struct err *err)
{
	const struct jq_input input = { .value = { raw->payload, raw->payload_size } };
	struct jq_result result;
	char path[PATH_BYTES];
	int program = run->used;

	if (program < 0) {
		find_path(run, raw, path);
		program = compile(run, path, err);
	}
	if (program < 0 || !jq_run(run->jq, program, &input, 1, &result, err))
		return false;
	if (result.outcome != JQ_RESULT)
		return err_set(err, ERR_PERMANENT, "the program of source %s: %s", raw->source,
			       result.text);
	*ret_result = (struct normalize_result){ result.text, result.size };
	return true;
}

enum normalize_verdict source_run_event(struct source_run *run, const struct raw *raw,
					struct arena *arena, struct finding *ret_finding,
					const char **ret_skip, struct err *err)
{
	struct normalize_result result;

	if (run->used < 0 && normalize_knows(raw->source))
		return normalize(run->normalizer, raw, run->scratch, arena, ret_finding,
				 ret_skip, err);
	if (!run_program(run, raw, &result, err))
		return NORMALIZE_REFUSE;
	return normalize_mapped(run->normalizer, raw, &result, run->scratch, arena, ret_finding,
				ret_skip, err);
}
