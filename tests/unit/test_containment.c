/* The undo ledger, the mark, operating systems, and the customer's never-list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "model/containment.h"
#include "model/customer.h"

#define KEY   "tocsin-i:lab:acme:0123456789abcdef:fedcba9876543210"
#define GROUP "0e8c1f6a-5c0b-4f0b-9a41-6f1d2b7ac001"

static void ledger_survives(void **state)
{
	struct arena *arena = arena_new();
	struct containment_ledger ledger = { 0 }, read;
	struct containment_entry *moved = &ledger.entries[CONTAINMENT_MOVE_GROUP];
	struct err err = { 0 };
	const char *text;

	(void)state;
	assert_null(containment_ledger_encode(&ledger, arena));
	assert_int_equal(containment_due_count(NULL), 0);
	*moved = (struct containment_entry){
		.method = CONTAINMENT_MOVE_GROUP,
		.state = CONTAINMENT_HELD,
		.shared = true,
		.since_ms = 1800000000123,
		.source = "secure_endpoint",
		.account = "acme.secure_endpoint",
		.machine = "abc-1",
		.host = "WS \"1\"",
		.from = GROUP,
		.to = "t",
	};
	text = containment_ledger_encode(&ledger, arena);
	assert_true(containment_ledger_decode(&read, text, arena, &err));
	assert_null(read.entries[CONTAINMENT_ISOLATE].machine);
	moved = &read.entries[CONTAINMENT_MOVE_GROUP];
	assert_int_equal(moved->state, CONTAINMENT_HELD);
	assert_true(moved->shared);
	assert_int_equal(moved->since_ms, 1800000000123);
	assert_string_equal(moved->host, "WS \"1\"");
	assert_string_equal(moved->from, GROUP);
	assert_null(moved->action);
	assert_int_equal(containment_due_count(text), 1);
	moved->state = CONTAINMENT_RELEASED;
	assert_int_equal(containment_due_count(containment_ledger_encode(&read, arena)), 0);
	arena_free(arena);
}

static void ledger_is_not_trusted(void **state)
{
	static const char *const broken[] = {
		"{}",
		"[1]",
		"[{\"method\":\"isolate\"}]",
		"[{\"method\":\"isolate\",\"state\":\"odd\",\"machine\":\"m\"}]",
		"[{\"method\":\"isolate\",\"state\":\"held\",\"machine\":\"../m\"}]",
		"[{\"method\":\"isolate\",\"state\":\"held\",\"machine\":\"m\"},{},{}]",
	};
	struct arena *arena = arena_new();
	struct containment_ledger ledger;

	(void)state;
	for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
		struct err err = { 0 };

		assert_false(containment_ledger_decode(&ledger, broken[i], arena, &err));
		assert_int_equal(err.kind, ERR_PERMANENT);
		assert_int_equal(containment_due_count(broken[i]), 0);
	}
	arena_free(arena);
}

static void mark_is_found_again(void **state)
{
	const struct containment_mark marks[] = { { KEY, "INC0010001", GROUP },
						  { KEY, NULL, GROUP },
						  { KEY, "INC0010001", NULL } };
	struct arena *arena = arena_new();
	struct containment_marked read;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		const char *text = containment_mark_text(&marks[i], arena);

		assert_true(containment_mark_read(text, "lab", arena, &read));
		assert_string_equal(read.customer, "acme");
		assert_string_equal(read.group, "0123456789abcdef");
		assert_string_equal(read.incident, "fedcba9876543210");
		assert_int_equal(read.number != NULL, marks[i].number != NULL);
		if (marks[i].number)
			assert_string_equal(read.number, marks[i].number);
		assert_int_equal(read.from != NULL, marks[i].from != NULL);
		assert_false(containment_mark_read(text, "la", arena, NULL));
		assert_false(containment_mark_read(text, "prod", arena, NULL));
	}
	arena_free(arena);
}

static void others_comments_are_no_marks(void **state)
{
	static const char *const comments[] = {
		"",
		"mine",
		"see " KEY,
		"[" KEY,
		"[tocsin-i:lab:acme:0123456789abcdef:fedcba987654321]",
		"[tocsin-i:lab:ACME:0123456789abcdef:fedcba9876543210]",
		"[tocsin-i:lab:acme:0123456789abcdef:fedcba9876543210 from=../x]",
		"[tocsin-i:lab::0123456789abcdef:fedcba9876543210]",
	};
	struct arena *arena = arena_new();

	(void)state;
	assert_false(containment_mark_read(NULL, "lab", arena, NULL));
	for (size_t i = 0; i < sizeof comments / sizeof comments[0]; i++)
		assert_false(containment_mark_read(comments[i], "lab", arena, NULL));
	arena_free(arena);
}

static void systems(void **state)
{
	static const struct {
		const char *name;
		enum containment_system want;
	} names[] = {
		{ "Windows 11 Enterprise", SYSTEM_WORKSTATION },
		{ "Windows 10, SP 0.0", SYSTEM_WORKSTATION },
		{ "Windows 7, SP 1.0", SYSTEM_WORKSTATION },
		{ "Windows11", SYSTEM_WORKSTATION },
		{ "macOS 14.1", SYSTEM_WORKSTATION },
		{ "OSX 10.15", SYSTEM_WORKSTATION },
		{ "Windows Server 2019 Standard", SYSTEM_SERVER },
		{ "WindowsServer2016", SYSTEM_SERVER },
		{ "Windows 2008 R2", SYSTEM_SERVER },
		{ "Mac OS X Server 10.6", SYSTEM_SERVER },
		{ "Windows 10 Enterprise multi-session", SYSTEM_UNKNOWN },
		{ "Windows10WVD", SYSTEM_UNKNOWN },
		{ "Windows 10 IoT Enterprise", SYSTEM_UNKNOWN },
		{ "linux CentOS 7", SYSTEM_UNKNOWN },
		{ "iOS 17", SYSTEM_UNKNOWN },
		{ "", SYSTEM_UNKNOWN },
		{ NULL, SYSTEM_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (containment_system(names[i].name) != names[i].want)
			fail_msg("%s", names[i].name);
	}
}

/* ---- the customer's file ---- */

