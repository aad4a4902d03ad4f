/* rules.json: what is refused and how, what is selected, and which rule decides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "model/finding.h"
#include "model/rule_paths.h"
#include "model/rules.h"

#define RULE(body) "{\"rules\":[{\"name\":\"a\",\"owner\":\"o\"," body "}]}"

static struct rules *decode(const char *text)
{
	struct err err = { 0 };
	struct rules *rules = rules_decode(text, strlen(text), "rules.json", &err);

	if (!rules)
		fail_msg("%s", err.text);
	return rules;
}

static void test_refusals(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{ "{\"rules\": [\n{]}", "rules.json:2:2: broken JSON: string or '}' expected" },
		{ "[]", "rules.json: must hold one JSON object" },
		{ "{}", "rules.json: rules: is missing" },
		{ "{\"rule\": []}", "rules.json: rule: unknown member, did you mean rules?" },
		{ "{\"rules\": 1}", "rules.json: rules: must be a list of at most 1000 rules" },
		{ "{\"rules\":\n[\n7]}", "rules.json: rules.1: must be an object" },
		{ "{\"rules\":[{}]}", "rules.json:1: rules.1.name: is missing" },
		{ "{\"rules\":[{\"name\":\"A\"}]}",
		  "rules.json:1: rules.1.name: \"A\" may only hold "
		  "abcdefghijklmnopqrstuvwxyz0123456789-" },
		{ "{\"rules\":[\n\n{\"name\":\"a\"}]}",
		  "rules.json:3: rules.a.owner: is missing" },
		{ RULE("\"suppres\":true"),
		  "rules.json:1: rules.a.suppres: unknown member, did you mean suppress?" },
		{ RULE("\"when\":\"true\""),
		  "rules.json:1: rules.a.suppress: there is no action: give suppress, "
		  "maintenance, minimum_severity, severity, priority, route, group, reopen or "
		  "storm" },
		{ RULE("\"suppress\":true,\"priority\":\"P1\""),
		  "rules.json:1: rules.a.priority: a rule has one action, this one has "
		  "suppress "
		  "already: make two rules" },
		{ RULE("\"suppress\":1"), "rules.json:1: rules.a.suppress: must be true" },
		{ RULE("\"severity\":\"severe\""),
		  "rules.json:1: rules.a.severity: must be informational, low, medium, high or "
		  "critical" },
		{ RULE("\"priority\":\"P0\""),
		  "rules.json:1: rules.a.priority: \"P0\" is not one of P1, P2, P3, P4, P5" },
		{ RULE("\"expires\":\"2026-12-24 18:00\",\"suppress\":true"),
		  "rules.json:1: rules.a.expires: must be a time with its zone, like "
		  "2026-12-24T18:00:00+01:00 or 2026-12-24T17:00:00Z" },
		{ RULE("\"hosts\":[\"A\"],\"maintenance\":{\"from\":\"2026-12-24T18:00:00Z\"}"),
		  "rules.json:1: rules.a.maintenance.until: is missing" },
		{ RULE("\"hosts\":[\"A\"],\"maintenance\":{\"from\":\"2026-12-24T18:00:00Z\","
		       "\"until\":\"2026-12-24T18:00:00+01:00\"}"),
		  "rules.json:1: rules.a.maintenance.until: must be after from" },
		{ RULE("\"maintenance\":{\"from\":\"2026-12-24T18:00:00Z\",\"until\":"
		       "\"2026-12-24T19:00:00Z\"}"),
		  "rules.json:1: rules.a.maintenance: needs customers, hosts or when: it would "
		  "silence everyone" },
		{ RULE("\"route\":{}"), "rules.json:1: rules.a.route: changes nothing" },
		{ RULE("\"route\":{\"account\":\"x\"}"),
		  "rules.json:1: rules.a.route.caller_id: is missing: an account is another "
		  "ServiceNow, where the customer's ids mean nothing" },
		{ RULE("\"route\":{\"template\":\"../x\"}"),
		  "rules.json:1: rules.a.route.template: \"../x\" may only hold "
		  "abcdefghijklmnopqrstuvwxyz0123456789-_" },
		{ RULE("\"route\":{\"company\":\"abc\"}"),
		  "rules.json:1: rules.a.route.company: must be a sys_id, 32 hex digits" },
		{ RULE("\"group\":{\"by\":[]}"),
		  "rules.json:1: rules.a.group.by: must be a list of 1 to 8 texts" },
		{ RULE("\"reopen\":\"2\""),
		  "rules.json:1: rules.a.reopen: must be a time with its unit, like \"30s\", "
		  "\"5m\", \"1h\"" },
		{ RULE("\"storm\":{\"limit\":0}"),
		  "rules.json:1: rules.a.storm.limit: must be at least 1" },
		{ RULE("\"when\":[\"a\",7],\"suppress\":true"),
		  "rules.json:1: rules.a.when: item 2 must be a text of 1 to 8000 bytes" },
		{ "{\"rules\":[{\"name\":\"a\",\"owner\":\"o\",\"suppress\":true},\n{\"name\":"
		  "\"a\"}]}",
		  "rules.json:2: rules.a.name: is the name of the rule in line 1 already" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct err err = { 0 };
		struct rules *rules =
		    rules_decode(rows[i].text, strlen(rows[i].text), "rules.json", &err);

		assert_null(rules);
		assert_int_equal(err.kind, ERR_PERMANENT);
		assert_string_equal(err.text, rows[i].error);
	}
}

static void test_where_conditions_stand(void **state)
{
	struct rules *rules =
	    decode("{ \"about\": \"[{\\\"when\\\": 1}]\",\n"
		   "  \"rules\": [\n"
		   "    {\"name\": \"a\", \"owner\": \"o\",\n"
		   "     \"when\": \"true\", \"suppress\": true},\n"
		   "    {\"owner\": \"x\", \"name\": \"b\", \"suppress\": true,\n"
		   "     \"when\": [\"true\",\n"
		   "       \"and false\"]}]}");

	(void)state;
	assert_int_equal(rules_at(rules, 0)->line, 3);
	assert_int_equal(rules_at(rules, 0)->when_at[0].line, 4);
	assert_int_equal(rules_at(rules, 0)->when_at[0].column, 15);
	assert_int_equal(rules_at(rules, 1)->line, 5);
	assert_int_equal(rules_at(rules, 1)->when_at[1].line, 7);
	assert_int_equal(rules_at(rules, 1)->when_at[1].column, 9);
	assert_string_equal(rules_at(rules, 1)->when, "true\nand false");
	rules_free(rules);
}

/* ---- selectors ---- */

