/* Rules against the real child: what matches, what fails, what never ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "jq_child.h"
#include "model/finding.h"
#include "service/judge.h"

static const char customers[] =
    "{\"acme\":{\"id\":\"acme\",\"name\":\"Acme\",\"label\":\"eu\"}}";

struct fixture {
	struct jq *jq;
	struct judge *judge;
	struct arena *arena;
};

static void fixture_init(struct fixture *fixture)
{
	fixture->jq = jq_new(jq_test_settings());
	fixture->judge = judge_new(fixture->jq);
	fixture->arena = arena_new();
}

static void fixture_done(struct fixture *fixture)
{
	judge_free(fixture->judge);
	jq_free(fixture->jq);
	arena_free(fixture->arena);
}

static bool load(struct fixture *fixture, const char *text, struct err *err)
{
	struct rules *rules = rules_decode(text, strlen(text), "rules.json", err);

	return rules && judge_load(fixture->judge, rules, customers, sizeof customers - 1,
				   "rules.json", err);
}

/* A rule that suppresses, named after its number, of each condition. */
static void load_conditions(struct fixture *fixture, const char *const *conditions)
{
	struct err err = { 0 };
	struct buf text;

	buf_init(&text, 1 << 20);
	buf_adds(&text, "{\"rules\":[");
	for (size_t i = 0; conditions[i]; i++) {
		buf_addf(
		    &text,
		    "%s{\"name\":\"r%zu\",\"owner\":\"o\",\"severity\":\"low\",\"when\":\"",
		    i > 0 ? "," : "", i);
		buf_add_json(&text, conditions[i], strlen(conditions[i]));
		buf_adds(&text, "\"}");
	}
	buf_adds(&text, "]}");
	if (!load(fixture, buf_text(&text), &err))
		fail_msg("%s", err.text);
	buf_done(&text);
}

static struct finding a_finding(const char *payload)
{
	return (struct finding){ .customer = "acme",
				 .source = "secure_endpoint",
				 .group = "0011223344556677",
				 .severity_id = 4,
				 .payload = payload,
				 .payload_size = strlen(payload) };
}

static struct judgement judge_one(struct fixture *fixture, const char *payload)
{
	const struct finding finding = a_finding(payload), *list[] = { &finding };
	struct judgement judgement;
	struct err err = { 0 };

	if (!judge_findings(fixture->judge, list, 1, 1000, fixture->arena, &judgement, &err))
		fail_msg("%s", err.text);
	return judgement;
}

static const char payload[] =
    "{\"severity_id\":4,\"device\":{\"hostname\":\"ws-1.corp\",\"name\":\"ws-1\",\"uid\":\"g\"}"
    ","
    "\"evidences\":[{\"file\":{\"name\":\"a.exe\"}},{\"file\":{\"name\":\"b.exe\",\"hashes\":[{"
    "\"value\":\"ab12\"}]}},{}],"
    "\"unmapped\":{\"id\":9007199254740993}}";

static void test_conditions(void **state)
{
	static const struct {
		const char *when;
		bool matches, fails;
	} rows[] = {
		{ "true", true, false },
		{ "false", false, false },
		{ "null", false, false },
		{ "\"anything\"", true, false },
		{ "empty", false, false },
		{ "true, false", true, false },
		{ ".files == [\"a.exe\", \"b.exe\"] and .hashes == [\"ab12\"]", true, false },
		{ ".hashes | index(\"ab12\")", true, false },
		{ ".hashes | index(\"ab13\")", false, false },
		{ ".finding.severity_id == 4 # so it is", true, false },
		{ ".customer.label == \"eu\" and .source == \"secure_endpoint\"", true, false },
		{ ".host.name == \"ws-1\" and .host.hostname == \"ws-1.corp\"", true, false },
		{ "any(.finding.evidences[]; .file.name == \"b.exe\")", true, false },
		{ ".finding.evidences | any(.file.name == \"c.exe\")", false, false },
		{ "all(.finding.evidences[]; .file.name // \".exe\" | endswith(\".exe\"))",
		  true, false },
		{ "[] | all", true, false },
		{ "[] | any", false, false },
		{ ".finding.unmapped.id == \"9007199254740993\"", true, false },
		{ "def f: .finding; f.severity_id > 3", true, false },
		{ ".finding as $f | $f.device.uid == \"g\"", true, false },
		{ ".finding.device | length | error", false, true },
		{ ".finding.device > ({} | keys | .[0] | test(1))", false, true },
		{ "error({a: 1})", false, true },
		{ ".finding.device.hostname | startswith(7)", false, true },
		{ "$__loc__ | true", true, false },
	};
	const char *conditions[40] = { NULL };
	struct fixture fixture;

	(void)state;
	fixture_init(&fixture);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		conditions[i] = rows[i].when;
	load_conditions(&fixture, conditions);
	struct judgement judgement = judge_one(&fixture, payload);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		bool failed = judgement.errors && judgement.errors[i];

		if (judgement.matches[i].matched != rows[i].matches || failed != rows[i].fails)
			fail_msg("%s: %s %s", rows[i].when,
				 judgement.matches[i].matched ? "matched" : "did not",
				 failed ? judgement.errors[i] : "");
	}
	fixture_done(&fixture);
}

