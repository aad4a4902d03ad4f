/* The heap of due times and the even spread of polls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/backoff.h"
#include "collector/schedule.h"

enum { ITEMS = 500 };

static void test_order(void **state)
{
	struct schedule schedule;
	struct schedule_item items[ITEMS] = { 0 };
	uint64_t last = 0;

	(void)state;
	schedule_init(&schedule);
	assert_null(schedule_first(&schedule));
	for (size_t i = 0; i < ITEMS; i++)
		schedule_put(&schedule, &items[i], backoff_random(0, 300));
	assert_int_equal(schedule.count, ITEMS);
	for (size_t i = 0; i < ITEMS; i++) {
		struct schedule_item *first = schedule_first(&schedule);

		assert_true(first->due_ms >= last);
		last = first->due_ms;
		schedule_remove(&schedule, first);
		assert_int_equal(first->place, 0);
	}
	assert_null(schedule_first(&schedule));
	schedule_done(&schedule);
}

/* Every place stays right while items move, leave and come back. */
static void test_random_moves(void **state)
{
	struct schedule schedule;
	struct schedule_item items[ITEMS] = { 0 };

	(void)state;
	schedule_init(&schedule);
	for (int step = 0; step < 20000; step++) {
		struct schedule_item *item = &items[backoff_random(0, ITEMS - 1)];

		if (backoff_random(0, 2) == 0)
			schedule_remove(&schedule, item);
		else
			schedule_put(&schedule, item, backoff_random(0, 1000));
	}
	for (size_t i = 1; i <= schedule.count; i++) {
		assert_int_equal(schedule.items[i]->place, i);
		if (i > 1)
			assert_true(schedule.items[i / 2]->due_ms <= schedule.items[i]->due_ms);
	}
	for (size_t i = 0; i < ITEMS; i++)
		schedule_remove(&schedule, &items[i]);
	assert_int_equal(schedule.count, 0);
	schedule_done(&schedule);
}

static void test_next_is_on_the_phase(void **state)
{
	static const struct {
		uint64_t now, interval, phase, next;
	} rows[] = {
		{ 0, 100, 0, 100 }, /* strictly after */
		{ 99, 100, 0, 100 },   { 100, 100, 0, 200 },
		{ 100, 100, 1, 101 },  { 100, 100, 99, 199 },
		{ 199, 100, 99, 299 }, { 1763749000123, 300000, 299999, 1763749199999 },
		{ 5, 10, 25, 15 }, /* a phase from a longer interval */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(schedule_next(rows[i].now, rows[i].interval, rows[i].phase),
				 rows[i].next);
}

/* 5,000 sources of a minute: no second gets more than twice its share. */
static void test_spread_is_even(void **state)
{
	enum { CUSTOMERS = 5000, SECONDS = 60 };
	unsigned seconds[SECONDS] = { 0 };

	(void)state;
	for (unsigned i = 0; i < CUSTOMERS; i++) {
		char name[16] = "customer-0000";

		for (unsigned digit = 12, rest = i; digit > 8; digit--, rest /= 10)
			name[digit] = (char)('0' + rest % 10);
		seconds[schedule_phase(name, "secure_endpoint", SECONDS * 1000) / 1000]++;
	}
	for (unsigned i = 0; i < SECONDS; i++) {
		assert_true(seconds[i] > CUSTOMERS / SECONDS / 2);
		assert_true(seconds[i] < CUSTOMERS / SECONDS * 2);
	}
}

/* Every ten seconds at the 5.9th. */
static void test_resumes_where_another_left(void **state)
{
	(void)state;
	assert_int_equal(schedule_resume(10000, 6200, 10000, 5900), 15900);
	/* polled a little late, and taken a little after the next instant: that one is due */
	assert_int_equal(schedule_resume(16100, 6200, 10000, 5900), 15900);
	assert_true(schedule_resume(96100, 6200, 10000, 5900) <= 96100);
	assert_true(schedule_resume(96100, 0, 10000, 5900) <= 96100);
	assert_int_equal(schedule_resume(6000, 600000, 10000, 5900), 6000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resumes_where_another_left),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_random_moves),
		cmocka_unit_test(test_next_is_on_the_phase),
		cmocka_unit_test(test_spread_is_even),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
