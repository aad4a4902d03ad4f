#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "normalize/normalize.h"
#include "normalize/secure_endpoint_types.h"

struct fixture {
	struct normalizer *normalizer;
	struct normalize_scratch *scratch;
	struct arena *arena;
	/* of the last event */
	struct finding finding;
	const char *skip;
	struct err err;
	json_t *payload;
};

static int setup(void **state)
{
	struct fixture *fixture = xcalloc(1, sizeof *fixture);

	fixture->normalizer = normalizer_new(NORMALIZE_GROUPING, &fixture->err);
	fixture->scratch = normalize_scratch_new();
	fixture->arena = arena_new();
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	json_decref(fixture->payload);
	arena_free(fixture->arena);
	normalize_scratch_free(fixture->scratch);
	normalizer_free(fixture->normalizer);
	free(fixture);
	return 0;
}

static enum normalize_verdict run(struct fixture *fixture, const char *customer,
				  const char *payload, size_t size)
{
	const struct raw raw = {
		.customer = customer,
		.source = "secure_endpoint",
		.event_id = "42",
		.observed_ms = 1763750000000,
		.trace = "",
		.asked = "",
		.payload = payload,
		.payload_size = size,
	};

	json_decref(fixture->payload);
	fixture->payload = NULL;
	enum normalize_verdict verdict =
	    normalize(fixture->normalizer, &raw, fixture->scratch, fixture->arena,
		      &fixture->finding, &fixture->skip, &fixture->err);
	if (verdict == NORMALIZE_FINDING) {
		assert_true(fixture->finding.payload_size <= FINDING_PAYLOAD_MAX);
		fixture->payload =
		    json_loadb(fixture->finding.payload, fixture->finding.payload_size,
			       JSON_REJECT_DUPLICATES, NULL);
		assert_non_null(fixture->payload);
	}
	return verdict;
}

static enum normalize_verdict run_text(struct fixture *fixture, const char *payload)
{
	return run(fixture, "acme", payload, strlen(payload));
}

static const char *text_at(const json_t *object, const char *first, const char *second)
{
	return json_string_value(json_object_get(json_object_get(object, first), second));
}

static void refuses_what_is_no_event(void **state)
{
	static const struct {
		const char *payload, *says;
	} cases[] = {
		{ "", "text ends too early at byte 0" },
		{ "<html>hibernating</html>", "not a JSON value" },
		{ "{\"id\":1,", "member name expected" },
		{ "{\"id\":1}{", "something follows" },
		{ "{\"id\":\"\\ud800\"}", "surrogate" },
		{ "{\"id\":\"\xff\"}", "invalid UTF-8" },
		{ "[{\"id\":1}]", "not a JSON object" },
		{ "null", "not a JSON object" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fixture *fixture = *state;
		assert_int_equal(run_text(fixture, cases[i].payload), NORMALIZE_REFUSE);
		assert_int_equal(fixture->err.kind, ERR_PERMANENT);
		if (!strstr(fixture->err.text, cases[i].says))
			fail_msg("%s: %s", cases[i].payload, fixture->err.text);
	}
}

static void refuses_an_unknown_source(void **state)
{
	struct fixture *fixture = *state;
	const struct raw raw = { .customer = "acme",
				 .source = "carrier_pigeon",
				 .event_id = "1",
				 .payload = "{}",
				 .payload_size = 2 };

	assert_int_equal(normalize(fixture->normalizer, &raw, fixture->scratch, fixture->arena,
				   &fixture->finding, &fixture->skip, &fixture->err),
			 NORMALIZE_REFUSE);
	assert_string_equal(fixture->err.text, "no mapping for source carrier_pigeon");
}

/* Beyond 2^53 and even beyond 2^63: an id is text and keeps every digit. */
static void keeps_every_digit_of_an_id(void **state)
{
	static const char *const ids[] = { "9007199254740993", "9223372036854775807",
					   "18446744073709551615", "99999999999999999999999" };

	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		char payload[200];
		snprintf(payload, sizeof payload,
			 "{\"id\":%s,\"event_type_id\":1090519054,\"detection_id\":\"7\"}",
			 ids[i]);
		assert_int_equal(run_text(*state, payload), NORMALIZE_FINDING);
		struct fixture *fixture = *state;
		assert_string_equal(text_at(fixture->payload, "metadata", "original_event_uid"),
				    ids[i]);
		assert_string_equal(text_at(fixture->payload, "finding_info", "uid"), "7");
	}
}

