/*
 * Every tests/fixtures/SOURCE/NAME.in.json (an event or a list of them) gives exactly
 * NAME.want.json. With TOCSIN_GOLDEN_UPDATE=1 the latter are written: read the difference
 * before it is committed. A NAME that ends in "_asked" stands for event types asked for by
 * name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <glob.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/conf.h"
#include "model/json_tree.h"
#include "model/json_writer.h"
#include "normalize/normalize.h"

#include "jq_child.h"

enum { FILE_MAX_BYTES = 1 << 20 };

struct golden {
	struct normalizer *normalizer;
	struct normalize_scratch *scratch;
	struct arena *arena;
	struct jq *jq;
	int program; /* of the source that is one; -1: it is mapped in C */
};

static int setup(void **state)
{
	struct golden *golden = xcalloc(1, sizeof *golden);
	struct err err;

	golden->normalizer = normalizer_new(NORMALIZE_GROUPING, &err);
	golden->scratch = normalize_scratch_new();
	golden->arena = arena_new();
	golden->jq = jq_new(jq_test_settings(JQ_PATIENT_MS));
	golden->program = -1;
	*state = golden;
	return golden->normalizer ? 0 : -1;
}

static int teardown(void **state)
{
	struct golden *golden = *state;

	jq_free(golden->jq);
	arena_free(golden->arena);
	normalize_scratch_free(golden->scratch);
	normalizer_free(golden->normalizer);
	free(golden);
	return 0;
}

static enum normalize_verdict normalize_one(struct golden *golden, const struct raw *raw,
					    struct finding *ret_finding, const char **ret_skip,
					    struct err *err)
{
	const struct jq_input input = { .value = { raw->payload, raw->payload_size } };
	struct jq_result result;

	if (golden->program < 0)
		return normalize(golden->normalizer, raw, golden->scratch, golden->arena,
				 ret_finding, ret_skip, err);
	assert_true(jq_run(golden->jq, golden->program, &input, 1, &result, err));
	if (result.outcome != JQ_RESULT) {
		err_fill(err, ERR_PERMANENT, "%s", result.text);
		return NORMALIZE_REFUSE;
	}
	return normalize_mapped(golden->normalizer, raw,
				&(struct normalize_result){ result.text, result.size },
				golden->scratch, golden->arena, ret_finding, ret_skip, err);
}

static void add_result(struct golden *golden, const struct json_node *event, const char *source,
		       const char *asked, struct buf *out)
{
	const struct json_node *id = json_tree_get(event, "id");
	bool has_id = id && id->size > 0 && id->text;
	struct buf payload;
	struct finding finding;
	struct err err = { 0 };
	const char *skip;

	buf_init(&payload, FILE_MAX_BYTES);
	json_tree_write(&payload, NULL, event);
	const struct raw raw = {
		.customer = "acme",
		.source = source,
		.event_id = has_id ? id->text : "derived-0123456789abcdef",
		.observed_ms = 1763750000000,
		.trace = "",
		.asked = asked,
		.payload = payload.data,
		.payload_size = payload.size,
	};
	json_begin(out, NULL, '{');
	switch (normalize_one(golden, &raw, &finding, &skip, &err)) {
	case NORMALIZE_FINDING:
		json_put_string(out, "uid", finding.uid);
		json_put_string(out, "group", finding.group);
		json_put_int(out, "severity_id", finding.severity_id);
		json_put_int(out, "time_ms", (int64_t)finding.time_ms);
		json_put_raw(out, "finding", finding.payload, finding.payload_size);
		break;
	case NORMALIZE_SKIP:
		json_put_string(out, "skipped", skip);
		break;
	case NORMALIZE_REFUSE:
		json_put_string(out, "refused", err.text);
		break;
	}
	json_end(out, '}');
	buf_done(&payload);
}

