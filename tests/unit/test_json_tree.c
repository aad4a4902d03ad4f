#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "model/json_tree.h"
#include "model/json_writer.h"

static struct json_node *parse(struct arena *arena, const char *text, struct err *err)
{
	*err = (struct err){ 0 };
	return json_tree_parse(text, strlen(text), arena, err);
}

/* What is read and written again, without spaces. */
static void writes_what_it_read(void **state)
{
	static const struct {
		const char *text, *want; /* NULL: the same */
	} cases[] = {
		{ "null", NULL },
		{ " \t\r\n true ", "true" },
		{ "false", NULL },
		{ "0", NULL },
		{ "-0", NULL },
		{ "-12.50e+03", NULL },
		{ "9223372036854775807", NULL },
		{ "18446744073709551616", "\"18446744073709551616\"" },
		{ "1e308", NULL },
		{ "-1e999", "\"-1e999\"" },
		{ "\"\"", NULL },
		{ "[]", NULL },
		{ "{}", NULL },
		{ "[ [ ] , { } ]", "[[],{}]" },
		{ "{ \"b\" : 1 , \"a\" : [ 1 , \"x\" , null ] }",
		  "{\"b\":1,\"a\":[1,\"x\",null]}" },
		{ "\"\\u0041\\/\\\"\\\\\\b\\f\\n\\r\\t\"",
		  "\"A/\\\"\\\\\\u0008\\u000c\\n\\r\\t\"" },
		{ "\"\\u00e9\\u20ac\\ud83d\\ude00\"",
		  "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"" },
		{ "\"a\\u0000b\"", "\"a\xef\xbf\xbd"
				   "b\"" },
		{ "\"\x7f\"", "\"\\u007f\"" },
		{ "{\"a\":1,\"b\":2,\"a\":3}", "{\"b\":2,\"a\":3}" }, /* the last one counts */
		{ "{\"a\":1,\"a\":2}", "{\"a\":2}" },
		{ "{\"\":{\"\":0}}", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct arena *arena = arena_new();
		struct buf out;
		struct err err;
		const struct json_node *node = parse(arena, cases[i].text, &err);
		if (!node)
			fail_msg("%s: %s", cases[i].text, err.text);
		buf_init(&out, 1000);
		json_tree_write(&out, NULL, node);
		assert_string_equal(out.data, cases[i].want ? cases[i].want : cases[i].text);
		buf_done(&out);
		arena_free(arena);
	}
}

static void refuses_what_is_no_json(void **state)
{
	static const char *const wrong[] = {
		"",
		" ",
		"nul",
		"truex",
		"tru",
		"01",
		"+1",
		".5",
		"1.",
		"1e",
		"-",
		"1 2",
		"[1,]",
		"[,1]",
		"[1",
		"{",
		"{\"a\"",
		"{\"a\":}",
		"{a:1}",
		"{\"a\":1,}",
		"\"",
		"\"\\",
		"\"\\x\"",
		"\"\\u12\"",
		"\"\n\"",
		"\"\\ud800\"",
		"\"\\udc00\"",
		"\"\xff\"",
		"\"\xc0\x80\"",
		"\"\xed\xa0\x80\"",
		"\"\xe2\x82\"",
		"\"\xf4\x90\x80\x80\"",
		"[1}",
		"{\"a\":1]",
		"]",
		"NaN",
		"//",
		"\xef\xbb\xbf{}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct arena *arena = arena_new();
		struct err err;
		if (parse(arena, wrong[i], &err))
			fail_msg("accepted: %s", wrong[i]);
		assert_int_equal(err.kind, ERR_PERMANENT);
		assert_int_equal(strncmp(err.text, "not JSON: ", 10), 0);
		arena_free(arena);
	}
}

/* A NUL inside the text is a byte like any other: not the end. */
static void a_nul_is_not_the_end(void **state)
{
	struct arena *arena = arena_new();
	struct err err;

	(void)state;
	assert_null(json_tree_parse("1\0", 2, arena, &err));
	assert_null(json_tree_parse("[1\0]", 4, arena, &err));
	assert_null(json_tree_parse("\"a\0b\"", 5, arena, &err));
	assert_non_null(json_tree_parse("1\0", 1, arena, &err));
	arena_free(arena);
}

static void is_bounded(void **state)
{
	struct arena *arena = arena_new();
	struct buf text;
	struct err err;

	(void)state;
	buf_init(&text, 1 << 20);
	for (unsigned i = 0; i < JSON_TREE_DEPTH_MAX; i++)
		buf_adds(&text, "[");
	for (unsigned i = 0; i < JSON_TREE_DEPTH_MAX; i++)
		buf_adds(&text, "]");
	assert_non_null(json_tree_parse(text.data, text.size, arena, &err));
	buf_reset(&text);
	for (unsigned i = 0; i < 100000; i++)
		buf_adds(&text, "[");
	assert_null(json_tree_parse(text.data, text.size, arena, &err));
	assert_non_null(strstr(err.text, "nested too deeply at byte 64"));

	buf_reset(&text);
	buf_adds(&text, "{\"m\":0");
	for (unsigned i = 0; i < JSON_TREE_MEMBERS_MAX; i++)
		buf_addf(&text, ",\"m%u\":0", i);
	buf_adds(&text, "}");
	assert_null(json_tree_parse(text.data, text.size, arena, &err));
	assert_non_null(strstr(err.text, "too many members"));
	buf_done(&text);
	arena_free(arena);
}

static void finds_members(void **state)
{
	struct arena *arena = arena_new();
	struct err err;
	const struct json_node *root =
	    parse(arena, "{\"ab\":{\"c\":\"d\"},\"a\":[1],\"a\\u0000\":2}", &err);

	(void)state;
	assert_string_equal(json_tree_get(json_tree_get(root, "ab"), "c")->text, "d");
	assert_int_equal(json_tree_get(root, "a")->kind, JSON_NODE_ARRAY);
	assert_null(json_tree_get(root, "b"));
	assert_null(json_tree_get(json_tree_get(root, "a"), "x"));
	assert_null(json_tree_get(NULL, "x"));
	arena_free(arena);
}

static void whole_numbers_keep_64_bits(void **state)
{
	static const struct {
		const char *text;
		bool whole;
		int64_t number;
	} cases[] = {
		{ "0", true, 0 },
		{ "-0", true, 0 },
		{ "9223372036854775807", true, INT64_MAX },
		{ "-9223372036854775808", true, INT64_MIN },
		{ "9223372036854775808", false, 0 },
		{ "-9223372036854775809", false, 0 },
		{ "99999999999999999999999", false, 0 },
		{ "1.0", true, 1 },
		{ "1e3", true, 1000 },
		{ "1.5", false, 0 },
		{ "1e300", false, 0 },
		{ "1e999", false, 0 },
		{ "\"1\"", false, 0 },
		{ "true", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct arena *arena = arena_new();
		struct err err;
		int64_t number = 0;
		bool whole = json_tree_int(parse(arena, cases[i].text, &err), &number);
		if (whole != cases[i].whole || number != cases[i].number)
			fail_msg("%s: %d %lld", cases[i].text, whole, (long long)number);
		arena_free(arena);
	}
}

static void writes_the_rest(void **state)
{
	struct arena *arena = arena_new();
	struct err err;
	struct buf out;
	struct json_node *root = parse(arena,
				       "{\"a\":1,\"b\":{\"c\":2,\"d\":{\"e\":3}},\"f\":[{\"g\":"
				       "4},{\"g\":5,\"h\":6}],\"i\":{}}",
				       &err);
	struct json_node *first = json_tree_get(root, "f")->first;

	(void)state;
	json_tree_get(json_tree_get(json_tree_get(root, "b"), "d"), "e")->used = true;
	json_tree_get(first, "g")->used = true;
	json_tree_get(first->next, "g")->used = true;
	buf_init(&out, 1000);
	json_begin(&out, NULL, '{');
	json_tree_write_rest(&out, "rest", root);
	json_end(&out, '}');
	assert_string_equal(out.data,
			    "{\"rest\":{\"a\":1,\"b\":{\"c\":2},\"f\":[{\"h\":6}],\"i\":{}}}");
	buf_reset(&out);
	json_tree_get(root, "a")->used = json_tree_get(root, "i")->used = true;
	json_tree_get(json_tree_get(root, "b"), "c")->used = true;
	json_tree_get(first->next, "h")->used = true;
	json_begin(&out, NULL, '{');
	json_tree_write_rest(&out, "rest", root);
	json_put_int(&out, "x", 1);
	json_end(&out, '}');
	assert_string_equal(out.data, "{\"x\":1}");
	buf_done(&out);
	arena_free(arena);
}

static void writes_without_a_tree(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	json_begin(&out, NULL, '{');
	json_put_string(&out, "absent", NULL);
	json_put_string(&out, "empty", "");
	json_put_int(&out, "least", INT64_MIN);
	json_put_bool(&out, "yes", true);
	size_t begun = json_begin(&out, "none", '[');
	assert_false(json_end_unless_empty(&out, begun, ']'));
	begun = json_begin(&out, "list", '[');
	json_put_text(&out, NULL, "{\"", 2);
	json_put_int(&out, NULL, 0);
	json_put_raw(&out, NULL, "{\"z\":null}", 10);
	assert_true(json_end_unless_empty(&out, begun, ']'));
	begun = json_begin(&out, "gone", '{');
	json_put_int(&out, "a", 1);
	json_rewind(&out, begun);
	json_put_bool(&out, "no", false);
	json_end(&out, '}');
	assert_string_equal(out.data, "{\"least\":-9223372036854775808,\"yes\":true,"
				      "\"list\":[\"{\\\"\",0,{\"z\":null}],\"no\":false}");
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_what_it_read),
		cmocka_unit_test(refuses_what_is_no_json),
		cmocka_unit_test(a_nul_is_not_the_end),
		cmocka_unit_test(is_bounded),
		cmocka_unit_test(finds_members),
		cmocka_unit_test(whole_numbers_keep_64_bits),
		cmocka_unit_test(writes_the_rest),
		cmocka_unit_test(writes_without_a_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
