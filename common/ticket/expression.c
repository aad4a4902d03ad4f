/* Expressions, without a child process where that can be, else with one. */
#include "ticket/expression.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "jq/jq.h"
#include "ticket/column.h"
#include "ticket/sheet.h"
#include "ticket/template.h"

enum {
	PROGRAMS = 64, /* kept compiled; more begin anew */
	DOCUMENT_MAX = 2 << 20,
	KEY_SIZE = 160,
};

struct program {
	char key[KEY_SIZE];
	int number;
};

struct expressions {
	const struct jq_settings *settings;
	struct jq *jq; /* NULL until it is needed */
	struct program
	    *programs; /* PROGRAMS of them, NULL until the first: most threads have none */
	size_t count;
};

struct expressions *expressions_new(const struct jq_settings *settings)
{
	struct expressions *expressions = xcalloc(1, sizeof *expressions);

	expressions->settings = settings;
	return expressions;
}

void expressions_free(struct expressions *expressions)
{
	if (!expressions)
		return;
	jq_free(expressions->jq);
	free(expressions->programs);
	free(expressions);
}

void expressions_forget(struct expressions *expressions)
{
	for (size_t i = 0; i < expressions->count; i++)
		jq_remove(expressions->jq, expressions->programs[i].number);
	expressions->count = 0;
}

/* ---- without a child ---- */

bool expression_native(const char *text, const struct sheet *sheet, struct arena *arena,
		       const char **ret_value)
{
	static const char prefix[] = ".facts.";
	json_t *constant;

	if (strncmp(text, prefix, strlen(prefix)) == 0)
		return sheet_find(sheet, text + strlen(prefix), ret_value);
	constant = json_loads(text, JSON_DECODE_ANY, NULL);
	if (!constant || json_is_object(constant) || json_is_array(constant)) {
		json_decref(constant);
		return false;
	}
	*ret_value = column_text(constant, arena);
	json_decref(constant);
	return true;
}

/* ---- with one ---- */

/* Those of one ticket. */
struct run {
	struct expressions *expressions;
	const struct template_line *lines;
	size_t count;
	struct jq_input input;
	struct arena *arena;
	struct expression_result *results;
	bool *open; /* those without a result yet */
};

static void add_program(struct buf *out, const struct run *run)
{
	const char *before = "{";

	for (size_t i = 0; i < run->count; i++) {
		if (!run->open[i])
			continue;
		/* The line feed ends a comment on the last line. */
		buf_addf(out,
			 "%s\"%zu\":(try [limit(2;(%s\n))] catch {\"e\":(if type==\"string\" "
			 "then . else tojson end)})",
			 before, i, run->lines[i].text);
		before = ",\n";
	}
	buf_adds(out, "}");
}

static struct jq *child_of(struct expressions *expressions)
{
	if (!expressions->jq && expressions->settings)
		expressions->jq = jq_new(expressions->settings);
	return expressions->jq;
}

/* Compiled before, or now; -1 with err. */
static int program_of(const struct run *run, const char *key, struct err *err)
{
	struct expressions *expressions = run->expressions;
	struct program *program;
	struct buf text;

	for (size_t i = 0; i < expressions->count; i++) {
		if (strcmp(expressions->programs[i].key, key) == 0)
			return expressions->programs[i].number;
	}
	if (!child_of(expressions)) {
		err_fill(err, ERR_TRANSIENT, "jq is not run here");
		return -1;
	}
	if (!expressions->programs)
		expressions->programs = xcalloc(PROGRAMS, sizeof *expressions->programs);
	if (expressions->count == PROGRAMS)
		expressions_forget(expressions);
	program = &expressions->programs[expressions->count];
	buf_init(&text, JQ_PROGRAM_BYTES);
	add_program(&text, run);
	program->number = jq_add(expressions->jq, "template", buf_text(&text), NULL, err);
	buf_done(&text);
	if (program->number < 0)
		return -1;
	snprintf(program->key, sizeof program->key, "%s", key);
	expressions->count++;
	return program->number;
}

