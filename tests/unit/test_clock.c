#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

static uint64_t fixed(void)
{
	return 42;
}

static void injected(void **state)
{
	(void)state;
	clock_inject(fixed, fixed);
	assert_int_equal(clock_wall_ms(), 42);
	assert_int_equal(clock_mono_ms(), 42);
	clock_inject(NULL, NULL);
	assert_true(clock_wall_ms() > 1700000000000);
}

static void rfc3339(void **state)
{
	static const struct {
		const char *text;
		bool good;
		uint64_t ms;
		const char *again;
	} rows[] = {
		{ "1970-01-01T00:00:00Z", true, 0, "1970-01-01T00:00:00.000Z" },
		{ "2026-11-21T18:16:05.123Z", true, 1795284965123, "2026-11-21T18:16:05.123Z" },
		{ "2026-11-21T20:16:05.123999999+02:00", true, 1795284965123,
		  "2026-11-21T18:16:05.123Z" },
		{ "2026-11-21t13:46:05-0430", true, 1795284965000, "2026-11-21T18:16:05.000Z" },
		{ "2024-02-29T00:00:00Z", true, 1709164800000, "2024-02-29T00:00:00.000Z" },
		{ "2000-02-29 12:00:00z", true, 951825600000, "2000-02-29T12:00:00.000Z" },
		{ "2016-12-31T23:59:60Z", true, 1483228800000, "2017-01-01T00:00:00.000Z" },
		{ "9999-12-31T23:59:59.999Z", true, 253402300799999,
		  "9999-12-31T23:59:59.999Z" },
		{ "2023-02-29T00:00:00Z", false, 0, NULL },
		{ "2100-02-29T00:00:00Z", false, 0, NULL },
		{ "2026-13-01T00:00:00Z", false, 0, NULL },
		{ "2026-00-01T00:00:00Z", false, 0, NULL },
		{ "2026-01-32T00:00:00Z", false, 0, NULL },
		{ "2026-01-01T24:00:00Z", false, 0, NULL },
		{ "2026-01-01T00:60:00Z", false, 0, NULL },
		{ "2026-01-01T00:00:00", false, 0, NULL },
		{ "2026-01-01T00:00:00.Z", false, 0, NULL },
		{ "2026-01-01T00:00:00.1234567890Z", false, 0, NULL },
		{ "2026-01-01T00:00:00Zx", false, 0, NULL },
		{ "2026-01-01T00:00:00+24:00", false, 0, NULL },
		{ "1970-01-01T00:00:00+01:00", false, 0, NULL },
		{ "1969-12-31T23:59:59Z", false, 0, NULL },
		{ "2026-1-1T00:00:00Z", false, 0, NULL },
		{ "", false, 0, NULL },
		{ "20", false, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char text[CLOCK_TEXT_SIZE];
		uint64_t ms = 0;
		assert_int_equal(clock_parse(rows[i].text, &ms), rows[i].good);
		if (!rows[i].good)
			continue;
		assert_int_equal(ms, rows[i].ms);
		clock_format(ms, text);
		assert_string_equal(text, rows[i].again);
	}
}

static void servicenow_form(void **state)
{
	char text[CLOCK_TEXT_SIZE];

	(void)state;
	clock_format_plain(1795284965123, text);
	assert_string_equal(text, "2026-11-21 18:16:05");
}

static void far_future_is_cut(void **state)
{
	char text[CLOCK_TEXT_SIZE];

	(void)state;
	clock_format(UINT64_MAX, text);
	assert_memory_equal(text, "9999-12-31T23:59:59.", 20);
}

static void http_dates(void **state)
{
	uint64_t ms;

	(void)state;
	assert_true(clock_parse_http("Sat, 21 Nov 2026 18:16:05 GMT", &ms));
	assert_int_equal(ms, 1795284965000);
	assert_false(clock_parse_http("Sat, 21 Nov 2026 18:16:05 CET", &ms));
	assert_false(clock_parse_http("Sat, 21 Nov 2026 18:16:05", &ms));
	assert_false(clock_parse_http("Sat, 31 Feb 2026 18:16:05 GMT", &ms));
	assert_false(clock_parse_http("Saturday, 21-Nov-26 18:16:05 GMT", &ms));
	assert_false(clock_parse_http("120", &ms));
	assert_false(clock_parse_http("", &ms));
}

static void spans(void **state)
{
	static const struct {
		const char *text;
		bool good;
		uint64_t ms;
		const char *again;
	} rows[] = {
		{ "0", true, 0, "0s" },
		{ "90", true, 90000, "90s" },
		{ "250ms", true, 250, "250ms" },
		{ "10s", true, 10000, "10s" },
		{ "5m", true, 300000, "5m" },
		{ "300s", true, 300000, "5m" },
		{ "24h", true, 86400000, "1d" },
		{ "30d", true, 2592000000, "30d" },
		{ "1500ms", true, 1500, "1500ms" },
		{ "18446744073709551615ms", true, UINT64_MAX, "18446744073709551615ms" },
		{ "18446744073709551616ms", false, 0, NULL },
		{ "18446744073709551615s", false, 0, NULL },
		{ "", false, 0, NULL },
		{ "s", false, 0, NULL },
		{ "-1s", false, 0, NULL },
		{ "1.5h", false, 0, NULL },
		{ "5 m", false, 0, NULL },
		{ "5M", false, 0, NULL },
		{ "5min", false, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char text[CLOCK_TEXT_SIZE];
		uint64_t ms = 0;
		assert_int_equal(clock_parse_span(rows[i].text, &ms), rows[i].good);
		if (!rows[i].good)
			continue;
		assert_int_equal(ms, rows[i].ms);
		clock_format_span(ms, text);
		assert_string_equal(text, rows[i].again);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(injected),	   cmocka_unit_test(rfc3339),
		cmocka_unit_test(servicenow_form), cmocka_unit_test(far_future_is_cut),
		cmocka_unit_test(http_dates),	   cmocka_unit_test(spans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
