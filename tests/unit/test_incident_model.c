/* The incident's hash and inbox items: what is written can be read, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "model/incident.h"

static struct arena *arena;

static int setup(void **state)
{
	(void)state;
	arena = arena_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static struct incident sample(void)
{
	return (struct incident){
		.id = "00112233445566aa",
		.customer = "acme",
		.group = "ffeeddccbbaa0011",
		.uid = "cisco_secure_endpoint:1",
		.state = INCIDENT_OPEN,
		.shadow = true,
		.event_ms = 1763749000123,
		.severity_id = 4,
		.impact = 2,
		.sys_id = "46f09e75a9fe198100f4ffd8d366d17b",
		.opening = "{}\n{\"a\":\"b c\"}",
		.steps = {
			[STEP_SERVICENOW_CREATE] = { STEP_DONE, 7, 2, 1763749000000, 0,
						     "created INC0010001" },
			[STEP_SERVICENOW_NOTE] = { STEP_WAITING, 8, 0, 0, 1763749009000, NULL },
		},
	};
}

static void test_round_trip(void **state)
{
	struct field fields[INCIDENT_FIELDS], again[INCIDENT_FIELDS];
	struct incident incident = sample(), decoded;
	size_t count = incident_encode(&incident, arena, fields);
	struct err err;

	(void)state;
	assert_true(incident_decode(&decoded, fields, count, &err));
	assert_int_equal(incident_encode(&decoded, arena, again), count);
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(again[i].name, fields[i].name);
		assert_string_equal(again[i].value, fields[i].value);
	}
	assert_int_equal(decoded.steps[STEP_SERVICENOW_CREATE].fence, 7);
	assert_string_equal(decoded.steps[STEP_SERVICENOW_CREATE].note, "created INC0010001");
	assert_int_equal(decoded.steps[STEP_SERVICENOW_NOTE].due_ms, 1763749009000);
	assert_null(decoded.steps[STEP_SERVICENOW_NOTE].note);
	assert_true(decoded.shadow);
}

static void test_changes_only(void **state)
{
	struct field fields[INCIDENT_FIELDS];
	struct incident before = sample(), after = before;

	(void)state;
	assert_int_equal(incident_changes(&before, &after, arena, fields), 0);
	after.opening = NULL;
	after.impact = 0;
	after.steps[STEP_SERVICENOW_LINK].status = STEP_INTENT;
	assert_int_equal(incident_changes(&before, &after, arena, fields), 3);
	assert_string_equal(fields[0].name, "servicenow.impact");
	assert_int_equal(fields[0].size, 0);
	assert_string_equal(fields[1].name, "opening");
	assert_int_equal(fields[1].size, 0);
	assert_string_equal(fields[2].value, "intent 0 0 0 0 ");
}

/* Every column reaches the hash: one that a change does not show would never be written. */
static void test_step_names(void **state)
{
	(void)state;
	for (int i = 0; i < INCIDENT_STEPS; i++) {
		struct incident before = sample(), after = before;
		struct field fields[INCIDENT_FIELDS];

		after.steps[i].attempt = 9;
		assert_int_equal(incident_changes(&before, &after, arena, fields), 1);
		assert_string_equal(fields[0].name + strlen("step."),
				    incident_step_name((enum incident_step_id)i));
	}
}

static void test_malformed(void **state)
{
	static const struct {
		const char *name, *value;
	} cases[] = {
		{ "event_ms", "12a" },
		{ "event_ms", "-1" },
		{ "event_ms", "99999999999999999999" },
		{ "servicenow.impact", "4294967296" },
		{ "state", "opened" },
		{ "step.inspect", "done" },
		{ "step.inspect", "finished 1 1 1 1 " },
		{ "step.inspect", "done 1 1 x 1 " },
		{ "step.inspect", "done 1 4294967296 1 1 " },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct field fields[] = { field_text("id", "a"), field_text("customer", "b"),
					  field_text("group", "c"),
					  field_text(cases[i].name, cases[i].value) };
		struct incident incident;
		struct err err = { 0 };

		assert_false(incident_decode(&incident, fields, 4, &err));
		assert_int_equal(err.kind, ERR_PERMANENT);
		assert_non_null(strstr(err.text, cases[i].name));
	}
}

