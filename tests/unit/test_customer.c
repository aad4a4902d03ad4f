#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/conf.h"
#include "model/customer.h"
#include "model/vault.h"

#define SEALED "\"v1.k1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB\""
#define SYS_ID "\"0123456789abcdef0123456789abcdef\""
#define ENDPOINT                                                                               \
	"\"secure_endpoint\":{\"region\":\"eu\",\"client_id\":\"c\",\"secret\":" SEALED "}"
/* A customer with such an account and such a source. */
#define UMBRELLA(account, source)                                                              \
	"{\"id\":\"a\",\"accounts\":{\"umbrella\":{\"client_id\":\"k\",\"secret\":" SEALED     \
	"," account "}},\"sources\":{\"umbrella\":{" source "}}}"
#define SNOW                                                                                   \
	"\"servicenow\":{\"url\":\"https://acme.service-now.com\",\"username\":\"u\","         \
	"\"secret\":" SEALED "}"
#define TICKETS                                                                                \
	"\"servicenow\":{\"caller_id\":" SYS_ID ",\"company\":" SYS_ID                         \
	",\"assignment_group\":" SYS_ID "}"

static struct customer *decode(const char *text, struct err *err)
{
	*err = (struct err){ 0 };
	return customer_decode(text, strlen(text), "customers/acme.json", err);
}

/* The text between "```json NAME" and "```" of the page for people. */
static char *example(const char *name)
{
	struct err err;
	char *page = conf_read_file("docs/customer-files.md", 1 << 20, &err);
	char fence[64];

	assert_non_null(page);
	snprintf(fence, sizeof fence, "```json %s\n", name);
	char *start = strstr(page, fence);
	assert_non_null(start);
	start += strlen(fence);
	char *end = strstr(start, "\n```");
	assert_non_null(end);
	char *text = xstrndup(start, (size_t)(end - start));
	free(page);
	return text;
}

#define DEFENDER(more)                                                                         \
	"{\"id\":\"acme\",\"accounts\":{\"defender\":{\"tenant_id\":\"contoso.example\","      \
	"\"client_id\":\"app\",\"secret\":" SEALED more

static void defender_is_read_and_written(void **state)
{
	static const char plain[] = DEFENDER("}},\"sources\":{\"defender\":{}}}");
	static const char full[] =
	    DEFENDER(",\"token_version\":\"v1\",\"url\":\"https://eu.api.example/\","
		     "\"login_url\":\"https://login.example\",\"calls_per_hour\":100}},"
		     "\"sources\":{\"defender\":{\"interval\":\"1m\",\"look_back\":\"2h\","
		     "\"first_look_back\":\"1d\"}}}");
	static const char *const texts[] = { plain, full };
	struct err err;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct customer *customer = decode(texts[i], &err);

		if (!customer)
			fail_msg("%s", err.text);
		char *text = customer_encode(customer);
		customer_free(customer);
		customer = decode(text, &err);
		if (!customer)
			fail_msg("%s", err.text);
		const struct account *account = &customer->accounts[0];
		const struct customer_source *source = customer_source(customer, "defender");
		assert_int_equal(account->kind, ACCOUNT_DEFENDER);
		assert_string_equal(account->id, "acme.defender");
		assert_string_equal(account->tenant_id, "contoso.example");
		assert_string_equal(account->client_id, "app");
		assert_int_equal(account->token_v1, i == 1);
		assert_string_equal(account->url, i ? "https://eu.api.example"
						    : "https://api.security.microsoft.com");
		assert_string_equal(account->login_url,
				    i ? "https://login.example"
				      : "https://login.microsoftonline.com");
		assert_int_equal(account->calls_per_hour, i ? 100 : 1500);
		assert_int_equal(account->burst, i ? 0 : 60); /* never over 100 a minute */
		assert_string_equal(source->account, "acme.defender");
		assert_int_equal(source->interval_ms, i ? 60000 : 300000);
		assert_int_equal(source->look_back_ms, i ? 7200000 : 600000);
		assert_int_equal(source->first_look_back_ms, i ? 86400000 : 3600000);
		assert_true(source->default_types);
		free(text);
		customer_free(customer);
	}
}

