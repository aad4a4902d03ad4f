/* Local times of zones, at the edges of summer time and behind the last transition. The files
 * are the system's own; TZif made here proves what damage does. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/zone.h"

static void test_edges(void **state)
{
	static const struct {
		const char *zone, *utc, *local;
	} rows[] = {
		{ "UTC", "2026-11-21T18:16:05Z", "2026-11-21 18:16:05 UTC (UTC+00:00)" },
		{ "Europe/Berlin", "2026-11-21T18:16:05Z",
		  "2026-11-21 19:16:05 CET (UTC+01:00)" },
		/* the last second of winter, the first of summer, and back */
		{ "Europe/Berlin", "2026-03-29T00:59:59Z",
		  "2026-03-29 01:59:59 CET (UTC+01:00)" },
		{ "Europe/Berlin", "2026-03-29T01:00:00Z",
		  "2026-03-29 03:00:00 CEST (UTC+02:00)" },
		{ "Europe/Berlin", "2026-10-25T00:59:59Z",
		  "2026-10-25 02:59:59 CEST (UTC+02:00)" },
		{ "Europe/Berlin", "2026-10-25T01:00:00Z",
		  "2026-10-25 02:00:00 CET (UTC+01:00)" },
		/* behind the last transition of the file: by its rule */
		{ "Europe/Berlin", "2060-03-28T00:59:59Z",
		  "2060-03-28 01:59:59 CET (UTC+01:00)" },
		{ "Europe/Berlin", "2060-03-28T01:00:00Z",
		  "2060-03-28 03:00:00 CEST (UTC+02:00)" },
		{ "Europe/Berlin", "2060-10-31T01:00:00Z",
		  "2060-10-31 02:00:00 CET (UTC+01:00)" },
		{ "America/New_York", "2026-03-08T06:59:59Z",
		  "2026-03-08 01:59:59 EST (UTC-05:00)" },
		{ "America/New_York", "2026-03-08T07:00:00Z",
		  "2026-03-08 03:00:00 EDT (UTC-04:00)" },
		/* half an hour of summer, at both ends of the year */
		{ "Australia/Lord_Howe", "2026-04-04T14:59:59Z",
		  "2026-04-05 01:59:59 UTC+11:00" },
		{ "Australia/Lord_Howe", "2026-04-04T15:00:00Z",
		  "2026-04-05 01:30:00 UTC+10:30" },
		{ "Australia/Lord_Howe", "2050-01-01T00:00:00Z",
		  "2050-01-01 11:00:00 UTC+11:00" },
		{ "Australia/Lord_Howe", "2050-07-01T00:00:00Z",
		  "2050-07-01 10:30:00 UTC+10:30" },
		{ "Asia/Kathmandu", "2026-11-21T18:16:05Z", "2026-11-22 00:01:05 UTC+05:45" },
		{ "America/St_Johns", "2026-11-21T18:16:05Z",
		  "2026-11-21 14:46:05 NST (UTC-03:30)" },
		{ "Asia/Kolkata", "2060-11-21T18:16:05Z",
		  "2060-11-21 23:46:05 IST (UTC+05:30)" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = { 0 };
		const struct zone *zone = zone_find(rows[i].zone, &err);
		char text[ZONE_TEXT_SIZE];
		uint64_t ms;

		assert_non_null(zone);
		assert_true(clock_parse(rows[i].utc, &ms));
		zone_format(zone, ms, text);
		assert_string_equal(text, rows[i].local);
		assert_ptr_equal(zone_find(rows[i].zone, &err), zone);
	}
}

/* Every day of 130 years as libc has it. */
static void test_same_as_libc(void **state)
{
	static const char *const names[] = {
		"Europe/Berlin",     "America/New_York", "Australia/Lord_Howe",
		"Africa/Casablanca", "America/Santiago", "Pacific/Apia",
		"Europe/Dublin",     "Asia/Tehran",	 "UTC"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct err err = { 0 };
		const struct zone *zone = zone_find(names[i], &err);

		assert_non_null(zone);
		setenv("TZ", names[i], 1);
		tzset();
		for (time_t at = 0; at < (time_t)130 * 365 * 86400; at += 41213) {
			struct tm parts;

			assert_non_null(localtime_r(&at, &parts));
			if (zone_offset_s(zone, (uint64_t)at * 1000) != parts.tm_gmtoff)
				print_error("%s at %lld\n", names[i], (long long)at);
			assert_int_equal(zone_offset_s(zone, (uint64_t)at * 1000),
					 parts.tm_gmtoff);
		}
	}
	unsetenv("TZ");
	tzset();
}

