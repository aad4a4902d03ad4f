#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vendor/json_slice.h"

/* Walks and writes "key=value|..." and "!" when it is broken. */
static void describe(const char *text, char *ret_text, size_t room)
{
	struct json_slice key, value;
	struct json_walk walk;
	size_t size = 0;

	ret_text[0] = '\0';
	if (!json_walk_start(&walk, (struct json_slice){ text, strlen(text) })) {
		snprintf(ret_text, room, "no");
		return;
	}
	while (json_walk_next(&walk, &key, &value))
		size += (size_t)snprintf(ret_text + size, room - size, "%.*s=%.*s|",
					 (int)key.size, key.text, (int)value.size, value.text);
	if (walk.broken)
		snprintf(ret_text + size, room - size, "!");
}

static void cuts_what_stands_there(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "{}", "" },
		{ "[]", "" },
		{ " [ ] ", "" },
		{ "{\"a\":1}", "a=1|" },
		{ " { \"a\" : 1 , \"b\" : [ 1, {\"c\":\"]}\"} ] } \n",
		  "a=1|b=[ 1, {\"c\":\"]}\"} ]|" },
		{ "[1,-2.5e+10,true,null,\"x\"]", "=1|=-2.5e+10|=true|=null|=\"x\"|" },
		{ "{\"id\":18446744073709551615}", "id=18446744073709551615|" },
		{ "{\"q\":\"a\\\"b\\\\\"}", "q=\"a\\\"b\\\\\"|" },
		{ "[[[]],{}]", "=[[]]|={}|" },
		/* broken: what was whole before it is given */
		{ "", "no" },
		{ "12", "no" },
		{ "\"x\"", "no" },
		{ "{", "!" },
		{ "[1", "=1|!" },
		{ "[1,", "=1|!" },
		{ "[1,]", "=1|!" },
		{ "[,1]", "!" },
		{ "{\"a\":1,}", "a=1|!" },
		{ "{\"a\"}", "!" },
		{ "{\"a\" 1}", "!" },
		{ "{a:1}", "!" },
		{ "[1 2]", "=1|!" },
		{ "[\"x]", "!" },
		{ "[\"x\\\"]", "!" },
		{ "[{]}]", "!" },
		{ "[1}", "=1|!" },
		{ "[] []", "!" },
		{ "{\"a\":1}x", "a=1|!" },
		{ "{\"a\":}", "!" },
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		describe(rows[i].text, text, sizeof text);
		assert_string_equal(text, rows[i].want);
	}
}

static void bounds_depth(void **state)
{
	enum { DEPTH = JSON_SLICE_DEPTH_MAX };
	char text[2 * (DEPTH + 2) + 1];
	struct json_slice key, value;
	struct json_walk walk;

	(void)state;
	for (int more = 0; more < 2; more++) {
		size_t depth = (size_t)DEPTH + 1 + (size_t)more; /* the walk's own is one */

		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		assert_true(json_walk_start(&walk, (struct json_slice){ text, 2 * depth }));
		assert_int_equal(json_walk_next(&walk, &key, &value), more == 0);
		assert_int_equal(walk.broken, more != 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts_what_stands_there),
		cmocka_unit_test(bounds_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
