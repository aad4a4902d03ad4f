#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "model/base64.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/* Every byte in every place: 64 of 256 are the alphabet, whatever the sign of char. */
static void only_the_alphabet_is_taken(void **state)
{
	static const struct {
		int variant;
		const char *last;
	} rows[] = {
		{ sodium_base64_VARIANT_ORIGINAL, "+/" },
		{ sodium_base64_VARIANT_ORIGINAL_NO_PADDING, "+/" },
		{ sodium_base64_VARIANT_URLSAFE, "-_" },
		{ sodium_base64_VARIANT_URLSAFE_NO_PADDING, "-_" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (unsigned at = 0; at < 4 * 256; at++) {
			char text[] = "AAAA", byte = (char)(at / 4);
			unsigned char bytes[3];
			size_t size = 0;
			bool ours =
			    byte && (strchr(letters, byte) || strchr(rows[i].last, byte));
			/* "AAA=" is two bytes where there is padding. */
			bool padding = byte == '=' && at % 4 == 3 && i % 2 == 0;

			text[at % 4] = byte;
			assert_int_equal(base64_decode(text, 4, rows[i].variant, NULL, bytes,
						       sizeof bytes, &size),
					 ours || padding);
		}
	}
}

static void what_comes_out(void **state)
{
	static const struct {
		const char *text, *ignored, *bytes;
	} rows[] = {
		{ "", NULL, "" },
		{ "Zm9v", NULL, "foo" },
		{ "Zm9vYg==", NULL, "foob" },
		{ "Zm9v\r\nYmE=", "\r\n", "fooba" },
		{ "Zm9v\r\nYmE=", NULL, NULL },
		{ "Zm9vYg", NULL, NULL },	/* not padded */
		{ "Zm9vYmFyYmF6", NULL, NULL }, /* nine bytes */
		{ "Zm9v\xc3\xa9", "\r\n", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char bytes[8];
		size_t size = 0;
		bool good = base64_decode(rows[i].text, strlen(rows[i].text),
					  sodium_base64_VARIANT_ORIGINAL, rows[i].ignored,
					  bytes, sizeof bytes, &size);

		assert_int_equal(good, rows[i].bytes != NULL);
		if (!good)
			continue;
		assert_int_equal(size, strlen(rows[i].bytes));
		assert_memory_equal(bytes, rows[i].bytes, size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_alphabet_is_taken),
		cmocka_unit_test(what_comes_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