static void defender_is_read_strictly(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ DEFENDER("}},\"sources\":{\"defender\":{\"event_types\":[1]}}}"),
		  "sources.defender.event_types" },
		{ DEFENDER(",\"region\":\"eu\"}}}"), "accounts.defender.region" },
		{ DEFENDER(",\"token_version\":\"v3\"}}}"),
		  "accounts.defender.token_version: \"v3\" is not one of v2, v1" },
		{ DEFENDER(",\"login_url\":\"http://login.example\"}}}"),
		  "accounts.defender.login_url" },
		{ "{\"id\":\"acme\",\"accounts\":{\"defender\":{\"client_id\":\"a\","
		  "\"secret\":" SEALED "}}}",
		  "accounts.defender.tenant_id: is missing" },
		{ "{\"id\":\"acme\",\"accounts\":{\"defender\":{\"tenant_id\":\"../x\","
		  "\"client_id\":\"a\",\"secret\":" SEALED "}}}",
		  "accounts.defender.tenant_id" },
		{ "{\"id\":\"acme\",\"sources\":{\"defender\":{}}}",
		  "sources.defender.account" },
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_null(decode(cases[i].text, &err));
		if (!strstr(err.text, cases[i].says))
			fail_msg("%s is not in: %s", cases[i].says, err.text);
	}
}

static void the_page_for_people_is_true(void **state)
{
	static const uint64_t notes[] = { 0, 600000, 3600000, 21600000 };
	char *text = example("customers/acme.json");
	struct err err;
	struct customer *customer = decode(text, &err);

	(void)state;
	if (!customer)
		fail_msg("%s", err.text);
	assert_string_equal(customer->id, "acme");
	assert_string_equal(customer->name, "Acme Corporation");
	assert_int_equal(customer->mode, CUSTOMER_LIVE);
	assert_string_equal(customer->label, "europe");
	assert_int_equal(customer->minimum_severity, 3);
	assert_memory_equal(customer->note_interval_ms, notes, sizeof notes);
	assert_int_equal(customer->notes_per_day, 8);
	const struct customer_source *source = customer_source(customer, "secure_endpoint");
	assert_string_equal(source->account, "acme.secure_endpoint");
	assert_int_equal(source->interval_ms, 300000);
	assert_int_equal(source->first_look_back_ms, 43200000);
	assert_false(source->default_types);
	assert_int_equal(source->event_type_count, 4);
	assert_int_equal(source->event_types[2], 2164260880);
	assert_string_equal(customer->servicenow.account, "snow-europe");
	assert_string_equal(customer->servicenow.suffix, "[SecureX]");
	assert_int_equal(customer->servicenow.priorities[0].impact, 1);
	assert_int_equal(customer->servicenow.priorities[4].urgency, 1);
	assert_true(customer->threat_response.create);
	char *again = customer_encode(customer);
	assert_string_equal(again, text);
	free(again);
	free(text);
	customer_free(customer);

	text = example("accounts/snow-europe.json");
	struct account *account = account_decode(text, strlen(text), "accounts/x.json", &err);
	if (!account)
		fail_msg("%s", err.text);
	assert_string_equal(account->owner, "account:snow-europe");
	assert_int_equal(account->auth, ACCOUNT_AUTH_OAUTH);
	assert_int_equal(account->in_flight, 8);
	again = account_encode(account);
	assert_string_equal(again, text);
	free(again);
	free(text);
	account_free(account);
}

