/* Conditions that are told without jq, and those that are not; test_judge.c compares with jq.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "model/condition.h"
#include "model/json_tree.h"

static const char subject[] =
    "{\"n\":null,\"t\":true,\"f\":false,\"five\":5,\"minus\":-3,\"half\":0.5,"
    "\"big\":9007199254740993,\"text\":\"Abc d\\u00e9f\",\"empty\":\"\","
    "\"list\":[\"a\",\"b\",7],\"bigs\":[9007199254740993,\"x\"],\"o\":{\"in\":{\"x\":\"y\"}}}";

static const struct {
	const char *when;
	enum condition_answer answer;
} answers[] = {
	{ ".five == 5", CONDITION_YES },
	{ ".five==5#so it is", CONDITION_YES },
	{ ".five != 5", CONDITION_NO },
	{ ".five >= 5 and .five <= 5 and (.five < 5 | not)", CONDITION_YES },
	{ ".minus < 0 and .minus > .n", CONDITION_YES },
	{ ".five < \"5\" and .t < .five and .f < .t and .n < .f", CONDITION_YES },
	{ ".text < .list and .list < .o", CONDITION_YES },
	{ ".half > 0", CONDITION_ASK },
	{ ".big == 9007199254740993", CONDITION_ASK },
	{ ".five == 5.0", CONDITION_ASK },
	{ ".five == 5e0", CONDITION_ASK },
	{ ".five == 1234567890123456", CONDITION_ASK },
	{ ".list == .list", CONDITION_ASK },
	{ ".text == \"abc d\u00e9f\"", CONDITION_NO },
	{ "(.text | ascii_downcase) == \"abc d\u00e9f\"", CONDITION_YES },
	{ ".text | length == 7", CONDITION_YES },
	{ "(.n | length) == 0 and (.list | length) == 3", CONDITION_YES },
	{ ".o | length == 1", CONDITION_ASK },
	{ ".text | startswith(\"Abc\") and endswith(\"f\") and contains(\"c d\")",
	  CONDITION_YES },
	{ ".text | startswith(\"abc\")", CONDITION_NO },
	{ ".text | startswith(.five)", CONDITION_ASK },
	{ ".five | startswith(\"a\")", CONDITION_ASK },
	{ ".list | index(\"a\")", CONDITION_YES },
	{ ".list | index(\"b\") == 1", CONDITION_YES },
	{ ".list | index(\"c\")", CONDITION_NO },
	{ ".bigs | index(\"x\")", CONDITION_ASK },
	{ ".text | index(\"c\")", CONDITION_ASK },
	{ ".o.in.x == \"y\" and .o[\"in\"][\"x\"] == \"y\"", CONDITION_YES },
	{ ".list[1] == \"b\" and .list[3] == null and .n[0] == null", CONDITION_YES },
	{ ".list[-1] == 7", CONDITION_ASK },
	{ ".list.x == null", CONDITION_ASK },
	{ ".text.x? == null", CONDITION_ASK },
	{ ".missing.x.y == null", CONDITION_YES },
	{ ".missing // .empty", CONDITION_YES },
	{ ".missing // .f // .n", CONDITION_NO },
	{ ".f // .t or .x", CONDITION_YES },
	{ ".t and .f or .t", CONDITION_YES },
	{ ".t or .t and .f", CONDITION_YES },
	{ ".f and .t | not", CONDITION_YES },
	{ ".f and (.t | not)", CONDITION_NO },
	{ ".", CONDITION_YES },
	/* What only jq knows, and what does not reach it. */
	{ ".five == 4 and any(.list[]; . == \"a\")", CONDITION_NO },
	{ ".five == 5 and any(.list[]; . == \"a\")", CONDITION_ASK },
	{ ".five == 5 or (.list | map(.) | length > (2 * 3))", CONDITION_YES },
	{ ".five == 4 and (.five as $x | $x == 5)", CONDITION_NO },
	{ ".text | test(\"a\") | not", CONDITION_ASK },
	{ ".list[] == \"a\"", CONDITION_ASK },
	{ ".f and .list[] == \"a\"", CONDITION_NO },
	/* What would be something else, were it read too simply. */
	{ ".f and .five as $x | true", CONDITION_ASK },
	{ ".f and .five + 1 | true", CONDITION_ASK },
	{ ".f, .t", CONDITION_ASK },
	{ "def not: true; .f | not", CONDITION_ASK },
	{ "if .f then .f else .t end", CONDITION_ASK },
	{ ".f |= .t", CONDITION_ASK },
	{ ".f //= .t", CONDITION_ASK },
	{ ".f and (\"\\(\")\")\" | true)", CONDITION_ASK },
	{ ".f # \\\n and .t", CONDITION_ASK },
	{ "..", CONDITION_ASK },
	{ "$customer", CONDITION_ASK },
	{ ".f and ([{(\"a\"): (1)}] | length)", CONDITION_NO },
	{ ".f and ([)]", CONDITION_ASK },
	{ "(", CONDITION_ASK },
	{ "", CONDITION_ASK },
};

static void test_answers(void **state)
{
	struct arena *arena = arena_new();
	const struct json_node *node =
	    json_tree_parse(subject, sizeof subject - 1, arena, NULL);

	(void)state;
	assert_non_null(node);
	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		enum condition_answer answer =
		    condition_test(condition_parse(answers[i].when, arena), node, arena);
		if (answer != answers[i].answer)
			fail_msg("%s: %d, not %d", answers[i].when, answer, answers[i].answer);
	}
	arena_free(arena);
}

static void test_reach(void **state)
{
	struct arena *arena = arena_new();

	(void)state;
	assert_int_equal(condition_reach(condition_parse(".a == 1 or .b", arena)),
			 CONDITION_WHOLE);
	assert_int_equal(condition_reach(condition_parse(".a and any(.b)", arena)),
			 CONDITION_IN_PART);
	assert_int_equal(condition_reach(condition_parse(".a | test(\"x\")", arena)),
			 CONDITION_NOT_AT_ALL);
	arena_free(arena);
}

/* Deep and long ones end, at the latest as jq's. */
static void test_bounds(void **state)
{
	static const char *const pieces[] = { "(",  "[",       ".a and ",   ".a|",
					      ".a", "not or ", "((.a) and " };
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		struct buf text;

		buf_init(&text, 1 << 20);
		for (size_t k = 0; k < 20000; k++)
			buf_adds(&text, pieces[i]);
		assert_int_equal(condition_reach(condition_parse(buf_text(&text), arena)),
				 CONDITION_NOT_AT_ALL);
		buf_done(&text);
	}
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_reach),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