static void time_is_seconds_and_the_part_below(void **state)
{
	static const struct {
		const char *members;
		uint64_t time_ms;
	} cases[] = {
		{ "\"timestamp\":1763749000,\"timestamp_nanoseconds\":123999999",
		  1763749000123 },
		{ "\"timestamp\":1763749000", 1763749000000 },
		{ "\"timestamp\":1763749000,\"timestamp_nanoseconds\":1000000000",
		  1763749000000 },
		{ "\"timestamp\":1763749000,\"date\":\"2020-01-01T00:00:00Z\"", 1763749000000 },
		{ "\"date\":\"2025-11-21T19:16:40.250+01:00\"", 1763749000250 },
		{ "\"timestamp\":-1,\"date\":\"yesterday\"", 1763750000000 }, /* first sight */
		{ "\"timestamp\":99999999999999", 1763750000000 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fixture *fixture = *state;
		char payload[200];
		snprintf(payload, sizeof payload, "{\"id\":1,\"event_type_id\":1090519054,%s}",
			 cases[i].members);
		assert_int_equal(run_text(fixture, payload), NORMALIZE_FINDING);
		assert_int_equal(fixture->finding.time_ms, cases[i].time_ms);
		assert_true(json_number_value(json_object_get(fixture->payload, "time")) ==
			    (double)cases[i].time_ms);
	}
}

static void group_of(struct fixture *fixture, const char *customer, const char *payload,
		     char *ret_group)
{
	assert_int_equal(run(fixture, customer, payload, strlen(payload)), NORMALIZE_FINDING);
	snprintf(ret_group, 17, "%s", fixture->finding.group);
}

#define EVENT(members) "{\"id\":1,\"event_type_id\":1090519054," members "}"

static void groups_by_correlation_then_file_on_one_host(void **state)
{
	char detected[17], failed[17], other[17];

	group_of(*state, "acme",
		 EVENT("\"connector_guid\":\"h1\",\"detection_id\":\"5\","
		       "\"file\":{\"identity\":{\"sha256\":\"aa\"}}"),
		 detected);
	/* The same detection, seen by another event type that knows less of the file. */
	group_of(*state, "acme",
		 "{\"id\":2,\"event_type_id\":2164260880,\"detection_id\":\"5\","
		 "\"computer\":{\"connector_guid\":\"h1\"}}",
		 failed);
	assert_string_equal(detected, failed);

	static const struct {
		const char *customer, *payload;
	} others[] = {
		{ "globex", EVENT("\"connector_guid\":\"h1\",\"detection_id\":\"5\"") },
		{ "acme", EVENT("\"connector_guid\":\"h2\",\"detection_id\":\"5\"") },
		{ "acme", EVENT("\"connector_guid\":\"h1\",\"detection_id\":\"6\"") },
		/* A file's hash that looks like the detection's id is still another thing. */
		{ "acme", EVENT("\"connector_guid\":\"h1\","
				"\"file\":{\"identity\":{\"sha256\":\"5\"}}") },
	};
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		group_of(*state, others[i].customer, others[i].payload, other);
		assert_string_not_equal(other, detected);
	}
}

static void grouping_is_a_setting(void **state)
{
	struct fixture *fixture = *state;
	char one[17], two[17];

	normalizer_free(fixture->normalizer);
	fixture->normalizer =
	    normalizer_new("computer.nets[1].ip, event_type_id", &fixture->err);
	assert_non_null(fixture->normalizer);
	group_of(fixture, "acme",
		 EVENT("\"detection_id\":\"1\",\"computer\":{\"nets\":[{},{\"ip\":\"x\"}]}"),
		 one);
	group_of(fixture, "acme",
		 EVENT("\"detection_id\":\"2\",\"computer\":{\"nets\":[0,{\"ip\":\"x\"}]}"),
		 two);
	assert_string_equal(one, two);
	group_of(fixture, "acme",
		 EVENT("\"detection_id\":\"2\",\"computer\":{\"nets\":[{\"ip\":\"x\"}]}"), two);
	assert_string_not_equal(one, two);
}

static void refuses_paths_that_lead_nowhere(void **state)
{
	static const char *const wrong[] = {
		"",   "a..b", ".a",    "a.",  "a[x]",	    "a[1",
		"a,", "a b",  "a[1]b", "a[]", "a[9999999]", "a.b.c.d.e.f.g.h.i"
	};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct err err = { 0 };
		assert_null(normalizer_new(wrong[i], &err));
		assert_int_equal(strncmp(err.text, "TOCSIN_GROUPING: ", 17), 0);
	}
}