static void says_little_means_defaults(void **state)
{
	struct err err;
	struct customer *customer =
	    decode("{\"id\":\"a\",\"accounts\":{" ENDPOINT "},\"sources\":{\"secure_endpoint\":"
		   "{}}}",
		   &err);

	(void)state;
	if (!customer)
		fail_msg("%s", err.text);
	assert_string_equal(customer->name, "a");
	assert_int_equal(customer->mode, CUSTOMER_SHADOW);
	assert_int_equal(customer->minimum_severity, 3);
	assert_int_equal(customer->note_interval_ms[3], 4 * 3600000);
	assert_int_equal(customer->notes_per_day, 12);
	assert_int_equal(customer->source_count, 1);
	assert_int_equal(customer->sources[0].interval_ms, 300000);
	assert_int_equal(customer->sources[0].look_back_ms, 600000);
	assert_int_equal(customer->sources[0].first_look_back_ms, 3600000);
	assert_true(customer->sources[0].default_types);
	assert_null(customer->servicenow.account);
	assert_string_equal(customer->servicenow.table, "incident");
	assert_false(customer->threat_response.create);
	assert_null(customer_source(customer, "umbrella"));
	customer_free(customer);
}

static void knows_the_hosts_of_regions(void **state)
{
	static const struct {
		const char *region, *canonical, *part;
	} regions[] = { { "nam", "nam", "" },
			{ "us", "nam", "" },
			{ "eu", "eu", ".eu" },
			{ "apjc", "apjc", ".apjc" } };

	(void)state;
	for (size_t i = 0; i < sizeof regions / sizeof regions[0]; i++) {
		char text[512], want[96];
		struct err err = { 0 };
		snprintf(text, sizeof text,
			 "{\"id\":\"x\",\"kind\":\"threat_response\",\"region\":\"%s\","
			 "\"client_id\":\"c\",\"secret\":" SEALED "}",
			 regions[i].region);
		struct account *account = account_decode(text, strlen(text), "x", &err);
		assert_non_null(account);
		assert_string_equal(account->region, regions[i].canonical);
		snprintf(want, sizeof want, "https://visibility%s.amp.cisco.com/iroh",
			 regions[i].part);
		assert_string_equal(account->url, want);
		snprintf(want, sizeof want, "https://private.intel%s.amp.cisco.com/ctia",
			 regions[i].part);
		assert_string_equal(account->intel_url, want);
		assert_int_equal(account->calls_per_hour, 8000);
		account_free(account);
		snprintf(text, sizeof text,
			 "{\"id\":\"x\",\"kind\":\"secure_endpoint\",\"region\":\"%s\","
			 "\"client_id\":\"c\",\"secret\":" SEALED "}",
			 regions[i].region);
		account = account_decode(text, strlen(text), "x", &err);
		assert_non_null(account);
		snprintf(want, sizeof want, "https://api%s.amp.cisco.com", regions[i].part);
		assert_string_equal(account->url, want);
		account_free(account);
	}
}

