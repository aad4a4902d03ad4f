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

static const struct finding sample = {
	.customer = "acme",
	.source = "secure_endpoint",
	.event_id = "42",
	.uid = "secure_endpoint:42",
	.group = "0123456789abcdef",
	.severity_id = SEVERITY_HIGH,
	.time_ms = 1763749000123,
	.observed_ms = 1763749001000,
	.trace = "",
	.origin = ORIGIN_CATCHUP,
	.payload = "{\"class_uid\":2004}",
	.payload_size = 18,
};

static void comes_back_as_it_went(void **state)
{
	struct arena *arena = arena_new();
	struct field fields[FINDING_FIELDS];
	struct finding back;
	struct err err;

	(void)state;
	size_t count = finding_encode(&sample, arena, fields);
	assert_true(count <= FINDING_FIELDS);
	assert_true(finding_decode(&back, fields, count, &err));
	assert_string_equal(back.customer, sample.customer);
	assert_string_equal(back.source, sample.source);
	assert_string_equal(back.event_id, sample.event_id);
	assert_string_equal(back.uid, sample.uid);
	assert_string_equal(back.group, sample.group);
	assert_int_equal(back.severity_id, sample.severity_id);
	assert_int_equal(back.time_ms, sample.time_ms);
	assert_int_equal(back.observed_ms, sample.observed_ms);
	assert_string_equal(back.trace, "");
	assert_int_equal(back.origin, ORIGIN_CATCHUP);
	assert_memory_equal(back.payload, sample.payload, sample.payload_size);
	arena_free(arena);
}

