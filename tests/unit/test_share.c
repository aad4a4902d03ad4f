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
	assert_true(share_take(share, "a", "x"));
	assert_true(share_take(share, "a", "x"));
	assert_false(share_take(share, "a", "x"));
	assert_true(share_take(share, "b", "x"));
	share_give(share, "a", "x");
	assert_true(share_take(share, "a", "x"));
	assert_false(share_take(share, "a", "x"));
	/* What was refused need not be given back. */
	share_give(share, "a", "x");
	share_give(share, "a", "x");
	share_give(share, "b", "x");
	for (unsigned i = 0; i < 2; i++)
		assert_true(share_take(share, "c", "x"));
	assert_false(share_take(share, "c", "x"));
	share_free(share);
	share_free(NULL);
}

static void no_limit_is_no_limit(void **state)
{
	struct share *share = share_new(0);
	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		assert_true(share_take(share, "a", "x"));
	share_give(share, "a", "x");
	share_free(share);
}

struct waiter {
	struct share *share;
	const char *guest;
	_Atomic int there, taken;
};

static void *wait_in_line(void *opaque)
{
	uint64_t again_ms;
	struct waiter *waiter = opaque;
	/* Only one may stand in line: while the other looks whether somebody does, this is
	 * refused. */
	while (!share_take_within(waiter->share, "a", "x", 60000, &again_ms))
		sched_yield();
	atomic_store(&waiter->taken, 1);
	return NULL;
}

/* A burst waits for room, but not more threads than may work. */
static void few_wait_for_room(void **state)
{
	uint64_t again_ms = 0;
	struct waiter waiter = { .share = share_new(1) };
	pthread_t thread;
	(void)state;
	assert_true(share_take_within(waiter.share, "a", "x", 60000, &again_ms));
	assert_int_equal(pthread_create(&thread, NULL, wait_in_line, &waiter), 0);
	/* Refused at once as soon as the other one waits; until then it waits in its place. */
	while (share_take_within(waiter.share, "a", "x", 1, &again_ms))
		share_give(waiter.share, "a", "x");
	assert_int_equal(atomic_load(&waiter.taken), 0);
	share_give(waiter.share, "a", "x");
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(atomic_load(&waiter.taken), 1);
	assert_false(share_take_within(waiter.share, "a", "x", 20, &again_ms));
	share_give(waiter.share, "a", "x");
	assert_true(share_take(waiter.share, "a", "x"));
	share_give(waiter.share, "a", "x");
	share_free(waiter.share);
}

static void *wait_once(void *opaque)
{
	uint64_t again_ms;
	struct waiter *waiter = opaque;
	atomic_store(&waiter->there, 1);
	bool taken = share_take_within(waiter->share, "a", waiter->guest, 60000, &again_ms);
	atomic_store(&waiter->taken, taken ? 1 : -1);
	if (taken)
		share_give(waiter->share, "a", waiter->guest);
	return NULL;
}

/* While the account moves on, a burst of several shares is not sent away. */
static void a_burst_waits_while_it_moves(void **state)
{
	static const char *const guests[] = { "x", "y", "x", "y" };
	struct share *share = share_new(1);
	struct waiter waiters[4];
	pthread_t threads[4];
	(void)state;
	assert_true(share_take(share, "a", "x"));
	for (size_t i = 0; i < 4; i++) {
		waiters[i] = (struct waiter){ .share = share, .guest = guests[i] };
		assert_int_equal(pthread_create(&threads[i], NULL, wait_once, &waiters[i]), 0);
	}
	for (size_t i = 0; i < 4; i++) {
		while (!atomic_load(&waiters[i].there))
			sched_yield();
	}
	share_give(share, "a", "x");
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(atomic_load(&waiters[i].taken), 1);
	}
	share_free(share);
}

enum { OTHERS = 7 };

static void *wait_and_stay(void *opaque)
{
	uint64_t again_ms;
	struct waiter *waiter = opaque;
	bool taken = share_take_within(waiter->share, "a", "other", 60000, &again_ms);
	atomic_store(&waiter->taken, taken ? 1 : -1);
	return NULL;
}

/* Waits until so many of the others have had a seat. */
static void await_seated(const struct waiter *others, size_t wanted)
{
	size_t seated = 0;
	while (seated < wanted) {
		seated = 0;
		for (size_t i = 0; i < OTHERS; i++)
			seated += atomic_load(&others[i].taken) == 1;
		sched_yield();
	}
}

/* One that floods has both seats. Of seven others six may wait, the line but a quarter; a seat
 * that is given back is theirs and not the flood's. */
static void who_holds_fewest_is_next(void **state)
{
	struct share *share = share_new(2);
	struct waiter others[OTHERS];
	pthread_t threads[OTHERS];
	size_t refused = 0;
	(void)state;
	assert_true(share_take(share, "a", "flood"));
	assert_true(share_take(share, "a", "flood"));
	for (size_t i = 0; i < OTHERS; i++) {
		others[i] = (struct waiter){ .share = share };
		assert_int_equal(pthread_create(&threads[i], NULL, wait_and_stay, &others[i]),
				 0);
	}
	/* Nobody is refused before the other six wait. */
	for (size_t i = 0; !atomic_load(&others[i].taken); i = (i + 1) % OTHERS)
		sched_yield();
	share_give(share, "a", "flood");
	assert_false(share_take(share, "a", "flood"));
	share_give(share, "a", "flood");
	for (size_t seated = 2; seated < OTHERS - 1; seated++) {
		await_seated(others, seated);
		share_give(share, "a", "other");
	}
	await_seated(others, OTHERS - 1);
	for (size_t i = 0; i < OTHERS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		refused += atomic_load(&others[i].taken) < 0;
	}
	assert_int_equal(refused, 1);
	assert_false(share_take(share, "a", "flood"));
	share_give(share, "a", "other");
	assert_true(share_take(share, "a", "flood"));
	share_give(share, "a", "other");
	share_give(share, "a", "flood");
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
		if (!share_take(crowd->share, i % 2 ? "a" : "b", i % 3 ? "x" : "y"))
			continue;
		if (i % 2) {
			int inside = atomic_fetch_add(&crowd->inside, 1) + 1;
			if (inside > atomic_load(&crowd->most))
				atomic_store(&crowd->most, inside);
			atomic_fetch_sub(&crowd->inside, 1);
		}
		share_give(crowd->share, i % 2 ? "a" : "b", i % 3 ? "x" : "y");
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
		cmocka_unit_test(who_holds_fewest_is_next),
		cmocka_unit_test(threads_do_not_get_past_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
