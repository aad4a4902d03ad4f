#include "vendor_fake.h"

#include "vendor/umbrella.h"

static char org[] = "2000002";
static char management[] = "https://management.example";

static int start(void **state)
{
	(void)state;
	fake_start(ACCOUNT_UMBRELLA, ACCOUNT_AUTH_CURRENT, 8);
	return 0;
}

static int end(void **state)
{
	(void)state;
	fake.account.org_id = NULL;
	fake.account.management_url = NULL;
	fake_end();
	return 0;
}

/* A token of its own for each test: the cache outlives them. */
static void begin(enum account_auth auth, char *org_id)
{
	static char ids[64][16];
	static unsigned count;

	fake_reset();
	snprintf(ids[count], sizeof ids[count], "account-%u", count);
	free(fake.account.id);
	fake.account.id = xstrdup(ids[count++ % 64]);
	fake.account.auth = auth;
	fake.account.org_id = org_id;
	fake.account.management_url = auth == ACCOUNT_AUTH_LEGACY ? management : NULL;
}

static void give_token(const char *token)
{
	fake_json(200, arena_printf(fake.arena,
				    "{\"token_type\":\"bearer\",\"access_token\":\"%s\","
				    "\"expires_in\":3600}",
				    token));
}

static bool read_page(struct umbrella_page *ret_page, struct err *err)
{
	static const uint64_t categories[] = { 65, 150 };
	const struct umbrella_query query = {
		.from_ms = 1700000000123,
		.to_ms = 1700000300000,
		.verdict = "blocked",
		.categories = categories,
		.category_count = 2,
		.limit = 1000,
		.offset = 2000,
	};

	*err = (struct err){ 0 };
	return umbrella_activity(&fake.session, &query, fake.arena, ret_page, err);
}

static void records_stay_as_they_came(void **state)
{
	static const char first[] = "{ \"timestamp\": 1700000001587,\n \"x\":1.50, \"y\":"
				    "\"\\u00e9\"}";
	struct umbrella_page page;
	char body[1024];
	struct err err;

	(void)state;
	begin(ACCOUNT_AUTH_CURRENT, NULL);
	give_token("t1");
	snprintf(body, sizeof body,
		 "{\"data\":[%s,{\"timestamp\":1548311506},{\"timestamp\":\"x\"},{\"a\" 4}],"
		 "\"meta\":{}}",
		 first);
	fake_answer((struct fake_answer){
	    .status = 200, .body = body, .headers = "Date: Tue, 14 Nov 2023 22:13:20 GMT" });
	assert_true(read_page(&page, &err));
	assert_int_equal(page.count, 4);
	assert_int_equal(page.records[0].size, sizeof first - 1);
	assert_memory_equal(page.records[0].json, first, sizeof first - 1);
	assert_int_equal(page.records[0].timestamp_ms, 1700000001587);
	assert_int_equal(page.records[1].timestamp_ms, 1548311506000); /* seconds */
	assert_int_equal(page.records[2].timestamp_ms, 0);
	assert_int_equal(page.records[3].timestamp_ms, 0); /* broken: not in the way */
	assert_int_equal(page.date_ms, 1700000000000);
	assert_string_equal(fake_asked(0)->method, "POST");
	assert_string_equal(fake_asked(0)->url, "https://vendor.example/auth/v2/token");
	assert_string_equal(fake_asked(0)->basic_user, "client");
	assert_string_equal(fake_asked(0)->body, "grant_type=client_credentials");
	assert_string_equal(fake_asked(0)->header, "");
	assert_string_equal(fake_asked(1)->bearer, "t1");
	assert_string_equal(fake_asked(1)->url,
			    "https://vendor.example/reports/v2/activity?from=1700000000123"
			    "&to=1700000300000&limit=1000&offset=2000&verdict=blocked"
			    "&categories=65,150");
}

static void organizations_of_either_kind(void **state)
{
	struct umbrella_page page;
	struct err err;

	(void)state;
	begin(ACCOUNT_AUTH_CURRENT, org);
	give_token("t2");
	fake_json(200, "{\"data\":[]}");
	assert_true(read_page(&page, &err));
	assert_string_equal(fake_asked(0)->header, "X-Umbrella-OrgId: 2000002");

	begin(ACCOUNT_AUTH_LEGACY, org);
	give_token("t3");
	fake_json(200, "{\"data\":[]}");
	assert_true(read_page(&page, &err));
	assert_string_equal(fake_asked(0)->url,
			    "https://management.example/auth/v2/oauth2/token");
	assert_string_equal(fake_asked(0)->header, "");
	assert_memory_equal(
	    fake_asked(1)->url,
	    "https://vendor.example/v2/organizations/2000002/activity?from=", 62);
}

