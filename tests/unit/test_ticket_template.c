/* Templates: files read strictly, and what they come to with what they extend. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "jq_child.h"
#include "ticket/template.h"

static struct template *decode(const char *name, const char *text, struct err *err)
{
	return template_decode(name, text, strlen(text), "templates/t.json", err);
}

/* Each with the whole of what a person sees. */
static const struct {
	const char *text, *says;
} refusals[] = {
	{ "", "templates/t.json:1:0: broken JSON" },
	{ "[]", "templates/t.json: must hold one JSON object" },
	{ "{\"colums\":{}}",
	  "templates/t.json:1: colums: unknown member, did you mean columns?" },
	{ "{\n\"columns\": []}",
	  "templates/t.json:2: columns: must be an object of at most 40" },
	{ "{\"columns\":{\n\"correlation_id\":\"1\"}}",
	  "templates/t.json:2: columns.correlation_id: is not for templates: by it Tocsin "
	  "finds its "
	  "ticket again" },
	{ "{\"columns\":{\"caller_id\":\"1\"}}",
	  "templates/t.json:1: columns.caller_id: is not for templates: comes from the "
	  "customer's" },
	{ "{\"columns\":{\"company\":\"1\"}}",
	  "templates/t.json:1: columns.company: is not for templates" },
	{ "{\"columns\":{\"assignment_group\":\"1\"}}",
	  "templates/t.json:1: columns.assignment_group: is not for templates" },
	{ "{\"columns\":{\"sys_domain\":\"1\"}}",
	  "templates/t.json:1: columns.sys_domain: is not for templates" },
	{ "{\"columns\":{\"correlation_display\":\"1\"}}",
	  "templates/t.json:1: columns.correlation_display: is not for templates" },
	{ "{\"columns\":{\"state\":\"1\"}}",
	  "templates/t.json:1: columns.state: is not for templates: is moved by people" },
	{ "{\"columns\":{\"sys_created_on\":\"1\"}}",
	  "templates/t.json:1: columns.sys_created_on: is not for templates: is the "
	  "instance's" },
	{ "{\"columns\":{\"parent\":\"1\"}}",
	  "templates/t.json:1: columns.parent: is not for templates: would close" },
	{ "{\"columns\":{\"priority\":\"1\"}}", "templates/t.json:1: columns.priority: is not "
						"for templates: the instance computes it" },
	{ "{\"columns\":{\"U_x\":\"1\"}}",
	  "templates/t.json:1: columns.U_x: is not the name of a column" },
	{ "{\"columns\":{\"u_x\\n\":\"1\"}}",
	  "templates/t.json: columns.u_x?: is not the name of a column" },
	{ "{\"columns\":{\"u_x\":{}}}",
	  "templates/t.json:1: columns.u_x: must be a jq expression" },
	{ "{\"columns\":{\"u_x\":\" \\n\"}}",
	  "templates/t.json:1: columns.u_x: is empty; null leaves the column out" },
	{ "{\"columns\":{\"u_x\":[1]}}",
	  "templates/t.json:1: columns.u_x: line 1 must be text without a line feed" },
	{ "{\"columns\":{\"u_x\":[\"1\",\"\\n\"]}}",
	  "templates/t.json:1: columns.u_x: line 2 must be text" },
	{ "{\"columns\":{\n\"u_y\":\"1\",\n\n\"u_x\":\".facts.hots\"}}",
	  "templates/t.json:4: columns.u_x: there is no fact hots, did you mean host?" },
	{ "{\"later_note\":\".facts.work_notes\"}",
	  "templates/t.json:1: later_note: there is no fact work_notes" },
	{ "{\"later_note\":null}", "templates/t.json:1: later_note: must be a jq expression" },
	{ "{\"table\":\"incident; drop\"}", "templates/t.json:1: table: must be text of" },
	{ "{\"extends\":\"\"}", "templates/t.json:1: extends: must be text of" },
	{ "{\"extends\":7}", "templates/t.json:1: extends: must be text of" },
	{ "{\"sources\":{\"Umbrella\":{}}}",
	  "templates/t.json:1: sources.Umbrella: is not the name of a source" },
	{ "{\"sources\":{\"umbrella\":1}}",
	  "templates/t.json:1: sources.umbrella: must be an object" },
	{ "{\"sources\":{\"umbrella\":{\"table\":\"x\"}}}",
	  "templates/t.json:1: sources.umbrella.table: unknown member" },
	{ "{\"sources\":{\"umbrella\":{\n\"columns\":{\"number\":\"1\"}}}}",
	  "templates/t.json:2: sources.umbrella.columns.number: is not for templates" },
};

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		struct err err = { 0 };

		assert_null(decode("t", refusals[i].text, &err));
		assert_int_equal(err.kind, ERR_PERMANENT);
		if (strncmp(err.text, refusals[i].says, strlen(refusals[i].says)) != 0)
			fail_msg("%s: %s", refusals[i].text, err.text);
	}
}

