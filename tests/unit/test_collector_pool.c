/* Who polls what when: lanes, back-pressure, leases, and many threads at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "collector/pool.h"

enum { FOREVER_MS = 3600 * 1000 };

static struct lease lease_of(const char *token)
{
	struct lease lease = { .until_mono_ms = clock_mono_ms() + FOREVER_MS };

	snprintf(lease.token, sizeof(lease.token), "%s", token);
	return lease;
}

static void grant(struct pool *pool, struct task *task, uint64_t due_ms)
{
	struct lease lease = lease_of("me:1");

	pool_grant(pool, task, &lease, due_ms);
}

static void test_due_first_goes_first(void **state)
{
	struct pool pool;
	struct task tasks[3] = { 0 };
	struct claim claim;
	uint64_t now = clock_mono_ms();

	(void)state;
	pool_init(&pool, 4, 1);
	grant(&pool, &tasks[0], now - 10);
	grant(&pool, &tasks[1], now - 30);
	grant(&pool, &tasks[2], now + FOREVER_MS);
	assert_true(pool_claim(&pool, 0, &claim));
	assert_ptr_equal(claim.task, &tasks[1]);
	assert_int_equal(claim.due_ms, now - 30);
	assert_false(pool_is_idle(&pool, &tasks[1]));
	assert_true(pool_claim(&pool, 0, &claim));
	assert_ptr_equal(claim.task, &tasks[0]);
	assert_false(pool_claim(&pool, 20, &claim)); /* the third is not due */
	pool_done(&pool);
}

/* However many suspects are due, three quarters of the threads stay with the sound ones. */
static void test_suspects_have_a_lane(void **state)
{
	enum { THREADS = 8, SUSPECTS = 20 };
	struct pool pool;
	struct task suspects[SUSPECTS] = { 0 };
	struct task sound = { 0 };
	struct claim claims[SUSPECTS];
	struct claim claim;
	uint64_t now = clock_mono_ms();

	(void)state;
	pool_init(&pool, THREADS, 1);
	for (size_t i = 0; i < SUSPECTS; i++) {
		suspects[i].suspect = true;
		grant(&pool, &suspects[i], now - 1000);
	}
	for (size_t i = 0; i < THREADS / 4; i++)
		assert_true(pool_claim(&pool, 0, &claims[i]));
	assert_false(pool_claim(&pool, 0, &claim));
	grant(&pool, &sound, now);
	assert_true(pool_claim(&pool, 0, &claim));
	assert_ptr_equal(claim.task, &sound);
	pool_finish(&pool, &claims[0], now + FOREVER_MS, false);
	assert_true(pool_claim(&pool, 0, &claim)); /* room for the next suspect */
	assert_true(claim.task->suspect);
	pool_done(&pool);
}

static void test_back_pressure(void **state)
{
	struct pool pool;
	struct task one = { 0 };
	struct task other = { .partition = 1 };
	struct claim claim;
	uint64_t now = clock_mono_ms();

	(void)state;
	pool_init(&pool, 4, 2);
	grant(&pool, &one, now);
	grant(&pool, &other, now);
	pool_full(&pool, 0);
	assert_true(pool_claim(&pool, 0, &claim));
	assert_ptr_equal(claim.task, &other); /* the other partition goes on */
	assert_false(pool_claim(&pool, 10, &claim));
	assert_true(one.item.due_ms >= now + 5000);

	/* a second thread that was in flight says so too: not another doubling */
	uint64_t until = pool.holds[0].until_ms;

	pool_full(&pool, 0);
	assert_int_equal(pool.holds[0].until_ms, until);

	pool.holds[0].until_ms = now;
	grant(&pool, &one, now);
	assert_true(pool_claim(&pool, 0, &claim));
	assert_ptr_equal(claim.task, &one);
	assert_true(claim.excused); /* held back on purpose is not late */
	pool_done(&pool);
}

static void test_no_polls_on_a_lease_about_to_end(void **state)
{
	struct pool pool;
	struct task task = { 0 };
	struct lease lease = lease_of("me:1");
	struct claim claim;

	(void)state;
	pool_init(&pool, 4, 1);
	lease.until_mono_ms = clock_mono_ms() + 10;
	pool_grant(&pool, &task, &lease, clock_mono_ms());
	assert_false(pool_claim(&pool, 20, &claim));
	lease.until_mono_ms = clock_mono_ms() + FOREVER_MS;
	pool_renew(&pool, &task, &lease);
	assert_true(pool_claim(&pool, 2000, &claim));
	pool_done(&pool);
}