static void test_groups_and_obeying(void **state)
{
	struct finding finding = a_finding(payload);
	struct fixture fixture;
	struct err err = { 0 };

	(void)state;
	fixture_init(&fixture);
	assert_true(load(
	    &fixture,
	    "{\"rules\":[{\"name\":\"g\",\"owner\":\"o\",\"group\":{\"by\":[\".finding.no\","
	    "\".finding.device | error\",\".finding.evidences[].file.name\"]}},"
	    "{\"name\":\"s\",\"owner\":\"o\",\"severity\":\"low\"}]}",
	    &err));
	struct judgement judgement = judge_one(&fixture, payload);
	assert_string_equal(judgement.matches[0].group_path, ".finding.evidences[].file.name");
	assert_string_equal(judgement.matches[0].group_value, "a.exe");
	judge_obey(&judgement.policy, &finding, fixture.arena);
	assert_int_equal(finding.severity_id, 2);
	assert_string_equal(finding.group, judgement.policy.group);
	assert_string_equal(finding.policy, "{\"severity_id\":2,\"rules\":[\"g\",\"s\"]}");
	/* Without a value: matched, and grouped as ever. */
	judgement = judge_one(&fixture, "{}");
	assert_true(judgement.matches[0].matched);
	assert_null(judgement.policy.group);
	fixture_done(&fixture);
}

static void test_no_child_without_a_question(void **state)
{
	struct fixture fixture;
	struct err err = { 0 };

	(void)state;
	fixture_init(&fixture);
	judge_one(&fixture, payload);
	assert_true(load(&fixture,
			 "{\"rules\":[{\"name\":\"a\",\"owner\":\"o\",\"hosts\":[\"WS-1\"],"
			 "\"suppress\":true}]}",
			 &err));
	assert_string_equal(judge_one(&fixture, payload).policy.suppress, "a");
	assert_int_equal(jq_child_pid(fixture.jq), 0);
	fixture_done(&fixture);
}

static void test_wrong_conditions(void **state)
{
	static const struct {
		const char *when, *error;
	} rows[] = {
		{ "\".finding |\"", "rules.json:3:10: a: when: syntax error, unexpected ';'" },
		{ "\"hostname == 1\"", "rules.json:3:10: a: when: hostname/0 is not defined" },
		{ "[\"true\",\n\"and nosuch\"]",
		  "rules.json:4:2: a: when: nosuch/0 is not defined" },
		{ "\"true) | (false\"", "rules.json:3:10: a: when: " },
		{ "\"include \\\"x\\\"; true\"", "rules.json:3:10: a: when: " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct fixture fixture;
		struct err err = { 0 };

		fixture_init(&fixture);
		const char *text =
		    arena_printf(fixture.arena,
				 "{\"rules\":[\n{\"name\":\"a\",\"owner\":\"o\",\n"
				 "\"when\": %s,\n\"suppress\":true},"
				 "{\"name\":\"b\",\"owner\":\"o\",\"when\":\"true\","
				 "\"suppress\":true}]}",
				 rows[i].when);
		if (load(&fixture, text, &err))
			fail_msg("%s was taken", rows[i].when);
		if (strncmp(err.text, rows[i].error, strlen(rows[i].error)) != 0)
			fail_msg("%s: \"%s\"", rows[i].when, err.text);
		assert_int_equal(err.kind, ERR_PERMANENT);
		/* What was loaded before stays. */
		assert_null(judge_rules(fixture.judge));
		fixture_done(&fixture);
	}
}

static void test_one_that_never_ends(void **state)
{
	static const char *const conditions[] = {
		"true",	 ".finding.severity_id == 4",	      "def f: f; f",
		"false", "(\"x\" * 1000000000 | length) > 1", ".host.name == \"ws-1\"",
		NULL
	};
	const struct finding finding = a_finding(payload), *list[] = { &finding, &finding };
	struct judgement judgements[2];
	struct fixture fixture;
	struct err err = { 0 };

	(void)state;
	fixture_init(&fixture);
	load_conditions(&fixture, conditions);
	assert_true(
	    judge_findings(fixture.judge, list, 2, 1000, fixture.arena, judgements, &err));
	for (size_t i = 0; i < 2; i++) {
		static const bool wanted[] = { true, true, false, false, false, true };
		for (size_t k = 0; k < 6; k++)
			assert_int_equal(judgements[i].matches[k].matched, wanted[k]);
	}
	for (size_t k = 0; k < 6; k++)
		assert_int_equal(*judge_left_out(fixture.judge, k) != '\0', k == 2 || k == 4);
	/* Loaded anew it has its chance again. */
	load_conditions(&fixture, (const char *const[]){ "true", NULL });
	assert_string_equal(judge_left_out(fixture.judge, 0), "");
	fixture_done(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conditions),
		cmocka_unit_test(test_groups_and_obeying),
		cmocka_unit_test(test_no_child_without_a_question),
		cmocka_unit_test(test_wrong_conditions),
		cmocka_unit_test(test_one_that_never_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
