#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>

#include "base/nearest.h"

static void counts_what_differs(void **state)
{
	static const struct {
		const char *a, *b;
		size_t distance;
	} cases[] = {
		{ "", "", 0 },
		{ "", "abc", 3 },
		{ "abc", "abc", 0 },
		{ "abc", "abd", 1 },
		{ "name", "nmae", 2 },
		{ "interval", "intervall", 1 },
		{ "kitten", "sitting", 3 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(nearest_distance(cases[i].a, cases[i].b), cases[i].distance);
		assert_int_equal(nearest_distance(cases[i].b, cases[i].a), cases[i].distance);
	}
}

static void a_long_name_is_near_nothing(void **state)
{
	char name[NEAREST_NAME_MAX + 2];

	(void)state;
	memset(name, 'a', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	assert_int_equal(nearest_distance(name, name), NEAREST_NAME_MAX);
	name[NEAREST_NAME_MAX] = '\0';
	assert_int_equal(nearest_distance(name, name), 0);
}

static void names_what_was_meant(void **state)
{
	static const char *const names[] = { "account", "interval", "look_back",
					     "first_look_back", NULL };

	(void)state;
	assert_string_equal(nearest_name(names, "intervall"), "interval");
	assert_string_equal(nearest_name(names, "lookback"), "look_back");
	assert_string_equal(nearest_name(names, "acount"), "account");
	assert_null(nearest_name(names, "password"));
	assert_null(nearest_name(names + 4, "anything"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_what_differs),
		cmocka_unit_test(a_long_name_is_near_nothing),
		cmocka_unit_test(names_what_was_meant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
