#include "vendor_fake.h"

#include "vendor/secure_endpoint.h"
#include "vendor/secure_endpoint_call.h"

#define GUID  "7dd00000-1a2b-4c3d-8e4f-0123456789ab"
#define GROUP "11111111-2222-4333-8444-555555555555"

static int start(void **state)
{
	(void)state;
	fake_start(ACCOUNT_SECURE_ENDPOINT, ACCOUNT_AUTH_BASIC, 8);
	return 0;
}

static int end(void **state)
{
	(void)state;
	fake_end();
	return 0;
}

static bool read_page(const char *next, struct secure_endpoint_page *ret_page, struct err *err)
{
	static const uint64_t types[] = { 1090519054, 2164260880 };
	const struct secure_endpoint_query query = { .start_ms = 1700000000999,
						     .event_types = types,
						     .event_type_count = 2 };

	*err = (struct err){ 0 };
	return secure_endpoint_events(&fake.session, &query, next, fake.arena, ret_page, err);
}

static void events_stay_as_they_came(void **state)
{
	static const char first[] = "{ \"id\": 18446744073709551615, \"timestamp\":1700000001,"
				    "\"timestamp_nanoseconds\":587000000,\n \"event_type_id\":"
				    "2181038130, \"x\":1.50, \"id\":3, \"y\":\"\\u00e9\"}";
	struct secure_endpoint_page page;
	struct buf body;
	struct err err;

	(void)state;
	fake_reset();
	buf_init(&body, 65536);
	buf_addf(
	    &body,
	    "{\"version\":\"v1.2.0\",\"metadata\":{\"links\":{\"self\":\"s\",\"next\":"
	    "\"https:\\/\\/vendor.example/v1/events?limit=500&offset=500\"},\"results\":"
	    "{\"total\":972}},\"data\":[%s,{\"event_type_id\":5},{\"id\":\"123\"},{\"id\" 4}]}",
	    first);
	fake_answer((struct fake_answer){ .status = 200,
					  .body = buf_text(&body),
					  .headers = "Date: Tue, 14 Nov 2023 22:13:20 GMT" });
	assert_true(read_page(NULL, &page, &err));
	assert_int_equal(page.count, 4);
	assert_int_equal(page.events[0].size, sizeof first - 1);
	assert_memory_equal(page.events[0].json, first, sizeof first - 1);
	/* Digits of 64 bits; which of two equal members counts is for the normalizer. */
	assert_string_equal(page.events[0].id, "3");
	assert_int_equal(page.events[0].timestamp_ms, 1700000001587);
	assert_int_equal(page.events[0].event_type, 2181038130);
	assert_string_equal(page.events[1].id, "");
	assert_string_equal(page.events[2].id, "123");
	assert_string_equal(page.events[3].id, ""); /* broken: handed on, not in the way */
	assert_int_equal(page.total, 972);
	assert_int_equal(page.date_ms, 1700000000000);
	assert_string_equal(page.next, "https://vendor.example/v1/events?limit=500&offset=500");
	assert_string_equal(
	    fake_asked(0)->url,
	    "https://vendor.example/v1/events?start_date=2023-11-14T22%3A13%3A20Z"
	    "&limit=500&event_type%5B%5D=1090519054&event_type%5B%5D=2164260880");
	assert_string_equal(fake_asked(0)->basic_user, "client");
	buf_done(&body);
}

static void big_ids_keep_their_digits(void **state)
{
	static const char *const ids[] = { "6533241145273614340", "18446744073709551615",
					   "14930696955218", "0" };
	struct secure_endpoint_page page;
	char body[256];
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		fake_reset();
		snprintf(body, sizeof body, "{\"metadata\":{},\"data\":[{\"id\":%s}]}", ids[i]);
		fake_json(200, body);
		assert_true(read_page(NULL, &page, &err));
		assert_string_equal(page.events[0].id, ids[i]);
		assert_null(page.next);
	}
}