static void test_selects(void **state)
{
	static const struct {
		const char *rule;
		const char *customer, *host;
		uint64_t time_ms, now_ms;
		bool selected;
	} rows[] = {
		{ "\"suppress\":true", "acme", "ws-1", 0, 0, true },
		{ "\"customers\":[\"acme\"],\"suppress\":true", "acme", NULL, 0, 0, true },
		{ "\"customers\":[\"acme\"],\"suppress\":true", "globex", NULL, 0, 0, false },
		{ "\"hosts\":[\"WS-*\"],\"suppress\":true", "acme", "ws-1.corp", 0, 0, true },
		{ "\"hosts\":[\"ws-?\"],\"suppress\":true", "acme", "ws-1.corp", 0, 0, true },
		{ "\"hosts\":[\"ws-?\"],\"suppress\":true", "acme", "ws-12.corp", 0, 0, false },
		{ "\"hosts\":[\"*.corp\"],\"suppress\":true", "acme", "WS-1.CORP", 0, 0, true },
		{ "\"hosts\":[\"*a*b*c\"],\"suppress\":true", "acme", "xaxbxbxc", 0, 0, true },
		{ "\"hosts\":[\"*\"],\"suppress\":true", "acme", NULL, 0, 0, false },
		{ "\"hosts\":[\"10.1.*\"],\"suppress\":true", "acme", NULL, 1, 1, false },
		{ "\"sources\":[\"umbrella\"],\"suppress\":true", "acme", NULL, 0, 0, false },
		{ "\"expires\":\"1970-01-01T00:00:02Z\",\"suppress\":true", "acme", NULL, 0,
		  1999, true },
		{ "\"expires\":\"1970-01-01T00:00:02Z\",\"suppress\":true", "acme", NULL, 0,
		  2000, false },
		/* By when it happened, however late it is told. */
		{ "\"customers\":[\"acme\"],\"maintenance\":{\"from\":\"1970-01-01T00:00:01Z\","
		  "\"until\":\"1970-01-01T00:00:02Z\"}",
		  "acme", NULL, 1000, 999999, true },
		{ "\"customers\":[\"acme\"],\"maintenance\":{\"from\":\"1970-01-01T00:00:01Z\","
		  "\"until\":\"1970-01-01T00:00:02Z\"}",
		  "acme", NULL, 2000, 1500, false },
		{ "\"customers\":[\"acme\"],\"maintenance\":{\"from\":\"1970-01-01T00:00:01Z\","
		  "\"until\":\"1970-01-01T00:00:02Z\"}",
		  "acme", NULL, 999, 1500, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct arena *arena = arena_new();
		struct rules *rules = decode(arena_printf(
		    arena, "{\"rules\":[{\"name\":\"a\",\"owner\":\"o\",%s}]}", rows[i].rule));
		const char *payload =
		    rows[i].host ? arena_printf(arena,
						"{\"device\":{\"hostname\":\"%s\","
						"\"name\":\"%.*s\"}}",
						rows[i].host, (int)strcspn(rows[i].host, "."),
						rows[i].host)
				 : "{}";
		const struct finding finding = { .customer = rows[i].customer,
						 .source = "secure_endpoint",
						 .time_ms = rows[i].time_ms,
						 .payload = payload,
						 .payload_size = strlen(payload) };
		struct rule_subject subject;

		assert_true(rule_subject_read(&subject, &finding, arena));
		if (rule_selects(rules_at(rules, 0), &subject, rows[i].now_ms) !=
		    rows[i].selected)
			fail_msg("row %zu", i);
		rules_free(rules);
		arena_free(arena);
	}
}

/* ---- the decision ---- */

/* Rules a to j of every kind; each row says which match, and what is decided. */
static const char all_kinds[] =
    "{\"rules\":["
    "{\"name\":\"min\",\"owner\":\"o\",\"minimum_severity\":\"high\"},"
    "{\"name\":\"min2\",\"owner\":\"o\",\"minimum_severity\":\"low\"},"
    "{\"name\":\"sev\",\"owner\":\"o\",\"severity\":\"critical\"},"
    "{\"name\":\"sev2\",\"owner\":\"o\",\"severity\":\"low\"},"
    "{\"name\":\"p1\",\"owner\":\"o\",\"priority\":\"P1\"},"
    "{\"name\":\"route\",\"owner\":\"o\",\"route\":{\"table\":\"sn_si_incident\",\"template\":"
    "\"sir\"}},"
    "{\"name\":\"reopen\",\"owner\":\"o\",\"reopen\":\"48h\"},"
    "{\"name\":\"storm\",\"owner\":\"o\",\"storm\":{\"limit\":5,\"per\":\"30m\"}},"
    "{\"name\":\"record\",\"owner\":\"o\",\"hosts\":[\"*\"],\"maintenance\":{\"from\":"
    "\"1970-01-01T00:00:01Z\",\"until\":\"1970-01-01T00:00:02Z\",\"do\":\"record\"}},"
    "{\"name\":\"group\",\"owner\":\"o\",\"group\":{\"by\":[\".x\"]}},"
    "{\"name\":\"quiet\",\"owner\":\"o\",\"suppress\":true},"
    "{\"name\":\"quiet2\",\"owner\":\"o\",\"suppress\":true}]}";

static const struct {
	const char *matched; /* names with spaces */
	const char *policy;  /* as it travels; NULL: nothing to tell */
	const char *suppress;
} decisions[] = {
	{ "", NULL, NULL },
	{ "min", "{\"minimum_rule\":\"min\",\"minimum_severity\":4,\"rules\":[\"min\"]}",
	  NULL },
	{ "min min2", "{\"minimum_rule\":\"min\",\"minimum_severity\":4,\"rules\":[\"min\"]}",
	  NULL },
	{ "sev2", "{\"severity_id\":2,\"rules\":[\"sev2\"]}", NULL },
	{ "sev sev2 p1", "{\"severity_id\":5,\"priority\":1,\"rules\":[\"sev\",\"p1\"]}",
	  NULL },
	{ "route reopen storm",
	  "{\"reopen_ms\":172800000,\"route\":{\"table\":\"sn_si_incident\",\"template\":"
	  "\"sir\"},\"storm\":{"
	  "\"rule\":"
	  "\"storm\",\"limit\":5,\"per_ms\":1800000},\"rules\":[\"route\",\"reopen\",\"storm\"]"
	  "}",
	  NULL },
	{ "record", "{\"record\":\"record\",\"rules\":[\"record\"]}", NULL },
	{ "group", "{\"rules\":[\"group\"]}", NULL },
	{ "p1 quiet quiet2", "{\"rules\":[\"quiet\"]}", "quiet" },
	{ "quiet2", "{\"rules\":[\"quiet2\"]}", "quiet2" },
};

static bool is_among(const char *names, const char *name)
{
	size_t size = strlen(name);

	for (const char *at = names; (at = strstr(at, name)); at += size) {
		if ((at == names || at[-1] == ' ') && (at[size] == ' ' || at[size] == '\0'))
			return true;
	}
	return false;
}

static void test_decisions(void **state)
{
	struct rules *rules = decode(all_kinds);
	struct arena *arena = arena_new();
	const struct finding finding = { .customer = "acme", .source = "secure_endpoint" };
	const struct rule_subject subject = { .finding = &finding, .hostname = "ws-1" };

	(void)state;
	for (size_t i = 0; i < sizeof decisions / sizeof decisions[0]; i++) {
		struct rule_match matches[16] = { 0 };
		struct policy policy, again;

		for (size_t k = 0; k < rules_count(rules); k++) {
			matches[k].matched =
			    is_among(decisions[i].matched, rules_at(rules, k)->name);
			matches[k].group_path = ".x";
			matches[k].group_value = "value";
		}
		rules_decide(rules, matches, &subject, arena, &policy);
		const char *text = policy_encode(&policy, arena);
		if (decisions[i].policy)
			assert_string_equal(text, decisions[i].policy);
		else
			assert_null(text);
		if (decisions[i].suppress)
			assert_string_equal(policy.suppress, decisions[i].suppress);
		else
			assert_null(policy.suppress);
		/* It arrives as it left. */
		assert_true(policy_decode(&again, text, arena, NULL));
		const char *arrived = policy_encode(&again, arena);
		assert_string_equal(arrived ? arrived : "", text ? text : "");
	}
	arena_free(arena);
	rules_free(rules);
}

static void test_groups(void **state)
{
	struct rules *rules =
	    decode("{\"rules\":["
		   "{\"name\":\"g\",\"owner\":\"o\",\"group\":{\"by\":[\".x\"]}},"
		   "{\"name\":\"h\",\"owner\":\"o\",\"group\":{\"by\":[\".x\"],"
		   "\"per_host\":false}}]}");
	struct arena *arena = arena_new();
	const struct finding finding = { .customer = "acme" };
	const struct rule_subject one = { .finding = &finding, .hostname = "ws-1" };
	const struct rule_subject two = { .finding = &finding, .hostname = "ws-2" };
	struct rule_match matches[2] = { { true, ".x", "v" }, { false, NULL, NULL } };
	struct policy a, b;

	(void)state;
	rules_decide(rules, matches, &one, arena, &a);
	rules_decide(rules, matches, &two, arena, &b);
	assert_int_equal(strlen(a.group), 16);
	assert_string_not_equal(a.group, b.group);
	matches[0].matched = false;
	matches[1] = (struct rule_match){ true, ".x", "v" };
	rules_decide(rules, matches, &one, arena, &a);
	rules_decide(rules, matches, &two, arena, &b);
	assert_string_equal(a.group, b.group);
	/* Without a value it is grouped as ever. */
	matches[1].group_value = NULL;
	rules_decide(rules, matches, &one, arena, &a);
	assert_null(a.group);
	arena_free(arena);
	rules_free(rules);
}

static void test_route_of_a_customer(void **state)
{
	struct customer customer = { .id = (char *)"acme" }, routed;
	struct policy policy;

	(void)state;
	customer.servicenow.account = (char *)"snow";
	customer.servicenow.table = (char *)"incident";
	customer.servicenow.company = (char *)"c1";
	customer.servicenow.domain = (char *)"d1";
	policy_clear(&policy);
	assert_false(policy_routes(&policy));
	policy.route.company = "c2";
	assert_true(policy_routes(&policy));
	policy_route_customer(&policy, &customer, &routed);
	assert_string_equal(routed.servicenow.company, "c2");
	assert_string_equal(routed.servicenow.account, "snow");
	assert_string_equal(routed.servicenow.domain, "d1");
	policy.route.account = "other";
	policy_route_customer(&policy, &customer, &routed);
	assert_string_equal(routed.servicenow.account, "other");
	assert_null(routed.servicenow.domain); /* of the first instance */
	assert_int_equal(policy_priority(1).impact, 1);
	assert_int_equal(policy_priority(1).urgency, 1);
	assert_int_equal(policy_priority(99).impact, 3);
}

static void test_strange_policies(void **state)
{
	struct arena *arena = arena_new();
	struct policy policy;
	struct err err = { 0 };

	(void)state;
	assert_true(policy_decode(&policy,
				  "{\"priority\":9,\"severity_id\":\"x\",\"rules\":7,"
				  "\"storm\":{\"limit\":-1,\"per_ms\":1},\"route\":[]}",
				  arena, &err));
	assert_int_equal(policy.priority, 0);
	assert_int_equal(policy.severity_id, -1);
	assert_null(policy.storm.rule);
	assert_false(policy_routes(&policy));
	assert_false(policy_decode(&policy, "[]", arena, &err));
	assert_false(policy_decode(&policy, "{", arena, &err));
	arena_free(arena);
}

/* ---- paths ---- */

static void collect(void *opaque, const struct rule_path *path)
{
	char *said = opaque;
	size_t size = strlen(said);

	snprintf(said + size, 400 - size, "%s%s%s%s", path->text,
		 path->is_list ? " is a list" : "", path->nearest ? " -> " : "",
		 path->nearest ? path->nearest : "");
	size = strlen(said);
	snprintf(said + size, 400 - size, ";");
}

static void test_paths(void **state)
{
	static const struct {
		const char *jq, *said;
	} rows[] = {
		{ "true", "" },
		{ ".finding.device.hostname == \"x\" and .customer.id == \"y\"", "" },
		{ ".finding.device.hostnam",
		  ".finding.device.hostnam -> .finding.device.hostname;" },
		{ ".findings.device", ".findings -> .finding;" },
		{ ".finding.unmapped.anything.at.all", "" },
		{ ".finding.zzz", ".finding.zzz;" },
		{ ".hashes | index(\"x\")", "" },
		{ ".hashs | index(\"x\")", ".hashs -> .hashes;" },
		{ ".finding[\"devce\"].ip", ".finding.devce -> .finding.device;" },
		{ ".finding.\"devce\"", ".finding.devce -> .finding.device;" },
		{ ".finding.device?.ip?", "" },
		{ ".finding | .device | .hostnme", ".finding.device.hostnme -> "
						   ".finding.device.hostname;" },
		{ ".finding.evidences[0].file.nme", ".finding.evidences.file.nme -> "
						    ".finding.evidences.file.name;" },
		{ ".finding.evidences.file", ".finding.evidences is a list;" },
		{ "any(.finding.evidences[]; .file.hashs)",
		  ".finding.evidences.file.hashs -> .finding.evidences.file.hashes;" },
		{ ".finding.evidences | any(.file.hashs)",
		  ".finding.evidences.file.hashs -> .finding.evidences.file.hashes;" },
		{ "[.finding.malware[]?.naem] | length > 0",
		  ".finding.malware.naem -> .finding.malware.name;" },
		{ "(.finding.device // {}).ipp", "" }, /* may be anything */
		{ ".finding.device as $d | $d.anything and .finding.devise",
		  ".finding.devise -> .finding.device;" },
		{ "if .finding.tme > 3 then .host.nam else .source end",
		  ".finding.tme -> .finding.time;.host.nam -> .host.name;" },
		{ "\"a \\(.customer.nmae) b\" == \"x\"", ".customer.nmae -> .customer.name;" },
		{ "# .finding.nothing\n.finding.time > 0", "" },
		{ "select(.finding.device.os.nme | test(\"Win\"; \"i\"))",
		  ".finding.device.os.nme -> .finding.device.os.name;" },
		{ "def f: .nothing; f", "" },
		{ "reduce .x[] as $i (0; . + $i)", "" },
		{ "{a: .finding.nope} | .a", "" },
		{ "try (.finding.devce) catch .x", ".finding.devce -> .finding.device;" },
		{ ".finding.attacks[1:3][0].tactic.uidd",
		  ".finding.attacks.tactic.uidd -> .finding.attacks.tactic.uid;" },
		{ "((((((((((((((((((((((((((((((((((((((((((((.finding.x))))))))))))))))))))))"
		  "))))))"
		  "))))))))))))))))",
		  "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char said[400] = "";

		rule_paths_check(rows[i].jq, collect, said);
		if (strcmp(said, rows[i].said) != 0)
			fail_msg("%s: said \"%s\", not \"%s\"", rows[i].jq, said, rows[i].said);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_where_conditions_stand),
		cmocka_unit_test(test_selects),
		cmocka_unit_test(test_decisions),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_route_of_a_customer),
		cmocka_unit_test(test_strange_policies),
		cmocka_unit_test(test_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