/* The token of one organization must not read another's, though key and secret are the same. */
static void another_organization_is_another_token(void **state)
{
	static char other[] = "3000003";
	struct umbrella_page page;
	struct err err;

	(void)state;
	begin(ACCOUNT_AUTH_CURRENT, org);
	give_token("t4");
	fake_json(200, "{\"data\":[]}");
	assert_true(read_page(&page, &err));
	fake.account.org_id = other;
	give_token("t5");
	fake_json(200, "{\"data\":[]}");
	assert_true(read_page(&page, &err));
	assert_string_equal(fake_asked(2)->header, "X-Umbrella-OrgId: 3000003");
	assert_string_equal(fake_asked(3)->bearer, "t5");
}

static void an_expired_token_is_renewed_once(void **state)
{
	struct umbrella_page page;
	struct err err;

	(void)state;
	begin(ACCOUNT_AUTH_CURRENT, NULL);
	give_token("old");
	fake_json(401, "{\"message\":\"Unauthorized\",\"code\":401}");
	give_token("new");
	fake_json(401, "{\"message\":\"Unauthorized\",\"code\":401}");
	assert_false(read_page(&page, &err));
	assert_int_equal(err.kind, ERR_ACCOUNT);
	assert_int_equal(fake.request_count, 4);
	assert_string_equal(fake_asked(3)->bearer, "new");
}

static void redirects_stay_with_the_vendor(void **state)
{
	static const struct {
		const char *from, *to;
		bool may;
	} rows[] = {
		{ "https://api.umbrella.com/reports/v2/activity?x",
		  "https://api.umbrella.com/reports.eu/v2/activity?x", true },
		{ "https://reports.api.umbrella.com/v2/organizations/1/activity",
		  "https://api.eu.reports.umbrella.com/organizations/1/activity", true },
		{ "http://127.0.0.1:8080/umbrella/reports/v2/activity",
		  "http://127.0.0.1:8080/umbrella/reports.eu/v2/activity", true },
		{ "http://127.0.0.1:8080/a", "http://127.0.0.1:80801/a", false },
		{ "http://127.0.0.1:8080/a", "http://127.0.0.1:8081/a", false },
		{ "http://127.0.0.1:8080/a", "http://127.0.0.1:8080@evil.example/a", false },
		{ "https://api.umbrella.com/a", "http://api.umbrella.com/a", false },
		{ "https://api.umbrella.com/a", "https://evil.example/a", false },
		{ "https://api.umbrella.com/a", "https://evilumbrella.com/a", false },
		{ "https://api.umbrella.com/a", "https://umbrella.com.evil.example/a", false },
		{ "https://api.umbrella.com/a", "https://evil.example/.umbrella.com", false },
		{ "https://api.umbrella.com/a", "https://evil.example?.umbrella.com", false },
		{ "https://api.umbrella.com/a", "https://x@api.eu.umbrella.com/a", false },
		{ "https://api.umbrella.com/a", "https://api.eu.umbrella.com:8443/a", false },
		{ "https://api.umbrella.com/a", "https://evil.example\\.umbrella.com/a",
		  false },
		{ "https://api.umbrella.com/a", "https:/api.umbrella.com/a", false },
		{ "https://api.umbrella.com/a", "", false },
	};
	struct umbrella_page page;
	struct err err;

	(void)state;
	begin(ACCOUNT_AUTH_CURRENT, NULL);
	give_token("t6");
	fake_json(200, "{\"data\":[]}");
	assert_true(read_page(&page, &err));
	assert_null(fake_asked(0)->may_redirect); /* the secret goes nowhere else */
	assert_non_null(fake_asked(1)->may_redirect);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (fake_asked(1)->may_redirect(rows[i].from, rows[i].to) != rows[i].may)
			fail_msg("%s to %s", rows[i].from, rows[i].to);
	}
}

