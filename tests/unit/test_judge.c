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

static void fixture_init(struct fixture *fixture, const struct jq_settings *settings)
{
	fixture->jq = jq_new(settings);
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

/* The lines of a condition, as rules.json has them. */
static void write_lines(struct buf *out, const char *condition)
{
	for (;;) {
		size_t size = strcspn(condition, "\n");

		buf_adds(out, "\"");
		buf_add_json(out, condition, size);
		buf_adds(out, "\"");
		if (!condition[size])
			return;
		buf_adds(out, ",");
		condition += size + 1;
	}
}

/* A rule, named after its number, of each condition. */
static void load_conditions(struct fixture *fixture, const char *const *conditions)
{
	struct err err = { 0 };
	struct buf text;

	buf_init(&text, 1 << 20);
	buf_adds(&text, "{\"rules\":[");
	for (size_t i = 0; conditions[i]; i++) {
		buf_addf(&text,
			 "%s{\"name\":\"r%zu\",\"owner\":\"o\",\"severity\":\"low\",\"when\":[",
			 i > 0 ? "," : "", i);
		write_lines(&text, conditions[i]);
		buf_adds(&text, "]}");
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
	fixture_init(&fixture, jq_test_settings(JQ_PATIENT_MS));
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
	fixture_init(&fixture, jq_test_settings(JQ_PATIENT_MS));
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
	fixture_init(&fixture, jq_test_settings(JQ_PATIENT_MS));
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

		fixture_init(&fixture, jq_test_settings(JQ_PATIENT_MS));
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
	fixture_init(&fixture, jq_test_settings(JQ_HASTY_MS));
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

/* ---- what is told without jq is what jq says ---- */

static const char *const odd_payloads[] = {
	payload,
	"{}",
	"{\"severity_id\":null,\"device\":null,\"evidences\":null}",
	"{\"severity_id\":\"4\",\"device\":\"ws-1\"}",
	"{\"severity_id\":2.5,\"device\":{\"hostname\":false,\"name\":\"\",\"os\":{\"name\":"
	"\"W\"}}}",
	"{\"severity_id\":9007199254740993,\"device\":{\"os\":\"W\"}}",
	"{\"severity_id\":-4,\"device\":{\"name\":7,\"hostname\":[\"ws-1\"]},\"evidences\":["
	"null,"
	"{\"file\":null},{\"file\":{\"name\":null,\"hashes\":[null,{},{\"value\":\"ab12\"}]}}]"
	"}",
	"{\"severity_id\":[4],\"evidences\":{\"a\":{\"file\":{\"name\":\"a.exe\"}}}}",
	"{\"severity_id\":4.0,\"evidences\":[\"a.exe\",{\"file\":\"a.exe\"}]}",
	"{\"evidences\":[{\"file\":{\"name\":[\"a.exe\"],\"hashes\":{\"x\":{\"value\":\"ab12\"}"
	"}}}]}",
	"{\"severity_id\":true,\"evidences\":[{\"file\":{\"name\":9007199254740993,\"hashes\":["
	"{"
	"\"value\":9007199254740993},{\"value\":false}]}}]}",
	"{\"severity_id\":4,\"device\":{\"hostname\":\"W\\u00c4-\\u0000\",\"name\":\"ws-10\"}}",
};

struct dice {
	uint64_t seed;
};

static size_t roll(struct dice *dice, size_t sides)
{
	dice->seed = dice->seed * 6364136223846793005u + 1442695040888963407u;
	return (size_t)(dice->seed >> 33) % sides;
}

#define PICK(dice, list) (list)[roll(dice, sizeof(list) / sizeof(list)[0])]

static void write_term(struct dice *dice, struct buf *out)
{
	static const char *const terms[] = {
		".finding.severity_id",
		".finding.device.hostname",
		".finding.device",
		".host.name",
		".host.hostname",
		".host.os",
		".host.os.x",
		".host",
		".files",
		".hashes",
		".files[0]",
		".files[1]",
		".hashes[0]",
		".finding[\"evidences\"]",
		".customer.id",
		".customer.no.thing",
		".source",
		".source.x",
		".",
		".x?",
		".finding.evidences[0].file.name?",
		"null",
		"true",
		"false",
		"4",
		"0",
		"\"ws-1\"",
		"\"a.exe\"",
		"\"\"",
		"\"4\"",
		"\"9007199254740993\"",
		"\"W\u00c4\"",
		"2.5",
		"empty",
		"(true, false)",
		".finding.evidences[]",
		"[1]",
		"error",
		"\"ws-\\(1)\"",
	};

	buf_adds(out, PICK(dice, terms));
}

static void write_condition(struct dice *dice, struct buf *out, unsigned depth)
{
	static const char *const infixes[] = { " and ", " or ", " // ", " | ",	" == ", " != ",
					       " < ",	" <= ", " > ",	" >= ", " + ",	", " };
	static const char *const functions[] = {
		"not",
		"length",
		"ascii_downcase",
		"type",
		"any",
		"index(\"ab12\")",
		"index(\"a.exe\")",
		"index(\"9007199254740993\")",
		"startswith(\"ws\")",
		"endswith(\"1\")",
		"contains(\"s-\")",
		"contains([\"a\"])",
		"startswith(.)",
		"endswith(\"\")",
		"index(.files)",
		"test(\"s-\")",
		"length == 2",
	};

	switch (depth == 0 ? 0 : roll(dice, 6)) {
	case 0:
		write_term(dice, out);
		return;
	case 1:
		buf_adds(out, "(");
		write_condition(dice, out, depth - 1);
		buf_addf(out, " | %s)", PICK(dice, functions));
		return;
	case 2:
		buf_adds(out, "(");
		write_condition(dice, out, depth - 1);
		buf_adds(out, roll(dice, 8) == 0 ? ").x" : ")");
		return;
	default: /* as it comes, without parentheses, but for what jq refuses */
		write_term(dice, out);
		buf_adds(out, PICK(dice, infixes));
		if (roll(dice, 3) == 0)
			buf_adds(out, " # so\n");
		buf_adds(out, "(");
		write_condition(dice, out, depth - 1);
		buf_adds(out, ")");
		buf_adds(out, PICK(dice, ((const char *const[]){ "", " and .source", " // 4",
								 " | not", " or false" })));
	}
}

/* Each condition twice, the second time as something that nobody but jq can tell. */
static void test_the_same_as_jq(void **state)
{
	enum { PAIRS = 250, ODD = sizeof odd_payloads / sizeof odd_payloads[0] };
	const char *conditions[2 * PAIRS + 1] = { NULL };
	struct dice dice = { 20261122 };
	struct fixture fixture;
	struct arena *texts = arena_new();
	size_t matched = 0, failed = 0;

	(void)state;
	fixture_init(&fixture, jq_test_settings(JQ_PATIENT_MS));
	for (size_t i = 0; i < PAIRS; i++) {
		struct buf text;

		buf_init(&text, 4096);
		write_condition(&dice, &text, 3);
		conditions[2 * i] = arena_strdup(texts, buf_text(&text));
		conditions[2 * i + 1] =
		    arena_printf(texts, "(%s\n) as $__same | $__same", buf_text(&text));
		buf_done(&text);
	}
	load_conditions(&fixture, conditions);
	for (size_t k = 0; k < ODD; k++) {
		struct judgement judgement = judge_one(&fixture, odd_payloads[k]);

		for (size_t i = 0; i < 2 * PAIRS; i += 2) {
			const char *why = judgement.errors ? judgement.errors[i] : NULL;
			const char *jq = judgement.errors ? judgement.errors[i + 1] : NULL;
			bool matches = judgement.matches[i].matched;

			if (matches != judgement.matches[i + 1].matched ||
			    strcmp(why ? why : "", jq ? jq : "") != 0)
				fail_msg("%s of %s: %d %s, jq says %s", conditions[i],
					 odd_payloads[k], matches, why, jq);
			matched += matches;
			failed += why != NULL;
		}
	}
	/* Of each kind there were enough to mean something. */
	assert_true(matched > 300 && failed > 300 && matched + failed < PAIRS * ODD - 300);
	arena_free(texts);
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
		cmocka_unit_test(test_the_same_as_jq),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