/* Each with the whole of what a person sees after "customers/acme.json". */
static const struct {
	const char *text, *says;
} refusals[] = {
	{ "", ":1:0: broken JSON: '[' or '{' expected" },
	{ "{\n\"id\" \"acme\"}", ":2:11: broken JSON: ':' expected" },
	{ "{\"id\":\"a\",\"id\":\"b\"}", ":1:14: broken JSON: duplicate object key" },
	{ "[]", ": must hold one JSON object" },
	{ "{}", ": id: is missing" },
	{ "{\"id\":\"Acme\"}", ": id: \"Acme\" may only hold a" },
	{ "{\"id\":\"-a\"}", ": id: must start with a letter or digit" },
	{ "{\"id\":\"abcdefghijklmnopqrstuvwxy\"}", ": id: has 25 bytes, allowed are 1 to 24" },
	{ "{\"id\":\"a\",\"nmae\":\"x\"}", ": nmae: unknown member, did you mean name?" },
	{ "{\"id\":\"a\",\"zzzzzzz\":1}", ": zzzzzzz: unknown member" },
	{ "{\"id\":\"a\",\"z\\nz\\u001b[1mzzz\":1}", ": z?z?[1mzzz: unknown member" },
	{ "{\"id\":\"a\",\"name\":\"a\\nb\"}", ": name: holds a control character" },
	{ "{\"id\":\"a\",\"mode\":\"on\"}",
	  ": mode: \"on\" is not one of shadow, live, paused" },
	{ "{\"id\":\"a\",\"partition\":-1}", ": partition: must be a whole number" },
	{ "{\"id\":\"a\",\"minimum_severity\":3}", ": minimum_severity: must be one of" },
	{ "{\"id\":\"a\",\"notes\":{\"intervals\":[\"1m\"]}}",
	  ": notes.intervals: must list 4 times" },
	{ "{\"id\":\"a\",\"notes\":{\"intervals\":[\"5m\",\"1m\",\"1h\",\"2h\"]}}",
	  ": notes.intervals: must not become shorter" },
	{ "{\"id\":\"a\",\"notes\":{\"intervals\":[5,6,7,8]}}",
	  ": notes.intervals: must be a time with its unit" },
	{ "{\"id\":\"a\",\"accounts\":[]}", ": accounts: must be an object" },
	{ "{\"id\":\"a\",\"accounts\":{\"umbrela\":{}}}",
	  ": accounts.umbrela: unknown member" },
	{ "{\"id\":\"a\",\"accounts\":{\"secure_endpoint\":{\"client_id\":\"c\"}}}",
	  ": accounts.secure_endpoint.region: is missing (nam, eu or apjc)" },
	{ "{\"id\":\"a\",\"accounts\":{\"secure_endpoint\":{\"region\":\"emea\"}}}",
	  ": accounts.secure_endpoint.region: \"emea\" is not one of nam, us, eu, "
	  "apjc" },
	{ "{\"id\":\"a\",\"accounts\":{\"secure_endpoint\":{\"region\":\"eu\","
	  "\"url\":\"https://x\"}}}",
	  ": accounts.secure_endpoint.region: give either region or url" },
	{ "{\"id\":\"a\",\"accounts\":{\"secure_endpoint\":{\"url\":\"http://"
	  "x.example.com\"}}}",
	  ": accounts.secure_endpoint.url: must be https" },
	{ "{\"id\":\"a\",\"accounts\":{\"secure_endpoint\":{\"url\":\"https://u:p@x/"
	  "\"}}}",
	  ": accounts.secure_endpoint.url: must be like https://host" },
	{ "{\"id\":\"a\",\"accounts\":{\"secure_endpoint\":{\"url\":\"https://x/"
	  "?a\"}}}",
	  ": accounts.secure_endpoint.url: must be like https://host" },
	{ "{\"id\":\"a\",\"accounts\":{\"threat_response\":{\"url\":\"https://x\"}}}",
	  ": accounts.threat_response.intel_url: is missing" },
	{ "{\"id\":\"a\",\"accounts\":{\"secure_endpoint\":{\"region\":\"eu\","
	  "\"client_id\":\"c\",\"secret\":\"hunter2\"}}}",
	  ": accounts.secure_endpoint.secret: is not sealed" },
	{ "{\"id\":\"a\",\"accounts\":{\"servicenow\":{\"url\":\"https://x\","
	  "\"client_id\":\"c\"}}}",
	  ": accounts.servicenow.client_id: needs \"auth\": \"oauth\"" },
	{ "{\"id\":\"a\",\"accounts\":{\"servicenow\":{\"id\":\"b\"}}}",
	  ": accounts.servicenow.id: belongs in a file below accounts/ only" },
	{ "{\"id\":\"a\",\"sources\":{\"secure_endpoint\":{}}}",
	  ": sources.secure_endpoint.account: name a shared account, or give "
	  "accounts.secure_endpoint" },
	{ "{\"id\":\"a\",\"sources\":{\"secure_endpont\":{}}}",
	  ": sources.secure_endpont: unknown member, did you mean secure_endpoint?" },
	{ "{\"id\":\"a\",\"sources\":{\"secure_endpoint\":{\"account\":\"s\","
	  "\"interval\":\"5s\"}}}",
	  ": sources.secure_endpoint.interval: \"5s\" is not within 10s to 1d" },
	{ "{\"id\":\"a\",\"sources\":{\"secure_endpoint\":{\"account\":\"s\","
	  "\"interval\":\"300\"}}}",
	  ": sources.secure_endpoint.interval: must be a time with its unit" },
	{ "{\"id\":\"a\",\"sources\":{\"secure_endpoint\":{\"account\":\"s\","
	  "\"event_types\":[]}}}",
	  ": sources.secure_endpoint.event_types: must list 1 to 500" },
	{ "{\"id\":\"a\",\"sources\":{\"secure_endpoint\":{\"account\":\"s\","
	  "\"event_types\":[1,\"x\"]}}}",
	  ": sources.secure_endpoint.event_types: item 2 must be" },
	{ "{\"id\":\"a\",\"sources\":{\"secure_endpoint\":{\"account\":\"s\","
	  "\"event_types\":[7,7]}}}",
	  ": sources.secure_endpoint.event_types: lists 7 twice" },
	{ UMBRELLA("\"auth\":\"old\"", ""),
	  ": accounts.umbrella.auth: \"old\" is not one of current, legacy" },
	{ UMBRELLA("\"auth\":\"legacy\"", ""), ": accounts.umbrella.org_id: is missing" },
	{ UMBRELLA("\"org_id\":\"12x\"", ""), ": accounts.umbrella.org_id: \"12x\" may only" },
	{ UMBRELLA("\"region\":\"eu\"", ""), ": accounts.umbrella.region: unknown member" },
	{ UMBRELLA("\"management_url\":\"https://m.example\"", ""),
	  ": accounts.umbrella.management_url: needs \"auth\": \"legacy\"" },
	{ UMBRELLA("\"auth\":\"legacy\",\"org_id\":\"1\",\"url\":\"https://r.example\"", ""),
	  ": accounts.umbrella.management_url: is missing" },
	{ UMBRELLA("\"org_id\":\"1\"", "\"verdict\":\"denied\""),
	  ": sources.umbrella.verdict: \"denied\" is not one of blocked, allowed" },
	{ UMBRELLA("\"org_id\":\"1\"", "\"categories\":[65,0]"),
	  ": sources.umbrella.categories: item 2 must be an id" },
	{ UMBRELLA("\"org_id\":\"1\"", "\"retrospective\":\"yes\""),
	  ": sources.umbrella.retrospective: must be true or false" },
	{ UMBRELLA("\"org_id\":\"1\"", "\"event_types\":[65]"),
	  ": sources.umbrella.event_types: unknown member" },
	{ "{\"id\":\"a\",\"servicenow\":{\"account\":\"s\"}}",
	  ": servicenow.caller_id: is missing" },
	{ "{\"id\":\"a\",\"servicenow\":{\"account\":\"s\",\"caller_id\":\"admin\"}}",
	  ": servicenow.caller_id: \"admin\" may only hold" },
	{ "{\"id\":\"a\",\"servicenow\":{\"account\":\"s\",\"caller_id\":\"abc\"}}",
	  ": servicenow.caller_id: must be a sys_id, 32 hex digits" },
	{ "{\"id\":\"a\",\"threat_response\":{\"mode\":\"create\"}}",
	  ": threat_response.account: name a shared account" },
};