static void a_page_is_whole_or_nothing(void **state)
{
	static const char *const broken[] = {
		"",
		"[]",
		"{}",
		"{\"meta\":{},\"data\":{}}",
		"{\"data\":[{\"a\":1}",
		"{\"data\":[{\"a\":1}]",
		"{\"data\":[{\"a\":1}]}x",
		"{\"data\":[],\"data\":[]}",
		"{\"data\":[{\"a\":1},]}",
	};
	struct umbrella_page page;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
		begin(ACCOUNT_AUTH_CURRENT, NULL);
		give_token("t7");
		fake_json(200, broken[i]);
		assert_false(read_page(&page, &err));
		assert_int_equal(err.kind, ERR_TRANSIENT);
		assert_int_equal(page.count, 0);
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
		    .body = "{\"message\":\"first\",\"data\":{\"error\":\"second\"}}" },
		  ERR_PERMANENT,
		  "first",
		  0 },
		{ { .status = 400,
		    .body = "{\"data\":{\"error\":\"second\",\"errors\":\"third\"},"
			    "\"error\":\"fourth\"}" },
		  ERR_PERMANENT,
		  "second",
		  0 },
		{ { .status = 400,
		    .body = "{\"meta\":{},\"data\":{\"errors\":\"Missing required parameters\","
			    "\"requiredParameters\":[\"from\"]},\"error\":\"fourth\"}" },
		  ERR_PERMANENT,
		  "Missing required parameters",
		  0 },
		{ { .status = 413, .body = "{\"error\":\"fourth\",\"statusCode\":413}" },
		  ERR_PERMANENT,
		  "fourth",
		  0 },
		{ { .status = 400,
		    .body = "{\"data\":{\"error\":\"invalid organization 7\"}}" },
		  ERR_ACCOUNT,
		  "invalid organization 7",
		  0 },
		{ { .status = 403, .body = "{\"message\":\"Forbidden\",\"code\":403}" },
		  ERR_ACCOUNT,
		  "Forbidden",
		  0 },
		{ { .status = 404, .body = "<h1>no</h1>", .type = "text/html" },
		  ERR_ACCOUNT,
		  "404",
		  0 },
		{ { .status = 302, .headers = "Location: https://evil.example/" },
		  ERR_ACCOUNT,
		  "evil.example",
		  0 },
		{ { .status = 429 }, ERR_TRANSIENT, "429", 1000 },
		{ { .status = 429, .headers = "Retry-After: 7" }, ERR_TRANSIENT, "429", 7000 },
		{ { .status = 500, .body = "{\"message\":\"oops\"}" },
		  ERR_TRANSIENT,
		  "oops",
		  0 },
		{ { .status = 200, .body = "<html>", .type = "text/html" },
		  ERR_TRANSIENT,
		  "JSON",
		  0 },
	};
	struct umbrella_page page;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		begin(ACCOUNT_AUTH_CURRENT, NULL);
		give_token("t8");
		fake_answer(rows[i].answer);
		assert_false(read_page(&page, &err));
		assert_int_equal(err.kind, rows[i].kind);
		assert_false(err.ambiguous);
		assert_int_equal(err.retry_after_ms, rows[i].wait_ms);
		assert_non_null(strstr(err.text, rows[i].text));
	}
}

static void says_why_there_is_no_token(void **state)
{
	struct umbrella_page page;
	struct err err;

	(void)state;
	begin(ACCOUNT_AUTH_CURRENT, NULL);
	fake_json(401, "{\"message\":\"Invalid API key\"}");
	assert_false(read_page(&page, &err));
	assert_int_equal(err.kind, ERR_ACCOUNT);
	assert_int_equal(fake.session.status, 0);
	assert_non_null(strstr(err.text, "no token"));
	assert_non_null(strstr(err.text, "Invalid API key"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_stay_as_they_came),
		cmocka_unit_test(organizations_of_either_kind),
		cmocka_unit_test(another_organization_is_another_token),
		cmocka_unit_test(an_expired_token_is_renewed_once),
		cmocka_unit_test(redirects_stay_with_the_vendor),
		cmocka_unit_test(a_page_is_whole_or_nothing),
		cmocka_unit_test(tells_errors_apart),
		cmocka_unit_test(says_why_there_is_no_token),
	};

	return cmocka_run_group_tests(tests, start, end);
}