static struct customer *decode(const char *section, struct err *err)
{
	char text[1024];

	snprintf(text, sizeof text, "{\"id\":\"acme\",\"containment\":%s}", section);
	*err = (struct err){ 0 };
	return customer_decode(text, strlen(text), "customers/acme.json", err);
}

static void section_is_read_and_written(void **state)
{
	static const char section[] =
	    "{\"mode\":\"auto\",\"isolate\":false,\"triage_group\":\"" GROUP "\","
	    "\"defender_isolation\":\"selective\",\"minimum_severity\":\"critical\","
	    "\"maximum_age\":\"10m\",\"workstations\":\"ancestors\",\"never\":[\"dc01\","
	    "\"10.0.0.0/8\"],\"per_hour\":3,\"maximum_time\":\"2d\","
	    "\"release_by_itself\":true,\"approval_time\":\"1h\"}";
	struct err err;
	struct customer *customer = decode(section, &err);
	const struct customer_containment *read = &customer->containment;

	(void)state;
	assert_non_null(customer);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(read->mode, CONTAINMENT_AUTO);
		assert_false(read->isolate);
		assert_string_equal(read->triage_group, GROUP);
		assert_true(read->selective);
		assert_int_equal(read->minimum_severity, 5);
		assert_int_equal(read->maximum_age_ms, 600000);
		assert_int_equal(read->test, CONTAINMENT_TEST_ANCESTORS);
		assert_int_equal(read->never_count, 2);
		assert_int_equal(read->per_hour, 3);
		assert_true(read->release_by_itself);
		assert_int_equal(read->approval_time_ms, 3600000);

		char *text = customer_encode(customer);

		customer_free(customer);
		customer = customer_decode(text, strlen(text), "x", &err);
		read = &customer->containment;
		free(text);
	}
	customer_free(customer);
	customer = decode("{}", &err);
	assert_int_equal(customer->containment.mode, CONTAINMENT_OFF);
	assert_true(customer->containment.isolate);
	assert_int_equal(customer->containment.maximum_age_ms, 30 * 60 * 1000);
	customer_free(customer);
}

static void section_is_refused(void **state)
{
	static const struct {
		const char *section, *says;
	} refusals[] = {
		{ "{\"mode\":\"on\"}", "containment.mode: " },
		{ "{\"modes\":\"auto\"}", "containment.modes: unknown member" },
		{ "{\"mode\":\"auto\",\"isolate\":false}", "containment.isolate: " },
		{ "{\"isolate\":1}", "containment.isolate: must be true or false" },
		{ "{\"triage_group\":\"Triage\"}",
		  "containment.triage_group: must be the GUID" },
		{ "{\"maximum_age\":30}", "containment.maximum_age: " },
		{ "{\"maximum_age\":\"0s\"}", "containment.maximum_age: " },
		{ "{\"never\":\"dc01\"}", "containment.never: must list" },
		{ "{\"never\":[\"a\",\"10.0.0.0/33\"]}", "containment.never: item 2" },
		{ "{\"never\":[\"a b\"]}", "containment.never: item 1" },
		{ "{\"never\":[\"dc[0-9]\"]}", "containment.never: item 1" },
		{ "{\"per_hour\":-1}", "containment.per_hour: " },
		{ "{\"per_hour\":1001}", "containment.per_hour: " },
		{ "{\"workstations\":\"all\"}", "containment.workstations: " },
		{ "{\"defender_isolation\":\"UnManagedDevice\"}",
		  "containment.defender_isolation: " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		struct err err;
		struct customer *customer = decode(refusals[i].section, &err);

		assert_null(customer);
		if (!strstr(err.text, refusals[i].says))
			fail_msg("%s: %s", refusals[i].section, err.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ledger_survives),
		cmocka_unit_test(ledger_is_not_trusted),
		cmocka_unit_test(mark_is_found_again),
		cmocka_unit_test(others_comments_are_no_marks),
		cmocka_unit_test(systems),
		cmocka_unit_test(section_is_read_and_written),
		cmocka_unit_test(section_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
