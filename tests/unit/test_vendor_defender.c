#include "vendor_fake.h"

#include "vendor/defender.h"
#include "vendor/entra.h"

#define TOKEN_V2 "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"t.2\"}"
#define TOKEN_V1                                                                               \
	"{\"token_type\":\"Bearer\",\"expires_in\":\"100\",\"expires_on\":\"1388452167\","     \
	"\"access_token\":\"t.1\"}"

static int start(void **state)
{
	(void)state;
	fake_start(ACCOUNT_DEFENDER, ACCOUNT_AUTH_BASIC, 8);
	fake.account.login_url = xstrdup("https://login.example");
	fake.account.tenant_id = xstrdup("contoso.example");
	return 0;
}

static int end(void **state)
{
	(void)state;
	free(fake.account.login_url);
	free(fake.account.tenant_id);
	fake_end();
	return 0;
}

static bool ask(const char *next, struct defender_page *ret_page, struct err *err)
{
	const struct defender_query query = { .from_ms = 1700000000999, .limit = 2 };

	*err = (struct err){ 0 };
	return defender_alerts(&fake.session, &query, next, fake.arena, ret_page, err);
}

/* Every test begins without a token: what a 401 throws away. */
static void forget_token(void)
{
	struct defender_page page;
	struct err err;

	fake_reset();
	fake_json(401, "{}");
	fake_json(401, "{}");
	fake_json(401, "{}");
	fake_json(401, "{}");
	ask(NULL, &page, &err);
	fake_reset();
}

/* ---- tokens ---- */

static void asks_entra_in_both_ways(void **state)
{
	struct defender_page page;
	struct err err;

	(void)state;
	forget_token();
	fake_json(200, TOKEN_V2);
	fake_json(200, "{\"value\":[]}");
	assert_true(ask(NULL, &page, &err));
	assert_string_equal(fake_asked(0)->url,
			    "https://login.example/contoso.example/oauth2/v2.0/token");
	assert_string_equal(fake_asked(0)->body,
			    "grant_type=client_credentials&client_id=client&client_secret="
			    "s3cret%26%3D&scope=https%3A%2F%2Fapi.securitycenter.microsoft.com"
			    "%2F.default");
	assert_string_equal(fake_asked(1)->bearer, "t.2");

	forget_token();
	fake.account.token_v1 = true;
	fake_json(200, TOKEN_V1);
	fake_json(200, "{\"value\":[]}");
	assert_true(ask(NULL, &page, &err));
	fake.account.token_v1 = false;
	assert_string_equal(fake_asked(0)->url,
			    "https://login.example/contoso.example/oauth2/token");
	assert_non_null(strstr(fake_asked(0)->body,
			       "&resource=https%3A%2F%2Fapi.securitycenter.microsoft.com"));
	assert_string_equal(fake_asked(1)->bearer, "t.1");
}

static void numbers_may_be_texts(void **state)
{
	static const struct {
		const char *text;
		uint64_t life_ms;
	} cases[] = {
		{ "\"3599\"", 3599000 }, { "60", 60000 },	{ "\"\"", 3599000 },
		{ "\"1h\"", 3599000 },	 { "\"-5\"", 3599000 }, { "\"999999999999\"", 3599000 },
		{ "null", 3599000 },
	};
	const struct vendor_grant grant = { .session = &fake.session,
					    .secret = "s",
					    .deadline_ms = clock_mono_ms() + 1000 };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint64_t life_ms = 0;
		char *token = NULL, body[128];
		struct err err = { 0 };

		fake_reset();
		snprintf(body, sizeof body, "{\"access_token\":\"x\",\"expires_in\":%s}",
			 cases[i].text);
		fake_json(200, body);
		assert_true(entra_fetch_token(&grant, &token, &life_ms, &err));
		assert_int_equal(life_ms, cases[i].life_ms);
		free(token);
	}
}