static void follows_links_to_itself_only(void **state)
{
	static const char *const elsewhere[] = {
		"https://evil.example/v1/events?offset=500",
		"https://vendor.example.evil.example/v1/events?offset=500",
		"https://vendor.example@evil.example/v1/events?offset=500",
		"http://vendor.example/v1/events?offset=500",
		"https://vendor.example/v1/computers?offset=500",
		"/v1/events?offset=500",
		"",
	};
	struct secure_endpoint_page page;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++) {
		fake_reset();
		assert_false(read_page(elsewhere[i], &page, &err));
		assert_int_equal(fake.request_count, 0);
	}
	fake_reset();
	fake_json(200, "{\"metadata\":{},\"data\":[]}");
	assert_true(read_page("https://vendor.example/v1/events?offset=500", &page, &err));
	assert_string_equal(fake_asked(0)->url, "https://vendor.example/v1/events?offset=500");
}

static void a_page_is_whole_or_nothing(void **state)
{
	static const char *const broken[] = {
		"",
		"[]",
		"{}",
		"{\"data\":[]}", /* no metadata: nobody knows whether more follows */
		"{\"metadata\":{},\"data\":{}}",
		"{\"metadata\":[],\"data\":[]}",
		"{\"metadata\":{},\"data\":[{\"id\":1}",
		"{\"metadata\":{},\"data\":[{\"id\":1}]",
		"{\"metadata\":{},\"data\":[{\"id\":1}]}x",
		"{\"metadata\":{},\"data\":[],\"data\":[]}",
		"{\"metadata\":{\"links\":{},\"links\":{}},\"data\":[]}",
		"{\"metadata\":{},\"data\":[{\"id\":1},]}",
	};
	struct secure_endpoint_page page;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
		fake_reset();
		fake_json(200, broken[i]);
		assert_false(read_page(NULL, &page, &err));
		assert_int_equal(err.kind, ERR_TRANSIENT);
		assert_int_equal(page.count, 0);
		assert_null(page.next);
	}
}

static void tells_errors_apart(void **state)
{
	static const struct {
		struct fake_answer answer;
		enum err_kind kind;
		const char *text;
		uint64_t wait_ms;
	} rows[] = {
		{ { .status = 400,
		    .body = "{\"errors\":[{\"error_code\":400,\"description\":\"Bad Request\","
			    "\"details\":[\"start_date\"]}]}" },
		  ERR_PERMANENT,
		  "start_date",
		  0 },
		{ { .status = 401,
		    .body =
			"{\"version\":\"v1.0.0\",\"data\":{},\"errors\":[{\"error_code\":401,"
			"\"description\":\"Unauthorized\",\"details\":[\"Unknown API "
			"key\"]}]}" },
		  ERR_ACCOUNT,
		  "Unknown API key",
		  0 },
		{ { .status = 404, .body = "<h1>no</h1>", .type = "text/html" },
		  ERR_ACCOUNT,
		  "404",
		  0 },
		{ { .status = 301, .headers = "Location: https://elsewhere" },
		  ERR_ACCOUNT,
		  "301",
		  0 },
		{ { .status = 429, .headers = "X-RateLimit-Reset: 11" },
		  ERR_TRANSIENT,
		  "429",
		  11000 },
		{ { .status = 429, .headers = "X-Rate-Limit-Reset: 12" },
		  ERR_TRANSIENT,
		  "429",
		  12000 },
		{ { .status = 429, .headers = "Retry-After: 3172s" },
		  ERR_TRANSIENT,
		  "429",
		  3172000 },
		{ { .status = 500, .body = "{\"error\":{\"message\":\"oops\"}}" },
		  ERR_TRANSIENT,
		  "oops",
		  0 },
		{ { .status = 200, .body = "<html>", .type = "text/html" },
		  ERR_TRANSIENT,
		  "JSON",
		  0 },
	};
	struct secure_endpoint_page page;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		fake_reset();
		fake_answer(rows[i].answer);
		assert_false(read_page(NULL, &page, &err));
		assert_int_equal(err.kind, rows[i].kind);
		assert_false(err.ambiguous); /* reading twice is reading once */
		assert_int_equal(err.retry_after_ms, rows[i].wait_ms);
		assert_non_null(strstr(err.text, rows[i].text));
	}
}

