/* No account has more of a process's threads than its share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "bus/share.h"

static void each_account_has_its_own_share(void **state)
{
	struct share *share = share_new(2);
	(void)state;
	assert_true(share_take(share, "a"));
	assert_true(share_take(share, "a"));
	assert_false(share_take(share, "a"));
	assert_true(share_take(share, "b"));
	share_give(share, "a");
	assert_true(share_take(share, "a"));
	assert_false(share_take(share, "a"));
	/* What was refused need not be given back. */
	share_give(share, "a");
	share_give(share, "a");
	share_give(share, "b");
	for (unsigned i = 0; i < 2; i++)
		assert_true(share_take(share, "c"));
	assert_false(share_take(share, "c"));
	share_free(share);
	share_free(NULL);
}

static void no_limit_is_no_limit(void **state)
{
	struct share *share = share_new(0);
	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		assert_true(share_take(share, "a"));
	share_give(share, "a");
	share_free(share);
}

struct waiter {
	struct share *share;
	_Atomic int there, taken;
};

static void *wait_in_line(void *opaque)
{
	struct waiter *waiter = opaque;
	/* Only one may stand in line: while the other looks whether somebody does, this is
	 * refused. */
	while (!share_take_within(waiter->share, "a", 60000))
		sched_yield();
	atomic_store(&waiter->taken, 1);
	return NULL;
}

/* A burst waits for room, but not more threads than may work. */
static void few_wait_for_room(void **state)
{
	struct waiter waiter = { .share = share_new(1) };
	pthread_t thread;
	(void)state;
	assert_true(share_take_within(waiter.share, "a", 60000));
	assert_int_equal(pthread_create(&thread, NULL, wait_in_line, &waiter), 0);
	/* Refused at once as soon as the other one waits; until then it waits in its place. */
	while (share_take_within(waiter.share, "a", 1))
		share_give(waiter.share, "a");
	assert_int_equal(atomic_load(&waiter.taken), 0);
	share_give(waiter.share, "a");
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(atomic_load(&waiter.taken), 1);
	assert_false(share_take_within(waiter.share, "a", 20));
	share_give(waiter.share, "a");
	assert_true(share_take(waiter.share, "a"));
	share_give(waiter.share, "a");
	share_free(waiter.share);
}

static void *wait_once(void *opaque)
{
	struct waiter *waiter = opaque;
	atomic_store(&waiter->there, 1);
	bool taken = share_take_within(waiter->share, "a", 60000);
	atomic_store(&waiter->taken, taken ? 1 : -1);
	if (taken)
		share_give(waiter->share, "a");
	return NULL;
}

/* While the account moves on, a burst of several shares is not sent away. */
static void a_burst_waits_while_it_moves(void **state)
{
	struct share *share = share_new(1);
	struct waiter waiters[4];
	pthread_t threads[4];
	(void)state;
	assert_true(share_take(share, "a"));
	for (size_t i = 0; i < 4; i++) {
		waiters[i] = (struct waiter){ .share = share };
		assert_int_equal(pthread_create(&threads[i], NULL, wait_once, &waiters[i]), 0);
	}
	for (size_t i = 0; i < 4; i++) {
		while (!atomic_load(&waiters[i].there))
			sched_yield();
	}
	share_give(share, "a");
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(atomic_load(&waiters[i].taken), 1);
	}
	share_free(share);
}

struct crowd {
	struct share *share;
	_Atomic int inside, most;
};

static void *push_in(void *opaque)
{
	struct crowd *crowd = opaque;
	for (unsigned i = 0; i < 2000; i++) {
		if (!share_take(crowd->share, i % 2 ? "a" : "b"))
			continue;
		if (i % 2) {
			int inside = atomic_fetch_add(&crowd->inside, 1) + 1;
			if (inside > atomic_load(&crowd->most))
				atomic_store(&crowd->most, inside);
			atomic_fetch_sub(&crowd->inside, 1);
		}
		share_give(crowd->share, i % 2 ? "a" : "b");
	}
	return NULL;
}

static void threads_do_not_get_past_it(void **state)
{
	struct crowd crowd = { .share = share_new(3) };
	pthread_t threads[8];
	(void)state;
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, push_in, &crowd), 0);
	for (size_t i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	assert_in_range(crowd.most, 1, 3);
	share_free(crowd.share);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_account_has_its_own_share),
		cmocka_unit_test(no_limit_is_no_limit),
		cmocka_unit_test(few_wait_for_room),
		cmocka_unit_test(a_burst_waits_while_it_moves),
		cmocka_unit_test(threads_do_not_get_past_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
