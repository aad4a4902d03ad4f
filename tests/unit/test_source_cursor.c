/* The cursor: its arithmetic and its form in Redis. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "source/cursor.h"

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE };

static const uint64_t now = 1763749000000;

static void test_round_trip(void **state)
{
	const struct cursor cursor = {
		.high_water_ms = 1,
		.last_poll_ms = 2,
		.last_ok_ms = 3,
		.next_due_ms = 4,
		.polls = 5,
		.failures = 6,
		.events_seen = 7,
		.read_from_ms = 8,
		.lateness = { .since_ms = 9, .before = { .max_ms = 13, .counts = { 0, 3 } } },
		.last_error_ms = 10,
		.last_error = "401: no",
		.resume_start_ms = 11,
		.resume_newest_ms = 12,
		.resume_server_ms = now,
		.resume = "https://x/?offset=500",
		.resume_for = "abc",
	};
	struct field fields[CURSOR_FIELDS];
	struct arena *arena = arena_new();
	struct cursor copy;
	size_t count = cursor_encode(&cursor, arena, fields);

	(void)state;
	cursor_decode(&copy, fields, count, arena);
	assert_int_equal(copy.high_water_ms, 1);
	assert_int_equal(copy.failures, 6);
	assert_int_equal(copy.events_seen, 0); /* the commit counts them, nobody else */
	assert_int_equal(copy.resume_server_ms, now);
	assert_string_equal(copy.last_error, cursor.last_error);
	assert_string_equal(copy.resume, cursor.resume);
	assert_string_equal(copy.resume_for, "abc");
	assert_int_equal(copy.read_from_ms, 8);
	assert_memory_equal(&copy.lateness, &cursor.lateness, sizeof copy.lateness);
	arena_free(arena);
}

/* What others may have written there must not make us skip: it reads as never polled. */
static void test_nonsense_reads_as_zero(void **state)
{
	static const char *const values[] = {
		"", "-1", "1e9", "12 ", "x", " 1", "99999999999999999999"
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		const struct field field = field_text("high_water_ms", values[i]);
		struct cursor cursor;

		cursor_decode(&cursor, &field, 1, arena);
		assert_int_equal(cursor.high_water_ms, 0);
		assert_string_equal(cursor.last_error, "");
	}
	arena_free(arena);
}

static void test_start(void **state)
{
	const struct cursor fresh = { 0 };
	const struct cursor known = { .high_water_ms = now - 5 * HOUR };

	(void)state;
	assert_int_equal(cursor_start_ms(&fresh, now, 10 * MINUTE, HOUR), now - HOUR);
	/* after any downtime: from the mark, however long ago */
	assert_int_equal(cursor_start_ms(&known, now, 10 * MINUTE, HOUR),
			 now - 5 * HOUR - 10 * MINUTE);
	assert_int_equal(cursor_start_ms(&fresh, 5, 10, 100), 0);
}

static void test_advance(void **state)
{
	const uint64_t back = 10 * MINUTE;
	const struct {
		const char *what;
		uint64_t start, newest, server, mark;
	} rows[] = {
		{ "newest event", now - HOUR, now - MINUTE, now, now - MINUTE },
		{ "an event from the future", now - HOUR, now + HOUR, now, now },
		{ "no events: never before this start", now - HOUR, 0, now, now - HOUR + back },
		{ "first run, short look back", now - MINUTE, 0, now, now },
		{ "a quiet day", now - 48 * HOUR, now - 47 * HOUR, now, now - 24 * HOUR },
		{ "late events only", now - HOUR, now - HOUR + 1, now, now - HOUR + back },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t mark =
		    cursor_advance(rows[i].start, back, rows[i].newest, rows[i].server);

		if (mark != rows[i].mark)
			fail_msg("%s: off by %lld ms", rows[i].what,
				 (long long)(mark - rows[i].mark));
	}
}

/* The windows of a source that is polled every minute with no events at all cover all time and
 * reach back a day at most. */
static void test_windows_touch(void **state)
{
	struct cursor cursor = { 0 };
	uint64_t covered = now - HOUR;

	(void)state;
	for (uint64_t at = now; at < now + 72 * (uint64_t)HOUR; at += 10 * MINUTE) {
		uint64_t start = cursor_start_ms(&cursor, at, 10 * MINUTE, HOUR);

		assert_true(start <= covered);
		assert_true(start >= now - HOUR);
		assert_true(at - start <= 24 * (uint64_t)HOUR + 20 * MINUTE);
		covered = at;
		cursor.high_water_ms = cursor_advance(start, 10 * MINUTE, 0, at);
	}
}

