#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "callback/urlform.h"

static void reads_what_browsers_send(void **state)
{
	static const char body[] = "token=k1.a-_&verdict=false_positive&code=K7QM+4XPT&"
				   "note=100%25+%C3%BC%26&&empty=&bare";
	struct arena *arena = arena_new();
	struct urlform form;

	(void)state;
	assert_true(urlform_parse(&form, body, strlen(body), arena));
	assert_int_equal(form.count, 6);
	assert_string_equal(urlform_value(&form, "token"), "k1.a-_");
	assert_string_equal(urlform_value(&form, "code"), "K7QM 4XPT");
	assert_string_equal(urlform_value(&form, "note"), "100% \xc3\xbc&");
	assert_string_equal(urlform_value(&form, "empty"), "");
	assert_string_equal(urlform_value(&form, "bare"), "");
	assert_null(urlform_value(&form, "missing"));
	assert_true(urlform_parse(&form, "", 0, arena));
	assert_int_equal(form.count, 0);
	arena_free(arena);
}

static void refuses_what_is_ambiguous(void **state)
{
	static const char *const bodies[] = {
		"a=1&a=2", "a=%", "a=%4",	  "a=%zz",     "a=%00",
		"a%00b=1", "%=1", "a=1&b=%1&c=1", "a=1&%61=2",
	};
	struct arena *arena = arena_new();
	struct urlform form;
	char many[256];
	size_t size = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		assert_false(urlform_parse(&form, bodies[i], strlen(bodies[i]), arena));
	assert_false(urlform_parse(&form, "a=\0", 3, arena));
	for (int i = 0; i <= URLFORM_FIELDS_MAX; i++)
		size += (size_t)snprintf(many + size, sizeof(many) - size, "f%d=%d&", i, i);
	assert_false(urlform_parse(&form, many, size, arena));
	arena_free(arena);
}

/* Cut off after every byte: an escape at the end must not be read past it. */
static void stays_within_its_bytes(void **state)
{
	static const char body[] = "a=%41%42&b=%43";
	struct arena *arena = arena_new();
	struct urlform form;

	(void)state;
	for (size_t size = 0; size < strlen(body); size++) {
		char *exact = arena_strndup(arena, body, size);

		(void)urlform_parse(&form, exact, size, arena);
	}
	assert_string_equal(urlform_decode("%41+b", 5, false, arena), "A+b");
	assert_null(urlform_decode("%41", 2, true, arena));
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_browsers_send),
		cmocka_unit_test(refuses_what_is_ambiguous),
		cmocka_unit_test(stays_within_its_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