static void refusals_are_told_apart(void **state)
{
	static const struct {
		int status;
		const char *body;
		enum err_kind kind;
		const char *says;
	} cases[] = {
		{ 401,
		  "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215: "
		  "Invalid client secret provided.\\r\\nTrace ID: 1\"}",
		  ERR_ACCOUNT, "AADSTS7000215: wrong client secret" },
		{ 401,
		  "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000222: The "
		  "keys are expired.\",\"error_codes\":[7000222]}",
		  ERR_ACCOUNT, "AADSTS7000222: the client secret has expired" },
		{ 400, "{\"error\":\"unauthorized_client\",\"error_codes\":[700016]}",
		  ERR_ACCOUNT, "AADSTS700016: the app is not known in this tenant" },
		{ 400, "{\"error\":\"invalid_request\",\"error_codes\":[90002]}", ERR_ACCOUNT,
		  "AADSTS90002: there is no such tenant" },
		{ 400, "{\"error\":\"invalid_scope\",\"error_codes\":[70011]}", ERR_ACCOUNT,
		  "AADSTS70011: the scope" },
		{ 400, "{\"error\":\"invalid_resource\",\"error_codes\":[500011]}", ERR_ACCOUNT,
		  "AADSTS500011: Defender for Endpoint is not there" },
		{ 400,
		  "{\"error\":\"odd\",\"error_description\":\"AADSTS123: What\\r\\nelse\"}",
		  ERR_ACCOUNT, "AADSTS123: What else" },
		{ 400, "{\"error\":\"temporarily_unavailable\",\"error_codes\":[50000]}",
		  ERR_TRANSIENT, "AADSTS50000" },
		{ 503, "{\"error\":\"x\",\"error_codes\":[50196]}", ERR_TRANSIENT,
		  "AADSTS50196" },
		{ 400, "{\"error\":\"without_a_number\"}", ERR_ACCOUNT, "without_a_number" },
		{ 400, "{\"error_codes\":[\"x\"],\"error_description\":\"AADSTSx\"}",
		  ERR_ACCOUNT, "answered 400" },
		{ 200, "{}", ERR_TRANSIENT, "without one" },
		/* {"aud":"https://api","tid":"t"} */
		{ 200, "{\"access_token\":\"h.eyJhdWQiOiJodHRwczovL2FwaSIsInRpZCI6InQifQ.s\"}",
		  ERR_ACCOUNT, "no roles: grant the app Alert.Read.All" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct defender_page page;
		struct err err;

		forget_token();
		fake_json(cases[i].status, cases[i].body);
		assert_false(ask(NULL, &page, &err));
		assert_int_equal(err.kind, cases[i].kind);
		if (!strstr(err.text, cases[i].says))
			fail_msg("%s is not in: %s", cases[i].says, err.text);
		assert_int_equal(fake.leaves[0].outcome,
				 cases[i].kind == ERR_ACCOUNT ? GATE_FAULT : GATE_TRANSIENT);
	}
}

static void tokens_that_are_bare(void **state)
{
	(void)state;
	assert_true(entra_token_is_bare("h.eyJhdWQiOiJodHRwczovL2FwaSIsInRpZCI6InQifQ.s"));
	/* {"aud":"a","roles":["Alert.Read.All"]}, no JSON, no base64, no parts, no audience */
	assert_false(
	    entra_token_is_bare("h.eyJhdWQiOiJhIiwicm9sZXMiOlsiQWxlcnQuUmVhZC5BbGwiXX0.s"));
	assert_false(entra_token_is_bare("h.bm90IGpzb24.s"));
	assert_false(entra_token_is_bare("h.%%%.s"));
	assert_false(entra_token_is_bare("opaque"));
	assert_false(entra_token_is_bare("h.e30.s"));
	assert_false(entra_token_is_bare(""));
}

/* ---- alerts ---- */

static void ask_with_token(const char *body, const char *next, struct defender_page *ret_page)
{
	struct err err;

	forget_token();
	fake_json(200, TOKEN_V2);
	fake_answer((struct fake_answer){
	    .status = 200, .body = body, .headers = "Date: Tue, 14 Nov 2023 22:13:20 GMT" });
	if (!ask(next, ret_page, &err))
		fail_msg("%s", err.text);
}

static void alerts_stay_as_they_came(void **state)
{
	static const char first[] = "{ \"id\":\"da1_-2\",\"incidentId\":9007199254740993,"
				    "\"lastUpdateTime\":\"2023-11-14T22:13:21.19Z\",\n"
				    "\"alertCreationTime\":\"2023-11-14T22:00:00.7220239Z\"}";
	struct defender_page page;
	struct buf body;

	(void)state;
	buf_init(&body, 65536);
	buf_addf(&body,
		 "{\"@odata.context\":\"c\",\"value\":[%s,{\"id\":\"x\\u0041\"},{\"id\":7},"
		 "{\"id\" 4}]}",
		 first);
	ask_with_token(buf_text(&body), NULL, &page);
	buf_done(&body);
	assert_int_equal(page.count, 4);
	assert_int_equal(page.alerts[0].size, sizeof first - 1);
	assert_memory_equal(page.alerts[0].json, first, sizeof first - 1);
	assert_string_equal(page.alerts[0].id, "da1_-2");
	assert_int_equal(page.alerts[0].updated_ms, 1700000001190);
	assert_int_equal(page.alerts[0].created_ms, 1699999200722);
	for (size_t i = 1; i < 4; i++)
		assert_string_equal(page.alerts[i].id, "");
	assert_int_equal(page.date_ms, 1700000000000);
	assert_string_equal(fake_asked(1)->url,
			    "https://vendor.example/api/alerts?$filter=lastUpdateTime+ge+"
			    "2023-11-14T22%3A13%3A20.999Z&$orderby=alertCreationTime+asc"
			    "&$expand=evidence&$top=2");
}

static void times_are_read_with_any_fraction(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} cases[] = {
		{ "2023-11-14T22:13:20Z", 1700000000000 },
		{ "2023-11-14T22:13:20.9Z", 1700000000900 },
		{ "2023-11-14T22:13:20.19Z", 1700000000190 },
		{ "2023-11-14T22:13:20.199Z", 1700000000199 },
		{ "2023-11-14T22:13:20.1999Z", 1700000000199 },
		{ "2023-11-14T22:13:20.20000Z", 1700000000200 },
		{ "2023-11-14T22:13:20.000001Z", 1700000000000 },
		{ "2023-11-14T22:13:20.7733333Z", 1700000000773 },
		{ "yesterday", 0 },
		{ "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct defender_page page;
		char body[128];

		snprintf(body, sizeof body,
			 "{\"value\":[{\"id\":\"a\",\"lastUpdateTime\":\"%s\"}]}",
			 cases[i].text);
		assert_true(defender_page_read(body, strlen(body), "https://v", 9, 0,
					       fake.arena, &page));
		assert_int_equal(page.alerts[0].updated_ms, cases[i].ms);
	}
}

#define TWO "\"value\":[{\"id\":\"a\"},{\"id\":\"b\"}]"

static void pages_go_on_until_they_end(void **state)
{
	static const struct {
		const char *body;
		uint64_t skip;
		const char *next; /* NULL: the last */
	} cases[] = {
		{ "{\"value\":[]}", 0, NULL },
		{ "{\"value\":[{\"id\":\"a\"}]}", 4, NULL },
		{ "{" TWO "}", 0, "2" },
		{ "{" TWO "}", 4, "6" },
		{ "{" TWO ",\"@odata.nextLink\":\"https:\\/\\/v\\/api\\/alerts?$skip=7\"}", 4,
		  "https://v/api/alerts?$skip=7" },
		{ "{\"value\":[],\"@odata.nextLink\":\"https://v/api/alerts?x\"}", 0,
		  "https://v/api/alerts?x" },
		/* elsewhere: our own way on, as long as there is something to go on from */
		{ "{\"value\":[{\"id\":\"a\"}],\"@odata.nextLink\":\"https://w/api/alerts?x\"}",
		  4, "5" },
		{ "{\"value\":[{\"id\":\"a\"}],\"@odata.nextLink\":\"https://v.evil/api/"
		  "alerts?x\"}",
		  4, "5" },
		{ "{\"value\":[{\"id\":\"a\"}],\"@odata.nextLink\":\"https://v/api/"
		  "machines?x\"}",
		  4, "5" },
		{ "{\"value\":[],\"@odata.nextLink\":\"https://w/api/alerts?x\"}", 4, NULL },
		{ "{\"value\":[],\"@odata.nextLink\":7}", 4, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct defender_page page;

		assert_true(defender_page_read(cases[i].body, strlen(cases[i].body),
					       "https://v", 2, cases[i].skip, fake.arena,
					       &page));
		if (!cases[i].next)
			assert_null(page.next);
		else
			assert_string_equal(page.next, cases[i].next);
	}
}

static void a_page_that_breaks_off_is_none(void **state)
{
	static const char *const bodies[] = { "",
					      "[]",
					      "{}",
					      "{\"value\":{}}",
					      "{\"value\"",
					      "{\"value\":[{\"id\":\"a\"}",
					      "{\"value\":[],\"value\":[]}" };
	struct defender_page page;

	(void)state;
	for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
		assert_false(defender_page_read(bodies[i], strlen(bodies[i]), "https://v", 2, 0,
						fake.arena, &page));
}

static void goes_on_from_its_own_tokens_only(void **state)
{
	static const char *const wrong[] = { "", "-1", "2x", "9999999999",
					     "https://evil.example/api/alerts?x" };
	struct defender_page page;
	struct err err;

	(void)state;
	ask_with_token("{" TWO "}", "500", &page);
	assert_non_null(strstr(fake_asked(1)->url, "&$top=2&$skip=500"));
	assert_string_equal(page.next, "502");
	ask_with_token("{" TWO "}", "https://vendor.example/api/alerts?a=b", &page);
	assert_string_equal(fake_asked(1)->url, "https://vendor.example/api/alerts?a=b");
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		fake_reset();
		assert_false(ask(wrong[i], &page, &err));
		assert_int_equal(fake.request_count, 0);
	}
}

static void failures_of_the_api(void **state)
{
	static const struct {
		int status;
		const char *body;
		enum err_kind kind;
		const char *says;
	} cases[] = {
		{ 403,
		  "{\"error\":{\"code\":\"Forbidden\",\"message\":\"no permission\","
		  "\"target\":\"1\"}}",
		  ERR_ACCOUNT, ", the app lacks Alert.Read.All: Forbidden: no permission" },
		{ 404, "{\"error\":{\"code\":\"NotFound\"}}", ERR_ACCOUNT, "404, NotFound" },
		{ 400, "{\"error\":{\"code\":\"ODataError\",\"message\":\"bad\"}}",
		  ERR_PERMANENT, "ODataError: bad" },
		{ 429, "{\"error\":{\"code\":\"TooManyRequests\"}}", ERR_TRANSIENT, "429" },
		{ 500, "{}", ERR_TRANSIENT, "500" },
		{ 200, "{\"value\":[", ERR_TRANSIENT, "breaks off" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct defender_page page;
		struct err err;

		forget_token();
		fake_json(200, TOKEN_V2);
		fake_answer((struct fake_answer){ .status = cases[i].status,
						  .body = cases[i].body,
						  .headers = "Retry-After: 7" });
		assert_false(ask(NULL, &page, &err));
		assert_int_equal(err.kind, cases[i].kind);
		if (!strstr(err.text, cases[i].says))
			fail_msg("%s is not in: %s", cases[i].says, err.text);
		assert_int_equal(err.retry_after_ms, cases[i].status == 429   ? 7000
						     : cases[i].status == 500 ? 7000
									      : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_entra_in_both_ways),
		cmocka_unit_test(numbers_may_be_texts),
		cmocka_unit_test(refusals_are_told_apart),
		cmocka_unit_test(tokens_that_are_bare),
		cmocka_unit_test(alerts_stay_as_they_came),
		cmocka_unit_test(times_are_read_with_any_fraction),
		cmocka_unit_test(pages_go_on_until_they_end),
		cmocka_unit_test(a_page_that_breaks_off_is_none),
		cmocka_unit_test(goes_on_from_its_own_tokens_only),
		cmocka_unit_test(failures_of_the_api),
	};

	return cmocka_run_group_tests(tests, start, end);
}