/* One expression's values: [value], [] or [value, value]; or {"e": message}. */
static void take_values(const struct run *run, size_t i, const json_t *values)
{
	const char *message = json_string_value(json_object_get(values, "e"));
	const json_t *value = json_array_get(values, 0);
	struct expression_result *result = &run->results[i];

	run->open[i] = false;
	if (message)
		result->reason = arena_printf(run->arena, "error: %.200s", message);
	else if (json_array_size(values) == 0)
		result->reason = "it gave nothing";
	else if (json_array_size(values) > 1)
		result->reason = "it gave more than one value";
	else if (json_is_object(value) || json_is_array(value))
		result->reason = "it gave a list or an object, wanted text or a number";
	else
		result->value = column_text(value, run->arena);
}

static bool run_program(const struct run *run, int program, struct jq_result *ret_result,
			struct err *err)
{
	return jq_run(run->expressions->jq, program, &run->input, 1, ret_result, err);
}

/* False when it has given no result at all. */
static bool run_together(const struct run *run, int program, struct err *err)
{
	struct jq_result result;
	json_t *all;
	char name[24];

	if (!run_program(run, program, &result, err) || result.outcome != JQ_RESULT)
		return false;
	all = json_loadb(result.text, result.size, 0, NULL);
	for (size_t i = 0; all && i < run->count; i++) {
		snprintf(name, sizeof name, "%zu", i);
		if (run->open[i])
			take_values(run, i, json_object_get(all, name));
	}
	json_decref(all);
	return all != NULL;
}

/* After one of them has ended the child. */
static void run_alone(const struct run *run, size_t i)
{
	const struct template_line *line = &run->lines[i];
	struct jq *jq = run->expressions->jq;
	struct err err = { 0 };
	struct jq_result result;
	json_t *value = NULL, *values;
	int program = jq_add(jq, line->name, line->text, NULL, &err);

	run->open[i] = false;
	if (program < 0 || !run_program(run, program, &result, &err)) {
		run->results[i].reason = arena_strdup(run->arena, err.text);
		jq_remove(jq, program);
		return;
	}
	if (result.outcome == JQ_RESULT)
		value = json_loadb(result.text, result.size, JSON_DECODE_ANY, NULL);
	values = value ? json_pack("[o]", value) : NULL;
	if (values)
		take_values(run, i, values);
	else
		run->results[i].reason =
		    arena_printf(run->arena, "%s: %.200s", jq_outcome_name(result.outcome),
				 result.outcome == JQ_RESULT ? "it holds a NUL" : result.text);
	json_decref(values);
	jq_remove(jq, program);
}

/* Those that are still open. */
static void run_jq(const struct run *run, const char *key)
{
	struct err err = { 0 };
	int program = program_of(run, key, &err);

	if (program >= 0 && run_together(run, program, &err))
		return;
	for (size_t i = 0; i < run->count; i++) {
		if (!run->open[i])
			continue;
		if (err.kind == ERR_TRANSIENT) /* no child can be had */
			run->results[i].reason = arena_strdup(run->arena, err.text);
		else
			run_alone(run, i);
	}
}

void expressions_run(struct expressions *expressions, const char *key,
		     const struct template_line *lines, size_t count, const struct sheet *sheet,
		     struct arena *arena, struct expression_result *ret_results)
{
	struct run run = { .expressions = expressions,
			   .lines = lines,
			   .count = count,
			   .arena = arena,
			   .results = ret_results,
			   .open = arena_alloc(arena, count + 1) };
	struct buf document;
	bool any = false;

	for (size_t i = 0; i < count; i++) {
		ret_results[i] = (struct expression_result){ 0 };
		run.open[i] =
		    !expression_native(lines[i].text, sheet, arena, &ret_results[i].value);
		any |= run.open[i];
	}
	if (!any)
		return;
	buf_init(&document, DOCUMENT_MAX);
	sheet_add_document(&document, sheet);
	run.input.value = (struct jq_json){ buf_text(&document), document.size };
	run_jq(&run, key);
	buf_done(&document);
}
