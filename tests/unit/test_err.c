#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

static void fill_clears_what_was_there(void **state)
{
	struct err err = { .ambiguous = true, .retry_after_ms = 7 };

	(void)state;
	assert_false(err_set(&err, ERR_PERMANENT, "bad %s", "thing"));
	assert_int_equal(err.kind, ERR_PERMANENT);
	assert_false(err.ambiguous);
	assert_int_equal(err.retry_after_ms, 0);
	assert_string_equal(err.text, "bad thing");
	assert_false(err_set(NULL, ERR_PERMANENT, "nobody asks"));
}

static void fill_may_quote_itself(void **state)
{
	struct err err;

	(void)state;
	err_fill(&err, ERR_TRANSIENT, "inner");
	err_fill(&err, ERR_ACCOUNT, "outer: %s", err.text);
	assert_string_equal(err.text, "outer: inner");
}

static void prefix_keeps_the_rest(void **state)
{
	struct err err;

	(void)state;
	err_fill(&err, ERR_TRANSIENT, "no such file");
	err.ambiguous = true;
	err.retry_after_ms = 5;
	err_prefix(&err, "reading %s", "acme.json");
	assert_string_equal(err.text, "reading acme.json: no such file");
	assert_int_equal(err.kind, ERR_TRANSIENT);
	assert_true(err.ambiguous);
	assert_int_equal(err.retry_after_ms, 5);
	err_prefix(NULL, "nobody asks");
}

static void long_texts_are_cut(void **state)
{
	struct err err;
	char text[1000];

	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	err_fill(&err, ERR_TRANSIENT, "%s", text);
	assert_int_equal(strlen(err.text), sizeof err.text - 1);
	err_prefix(&err, "where");
	assert_int_equal(strlen(err.text), sizeof err.text - 1);
	assert_memory_equal(err.text, "where: xxx", 10);
	/* A prefix that leaves no room says nothing rather than hide what happened. */
	err_fill(&err, ERR_TRANSIENT, "what");
	err_prefix(&err, "%s", text);
	assert_string_equal(err.text, "what");
}

static void every_kind_has_a_name(void **state)
{
	(void)state;
	assert_string_equal(err_kind_name(ERR_NONE), "none");
	assert_string_equal(err_kind_name(ERR_TRANSIENT), "transient");
	assert_string_equal(err_kind_name(ERR_PERMANENT), "permanent");
	assert_string_equal(err_kind_name(ERR_ACCOUNT), "account");
	assert_string_equal(err_kind_name(ERR_STOPPING), "stopping");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fill_clears_what_was_there),
		cmocka_unit_test(fill_may_quote_itself),
		cmocka_unit_test(prefix_keeps_the_rest),
		cmocka_unit_test(long_texts_are_cut),
		cmocka_unit_test(every_kind_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
