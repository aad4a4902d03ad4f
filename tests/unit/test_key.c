/* Names in Redis. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "bus/key.h"

static void keys_carry_the_tag_of_their_partition(void **state)
{
	struct key key;
	(void)state;
	key_format(&key, 0, STREAM_RAW);
	assert_string_equal(key.text, "tocsin:{p0}:raw");
	key_format(&key, 12, "incident:%s:inbox", "abc");
	assert_string_equal(key.text, "tocsin:{p12}:incident:abc:inbox");
	assert_string_equal(key_kind(key.text), "incident:abc:inbox");
	assert_string_equal(key_kind("plain"), "plain");
}

static void fates_at_the_limits_of_their_parts_fit(void **state)
{
	struct key key;
	char event[129];
	(void)state;
	memset(event, 'e', sizeof(event) - 1);
	event[sizeof(event) - 1] = '\0';
	key_fate(&key, 1023, "customer-id-of-24-letter", "secure_endpoint", event);
	assert_true(strlen(key.text) < sizeof(key.text) - 1);
	key_fate(&key, 0, "acme", "se", "1");
	assert_string_equal(key.text, "tocsin:{p0}:seen:acme:se:1");
}

static void accounts_have_no_tag(void **state)
{
	struct key key;
	(void)state;
	key_account(&key, "acme.servicenow");
	assert_string_equal(key.text, "tocsin:account:acme.servicenow");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_carry_the_tag_of_their_partition),
		cmocka_unit_test(fates_at_the_limits_of_their_parts_fit),
		cmocka_unit_test(accounts_have_no_tag),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
