#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"

static char last[8192];
static size_t last_size;

static void keep(const char *line, size_t size)
{
	assert_true(size < sizeof last);
	memcpy(last, line, size);
	last[size] = '\0';
	last_size = size;
}

static uint64_t fixed(void)
{
	return 1795284965123;
}

static int setup(void **state)
{
	(void)state;
	clock_inject(fixed, NULL);
	log_setup("unit", LOG_LEVEL_INFO);
	log_context_clear();
	log_sink(keep);
	last[0] = '\0';
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	log_sink(NULL);
	clock_inject(NULL, NULL);
	return 0;
}

static void one_json_line(void **state)
{
	(void)state;
	log_warn("disk %s is at %d %%", "a\"b\\\n", 93);
	assert_string_equal(last, "{\"time\":\"2026-11-21T18:16:05.123Z\",\"level\":\"warn\","
				  "\"service\":\"unit\",\"msg\":\"disk a\\\"b\\\\\\n is at 93 "
				  "%\"}\n");
}

static void below_the_minimum_nothing_is_written(void **state)
{
	(void)state;
	log_debug("quiet");
	assert_string_equal(last, "");
	log_setup("unit", LOG_LEVEL_DEBUG);
	log_debug("loud");
	assert_non_null(strstr(last, "\"level\":\"debug\""));
}

static void context_is_kept_until_cleared(void **state)
{
	(void)state;
	log_context("customer", "acme");
	log_context("entry", "1-0");
	log_context("customer", "globex\"");
	log_info("x");
	assert_non_null(strstr(last, ",\"customer\":\"globex\\\"\",\"entry\":\"1-0\",\"msg\""));
	log_context("customer", NULL);
	log_info("x");
	assert_null(strstr(last, "customer"));
	assert_non_null(strstr(last, "\"entry\":\"1-0\""));
	log_context_clear();
	log_info("x");
	assert_null(strstr(last, "entry"));
}

static void a_ninth_key_is_ignored(void **state)
{
	(void)state;
	for (int i = 0; i < 9; i++) {
		char key[8];
		snprintf(key, sizeof key, "k%d", i);
		log_context(key, "v");
	}
	log_info("x");
	assert_non_null(strstr(last, "\"k7\":\"v\""));
	assert_null(strstr(last, "k8"));
}

static void secrets_are_masked(void **state)
{
	(void)state;
	log_mask("s3cret-value");
	log_mask("s3cret-value-longer");
	log_mask("with\"quote");
	log_mask("short");
	log_mask(NULL);
	log_context("token", "s3cret-value");
	log_info("a s3cret-value b s3cret-valuEs3cret-value-longer. with\"quote short");
	assert_null(strstr(last, "s3cret-value\""));
	assert_non_null(strstr(last, "\"token\":\"***\""));
	assert_non_null(strstr(last, "\"msg\":\"a *** b s3cret-valuE***. *** short\""));
}

/* Half a secret is one, too: a line is masked before it is cut. */
static void the_cut_does_not_show_half_a_secret(void **state)
{
	char text[6000];

	(void)state;
	log_mask("ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	for (size_t pad = 2850; pad < 2950; pad++) {
		memset(text, '.', pad);
		snprintf(text + pad, sizeof text - pad,
			 "ABCDEFGHIJKLMNOPQRSTUVWXYZ and a lot more %0500d", 1);
		log_info("%s", text);
		assert_null(strstr(last, "ABCDEF"));
	}
}

static void long_lines_are_cut_whole(void **state)
{
	static const char *const units[] = { "x", "\"", "\x01", "\xc3\xa4", "\xff" };
	char text[20000];

	(void)state;
	for (int i = 0; i < 8; i++) {
		char key[16], value[300];
		snprintf(key, sizeof key, "key-number-%d", i);
		memset(value, '"', sizeof value - 1);
		value[sizeof value - 1] = '\0';
		log_context(key, value);
	}
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		text[0] = '\0';
		for (int k = 0; k < 4500; k++)
			memcpy(text + (size_t)k * strlen(units[i]), units[i],
			       strlen(units[i]) + 1);
		log_info("%s", text);
		assert_true(last_size <= 4096);
		/* Still one whole JSON object: the escapes are whole, too. */
		assert_string_equal(last + last_size - 6, "...\"}\n");
		const char *msg = strstr(last, "\"msg\":\"") + 7;
		while (strcmp(msg, "...\"}\n") != 0) {
			assert_true(*msg != '\0' && *msg != '\n');
			msg += *msg != '\\' ? 1 : msg[1] == 'u' ? 6 : 2;
		}
	}
}

/* More secrets than are kept: the one given longest ago goes, one given again stays. */
static void the_newest_secrets_are_kept(void **state)
{
	char secret[32];

	(void)state;
	log_mask("first-secret-of-all");
	log_mask("second-secret");
	for (int i = 0; i < 4095; i++) {
		snprintf(secret, sizeof secret, "token-%d", i);
		log_mask(secret);
		if (i == 2000)
			log_mask("first-secret-of-all");
	}
	log_info("first-secret-of-all second-secret token-4094");
	assert_non_null(strstr(last, "\"*** second-secret ***\""));
}

static void *talk(void *opaque)
{
	char name[16];

	snprintf(name, sizeof name, "%d", *(int *)opaque);
	log_context("thread", name);
	for (int i = 0; i < 200; i++) {
		char secret[32];
		snprintf(secret, sizeof secret, "secret-%s-%d", name, i);
		log_mask(secret);
		log_info("line %d with %s end", i, secret);
	}
	return NULL;
}

/* Through the real descriptor: every line whole, with its own thread's context. */
static void lines_of_threads_do_not_mix(void **state)
{
	enum { THREADS = 4 };
	pthread_t threads[THREADS];
	int numbers[THREADS], ends[2], lines = 0, saved = dup(STDERR_FILENO);
	char line[1024];

	(void)state;
	log_sink(NULL);
	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	for (int i = 0; i < THREADS; i++) {
		numbers[i] = i;
		pthread_create(&threads[i], NULL, talk, &numbers[i]);
	}
	FILE *in = fdopen(ends[0], "r");
	while (lines < THREADS * 200 && fgets(line, sizeof line, in)) {
		int thread, number;
		const char *context = strstr(line, "\"thread\":");
		assert_non_null(context);
		assert_int_equal(sscanf(context,
					"\"thread\":\"%d\",\"msg\":\"line %d with *** end\"}",
					&thread, &number),
				 2);
		lines++;
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	dup2(saved, STDERR_FILENO);
	close(saved);
	fclose(in);
	assert_int_equal(lines, THREADS * 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_json_line, setup, teardown),
		cmocka_unit_test_setup_teardown(below_the_minimum_nothing_is_written, setup,
						teardown),
		cmocka_unit_test_setup_teardown(context_is_kept_until_cleared, setup, teardown),
		cmocka_unit_test_setup_teardown(a_ninth_key_is_ignored, setup, teardown),
		cmocka_unit_test_setup_teardown(secrets_are_masked, setup, teardown),
		cmocka_unit_test_setup_teardown(the_cut_does_not_show_half_a_secret, setup,
						teardown),
		cmocka_unit_test_setup_teardown(long_lines_are_cut_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(lines_of_threads_do_not_mix, setup, teardown),
		cmocka_unit_test_setup_teardown(the_newest_secrets_are_kept, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
