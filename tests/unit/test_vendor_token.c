#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "vendor/token.h"

static _Atomic uint64_t now_ms;

static uint64_t mono(void)
{
	return now_ms;
}

/* A vendor's token endpoint. */
struct endpoint {
	atomic_uint asked;
	atomic_uint waiting; /* threads that are about to ask */
	unsigned hold;	     /* answers only when so many threads were about to ask */
	uint64_t life_ms;
	bool fails;
};

static bool fetch(void *opaque, char **ret_token, uint64_t *ret_life_ms, struct err *err)
{
	struct endpoint *endpoint = opaque;
	unsigned number = atomic_fetch_add(&endpoint->asked, 1) + 1;
	char token[32];

	for (int tries = 0; atomic_load(&endpoint->waiting) < endpoint->hold && tries < 5000;
	     tries++)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	if (endpoint->fails)
		return err_set(err, ERR_ACCOUNT, "no token: attempt %u", number);
	snprintf(token, sizeof token, "token-%u", number);
	*ret_token = xstrdup(token);
	*ret_life_ms = endpoint->life_ms;
	return true;
}

static char *get(struct token_cache *cache, struct endpoint *endpoint, const char *credentials,
		 struct err *err)
{
	const struct token_request request = { .account = "acme",
					       .fingerprint = credentials,
					       .deadline_ms = now_ms + 10000,
					       .fetch = fetch,
					       .opaque = endpoint };

	return token_get(cache, &request, err);
}

static void expect(struct token_cache *cache, struct endpoint *endpoint,
		   const char *credentials, const char *want)
{
	char *token = get(cache, endpoint, credentials, NULL);

	assert_non_null(token);
	assert_string_equal(token, want);
	token_wipe(token);
}

static void keeps_renews_and_drops(void **state)
{
	struct token_cache *cache = token_cache_new();
	struct endpoint endpoint = { .life_ms = 600000 };

	(void)state;
	now_ms = 1000;
	expect(cache, &endpoint, "a", "token-1");
	now_ms = 1000 + 479000; /* before 80 % of 600 s */
	expect(cache, &endpoint, "a", "token-1");
	now_ms = 1000 + 480000;
	expect(cache, &endpoint, "a", "token-2");
	/* Refused by the vendor: a new one; refused again by somebody slow: not yet another. */
	token_drop(cache, "acme", "token-2");
	expect(cache, &endpoint, "a", "token-3");
	token_drop(cache, "acme", "token-2");
	expect(cache, &endpoint, "a", "token-3");
	/* Other credentials: what was got with the old ones is not used. */
	expect(cache, &endpoint, "b", "token-4");
	token_cache_free(cache);
}

static void renewal_that_fails_leaves_the_old_one(void **state)
{
	struct token_cache *cache = token_cache_new();
	struct endpoint endpoint = { .life_ms = 600000 };
	struct err err;

	(void)state;
	now_ms = 0;
	expect(cache, &endpoint, "a", "token-1");
	endpoint.fails = true;
	now_ms = 500000;
	expect(cache, &endpoint, "a", "token-1");
	assert_int_equal(endpoint.asked, 2);
	now_ms = 504999; /* not at once again */
	expect(cache, &endpoint, "a", "token-1");
	assert_int_equal(endpoint.asked, 2);
	now_ms = 570000; /* its use is over */
	assert_null(get(cache, &endpoint, "a", &err));
	assert_int_equal(err.kind, ERR_ACCOUNT);
	token_cache_free(cache);
}

struct thread {
	pthread_t id;
	struct token_cache *cache;
	struct endpoint *endpoint;
	char *token;
	struct err err;
};

static void *ask(void *opaque)
{
	struct thread *thread = opaque;

	atomic_fetch_add(&thread->endpoint->waiting, 1);
	thread->token = get(thread->cache, thread->endpoint, "a", &thread->err);
	return NULL;
}

enum { THREADS = 16 };

static void ask_at_once(struct thread *threads, struct token_cache *cache,
			struct endpoint *endpoint)
{
	atomic_store(&endpoint->waiting, 0);
	endpoint->hold = THREADS;
	for (size_t i = 0; i < THREADS; i++) {
		threads[i] = (struct thread){ .cache = cache, .endpoint = endpoint };
		assert_int_equal(pthread_create(&threads[i].id, NULL, ask, &threads[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i].id, NULL);
}

static void many_threads_ask_once(void **state)
{
	struct token_cache *cache = token_cache_new();
	struct endpoint endpoint = { .life_ms = 600000 };
	struct thread threads[THREADS];

	(void)state;
	now_ms = 0;
	ask_at_once(threads, cache, &endpoint);
	assert_int_equal(endpoint.asked, 1);
	for (size_t i = 0; i < THREADS; i++) {
		assert_string_equal(threads[i].token, "token-1");
		token_wipe(threads[i].token);
	}
	/* Renewing: one does, the others do not wait for it. */
	now_ms = 500000;
	ask_at_once(threads, cache, &endpoint);
	assert_int_equal(endpoint.asked, 2);
	for (size_t i = 0; i < THREADS; i++) {
		assert_non_null(threads[i].token);
		token_wipe(threads[i].token);
	}
	token_cache_free(cache);
}

/* Threads that came while one was asking share its failure; a few may come after it. */
static void a_failure_is_shared(void **state)
{
	struct token_cache *cache = token_cache_new();
	struct endpoint endpoint = { .fails = true };
	struct thread threads[THREADS];

	(void)state;
	now_ms = 0;
	ask_at_once(threads, cache, &endpoint);
	assert_in_range(endpoint.asked, 1, THREADS / 2);
	for (size_t i = 0; i < THREADS; i++) {
		assert_null(threads[i].token);
		assert_int_equal(threads[i].err.kind, ERR_ACCOUNT);
	}
	token_cache_free(cache);
}

static void does_not_wait_beyond_its_deadline(void **state)
{
	struct token_cache *cache = token_cache_new();
	struct endpoint endpoint = { .life_ms = 600000, .hold = 2 };
	struct thread first = { .cache = cache, .endpoint = &endpoint };
	struct err err = { 0 };

	(void)state;
	now_ms = 20000;
	pthread_create(&first.id, NULL, ask, &first);
	while (atomic_load(&endpoint.asked) == 0)
		nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
	const struct token_request late = { .account = "acme",
					    .fingerprint = "a",
					    .deadline_ms = 20000,
					    .fetch = fetch,
					    .opaque = &endpoint };
	assert_null(token_get(cache, &late, &err));
	assert_int_equal(err.kind, ERR_TRANSIENT);
	atomic_fetch_add(&endpoint.waiting, 1);
	pthread_join(first.id, NULL);
	token_wipe(first.token);
	token_cache_free(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_renews_and_drops),
		cmocka_unit_test(renewal_that_fails_leaves_the_old_one),
		cmocka_unit_test(many_threads_ask_once),
		cmocka_unit_test(a_failure_is_shared),
		cmocka_unit_test(does_not_wait_beyond_its_deadline),
	};

	clock_inject(NULL, mono);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