static void reads_a_computer(void **state)
{
	struct secure_endpoint_computer computer;
	bool found;
	struct err err;

	(void)state;
	fake_reset();
	fake_json(200,
		  "{\"data\":{\"connector_guid\":\"" GUID "\",\"hostname\":\"ws1\",\"active\":"
		  "true,\"operating_system\":\"Windows 10\",\"policy\":{\"name\":\"P\"},"
		  "\"isolation\":{\"available\":true,\"status\":\"not_isolated\"}}}");
	assert_true(
	    secure_endpoint_computer(&fake.session, GUID, fake.arena, &found, &computer, &err));
	assert_true(found);
	assert_string_equal(computer.hostname, "ws1");
	assert_string_equal(computer.policy, "P");
	assert_string_equal(computer.group_guid, "");
	assert_true(computer.active && computer.isolation_available);
	fake_json(404, "{\"errors\":[]}");
	assert_true(
	    secure_endpoint_computer(&fake.session, GUID, fake.arena, &found, &computer, &err));
	assert_false(found);
	assert_false(fake.parked);
	/* Another machine's record is no answer. */
	fake_json(200, "{\"data\":{\"connector_guid\":\"" GROUP "\"}}");
	assert_false(
	    secure_endpoint_computer(&fake.session, GUID, fake.arena, &found, &computer, &err));
	assert_false(secure_endpoint_computer(&fake.session, "../events", fake.arena, &found,
					      &computer, &err));
	assert_int_equal(fake.request_count, 3);
}

static void lists_computers_and_groups(void **state)
{
	const struct secure_endpoint_computer_query query = { .hostname = "ws 1&x",
							      .offset = 500 };
	struct secure_endpoint_computers list;
	struct secure_endpoint_group *groups;
	size_t count;
	struct err err;

	(void)state;
	fake_reset();
	fake_json(200, "{\"metadata\":{\"links\":{\"next\":\"x\"},\"results\":{\"total\":9}},"
		       "\"data\":[{\"hostname\":\"a\"},7,{\"hostname\":\"b\"}]}");
	assert_true(secure_endpoint_computers(&fake.session, &query, fake.arena, &list, &err));
	assert_int_equal(list.count, 3);
	assert_string_equal(list.computers[1].hostname, "");
	assert_int_equal(list.next, 503);
	assert_int_equal(list.total, 9);
	assert_non_null(strstr(fake_asked(0)->url, "hostname%5B%5D=ws%201%26x"));
	fake_json(200, "{\"data\":[{\"guid\":\"" GROUP "\",\"name\":\"Triage\"}]}");
	assert_true(
	    secure_endpoint_groups(&fake.session, "Tri", fake.arena, &groups, &count, &err));
	assert_int_equal(count, 1);
	assert_string_equal(groups[0].name, "Triage");
}

