#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "jq/number.h"

static void test_cases(void **state)
{
	static const struct {
		const char *json, *want; /* NULL: as it is */
	} cases[] = {
		{ "", NULL },
		{ "9007199254740992", NULL },
		{ "-9007199254740992", NULL },
		{ "9007199254740993", "\"9007199254740993\"" },
		{ "-9007199254740993", "\"-9007199254740993\"" },
		{ "18446744073709551615", "\"18446744073709551615\"" },
		{ "{\"id\":6159251516445163587,\"n\":1}",
		  "{\"id\":\"6159251516445163587\",\"n\":1}" },
		{ "[10000000000000000,2]", "[\"10000000000000000\",2]" },
		{ "[ 99999999999999999 ]", "[ \"99999999999999999\" ]" },
		{ "[[[12345678901234567890]]]", "[[[\"12345678901234567890\"]]]" },
		/* not whole, as it is written */
		{ "9007199254740993.0", NULL },
		{ "9007199254740993e0", NULL },
		{ "1e300", NULL },
		{ "0.12345678901234567890", NULL },
		/* texts and names are left alone, however they are escaped */
		{ "\"9007199254740993\"", NULL },
		{ "{\"9007199254740993\":1}", NULL },
		{ "\"\\\"9007199254740993\"", NULL },
		{ "\"\\\\\",9007199254740993", "\"\\\\\",\"9007199254740993\"" },
		{ "\"a\\u0022 9007199254740993", NULL },
		/* no JSON: nothing is read beyond it */
		{ "\"\\", NULL },
		{ "-", NULL },
		{ "{\"a", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct buf out;

		buf_init(&out, 1000);
		number_add_exact(&out, cases[i].json, strlen(cases[i].json));
		assert_string_equal(buf_text(&out),
				    cases[i].want ? cases[i].want : cases[i].json);
		buf_done(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