/* A list, one item per event, with line breaks for people. */
static char *results_of(struct golden *golden, const char *source, const char *path)
{
	const char *asked = strstr(path, "_asked.in.json") ? "1" : "";
	struct err err = { 0 };
	char *text = conf_read_file(path, FILE_MAX_BYTES, &err);
	struct arena *arena = arena_new();
	struct buf out;

	assert_non_null(text);
	buf_init(&out, FILE_MAX_BYTES);
	const struct json_node *root = json_tree_parse(text, strlen(text), arena, &err);
	assert_non_null(root);
	json_begin(&out, NULL, '[');
	if (root->kind == JSON_NODE_ARRAY) {
		for (const struct json_node *event = root->first; event; event = event->next)
			add_result(golden, event, source, asked, &out);
	} else {
		add_result(golden, root, source, asked, &out);
	}
	json_end(&out, ']');
	json_t *results = json_loadb(out.data, out.size, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(results);
	char *pretty = json_dumps(results, JSON_INDENT(2));
	json_decref(results);
	buf_done(&out);
	arena_free(arena);
	free(text);
	return pretty;
}

static bool update(const char *path, const char *text)
{
	const char *wanted = getenv("TOCSIN_GOLDEN_UPDATE");

	if (!wanted || strcmp(wanted, "1") != 0)
		return false;
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "%s\n", text);
	fclose(file);
	return true;
}

/* Tells the first line that differs: whole findings side by side help nobody. */
static void compare(const char *path, const char *got, const char *want)
{
	unsigned line = 1;

	while (*got && *got == *want) {
		line += *got == '\n';
		got++;
		want++;
	}
	if (*got != *want)
		fail_msg("%s:%u: want %.*s, got %.*s", path, line, (int)strcspn(want, "\n"),
			 want, (int)strcspn(got, "\n"), got);
}

static void check_samples(struct golden *golden, const char *source, size_t least)
{
	char pattern[128];
	glob_t found;

	snprintf(pattern, sizeof pattern, "tests/fixtures/%s/*.in.json", source);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	assert_true(found.gl_pathc >= least);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct err err = { 0 };
		char path[256];
		int stem = (int)strlen(found.gl_pathv[i]) - (int)strlen(".in.json");
		snprintf(path, sizeof path, "%.*s.want.json", stem, found.gl_pathv[i]);
		char *got = results_of(golden, source, found.gl_pathv[i]);
		if (!update(path, got)) {
			char *want = conf_read_file(path, FILE_MAX_BYTES, &err);
			if (!want)
				fail_msg("%s", err.text);
			compare(path, got, want);
			free(want);
		}
		free(got);
	}
	globfree(&found);
}

static void secure_endpoint_gives_what_it_should(void **state)
{
	check_samples(*state, "secure_endpoint", 20);
}

static void defender_gives_what_it_should(void **state)
{
	check_samples(*state, "defender", 10);
}

static void umbrella_gives_what_it_should(void **state)
{
	check_samples(*state, "umbrella", 15);
}

static void generic_gives_what_it_should(void **state)
{
	check_samples(*state, "generic", 10);
}

static void wazuh_gives_what_it_should(void **state)
{
	struct golden *golden = *state;
	struct err err = { 0 };
	char *text = conf_read_file("deploy/sources/wazuh.jq", FILE_MAX_BYTES, &err);

	assert_non_null(text);
	golden->program = jq_add(golden->jq, "wazuh.jq", text, NULL, &err);
	if (golden->program < 0)
		fail_msg("%s", err.text);
	free(text);
	check_samples(golden, "wazuh", 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(secure_endpoint_gives_what_it_should, setup,
						teardown),
		cmocka_unit_test_setup_teardown(defender_gives_what_it_should, setup, teardown),
		cmocka_unit_test_setup_teardown(umbrella_gives_what_it_should, setup, teardown),
		cmocka_unit_test_setup_teardown(generic_gives_what_it_should, setup, teardown),
		cmocka_unit_test_setup_teardown(wazuh_gives_what_it_should, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