static void test_identity_is_required(void **state)
{
	struct field fields[] = { field_text("id", "a"), field_text("state", "open"),
				  field_text("unknown", "ignored") };
	struct incident incident;
	struct err err;

	(void)state;
	assert_false(incident_decode(&incident, fields, 3, &err));
}

static void test_key_at_its_limit(void **state)
{
	struct incident incident = { .customer = "abcdefghijklmnopqrstuvwx",
				     .group = "0123456789abcdef",
				     .id = "fedcba9876543210" };
	char key[INCIDENT_KEY_SIZE];

	(void)state;
	incident_key("installation", &incident, key);
	assert_string_equal(key, "tocsin-i:installation:abcdefghijklmnopqrstuvwx:"
				 "0123456789abcdef:fedcba9876543210");
	assert_true(strlen(key) <= 100);
	incident_group_key("installation", &incident, key);
	assert_string_equal(key, "tocsin-g:installation:abcdefghijklmnopqrstuvwx:"
				 "0123456789abcdef");
}

static void test_id_depends_on_all_parts(void **state)
{
	char one[INCIDENT_ID_SIZE], two[INCIDENT_ID_SIZE];

	(void)state;
	incident_id("acme", "g", "u1", one);
	incident_id("acme", "g", "u1", two);
	assert_string_equal(one, two);
	assert_int_equal(strlen(one), 16);
	incident_id("acme", "gu", "1", two);
	assert_string_not_equal(one, two);
}

static void test_item_round_trip(void **state)
{
	struct incident incident = sample();
	struct incident_item item = {
		.op = ITEM_FINDING,
		.finding = { .source = "secure_endpoint",
			     .event_id = "65\"33\n",
			     .uid = "u",
			     .trace = "",
			     .origin = ORIGIN_FIRST,
			     .severity_id = 99,
			     .time_ms = 1763749000123,
			     .observed_ms = 1763749060000,
			     .payload = "{\n\"a\": 1}",
			     .payload_size = 9 },
	};
	struct incident_item decoded;
	struct err err;

	(void)state;
	assert_true(incident_item_decode(&decoded, incident_item_encode(&item, arena),
					 &incident, arena, &err));
	assert_int_equal(decoded.op, ITEM_FINDING);
	assert_string_equal(decoded.finding.event_id, "65\"33\n");
	assert_string_equal(decoded.finding.payload, "{\n\"a\": 1}");
	assert_int_equal(decoded.finding.payload_size, 9);
	assert_int_equal(decoded.finding.severity_id, 99);
	assert_int_equal(decoded.finding.origin, ORIGIN_FIRST);
	assert_int_equal(decoded.finding.time_ms, 1763749000123);
	assert_string_equal(decoded.finding.customer, "acme");

	item.op = ITEM_RETRY;
	assert_true(incident_item_decode(&decoded, incident_item_encode(&item, arena),
					 &incident, arena, &err));
	assert_int_equal(decoded.op, ITEM_RETRY);
}

static void test_item_refused(void **state)
{
	static const char *const cases[] = {
		"",
		"{",
		"[]\n",
		"{\"op\":\"destroy\"}\n",
		"{\"op\":\"host\"}\n",
		"{\"op\":\"host\",\"ledger\":[]}\n",
		"{\"op\":\"finding\"}\n{}",
		"{\"op\":\"finding\",\"source\":1,\"event_id\":\"\",\"uid\":\"\",\"trace\":"
		"\"\"}"
		"\n",
	};
	struct incident incident = sample();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct incident_item item;
		struct err err = { 0 };

		assert_false(incident_item_decode(&item, cases[i], &incident, arena, &err));
		assert_int_equal(err.kind, ERR_PERMANENT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_changes_only),
		cmocka_unit_test(test_step_names),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_identity_is_required),
		cmocka_unit_test(test_key_at_its_limit),
		cmocka_unit_test(test_id_depends_on_all_parts),
		cmocka_unit_test(test_item_round_trip),
		cmocka_unit_test(test_item_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
