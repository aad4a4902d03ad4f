#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "callback/hint.h"
#include "model/incident.h"

#define SYS_ID "0123456789abcdef0123456789abcdef"

static void knows_whose_ticket_a_key_names(void **state)
{
	const struct incident incident = { .id = "00112233445566ff",
					   .customer = "abcdefghijklmnopqrstuvwx",
					   .group = "aaaabbbbccccdddd" };
	char key[INCIDENT_KEY_SIZE];
	struct hint_key seen;

	(void)state;
	incident_key("installation", &incident, key);
	assert_true(hint_key_parse(&seen, key, "installation"));
	assert_false(seen.test);
	assert_string_equal(seen.customer, incident.customer);
	assert_string_equal(seen.incident, incident.id);
	assert_false(hint_key_parse(&seen, key, "installatio"));
	assert_false(hint_key_parse(&seen, key, ""));
	assert_true(hint_key_parse(&seen, "tocsin-t:main:20261121", "main"));
	assert_true(seen.test);
	assert_string_equal(seen.customer, "");
}

static void refuses_keys_that_are_none(void **state)
{
	static const char *const keys[] = {
		"",
		"tocsin-i:",
		"tocsin-i:main",
		"tocsin-i:main:",
		"tocsin-i:main:acme:aaaabbbbccccdddd",
		"tocsin-i:main:acme:aaaabbbbccccdddd:",
		"tocsin-i:main:acme:aaaabbbbccccdddd:00112233445566f",
		"tocsin-i:main:acme:aaaabbbbccccdddd:00112233445566ff0",
		"tocsin-i:main:acme:aaaabbbbccccdddd:00112233445566ff:",
		"tocsin-i:main:acme:aaaabbbbccccdddd:00112233445566FF",
		"tocsin-i:main:acme:aaaabbbbccccddd:00112233445566ff",
		"tocsin-i:main:Acme:aaaabbbbccccdddd:00112233445566ff",
		"tocsin-i:main::aaaabbbbccccdddd:00112233445566ff",
		"tocsin-i:main:abcdefghijklmnopqrstuvwxy:aaaabbbbccccdddd:00112233445566ff",
		"tocsin-g:main:acme:aaaabbbbccccdddd",
		"tocsin-t:other:x",
		"Tocsin-i:main:acme:aaaabbbbccccdddd:00112233445566ff",
		" tocsin-i:main:acme:aaaabbbbccccdddd:00112233445566ff",
	};
	struct hint_key seen;

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		assert_false(hint_key_parse(&seen, keys[i], "main"));
}

static void reads_what_the_rule_says(void **state)
{
	static const char body[] =
	    "{\"instance_name\":\"main\",\"table\":\"incident\",\"sys_id\":\"" SYS_ID "\","
	    "\"number\":\"INC1\",\"correlation_id\":\"k\",\"state\":6,\"close_code\":null,"
	    "\"sys_updated_by\":\"jdoe\",\"more\":{}}";
	struct arena *arena = arena_new();
	struct err err = { 0 };
	struct hint hint;

	(void)state;
	assert_true(hint_parse(&hint, body, strlen(body), arena, &err));
	assert_string_equal(hint.instance_name, "main");
	assert_string_equal(hint.sys_id, SYS_ID);
	assert_string_equal(hint.state, "6");
	assert_string_equal(hint.close_code, "");
	assert_string_equal(hint.updated_by, "jdoe");
	assert_int_equal(hint_op(&hint), CLOSURE_CLOSED);
	hint.state = "2";
	assert_int_equal(hint_op(&hint), CLOSURE_REOPEN);
	hint.state = "";
	assert_int_equal(hint_op(&hint), CLOSURE_CLOSED);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_whose_ticket_a_key_names),
		cmocka_unit_test(refuses_keys_that_are_none),
		cmocka_unit_test(reads_what_the_rule_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