static void isolates_and_releases(void **state)
{
	struct secure_endpoint_isolation isolation;
	bool allowed;
	struct err err;

	(void)state;
	fake_reset();
	fake_json(200,
		  "{\"data\":{\"available\":true,\"status\":\"pending_start\",\"unlock_code\":"
		  "\"gd\",\"comment\":null}}");
	assert_true(secure_endpoint_isolate(&fake.session, GUID, "our \"mark\"", fake.arena,
					    &isolation, &err));
	assert_int_equal(isolation.state, SECURE_ENDPOINT_PENDING_START);
	assert_string_equal(isolation.comment, "");
	assert_string_equal(fake_asked(0)->method, "PUT");
	assert_string_equal(fake_asked(0)->body, "{\"comment\":\"our \\\"mark\\\"\"}");
	assert_string_equal(fake_asked(0)->url,
			    "https://vendor.example/v1/computers/" GUID "/isolation");
	/* Already isolated: another state than asked from, nobody's account is at fault. */
	fake_json(409, "{\"errors\":[{\"error_code\":409,\"description\":\"Conflict\"}]}");
	assert_false(
	    secure_endpoint_isolate(&fake.session, GUID, NULL, fake.arena, &isolation, &err));
	assert_int_equal(fake.session.status, 409);
	assert_int_equal(err.kind, ERR_PERMANENT);
	assert_false(err.ambiguous || fake.parked);
	assert_string_equal(fake_asked(1)->body, "");
	/* No answer: it may be isolated now. */
	fake_answer((struct fake_answer){ .kind = ERR_TRANSIENT, .ambiguous = true });
	assert_false(
	    secure_endpoint_release(&fake.session, GUID, NULL, fake.arena, &isolation, &err));
	assert_true(err.ambiguous);
	assert_string_equal(fake_asked(2)->method, "DELETE");
	fake_answer(
	    (struct fake_answer){ .status = 204, .headers = "allow: OPTIONS, GET, PUT" });
	assert_true(secure_endpoint_isolation_allowed(&fake.session, GUID, &allowed, &err));
	assert_true(allowed);
	fake_answer(
	    (struct fake_answer){ .status = 204, .headers = "allow: OPTIONS,GET,INPUT" });
	assert_true(secure_endpoint_isolation_allowed(&fake.session, GUID, &allowed, &err));
	assert_false(allowed);
	fake_json(200, "{\"data\":{\"available\":true,\"status\":\"melting\"}}");
	assert_true(
	    secure_endpoint_isolation(&fake.session, GUID, fake.arena, &isolation, &err));
	assert_int_equal(isolation.state, SECURE_ENDPOINT_UNKNOWN_STATE);
}

static void moves_only_when_it_shows(void **state)
{
	struct err err;

	(void)state;
	fake_reset();
	fake_json(202,
		  "{\"data\":{\"connector_guid\":\"" GUID "\",\"group_guid\":\"" GROUP "\"}}");
	assert_true(secure_endpoint_move(&fake.session, GUID, GROUP, fake.arena, &err));
	assert_string_equal(fake_asked(0)->body, "{\"group_guid\":\"" GROUP "\"}");
	fake_json(200, "{\"data\":{\"connector_guid\":\"" GUID "\",\"group_guid\":\"other\"}}");
	assert_false(secure_endpoint_move(&fake.session, GUID, GROUP, fake.arena, &err));
	assert_true(err.ambiguous);
	assert_false(secure_endpoint_move(&fake.session, GUID, "x\",\"y", fake.arena, &err));
	assert_int_equal(err.kind, ERR_PERMANENT);
	assert_int_equal(fake.request_count, 2);
}

static void answers_verify(void **state)
{
	struct secure_endpoint_event_type *types;
	const char *version;
	size_t count;
	struct err err;

	(void)state;
	fake_reset();
	fake_json(200, "{\"version\":\"v1.2.0\",\"metadata\":{},\"data\":{}}");
	assert_true(secure_endpoint_version(&fake.session, fake.arena, &version, &err));
	assert_string_equal(version, "v1.2.0");
	fake_json(200, "{\"data\":[{\"id\":2181038130,\"name\":\"N\",\"description\":\"D\"}]}");
	assert_true(
	    secure_endpoint_event_types(&fake.session, fake.arena, &types, &count, &err));
	assert_int_equal(types[0].id, 2181038130);
	assert_string_equal(types[0].name, "N");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_stay_as_they_came),
		cmocka_unit_test(big_ids_keep_their_digits),
		cmocka_unit_test(follows_links_to_itself_only),
		cmocka_unit_test(a_page_is_whole_or_nothing),
		cmocka_unit_test(tells_errors_apart),
		cmocka_unit_test(reads_a_computer),
		cmocka_unit_test(lists_computers_and_groups),
		cmocka_unit_test(isolates_and_releases),
		cmocka_unit_test(moves_only_when_it_shows),
		cmocka_unit_test(answers_verify),
	};

	return cmocka_run_group_tests(tests, start, end);
}
