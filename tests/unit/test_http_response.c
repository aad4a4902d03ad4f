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

static void statuses(void **state)
{
	static const struct {
		int status;
		enum err_kind kind;
	} rows[] = {
		{ 200, ERR_NONE },	{ 201, ERR_NONE },	{ 204, ERR_NONE },
		{ 302, ERR_ACCOUNT },	{ 304, ERR_ACCOUNT },	{ 400, ERR_PERMANENT },
		{ 401, ERR_ACCOUNT },	{ 402, ERR_ACCOUNT },	{ 403, ERR_ACCOUNT },
		{ 404, ERR_PERMANENT }, { 407, ERR_ACCOUNT },	{ 408, ERR_TRANSIENT },
		{ 409, ERR_PERMANENT }, { 425, ERR_TRANSIENT }, { 429, ERR_TRANSIENT },
		{ 500, ERR_TRANSIENT }, { 503, ERR_TRANSIENT }, { 599, ERR_TRANSIENT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(http_status_kind(rows[i].status), rows[i].kind);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(retry_after),
		cmocka_unit_test(headers),
		cmocka_unit_test(json_types),
		cmocka_unit_test(statuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