static void test_lost_and_withdrawn(void **state)
{
	struct pool pool;
	struct task task = { 0 };
	struct lease lost = lease_of("");
	struct lease renewed = lease_of("me:2");
	struct claim claim;
	uint64_t now = clock_mono_ms();

	(void)state;
	pool_init(&pool, 4, 1);
	grant(&pool, &task, now);
	assert_true(pool_claim(&pool, 0, &claim));
	assert_false(pool_withdraw(&pool, &task)); /* it is being polled */
	assert_true(pool_holds(&pool, &task, NULL));
	pool_finish(&pool, &claim, 0, false); /* and turned out to be lost */
	assert_false(pool_holds(&pool, &task, NULL));
	assert_false(pool_claim(&pool, 0, &claim));

	/* lost while in flight, and taken again before the thread knows */
	grant(&pool, &task, now);
	assert_true(pool_claim(&pool, 0, &claim));
	pool_renew(&pool, &task, &lost);
	assert_false(pool_holds(&pool, &task, NULL));
	pool_grant(&pool, &task, &renewed, now);
	assert_false(pool_claim(&pool, 0, &claim)); /* one thread has it still */
	claim.task = &task;
	claim.lease = lease_of("me:1");
	pool_finish(&pool, &claim, 0, false);
	assert_true(pool_holds(&pool, &task, NULL)); /* under the new token */
	assert_true(pool_claim(&pool, 0, &claim));
	assert_string_equal(claim.lease.token, "me:2");
	pool_finish(&pool, &claim, now + FOREVER_MS, false);

	assert_true(pool_withdraw(&pool, &task));
	assert_false(pool_holds(&pool, &task, NULL));
	assert_null(schedule_first(&pool.lanes[0]));
	pool_done(&pool);
}

static void test_new_pace(void **state)
{
	struct pool pool;
	struct task task = { 0 };

	(void)state;
	pool_init(&pool, 4, 1);
	pool_pace(&pool, &task, FOREVER_MS, 0);
	grant(&pool, &task, clock_mono_ms() + FOREVER_MS);
	pool_pace(&pool, &task, 10000, 0);
	assert_true(task.item.due_ms <= clock_mono_ms() + 10000);
	pool_done(&pool);
}

/* ---- many threads ---- */

enum { CREW = 8, TASKS = 200, ROUNDS = 20 };

struct counted {
	struct task task; /* first: found again from the claim */
	atomic_int inside;
	atomic_int polls;
};

static struct pool shared;
static struct counted counted[TASKS];
static atomic_int clashes;

static void *crew_main(void *opaque)
{
	struct claim claim;

	(void)opaque;
	for (;;) {
		if (!pool_claim(&shared, 1000, &claim)) {
			pthread_mutex_lock(&shared.lock);

			bool stopping = shared.stopping;

			pthread_mutex_unlock(&shared.lock);
			if (stopping)
				break;
			continue;
		}

		struct counted *mine = (struct counted *)claim.task;

		if (atomic_fetch_add(&mine->inside, 1) != 0)
			atomic_fetch_add(&clashes, 1);

		int polls = atomic_fetch_add(&mine->polls, 1) + 1;

		atomic_fetch_sub(&mine->inside, 1);
		pool_finish(&shared, &claim,
			    clock_mono_ms() + (polls < ROUNDS ? 1 : FOREVER_MS),
			    polls % 3 == 0);
	}
	return NULL;
}

static bool all_polled(void)
{
	for (size_t i = 0; i < TASKS; i++) {
		if (atomic_load(&counted[i].polls) < ROUNDS)
			return false;
	}
	return true;
}

static void test_one_thread_each_and_nobody_forgotten(void **state)
{
	pthread_t threads[CREW];
	uint64_t deadline = clock_mono_ms() + 20000;

	(void)state;
	pool_init(&shared, CREW, 1);
	for (size_t i = 0; i < CREW; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, crew_main, NULL), 0);
	for (size_t i = 0; i < TASKS; i++)
		grant(&shared, &counted[i].task, clock_mono_ms() + i % 10);
	while (!all_polled() && clock_mono_ms() < deadline) {
		struct timespec pause = { .tv_nsec = 1000000 };

		nanosleep(&pause, NULL);
	}
	pool_stop(&shared);
	for (size_t i = 0; i < CREW; i++)
		pthread_join(threads[i], NULL);
	assert_true(all_polled());
	assert_int_equal(atomic_load(&clashes), 0);
	assert_int_equal(shared.suspects_in_flight, 0);
	pool_done(&shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_due_first_goes_first),
		cmocka_unit_test(test_suspects_have_a_lane),
		cmocka_unit_test(test_back_pressure),
		cmocka_unit_test(test_no_polls_on_a_lease_about_to_end),
		cmocka_unit_test(test_lost_and_withdrawn),
		cmocka_unit_test(test_new_pace),
		cmocka_unit_test(test_one_thread_each_and_nobody_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
