#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/backoff.h"

enum { ROUNDS = 20000 };

static void stays_in_its_window_and_fills_it(void **state)
{
	static const struct {
		unsigned attempt;
		uint64_t floor, low, high;
	} rows[] = {
		{ 0, 0, 0, 100 },	 { 1, 0, 0, 200 },	     { 3, 0, 0, 800 },
		{ 4, 0, 0, 1000 },	 { 4000000000, 0, 0, 1000 }, { 4, 600, 600, 1000 },
		{ 0, 8000, 8000, 9000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint64_t least = UINT64_MAX, most = 0;
		for (int k = 0; k < ROUNDS; k++) {
			uint64_t ms = backoff_ms(100, 1000, rows[i].attempt, rows[i].floor);
			assert_in_range(ms, rows[i].low, rows[i].high);
			least = ms < least ? ms : least;
			most = ms > most ? ms : most;
		}
		/* The chance of missing a twentieth at one end is 0.95^20000. */
		uint64_t margin = (rows[i].high - rows[i].low) / 20 + 1;
		assert_true(least <= rows[i].low + margin);
		assert_true(most >= rows[i].high - margin);
	}
}

static void extremes_do_not_overflow(void **state)
{
	(void)state;
	assert_true(backoff_ms(UINT64_MAX / 2, UINT64_MAX, 70, UINT64_MAX) == UINT64_MAX);
	assert_int_equal(backoff_ms(0, 0, 5, 0), 0);
	assert_int_equal(backoff_ms(0, 100, UINT32_MAX, 0), 0);
	backoff_random(0, UINT64_MAX);
	assert_int_equal(backoff_random(7, 7), 7);
}

static void random_is_even(void **state)
{
	unsigned count[6] = { 0 };

	(void)state;
	for (int i = 0; i < 60000; i++)
		count[backoff_random(0, 5)]++;
	for (int i = 0; i < 6; i++)
		assert_in_range(count[i], 9000, 11000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stays_in_its_window_and_fills_it),
		cmocka_unit_test(extremes_do_not_overflow),
		cmocka_unit_test(random_is_even),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