static void test_names(void **state)
{
	static const char *const bad[] = { "",
					   "/etc/passwd",
					   "../../etc/passwd",
					   "Europe/",
					   "Europe//Berlin",
					   "Europe/Ber lin",
					   "Europe/Berlin\n",
					   "Europe/B.rlin" };
	static const char *const missing[] = { "Europe/Berlim", "Europe", "tzdata_zi" };
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(zone_name_valid(bad[i]));
		assert_null(zone_find(bad[i], &err));
		assert_int_equal(err.kind, ERR_PERMANENT);
	}
	for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++) {
		assert_true(zone_name_valid(missing[i]));
		assert_null(zone_find(missing[i], &err));
	}
	assert_true(zone_name_valid("America/Argentina/Buenos_Aires"));
	assert_true(zone_name_valid("Etc/GMT+3"));
}

/* A file with one type and a footer; then the same with each byte in turn damaged. */
static size_t make_file(unsigned char *file, const char *footer)
{
	static const unsigned char head[44] = { 'T', 'Z', 'i', 'f', '2' };
	size_t size = 0;

	memcpy(file, head, sizeof(head));
	size += sizeof(head);
	memcpy(file + size, head, sizeof(head));
	file[size + 35] = 1; /* time */
	file[size + 39] = 1; /* type */
	file[size + 43] = 4; /* chars */
	size += sizeof(head);
	memset(file + size, 0, 8); /* at 1970 */
	size += 8;
	file[size++] = 0; /* type 0 */
	memcpy(file + size, "\0\0\x0e\x10\0\0ABC\0", 10);
	size += 10;
	size += (size_t)sprintf((char *)file + size, "\n%s\n", footer);
	return size;
}

static void test_footers(void **state)
{
	static const struct {
		const char *footer;
		bool good;
	} rows[] = {
		{ "", true },
		{ "CET-1CEST,M3.5.0,M10.5.0/3", true },
		{ "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", true },
		{ "EST5EDT,J60/2,J300/-1", true },
		{ "EST5EDT,59,299/26", true },
		{ "IST-1GMT0,M10.5.0,M3.5.0/1", true },
		{ "CET", false },
		{ "<+03", false },
		{ "<>-3", false },
		{ "CET-1CEST", false },
		{ "CET-1CEST,M13.1.0,M10.5.0", false },
		{ "CET-1CEST,M3.6.0,M10.5.0", false },
		{ "CET-1CEST,M3.5.7,M10.5.0", false },
		{ "CET-1CEST,J0,J300", false },
		{ "CET-1CEST,J60,J366", false },
		{ "CET-1CEST,M3.5.0,M10.5.0/3x", false },
		{ "CET-99999999999999999999", false },
	};
	unsigned char file[512];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = { 0 };
		size_t size = make_file(file, rows[i].footer);
		struct zone *zone = zone_decode(file, size, &err);

		if (rows[i].good != (zone != NULL))
			print_error("%s\n", rows[i].footer);
		assert_int_equal(rows[i].good, zone != NULL);
		zone_free(zone);
	}
}

static void test_damage(void **state)
{
	unsigned char file[512];
	size_t size = make_file(file, "CET-1CEST,M3.5.0,M10.5.0/3");

	(void)state;
	for (size_t length = 0; length < size; length++) {
		unsigned char *cut = malloc(length + 1); /* so that a sanitizer sees the end */

		memcpy(cut, file, length);
		struct zone *zone = zone_decode(cut, length, NULL);

		assert_null(zone);
		free(cut);
	}
	for (size_t at = 0; at < size; at++) {
		for (int value = 0; value < 256; value += 15) {
			unsigned char *copy = malloc(size);
			char text[ZONE_TEXT_SIZE];

			memcpy(copy, file, size);
			copy[at] = (unsigned char)value;
			struct zone *zone = zone_decode(copy, size, NULL);

			if (zone)
				zone_format(zone, 1795284965000, text);
			zone_free(zone);
			free(copy);
		}
	}
}

/* As the threads of the incident service meet it. */
static void *format_many(void *opaque)
{
	static const char *const names[] = { "Europe/Berlin", "America/New_York", "Asia/Tokyo",
					     "Australia/Lord_Howe" };
	unsigned *wrong = opaque;

	for (unsigned i = 0; i < 2000; i++) {
		const struct zone *zone = zone_find(names[i % 4], NULL);
		char text[ZONE_TEXT_SIZE];

		zone_format(zone, 1795284965000, text);
		*wrong += strncmp(text, "2026-11-2", 9) != 0;
	}
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[8];
	unsigned wrong[8] = { 0 };

	(void)state;
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, format_many, &wrong[i]), 0);
	for (size_t i = 0; i < 8; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(wrong[i], 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edges),  cmocka_unit_test(test_same_as_libc),
		cmocka_unit_test(test_names),  cmocka_unit_test(test_footers),
		cmocka_unit_test(test_damage), cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