static void test_bounds(void **state)
{
	static char text[TEMPLATE_EXPRESSION_MAX + 200];
	struct err err = { 0 };
	size_t size;

	(void)state;
	size = (size_t)sprintf(text, "{\"columns\":{");
	for (int i = 0; i <= TEMPLATE_COLUMNS_MAX; i++)
		size += (size_t)sprintf(text + size, "%s\"u_%d\":1", i ? "," : "", i);
	sprintf(text + size, "}}");
	assert_null(decode("t", text, &err));
	assert_non_null(strstr(err.text, "at most 40 columns"));

	size = (size_t)sprintf(text, "{\"columns\":{\"u_x\":\"");
	memset(text + size, '1', TEMPLATE_EXPRESSION_MAX + 1);
	sprintf(text + size + TEMPLATE_EXPRESSION_MAX + 1, "\"}}");
	assert_null(decode("t", text, &err));
	assert_non_null(strstr(err.text, "more than 16384 bytes"));
}

static void add(struct templates *templates, const char *name, const char *text)
{
	struct err err = { 0 };
	struct template *template = decode(name, text, &err);

	if (!template)
		fail_msg("%s: %s", name, err.text);
	templates_add(templates, template);
}

/* "u_x=TEXT@FROM u_y=..." of what is not the built-in ones'. */
static const char *plan_text(const struct templates *templates, const char *name,
			     const char *source, bool *ret_missing)
{
	static struct template_plan plan;
	static char text[4096];
	size_t size = 0;

	templates_plan(templates, name, source, &plan, ret_missing);
	text[0] = '\0';
	for (size_t i = 0; i < plan.count; i++) {
		if (!template_builtin(plan.columns[i].from))
			size += (size_t)sprintf(text + size, "%s%s=%s@%s", size ? " " : "",
						plan.columns[i].name, plan.columns[i].text,
						plan.columns[i].from);
	}
	sprintf(text + size, " |%s |%s", plan.later_note.from, plan.table ? plan.table : "");
	return text;
}

static void test_plans(void **state)
{
	static const struct {
		const char *name, *source, *want;
		bool missing;
	} rows[] = {
		{ NULL, "umbrella", " |default |", false },
		{ NULL, "defender", " |default |", false },
		{ "nobody", "defender", " |default |", true },
		{ "base", "umbrella", "u_a=1@base |base |incident", false },
		{ "child", "umbrella", "u_b=2@child u_a=3@child |base |incident", false },
		{ "child", "defender", "u_c=4@child u_b=5@child u_a=3@child |child |incident",
		  false },
		{ "sir", "defender", "priority=2@sir |default |sn_si_incident", false },
	};
	struct templates *templates = templates_new();

	(void)state;
	add(templates, "base",
	    "{\"table\":\"incident\",\"columns\":{\"u_a\":\"1\"},\"later_note\":"
	    "\"\\\"x\\\"\"}");
	add(templates, "child",
	    "{\"extends\":\"base\",\"columns\":{\"u_b\":\"2\",\"u_a\":3},\"sources\":{"
	    "\"defender\":{\"columns\":{\"u_c\":\"4\",\"u_b\":\"5\"},\"later_note\":"
	    "\"\\\"y\\\"\"}}}");
	add(templates, "sir",
	    "{\"table\":\"sn_si_incident\",\"columns\":{\"priority\":\"2\"}}");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		bool missing;

		assert_string_equal(
		    plan_text(templates, rows[i].name, rows[i].source, &missing), rows[i].want);
		assert_int_equal(missing, rows[i].missing);
	}
	templates_free(templates);
}

/* What a source's own template says reaches who extends nothing, and not who says "default". */
static void test_sources_own(void **state)
{
	static const struct {
		const char *name, *source, *from;
	} rows[] = {
		{ NULL, "defender", "defender" },    { NULL, "umbrella", "default" },
		{ "plain", "defender", "defender" }, { "plain", "umbrella", "default" },
		{ "same", "defender", "default" },   { "mine", "umbrella", "mine" },
	};
	struct templates *templates = templates_new();
	struct template_plan *plan = calloc(1, sizeof *plan);

	(void)state;
	add(templates, "plain", "{}");
	add(templates, "same", "{\"extends\":\"default\"}");
	add(templates, "mine", "{\"columns\":{\"description\":null}}");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		bool missing;
		size_t k = 0;

		templates_plan(templates, rows[i].name, rows[i].source, plan, &missing);
		while (strcmp(plan->columns[k].name, "description") != 0)
			k++;
		assert_string_equal(plan->columns[k].from, rows[i].from);
	}
	free(plan);
	templates_free(templates);
}