/* The largest record the stream carries, made of the bytes that grow most when written. */
static void a_huge_record_stays_within_bounds(void **state)
{
	static const char *const places[] = { "\"detection\":\"", "\"unmapped\":\"",
					      "\"command_line\":{\"arguments\":\"" };

	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		struct fixture *fixture = *state;
		char head[120];
		snprintf(head, sizeof head, "{\"id\":1,\"event_type_id\":1090519054,%s",
			 places[i]);
		size_t head_size = strlen(head);
		const char *tail = i == 2 ? "\"}}" : "\"}";
		char *payload = xmalloc(RAW_PAYLOAD_MAX + 1);
		memset(payload, 0x7f, RAW_PAYLOAD_MAX);
		memcpy(payload, head, head_size);
		memcpy(payload + RAW_PAYLOAD_MAX - strlen(tail), tail, strlen(tail) + 1);
		assert_int_equal(run(fixture, "acme", payload, RAW_PAYLOAD_MAX),
				 NORMALIZE_FINDING);
		/* A text is cut, what is kept as it came is left out. */
		bool left_out = strstr(fixture->finding.payload, "\"left_out\":\"too large\"");
		assert_int_equal(left_out, i > 0);
		free(payload);
	}
}

static void too_many_values_are_refused(void **state)
{
	struct fixture *fixture = *state;
	struct buf payload;

	buf_init(&payload, RAW_PAYLOAD_MAX);
	buf_adds(&payload, "{\"event_type_id\":1090519054,\"x\":[0");
	while (payload.size < 300000)
		buf_adds(&payload, ",0");
	buf_adds(&payload, "]}");
	assert_int_equal(run(fixture, "acme", payload.data, payload.size), NORMALIZE_REFUSE);
	assert_non_null(strstr(fixture->err.text, "too many values"));
	buf_done(&payload);
}

/* All that is known is a finding or not, by its table; nothing falls between. */
static void every_known_type_is_decided(void **state)
{
	static const uint32_t defaults[] = {
		1090519054, 2164260880, 2164260893, 1090524040, 1090524041, 1090519084,
		1107296257, 1107296258, 1107296261, 1107296262, 1107296263, 1107296264,
		1107296266, 1107296267, 1107296268, 1107296269, 1107296270, 1107296271,
		1107296272, 1107296273, 1107296274, 1107296275, 1107296276, 1091567670,
		1107296277, 1107296278, 1107296280, 1107296281, 1107296282, 1107296284,
		1107296283, 2164260931, 1090519081, 1090519105, 1090519102, 553648215,
	};
	size_t findings = 0;

	for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++) {
		struct fixture *fixture = *state;
		const struct secure_endpoint_type *type = secure_endpoint_type(defaults[i]);
		char payload[80];
		assert_non_null(type);
		snprintf(payload, sizeof payload, "{\"id\":1,\"event_type_id\":%u}",
			 defaults[i]);
		enum normalize_verdict verdict = run_text(fixture, payload);
		bool fault = defaults[i] == 2164260931 || defaults[i] == 553648215;
		assert_int_equal(verdict, fault ? NORMALIZE_SKIP : NORMALIZE_FINDING);
		findings += verdict == NORMALIZE_FINDING;
	}
	assert_int_equal(findings, 34);
	assert_null(secure_endpoint_type(0));
	assert_null(secure_endpoint_type(UINT32_MAX));
}

static void the_same_bytes_give_the_same_bytes(void **state)
{
	static const char event[] =
	    EVENT("\"severity\":\"High\",\"computer\":{\"hostname\":\"a.example.com\"},"
		  "\"x\":{\"b\":1,\"a\":[{},[],null,true,1e2]}");
	struct fixture *fixture = *state;

	assert_int_equal(run_text(fixture, event), NORMALIZE_FINDING);
	char *first = xstrdup(fixture->finding.payload);
	assert_int_equal(run_text(fixture, "{\"id\":3}"), NORMALIZE_SKIP);
	assert_string_equal(fixture->skip, "not a detection: Event of unknown type");
	assert_int_equal(run_text(fixture, event), NORMALIZE_FINDING);
	assert_string_equal(fixture->finding.payload, first);
	free(first);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(refuses_what_is_no_event),
		WITH_FIXTURE(refuses_an_unknown_source),
		WITH_FIXTURE(keeps_every_digit_of_an_id),
		WITH_FIXTURE(time_is_seconds_and_the_part_below),
		WITH_FIXTURE(groups_by_correlation_then_file_on_one_host),
		WITH_FIXTURE(grouping_is_a_setting),
		WITH_FIXTURE(refuses_paths_that_lead_nowhere),
		WITH_FIXTURE(a_huge_record_stays_within_bounds),
		WITH_FIXTURE(too_many_values_are_refused),
		WITH_FIXTURE(every_known_type_is_decided),
		WITH_FIXTURE(the_same_bytes_give_the_same_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
