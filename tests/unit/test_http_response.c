/* What answers mean: no network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "net/http.h"

static const uint64_t day_ms = 86400000;

/* 2026-11-21T18:16:05Z */
static uint64_t fixed(void)
{
	return 1795284965000;
}

static struct http_response answer(int status, const char *headers)
{
	struct http_response response = { .status = status, .headers = (char *)headers };
	const char *type = http_response_header(&response, "Content-Type");

	response.content_type = type ? type : "";
	return response;
}

static void retry_after(void **state)
{
	static const struct {
		const char *headers;
		uint64_t ms;
	} rows[] = {
		{ "", 0 },
		{ "Retry-After: 120\0", 120000 },
		{ "retry-after:3172s\0", 3172000 },
		{ "Retry-After: 0\0", 0 },
		{ "Retry-After: 1.5\0", 2000 },
		{ "Retry-After: 2.0\0", 2000 },
		{ "Retry-After: 7 \0", 7000 },
		{ "Retry-After: 86400\0", 86400000 },
		{ "Retry-After: 86401\0", 86400000 },
		{ "Retry-After: 99999999999999999999999999\0", 86400000 },
		{ "Retry-After: -5\0", 0 },
		{ "Retry-After: \0", 0 },
		{ "Retry-After: soon\0", 0 },
		{ "Retry-After: 5 minutes\0", 0 },
		{ "Retry-After: Sat, 21 Nov 2026 18:17:05 GMT\0", 60000 },
		{ "Retry-After: Sat, 21 Nov 2026 18:15:05 GMT\0", 0 },
		{ "Retry-After: Sat, 21 Nov 2027 18:15:05 GMT\0", 86400000 },
		/* the peer's clock counts, not ours */
		{ "Date: Sat, 21 Nov 2026 18:17:00 GMT\0"
		  "Retry-After: Sat, 21 Nov 2026 18:17:05 GMT\0",
		  5000 },
		{ "Date: nonsense\0Retry-After: Sat, 21 Nov 2026 18:17:05 GMT\0", 60000 },
	};

	(void)state;
	clock_inject(fixed, NULL);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct http_response response = answer(429, rows[i].headers);
		if (http_retry_after_ms(&response) != rows[i].ms)
			fail_msg("row %zu <%s>: %llu", i, rows[i].headers,
				 (unsigned long long)http_retry_after_ms(&response));
		assert_true(http_retry_after_ms(&response) <= day_ms);
	}
	clock_inject(NULL, NULL);
}

static void headers(void **state)
{
	const struct http_response response =
	    answer(200, "X-First: 1\0X-Empty:\0x-first: 2\0X-Tab:\tv\0");

	(void)state;
	assert_string_equal(http_response_header(&response, "x-FIRST"), "1");
	assert_string_equal(http_response_header(&response, "X-Empty"), "");
	assert_string_equal(http_response_header(&response, "X-Tab"), "v");
	assert_null(http_response_header(&response, "X-Fir"));
	assert_null(http_response_header(&response, "X-First: 1"));
	assert_null(http_response_header(&(struct http_response){ 0 }, "X"));
}

static void json_types(void **state)
{
	static const struct {
		const char *headers;
		bool json;
	} rows[] = {
		{ "Content-Type: application/json\0", true },
		{ "Content-Type: Application/JSON;charset=UTF-8\0", true },
		{ "Content-Type: application/json ; a=b\0", true },
		{ "Content-Type: text/json\0", true },
		{ "Content-Type: application/problem+json\0", true },
		{ "Content-Type: application/vnd.x+JSON; v=1\0", true },
		{ "Content-Type: text/html\0", false },
		{ "Content-Type: application/jsonp\0", false },
		{ "Content-Type: +json\0", false },
		{ "Content-Type: \0", false },
		{ "X: y\0", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct http_response response = answer(200, rows[i].headers);
		assert_int_equal(http_is_json(&response), rows[i].json);
	}
}

static void check(void **state)
{
	static const char json[] = "Content-Type: application/json\0";
	static const char html[] = "Content-Type: text/html\0Retry-After: 3\0";
	static const char moved[] = "Location: https://login.example/\0";
	static const struct {
		int status;
		const char *headers;
		enum err_kind kind;
		bool ambiguous;
		uint64_t retry_after_ms;
		const char *text;
	} rows[] = {
		{ 200, json, ERR_NONE, false, 0, NULL },
		{ 201, json, ERR_NONE, false, 0, NULL },
		{ 204, "", ERR_NONE, false, 0, NULL },
		{ 200, html, ERR_TRANSIENT, true, 3000,
		  "asking: HTTP 200, but not JSON (text/html): a login or hibernation page?" },
		{ 200, "", ERR_TRANSIENT, true, 0,
		  "asking: HTTP 200, but not JSON (no type): a login or hibernation page?" },
		{ 302, moved, ERR_ACCOUNT, false, 0,
		  "asking: HTTP 302, sent on to https://login.example/: is the address "
		  "right?" },
		{ 304, "", ERR_ACCOUNT, false, 0,
		  "asking: HTTP 304, sent on to nowhere: is the address right?" },
		{ 400, json, ERR_PERMANENT, false, 0, "asking: HTTP 400" },
		{ 401, json, ERR_ACCOUNT, false, 0, "asking: HTTP 401" },
		{ 402, json, ERR_ACCOUNT, false, 0, "asking: HTTP 402" },
		{ 403, json, ERR_ACCOUNT, false, 0, "asking: HTTP 403" },
		{ 404, json, ERR_PERMANENT, false, 0, "asking: HTTP 404" },
		{ 407, json, ERR_ACCOUNT, false, 0, "asking: HTTP 407" },
		{ 408, html, ERR_TRANSIENT, false, 3000, "asking: HTTP 408" },
		{ 409, json, ERR_PERMANENT, false, 0, "asking: HTTP 409" },
		{ 425, json, ERR_TRANSIENT, false, 0, "asking: HTTP 425" },
		{ 429, html, ERR_TRANSIENT, false, 3000, "asking: HTTP 429" },
		{ 500, json, ERR_TRANSIENT, true, 0, "asking: HTTP 500" },
		{ 503, html, ERR_TRANSIENT, true, 3000, "asking: HTTP 503" },
		{ 599, json, ERR_TRANSIENT, true, 0, "asking: HTTP 599" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct http_response response = answer(rows[i].status, rows[i].headers);
		struct err err = { 0 };
		assert_int_equal(http_check(&response, "asking", &err), rows[i].text == NULL);
		if (!rows[i].text)
			continue;
		assert_string_equal(err.text, rows[i].text);
		assert_int_equal(err.kind, rows[i].kind);
		assert_int_equal(err.ambiguous, rows[i].ambiguous);
		assert_int_equal(err.retry_after_ms, rows[i].retry_after_ms);
		assert_false(http_check(&response, "asking", NULL));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(retry_after),
		cmocka_unit_test(headers),
		cmocka_unit_test(json_types),
		cmocka_unit_test(check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