static void refuses_by_name_what_is_wrong(void **state)
{
	static const struct {
		const char *name, *value, *says;
	} cases[] = {
		{ "v", "0", "finding: format version 0" },
		{ "group", "0123456789abcde", "group must be 16 hex" },
		{ "group", "0123456789ABCDEF", "group must be 16 hex" },
		{ "group", "0123456789abcdef0", "group has 17 bytes" },
		{ "severity_id", "7", "severity_id 7 is not OCSF's" },
		{ "severity_id", "high", "severity_id must be a whole number" },
		{ "uid", "", "uid has 0 bytes" },
		{ "time_ms", "1.5", "time_ms must be" },
		{ "payload", "", "payload has 0 bytes" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct arena *arena = arena_new();
		struct field fields[FINDING_FIELDS];
		struct finding back;
		struct err err = { 0 };
		size_t count = finding_encode(&sample, arena, fields);

		for (size_t k = 0; k < count; k++) {
			if (strcmp(fields[k].name, cases[i].name) == 0)
				fields[k] = field_text(cases[i].name, cases[i].value);
		}
		assert_false(finding_decode(&back, fields, count, &err));
		if (!strstr(err.text, cases[i].says))
			fail_msg("%s: %s", cases[i].says, err.text);
		arena_free(arena);
	}
}

static void severities_have_names(void **state)
{
	(void)state;
	assert_string_equal(finding_severity_name(SEVERITY_CRITICAL), "Critical");
	assert_string_equal(finding_severity_name(42), "Other");
	assert_int_equal(finding_severity_parse("INFORMATIONAL"), SEVERITY_INFORMATIONAL);
	assert_int_equal(finding_severity_parse("critical"), SEVERITY_CRITICAL);
	assert_int_equal(finding_severity_parse("unknown"), -1);
	assert_int_equal(finding_severity_parse(""), -1);
}

/* Incident keys outside are made of it: it must never change. */
static void the_digest_is_for_ever(void **state)
{
	char hex[17], other[17];

	(void)state;
	finding_digest((const char *const[]){ "acme", "secure_endpoint", NULL }, hex);
	assert_string_equal(hex, "3e936a7b6128a78c");
	finding_digest((const char *const[]){ "acmesecure", "_endpoint", NULL }, other);
	assert_string_not_equal(hex, other);
	finding_digest((const char *const[]){ "acme", "secure_endpoint", "", NULL }, other);
	assert_string_not_equal(hex, other);
}

/* ---- the view ---- */

static const char event[] =
    "{\"class_uid\":2004,\"severity_id\":4,\"confidence_id\":3,\"disposition_id\":15,"
    "\"time\":1763749000123,\"start_time\":1763748000000,"
    "\"metadata\":{\"product\":{\"vendor_name\":\"Cisco\",\"name\":\"Secure Endpoint\","
    "\"uid\":\"cisco_secure_endpoint\"},\"original_event_uid\":\"42\","
    "\"correlation_uid\":\"7\"},"
    "\"finding_info\":{\"uid\":\"7\",\"title\":\"Threat Detected: X\",\"desc\":\"d\","
    "\"types\":[\"Threat Detected\"],\"src_url\":\"https://console.example.com/7\","
    "\"attacks\":[{\"tactic\":{\"uid\":\"TA0002\"},\"technique\":{\"uid\":\"T1059\"},"
    "\"sub_technique\":{\"uid\":\"T1059.001\"}},{\"tactic\":{\"uid\":\"TA0002\"}},"
    "{\"technique\":{\"name\":\"no id\"}}]},"
    "\"evidences\":[{\"file\":{\"name\":\"a.exe\",\"path\":\"C:\\\\a.exe\",\"hashes\":["
    "{\"algorithm_id\":1,\"value\":\"AA\"},{\"algorithm_id\":3,\"value\":\"CC\"},"
    "{\"algorithm_id\":2,\"value\":\"BB\"}]},"
    "\"url\":{\"url_string\":\"http://Bad.Example.org/x\",\"hostname\":\"Bad.Example.org\"},"
    "\"dst_endpoint\":{\"ip\":\"198.51.100.7\"},\"src_endpoint\":{\"ip\":\"192.0.2.1\"},"
    "\"connection_info\":{\"direction_id\":2}},"
    "{\"dst_endpoint\":{\"ip\":\"192.0.2.1\"},\"src_endpoint\":{\"ip\":\"2001:db8::9\"},"
    "\"connection_info\":{\"direction_id\":1}},"
    "{\"file\":{\"name\":\"CC\",\"hashes\":[{\"algorithm_id\":3,\"value\":\"CC\"}]}}],"
    "\"device\":{\"uid\":\"guid-1\",\"hostname\":\"ws.example.com\",\"ip\":\"192.0.2.1\","
    "\"mac\":\"00:00:5e:00:53:01\",\"os\":{\"name\":\"Windows 10\"},\"network_interfaces\":["
    "{\"ip\":\"192.0.2.1\"},{\"ip\":\"2001:db8::1\"},"
    "{\"name\":\"external\",\"ip\":\"203.0.113.1\"}]},"
    "\"actor\":{\"user\":{\"name\":\"jdoe\",\"domain\":\"LAB\"}}}";

static void sees_what_tickets_need(void **state)
{
	struct arena *arena = arena_new();
	struct finding_view view;
	struct err err;

	(void)state;
	assert_true(finding_view(&view, event, strlen(event), arena, &err));
	assert_string_equal(view.title, "Threat Detected: X");
	assert_string_equal(view.description, "d");
	assert_string_equal(view.event_type, "Threat Detected");
	assert_string_equal(view.product, "Cisco Secure Endpoint");
	assert_string_equal(view.event_uid, "42");
	assert_string_equal(view.correlation_uid, "7");
	assert_string_equal(view.console_url, "https://console.example.com/7");
	assert_int_equal(view.severity_id, 4);
	assert_int_equal(view.confidence_id, 3);
	assert_int_equal(view.disposition_id, 15);
	assert_int_equal(view.time_ms, 1763749000123);
	assert_int_equal(view.start_ms, 1763748000000);
	assert_int_equal(view.end_ms, 0);
	assert_string_equal(view.host, "ws.example.com");
	assert_string_equal(view.host_uid, "guid-1");
	assert_string_equal(view.os, "Windows 10");
	assert_string_equal(view.user, "jdoe@LAB");
	assert_string_equal(view.file_name, "a.exe");
	assert_int_equal(view.tactic_count, 1);
	assert_string_equal(view.tactics[0], "TA0002");
	assert_int_equal(view.technique_count, 2);
	assert_string_equal(view.techniques[1], "T1059.001");
	arena_free(arena);
}

static void check_list(const struct observable *got, size_t count,
		       const struct observable *want, size_t want_count)
{
	for (size_t i = 0; i < count && i < want_count; i++) {
		assert_string_equal(got[i].type, want[i].type);
		assert_string_equal(got[i].value, want[i].value);
	}
	assert_int_equal(count, want_count);
}

/* The attacker's side and the victim's, each thing once, whatever the direction. */
static void tells_the_sides_apart(void **state)
{
	static const struct observable attacker[] = {
		{ "sha256", "cc" },
		{ "sha1", "bb" },
		{ "md5", "aa" },
		{ "file_name", "a.exe" },
		{ "file_path", "C:\\a.exe" },
		{ "url", "http://Bad.Example.org/x" },
		{ "domain", "bad.example.org" },
		{ "ip", "198.51.100.7" },
		{ "ipv6", "2001:db8::9" },
	};
	static const struct observable victim[] = {
		{ "hostname", "ws.example.com" },	{ "ip", "192.0.2.1" },
		{ "mac_address", "00:00:5e:00:53:01" }, { "ipv6", "2001:db8::1" },
		{ "amp_computer_guid", "guid-1" },	{ "user", "jdoe@LAB" },
	};
	struct arena *arena = arena_new();
	struct finding_view view;
	struct err err;

	(void)state;
	assert_true(finding_view(&view, event, strlen(event), arena, &err));
	check_list(view.observables, view.observable_count, attacker,
		   sizeof attacker / sizeof attacker[0]);
	check_list(view.targets, view.target_count, victim, sizeof victim / sizeof victim[0]);
	arena_free(arena);
}

static void views_what_little_there_is(void **state)
{
	static const char *const odd[] = {
		"{\"class_uid\":2004}",
		"{\"class_uid\":2004,\"metadata\":[],\"finding_info\":\"x\",\"evidences\":{},"
		"\"device\":null,\"actor\":3,\"severity_id\":\"high\",\"time\":-5}",
		"{\"class_uid\":2004,\"evidences\":[null,1,{\"file\":{\"hashes\":[null,"
		"{\"algorithm_id\":3}]},\"url\":{\"hostname\":\"192.0.2.5\"}}]}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
		struct arena *arena = arena_new();
		struct finding_view view;
		struct err err = { 0 };
		assert_true(finding_view(&view, odd[i], strlen(odd[i]), arena, &err));
		assert_null(view.title);
		assert_null(view.host);
		assert_int_equal(view.severity_id, 0);
		assert_int_equal(view.time_ms, 0);
		assert_int_equal(view.observable_count, i == 2 ? 1 : 0);
		arena_free(arena);
	}
}

static void refuses_what_is_no_finding(void **state)
{
	static const char *const wrong[] = { "", "{", "[]", "{\"class_uid\":4003}", "null" };

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct arena *arena = arena_new();
		struct finding_view view;
		struct err err = { 0 };
		assert_false(finding_view(&view, wrong[i], strlen(wrong[i]), arena, &err));
		assert_int_equal(err.kind, ERR_PERMANENT);
		arena_free(arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back_as_it_went),
		cmocka_unit_test(refuses_by_name_what_is_wrong),
		cmocka_unit_test(severities_have_names),
		cmocka_unit_test(the_digest_is_for_ever),
		cmocka_unit_test(sees_what_tickets_need),
		cmocka_unit_test(tells_the_sides_apart),
		cmocka_unit_test(views_what_little_there_is),
		cmocka_unit_test(refuses_what_is_no_finding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
