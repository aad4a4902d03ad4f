#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

static void grows_and_ends_with_nul(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 100000);
	assert_string_equal(buf_text(&buf), "");
	for (int i = 0; i < 10000; i++)
		buf_addf(&buf, "%d,", i % 10);
	assert_true(buf_ok(&buf));
	assert_int_equal(buf.size, 20000);
	assert_int_equal(strlen(buf_text(&buf)), 20000);
	buf_reset(&buf);
	assert_string_equal(buf_text(&buf), "");
	buf_done(&buf);
}

/* One that is too much leaves what was there, and nothing is added any more. */
static void keeps_what_it_has_at_the_maximum(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 5);
	buf_adds(&buf, "12345");
	assert_true(buf_ok(&buf));
	buf_adds(&buf, "6");
	assert_false(buf_ok(&buf));
	buf_reset(&buf);
	assert_true(buf_ok(&buf));
	buf_adds(&buf, "123");
	buf_addf(&buf, "%s", "456");
	buf_adds(&buf, "7");
	assert_false(buf_ok(&buf));
	assert_string_equal(buf_text(&buf), "123");
	buf_done(&buf);
}

static void take_hands_over(void **state)
{
	struct buf buf;
	size_t size;

	(void)state;
	buf_init(&buf, 10);
	char *empty = buf_take(&buf, &size);
	assert_string_equal(empty, "");
	assert_int_equal(size, 0);
	buf_add(&buf, "a\0b", 3);
	char *bytes = buf_take(&buf, &size);
	assert_int_equal(size, 3);
	assert_memory_equal(bytes, "a\0b", 4);
	buf_adds(&buf, "0123456789");
	assert_true(buf_ok(&buf));
	buf_done(&buf);
	free(empty);
	free(bytes);
}

static void escapes(void **state)
{
	static const struct {
		const char *in;
		size_t size;
		const char *json;
	} rows[] = {
		{ "plain", 5, "plain" },
		{ "a\"b\\c/", 6, "a\\\"b\\\\c/" },
		{ "\n\r\t\b\x01\x1f\x7f", 7, "\\n\\r\\t\\u0008\\u0001\\u001f\\u007f" },
		{ "\0x", 2, "\\u0000x" },
		{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9,
		  "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80" },
		/* overlong, surrogate, above U+10FFFF, cut, lone continuation */
		{ "\xc0\xaf", 2, "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xf4\x90\x80\x80", 4, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "a\xe2\x82", 3, "a\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\x80z", 2, "\xef\xbf\xbdz" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct buf buf;
		buf_init(&buf, 100);
		/* The exact size on the heap: a sanitizer sees a read behind it. */
		char *in = malloc(rows[i].size);
		memcpy(in, rows[i].in, rows[i].size);
		buf_add_json(&buf, in, rows[i].size);
		assert_string_equal(buf_text(&buf), rows[i].json);
		free(in);
		buf_done(&buf);
	}
}

static void percent_encodes(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 100);
	buf_add_url(&buf, "aZ09-._~ /?&=+%\xc3\xa4^");
	assert_string_equal(buf_text(&buf), "aZ09-._~%20%2F%3F%26%3D%2B%25%C3%A4%5E");
	buf_done(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_and_ends_with_nul),
		cmocka_unit_test(keeps_what_it_has_at_the_maximum),
		cmocka_unit_test(take_hands_over),
		cmocka_unit_test(escapes),
		cmocka_unit_test(percent_encodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