static void reads_and_writes_umbrella(void **state)
{
	static const struct {
		const char *text;
		const char *url, *management_url, *org_id;
		enum account_auth auth;
		enum customer_verdict verdict;
		size_t categories;
		bool default_types, retrospective;
	} rows[] = {
		{ UMBRELLA("\"calls_per_hour\":9000", ""), "https://api.umbrella.com", NULL,
		  NULL, ACCOUNT_AUTH_CURRENT, CUSTOMER_VERDICT_BLOCKED, 0, true, false },
		{ UMBRELLA("\"org_id\":\"77\",\"url\":\"http://127.0.0.1:1/umbrella/\"",
			   "\"verdict\":\"all\",\"categories\":[],\"retrospective\":true"),
		  "http://127.0.0.1:1/umbrella", NULL, "77", ACCOUNT_AUTH_CURRENT,
		  CUSTOMER_VERDICT_ALL, 0, false, true },
		{ UMBRELLA("\"auth\":\"legacy\",\"org_id\":\"77\"",
			   "\"verdict\":\"proxied\",\"categories\":[65,66]"),
		  "https://reports.api.umbrella.com", "https://management.api.umbrella.com",
		  "77", ACCOUNT_AUTH_LEGACY, CUSTOMER_VERDICT_PROXIED, 2, false, false },
		{ UMBRELLA(
		      "\"auth\":\"legacy\",\"org_id\":\"77\",\"url\":\"https://r.example\","
		      "\"management_url\":\"https://m.example\"",
		      ""),
		  "https://r.example", "https://m.example", "77", ACCOUNT_AUTH_LEGACY,
		  CUSTOMER_VERDICT_BLOCKED, 0, true, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct err err;
		char *text = xstrdup(rows[i].text), *again;

		for (int round = 0; round < 2; round++) {
			struct customer *customer = decode(text, &err);

			if (!customer)
				fail_msg("%s: %s", text, err.text);
			const struct account *account = &customer->accounts[0];
			const struct customer_source *source = &customer->sources[0];

			assert_string_equal(account->url, rows[i].url);
			assert_string_equal(
			    account->management_url ? account->management_url : "",
			    rows[i].management_url ? rows[i].management_url : "");
			assert_string_equal(account->org_id ? account->org_id : "",
					    rows[i].org_id ? rows[i].org_id : "");
			assert_int_equal(account->auth, rows[i].auth);
			assert_int_equal(account->calls_per_hour, i == 0 ? 9000 : 18000);
			assert_string_equal(source->account, "a.umbrella");
			assert_int_equal(source->verdict, rows[i].verdict);
			assert_int_equal(source->event_type_count, rows[i].categories);
			assert_int_equal(source->default_types, rows[i].default_types);
			assert_int_equal(source->retrospective, rows[i].retrospective);
			again = customer_encode(customer);
			if (round == 1)
				assert_string_equal(again, text);
			free(text);
			text = again;
			customer_free(customer);
		}
		free(text);
	}
}

static void names_what_is_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		struct err err;
		struct customer *customer = decode(refusals[i].text, &err);
		assert_null(customer);
		assert_int_equal(err.kind, ERR_PERMANENT);
		assert_int_equal(strncmp(err.text, "customers/acme.json", 19), 0);
		if (strncmp(err.text + 19, refusals[i].says, strlen(refusals[i].says)) != 0)
			fail_msg("%s: %s", refusals[i].text, err.text);
		assert_null(strstr(err.text, "hunter2"));
	}
}