/* A file called like a built-in one goes before it, for everybody, and extends it. */
static void test_builtin_ones_can_be_changed(void **state)
{
	struct templates *templates = templates_new();
	struct err err = { 0 };
	bool missing;

	(void)state;
	add(templates, "default", "{\"columns\":{\"u_a\":\"1\",\"impact\":\"1\"}}");
	/* plan_text() leaves out what is from a template of that name */
	assert_string_equal(plan_text(templates, NULL, "umbrella", &missing), " |default |");
	struct template_plan *plan = calloc(1, sizeof *plan);

	templates_plan(templates, NULL, "defender", plan, &missing);
	assert_string_equal(plan->columns[0].name, "short_description");
	assert_string_equal(plan->columns[0].from, "defender");
	assert_string_equal(plan->columns[2].name, "u_a");
	assert_string_equal(plan->columns[3].text, "1");
	templates_plan_builtin(templates, "defender", plan);
	assert_string_equal(plan->columns[2].text, ".facts.impact");
	assert_true(templates_check(templates, "default", &err));
	free(plan);
	templates_free(templates);
}

static void test_chains(void **state)
{
	static const struct {
		const char *name, *says; /* NULL: fine */
	} rows[] = { { "loop1", "it extends itself" },
		     { "self", "it extends itself" },
		     { "orphan", "there is no template nobody" },
		     { "wide", "more than 40" },
		     { "ok", NULL } };
	struct templates *templates = templates_new();
	char text[2000];
	size_t size = (size_t)sprintf(text, "{\"columns\":{");

	(void)state;
	add(templates, "loop1", "{\"extends\":\"loop2\"}");
	add(templates, "loop2", "{\"extends\":\"loop1\"}");
	add(templates, "self", "{\"extends\":\"self\"}");
	add(templates, "orphan", "{\"extends\":\"nobody\"}");
	add(templates, "ok", "{\"extends\":\"defender\"}");
	for (int i = 0; i < TEMPLATE_COLUMNS_MAX; i++)
		size += (size_t)sprintf(text + size, "%s\"u_%d\":1", i ? "," : "", i);
	sprintf(text + size, "}}");
	add(templates, "wide", text);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct err err = { 0 };
		bool fine = templates_check(templates, rows[i].name, &err);

		assert_int_equal(fine, rows[i].says == NULL);
		if (rows[i].says && !strstr(err.text, rows[i].says))
			fail_msg("%s: %s", rows[i].name, err.text);
	}
	templates_free(templates);
}

static void test_compiling(void **state)
{
	static const struct {
		const char *text, *says; /* NULL: it compiles */
	} rows[] = {
		{ "{\"columns\":{\"u_a\":\".facts.event_id\",\"u_b\":[\"def f: 1; # "
		  "one\",\"f\"]}}",
		  NULL },
		{ "{\"columns\":{\n\"u_a\": [\n\".facts\",\n\"| }\"]}}",
		  "templates/t.json:3: columns.u_a: syntax error" },
		{ "{\"columns\":{\"u_a\":\"security\"}}",
		  "templates/t.json:1: columns.u_a: security/0 is not defined" },
		{ "{\"columns\":{\"u_a\":\"include \\\"x\\\"; 1\"}}",
		  "templates/t.json:1: columns.u_a:" },
		{ "{\"sources\":{\"defender\":{\n\"later_note\":\"(\"}}}",
		  "templates/t.json:2: sources.defender.later_note: syntax error" },
	};
	struct jq *jq = jq_new(jq_test_settings(JQ_PATIENT_MS));

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct err err = { 0 };
		struct template *template = decode("t", rows[i].text, &err);

		assert_non_null(template);
		bool good = template_compile(template, "templates/t.json", jq, &err);

		if (good != (rows[i].says == NULL))
			print_error("%s: %s\n", rows[i].text, err.text);
		assert_int_equal(good, rows[i].says == NULL);
		if (rows[i].says && strncmp(err.text, rows[i].says, strlen(rows[i].says)) != 0)
			fail_msg("%s: %s", rows[i].text, err.text);
		template_free(template);
	}
	jq_free(jq);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_plans),
		cmocka_unit_test(test_sources_own),
		cmocka_unit_test(test_builtin_ones_can_be_changed),
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_compiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