static void test_lateness_is_measured(void **state)
{
	struct lateness lateness = { 0 };

	(void)state;
	assert_int_equal(lateness_quantile_ms(&lateness, 990), 0);
	for (int i = 0; i < 2000; i++)
		lateness_note(&lateness,
			      i % 200 == 0 ? 600000 : 20000 + (uint64_t)(i % 7) * 1000);
	assert_int_equal(lateness_max_ms(&lateness), 600000);
	assert_int_equal(lateness_quantile_ms(&lateness, 500), 32000);
	assert_int_equal(lateness_quantile_ms(&lateness, 990), 32000);
	assert_int_equal(lateness_quantile_ms(&lateness, 999), 600000);
	lateness = (struct lateness){ 0 };
	lateness_note(&lateness, UINT64_MAX);
	assert_int_equal(lateness_quantile_ms(&lateness, 1), UINT64_MAX);
}

/* It speaks of the last half days and forgets by itself. */
static void test_lateness_is_forgotten(void **state)
{
	struct lateness lateness = { 0 }, late = { 0 };
	const struct lateness none = { 0 };

	(void)state;
	lateness_note(&late, HOUR);
	lateness_add(&lateness, &late, now);
	lateness_add(&lateness, &none, now + LATENESS_HALF_MS - 1);
	assert_int_equal(lateness_max_ms(&lateness), HOUR);
	lateness_add(&lateness, &none, now + LATENESS_HALF_MS);
	assert_int_equal(lateness_max_ms(&lateness), HOUR);
	lateness_add(&lateness, &none, now + 2 * LATENESS_HALF_MS);
	assert_int_equal(lateness_max_ms(&lateness), 0);
	lateness_add(&lateness, &late, now + 2 * LATENESS_HALF_MS + 1);
	lateness_add(&lateness, &none, now + 20 * (uint64_t)LATENESS_HALF_MS);
	assert_int_equal(lateness_max_ms(&lateness), 0);
}

static void test_lateness_as_text(void **state)
{
	static const char *const nonsense[] = { "", "2 1 1", "1", "1 5 6 7", "1 -1", "x" };
	struct arena *arena = arena_new();
	struct lateness lateness = { .since_ms = now }, copy;

	(void)state;
	for (unsigned i = 0; i < LATENESS_CLASSES; i++)
		lateness.now.counts[i] = UINT32_MAX - i;
	lateness.now.max_ms = UINT64_MAX / 8;
	lateness_decode(&copy, lateness_encode(&lateness, arena));
	assert_memory_equal(&copy, &lateness, sizeof copy);
	lateness_decode(&copy, arena_printf(arena, "%s 1", lateness_encode(&lateness, arena)));
	assert_int_equal(copy.since_ms, 0);
	for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
		lateness_decode(&copy, nonsense[i]);
		assert_int_equal(copy.since_ms, 0);
		assert_int_equal(lateness_max_ms(&copy), 0);
	}
	arena_free(arena);
}

static void test_look_back_grows_within_its_bound(void **state)
{
	struct cursor cursor = { 0 };

	(void)state;
	assert_int_equal(cursor_look_back_ms(&cursor, 10 * MINUTE, 24 * HOUR), 10 * MINUTE);
	lateness_note(&cursor.lateness, 20 * MINUTE);
	assert_int_equal(cursor_look_back_ms(&cursor, 10 * MINUTE, 24 * HOUR), 40 * MINUTE);
	assert_int_equal(cursor_look_back_ms(&cursor, 10 * MINUTE, 30 * MINUTE), 30 * MINUTE);
	assert_int_equal(cursor_look_back_ms(&cursor, 10 * MINUTE, 0), 10 * MINUTE);
	assert_int_equal(cursor_look_back_ms(&cursor, HOUR, 30 * MINUTE), HOUR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_nonsense_reads_as_zero),
		cmocka_unit_test(test_start),
		cmocka_unit_test(test_advance),
		cmocka_unit_test(test_windows_touch),
		cmocka_unit_test(test_lateness_is_measured),
		cmocka_unit_test(test_lateness_is_forgotten),
		cmocka_unit_test(test_lateness_as_text),
		cmocka_unit_test(test_look_back_grows_within_its_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
