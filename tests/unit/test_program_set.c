#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "model/program_set.h"

static void test_find(void **state)
{
	static const char *const names[] = { "source:wazuh", "rules", "template:default",
					     "source:acme/web", "source:a" };
	enum { COUNT = sizeof names / sizeof names[0] };
	struct program_set *set = program_set_new();

	(void)state;
	assert_null(program_set_find(set, "rules"));
	for (size_t i = 0; i < COUNT; i++)
		assert_true(program_set_add(set, names[i], names[i], strlen(names[i])));
	assert_int_equal(program_set_count(set), COUNT);
	for (size_t i = 0; i < COUNT; i++) {
		assert_string_equal(program_set_find(set, names[i])->text, names[i]);
		if (i > 0)
			assert_true(strcmp(program_set_at(set, i - 1)->name,
					   program_set_at(set, i)->name) < 0);
	}
	assert_null(program_set_find(set, "rule"));
	assert_null(program_set_find(set, "zzz"));
	assert_null(program_set_at(set, COUNT));
	assert_true(program_set_add(set, "rules", "new", 3));
	assert_int_equal(program_set_count(set), COUNT);
	assert_string_equal(program_set_find(set, "rules")->text, "new");
	program_set_free(set);
	program_set_free(NULL);
}

static void test_bounds(void **state)
{
	struct program_set *set = program_set_new();
	char name[PROGRAM_SET_NAME_MAX + 2];
	char *text = xcalloc(1, PROGRAM_SET_TEXT_MAX + 2);

	(void)state;
	memset(name, 'a', sizeof name);
	memset(text, 'a', PROGRAM_SET_TEXT_MAX + 1);
	name[sizeof name - 1] = '\0';
	assert_false(program_set_add(set, name, "", 0));
	assert_false(program_set_add(set, "", "", 0));
	assert_false(program_set_add(set, "a", text, PROGRAM_SET_TEXT_MAX + 1));
	assert_true(program_set_add(set, name + 1, text, PROGRAM_SET_TEXT_MAX));
	for (size_t i = 1; i < PROGRAM_SET_MAX; i++) {
		snprintf(name, sizeof name, "%zu", i);
		assert_true(program_set_add(set, name, "", 0));
	}
	assert_false(program_set_add(set, "one more", "", 0));
	assert_true(program_set_add(set, "1", "replaced", 8));
	program_set_free(set);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
