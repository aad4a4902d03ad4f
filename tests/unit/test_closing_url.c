#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "model/closing_url.h"

#define SYS_ID "0123456789abcdef0123456789abcdef"

static int setup(void **state)
{
	*state = arena_new();
	return 0;
}

static int teardown(void **state)
{
	arena_free(*state);
	return 0;
}

/* As a server decodes a query. */
static char *decoded(const char *line)
{
	const char *at = strstr(line, "&observable_value=") + strlen("&observable_value=");
	char *text = xmalloc(strlen(at) + 1), *to = text;

	for (; *at && *at != '&'; at++) {
		char hex[3] = { at[0] == '%' ? at[1] : 0, at[0] == '%' ? at[2] : 0, 0 };

		*to++ = *at == '%' ? (char)strtoul(hex, NULL, 16) : *at;
		at += *at == '%' ? 2 : 0;
	}
	*to = '\0';
	return text;
}

static void what_is_written_is_read(void **state)
{
	const struct closing_value value = {
		.sys_id = SYS_ID,
		.ctim_id = "https://private.intel.amp.cisco.com/ctia/incident/incident-1",
		.customer_name = "K\xc3\xa4se\n& \"S\xc3\xb6hne\" 100%",
		.incident = "00112233445566ff",
		.token = "k1.abc-_",
	};
	struct closing_value seen;
	struct err err = { 0 };
	const char *line = closing_url(&value, *state);

	assert_ptr_equal(strstr(line, "respond/trigger/tocsin/close?observable_type=ip&"),
			 line);
	assert_non_null(strstr(line, "&workflow_id=close"));
	assert_int_equal(strcspn(line, " \r\n\"'<>"), strlen(line));

	char *text = decoded(line);

	assert_true(closing_value_parse(&seen, text, strlen(text), *state, &err));
	assert_string_equal(seen.sys_id, value.sys_id);
	assert_string_equal(seen.ctim_id, value.ctim_id);
	assert_string_equal(seen.customer_name, value.customer_name);
	assert_string_equal(seen.incident, value.incident);
	assert_string_equal(seen.token, value.token);
	assert_null(seen.connector);
	assert_null(seen.group);
	free(text);
}

static void reads_both_key_sets(void **state)
{
	static const char *const texts[] = {
		"{\"snow-incident-id\":\"" SYS_ID "\",\"securex-incident-id\":\"i\","
		"\"customer-name\":\"Acme\"}",
		"{\"servicenow-incident-id\":\"" SYS_ID "\",\"securex-incident-id\":\"i\","
		"\"amp-connector-guid\":\"c\",\"amp-group-guid\":\"g\",\"more\":[1]}",
		"{\"servicenow-incident-id\":\"" SYS_ID "\",\"securex-incident-id\":\"i\","
		"\"snow-incident-id\":\"" SYS_ID "\",\"customer-name\":null}",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct closing_value seen;
		struct err err = { 0 };

		assert_true(
		    closing_value_parse(&seen, texts[i], strlen(texts[i]), *state, &err));
		assert_string_equal(seen.sys_id, SYS_ID);
		assert_string_equal(seen.ctim_id, "i");
		assert_null(seen.token);
		assert_int_equal(seen.connector != NULL, i == 1);
		assert_int_equal(seen.group != NULL, i == 1);
		assert_int_equal(seen.customer_name != NULL, i == 0);
	}
}

static void refuses_what_names_no_ticket(void **state)
{
	static const char *const texts[] = {
		"",
		"1.2.3.4", /* the button in Threat Response, pressed on an address */
		"[]",
		"null",
		"{}",
		"{\"snow-incident-id\":\"\"}",
		"{\"snow-incident-id\":7}",
		"{\"snow-incident-id\":\"" SYS_ID "0\"}",
		"{\"snow-incident-id\":\"0123456789ABCDEF0123456789ABCDEF\"}",
		"{\"snow-incident-id\":\"" SYS_ID "\","
		"\"servicenow-incident-id\":\"11111111111111111111111111111111\"}",
		"{\"snow-incident-id\":\"" SYS_ID "\",\"tocsin-link\":\"a\\nb\"}",
		"{\"snow-incident-id\":\"" SYS_ID "\",\"customer-name\":[]}",
		"{\"snow-incident-id\":\"" SYS_ID "\"",
	};
	char *longer = xmalloc(CLOSING_VALUE_MAX + 1);
	struct closing_value seen;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct err err = { 0 };

		assert_false(
		    closing_value_parse(&seen, texts[i], strlen(texts[i]), *state, &err));
		assert_int_equal(err.kind, ERR_PERMANENT);
	}
	memset(longer, ' ', CLOSING_VALUE_MAX + 1);

	struct err err = { 0 };

	assert_false(closing_value_parse(&seen, longer, CLOSING_VALUE_MAX + 1, *state, &err));
	assert_non_null(strstr(err.text, "4096"));
	free(longer);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_is_written_is_read),
		CASE(reads_both_key_sets),
		CASE(refuses_what_names_no_ticket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
