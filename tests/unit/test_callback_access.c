#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "callback/access.h"
#include "callback/throttle.h"
#include "model/vault.h"

enum { NOW = 1000000, LIFE_MS = ACCESS_LIFETIME_S * 1000 };

static char folder[] = "/tmp/tocsin-access-XXXXXX";
static char path[64];
static uint64_t mono_ms = 1;

static uint64_t mono(void)
{
	return mono_ms;
}

static struct vault *vault(void)
{
	char id[16];
	struct err err;

	assert_true(vault_keygen(path, id, &err));

	struct vault *opened = vault_open(path, &err);

	assert_non_null(opened);
	return opened;
}

static void a_token_is_good_for_a_while(void **state)
{
	struct vault *keys = vault();
	struct arena *arena = arena_new();
	const char *token = access_issue(keys, "acme.servicenow", NOW, arena);

	(void)state;
	assert_string_equal(access_account(keys, token, NOW, arena), "acme.servicenow");
	assert_string_equal(access_account(keys, token, NOW + LIFE_MS - 1, arena),
			    "acme.servicenow");
	assert_null(access_account(keys, token, NOW + LIFE_MS, arena));
	/* As a header may carry it (RFC 6750). */
	assert_int_equal(strspn(token, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "0123456789-._~+/"),
			 strlen(token));
	vault_free(keys);
	/* Another replica, after a change of keys. */
	keys = vault();
	assert_string_equal(access_account(keys, token, NOW, arena), "acme.servicenow");
	arena_free(arena);
	vault_free(keys);
}

static void no_altered_token_is_good(void **state)
{
	struct vault *keys = vault();
	struct arena *arena = arena_new();
	char *token = xstrdup(access_issue(keys, "acme.servicenow", NOW, arena));
	size_t size = strlen(token);
	char longer[400];

	(void)state;
	for (size_t i = 0; i < size; i++) {
		char was = token[i];

		token[i] = was == 'a' ? 'b' : 'a';
		assert_null(access_account(keys, token, NOW, arena));
		token[i] = '~';
		if (was != '~')
			assert_null(access_account(keys, token, NOW, arena));
		token[i] = '\0';
		assert_null(access_account(keys, token, NOW, arena));
		token[i] = was;
	}
	memset(longer, '~', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_null(access_account(keys, longer, NOW, arena));
	/* A hash made for another place, a client's secret, opens nothing. */
	char *hash = vault_hash(keys, "account:x", "callback.secret", "acme~9999999");

	assert_null(
	    access_account(keys, arena_printf(arena, "acme~9999999~%s", hash), NOW, arena));
	free(hash);
	free(token);
	arena_free(arena);
	vault_free(keys);
}

static void a_bucket_empties_and_fills(void **state)
{
	static const struct throttle_rule rule = { "rule", 3, 1000 },
					  other = { "other", 1, 10 };
	struct throttle *throttle = throttle_new();
	uint64_t wait_ms;

	(void)state;
	clock_inject(NULL, mono);
	for (int i = 0; i < 3; i++)
		assert_true(throttle_take(throttle, &rule, "a", &wait_ms));
	assert_false(throttle_take(throttle, &rule, "a", &wait_ms));
	assert_int_equal(wait_ms, 1000);
	assert_false(throttle_allows(throttle, &rule, "a", &wait_ms));
	/* Others are nobody's hostage, unless they share its bucket: 1 of 4096. */
	assert_true(throttle_take(throttle, &other, "a", &wait_ms) ||
		    throttle_take(throttle, &other, "b", &wait_ms));
	mono_ms += 999;
	assert_false(throttle_take(throttle, &rule, "a", &wait_ms));
	assert_int_equal(wait_ms, 1);
	mono_ms += 1;
	assert_true(throttle_allows(throttle, &rule, "a", &wait_ms));
	assert_true(throttle_take(throttle, &rule, "a", &wait_ms));
	assert_false(throttle_take(throttle, &rule, "a", &wait_ms));
	mono_ms += 1000000;
	for (int i = 0; i < 3; i++)
		assert_true(throttle_take(throttle, &rule, "a", &wait_ms));
	assert_false(throttle_take(throttle, &rule, "a", &wait_ms));
	clock_inject(NULL, NULL);
	throttle_free(throttle);
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/key", folder);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_is_good_for_a_while),
		cmocka_unit_test(no_altered_token_is_good),
		cmocka_unit_test(a_bucket_empties_and_fills),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