static void takes_urls_where_secrets_may_go(void **state)
{
	static const struct {
		const char *url, *want; /* NULL: refused */
	} cases[] = {
		{ "https://x.service-now.com/", "https://x.service-now.com" },
		{ "https://x.example.com:8443/a/b//", "https://x.example.com:8443/a/b" },
		{ "http://127.0.0.1:9000/snow/a", "http://127.0.0.1:9000/snow/a" },
		{ "http://[::1]:9000", "http://[::1]:9000" },
		{ "http://sandbox:9000", "http://sandbox:9000" },
		{ "http://localhost", "http://localhost" },
		{ "http://10.0.0.1", NULL },
		{ "ftp://x.example.com", NULL },
		{ "https://", NULL },
		{ "https://.", NULL },
		{ "https://x:0", NULL },
		{ "https://x:99999", NULL },
		{ "https://x y", NULL },
		{ "x.service-now.com", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[400];
		struct err err = { 0 };
		snprintf(
		    text, sizeof text,
		    "{\"id\":\"s\",\"kind\":\"servicenow\",\"url\":\"%s\",\"username\":\"u\","
		    "\"secret\":" SEALED "}",
		    cases[i].url);
		struct account *account =
		    account_decode(text, strlen(text), "accounts/s.json", &err);
		assert_int_equal(account != NULL, cases[i].want != NULL);
		if (account)
			assert_string_equal(account->url, cases[i].want);
		account_free(account);
	}
}

static void writes_what_it_read(void **state)
{
	static const char *const files[] = {
		"{\"id\":\"a\"}",
		"{\"id\":\"a\",\"mode\":\"paused\",\"partition\":7,\"minimum_severity\":"
		"\"critical\"}",
		"{\"id\":\"a\",\"accounts\":{" ENDPOINT "," SNOW "}," TICKETS
		",\"sources\":{\"secure_endpoint\":{\"interval\":\"90s\",\"look_back\":\"1h\","
		"\"first_look_back\":\"0s\"}}}",
		"{\"id\":\"a\",\"servicenow\":{\"account\":\"shared\",\"caller_id\":" SYS_ID
		",\"company\":" SYS_ID ",\"assignment_group\":" SYS_ID
		",\"table\":\"sn_si_incident\",\"domain\":\"global\",\"suffix\":\"[T]\"},"
		"\"threat_response\":{\"mode\":\"off\",\"account\":\"xdr\"}}",
		"{\"id\":\"a\",\"threat_response\":{\"mode\":\"off\"}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		struct err err;
		struct customer *customer = decode(files[i], &err);
		if (!customer)
			fail_msg("%s: %s", files[i], err.text);
		char *once = customer_encode(customer);
		struct customer *back = decode(once, &err);
		if (!back)
			fail_msg("%s: %s", once, err.text);
		char *twice = customer_encode(back);
		assert_string_equal(once, twice);
		free(twice);
		free(once);
		customer_free(back);
		customer_free(customer);
	}
}

/* Sealed for this account: another customer's file of the same text does not open. */
static void seals_for_its_own_place(void **state)
{
	char path[] = "/tmp/tocsin-customer-XXXXXX", id[16];
	struct err err;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	assert_true(vault_keygen(path, id, &err));
	struct vault *vault = vault_open(path, &err);
	struct customer *acme =
	    decode("{\"id\":\"acme\",\"accounts\":{" ENDPOINT "," SNOW "}}", &err);
	assert_true(account_seal(&acme->accounts[0], vault, "api-key", &err));
	char *opened = account_unseal(&acme->accounts[0], vault, &err);
	assert_string_equal(opened, "api-key");
	vault_wipe(opened);

	char *file = customer_encode(acme);
	char *renamed = strstr(file, "acme");
	memcpy(renamed, "evil", 4);
	struct customer *evil = decode(file, &err);
	assert_non_null(evil);
	assert_null(account_unseal(&evil->accounts[0], vault, &err));
	/* Nor does the key pass for the password of another account of the same customer. */
	free(acme->accounts[1].secret);
	acme->accounts[1].secret = xstrdup(acme->accounts[0].secret);
	assert_null(account_unseal(&acme->accounts[1], vault, &err));
	free(file);
	customer_free(evil);
	customer_free(acme);
	vault_free(vault);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_page_for_people_is_true),
		cmocka_unit_test(defender_is_read_and_written),
		cmocka_unit_test(defender_is_read_strictly),
		cmocka_unit_test(says_little_means_defaults),
		cmocka_unit_test(knows_the_hosts_of_regions),
		cmocka_unit_test(reads_and_writes_umbrella),
		cmocka_unit_test(names_what_is_wrong),
		cmocka_unit_test(takes_urls_where_secrets_may_go),
		cmocka_unit_test(writes_what_it_read),
		cmocka_unit_test(seals_for_its_own_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
