/* What a customer's file may say about its tickets: template, priorities, time zone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/customer.h"

#define SYS_ID "0123456789abcdef0123456789abcdef"
#define WITH(more)                                                                             \
	"{\"id\":\"a\",\"servicenow\":{\"account\":\"s\",\"caller_id\":\"" SYS_ID              \
	"\",\"company\":\"" SYS_ID "\",\"assignment_group\":\"" SYS_ID "\"" more "}}"

static struct customer *decode(const char *text, struct err *err)
{
	return customer_decode(text, strlen(text), "customers/a.json", err);
}

/* [informational, low, medium, high, critical] as "33 33 32 22 21" */
static void priorities_text(const struct customer *customer, char *ret)
{
	for (size_t i = 0; i < CUSTOMER_PRIORITIES; i++)
		ret += sprintf(ret, "%s%u%u", i ? " " : "",
			       customer->servicenow.priorities[i].impact,
			       customer->servicenow.priorities[i].urgency);
}

static void test_priorities(void **state)
{
	static const struct {
		const char *text, *want;
		const char *says; /* in the canonical file; NULL: nothing */
	} rows[] = {
		{ WITH(""), "33 33 32 22 21", NULL },
		{ WITH(",\"priority\":\"severity\""), "33 33 32 22 21", NULL },
		{ WITH(",\"priority\":\"ancestors\""), "11 11 11 11 11", "\"ancestors\"" },
		{ WITH(",\"priority\":{}"), "33 33 32 22 21", NULL },
		{ WITH(",\"priority\":{\"critical\":[1,1],\"low\":[3,2]}"), "33 32 32 22 11",
		  "\"critical\": [" },
		{ WITH(",\"priority\":{\"informational\":[1,1],\"low\":[1,1],\"medium\":[1,1],"
		       "\"high\":[1,1],\"critical\":[1,1]}"),
		  "11 11 11 11 11", "\"ancestors\"" },
		{ "{\"id\":\"a\"}", "33 33 32 22 21", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct err err = { 0 };
		struct customer *customer = decode(rows[i].text, &err);
		char text[40];

		if (!customer)
			fail_msg("%s: %s", rows[i].text, err.text);
		priorities_text(customer, text);
		assert_string_equal(text, rows[i].want);

		char *canonical = customer_encode(customer),
		     *found = strstr(canonical, "\"priority\"");

		assert_int_equal(found != NULL, rows[i].says != NULL);
		if (rows[i].says)
			assert_non_null(strstr(found, rows[i].says));
		customer_free(customer);
		customer = decode(canonical, &err);
		assert_non_null(customer);
		priorities_text(customer, text);
		assert_string_equal(text, rows[i].want);
		customer_free(customer);
		free(canonical);
	}
}

static void test_template_and_zone(void **state)
{
	static const char text[] =
	    "{\"id\":\"a\",\"time_zone\":\"America/Argentina/Buenos_Aires\",\"servicenow\":{"
	    "\"account\":\"s\",\"caller_id\":\"" SYS_ID "\",\"company\":\"" SYS_ID
	    "\",\"assignment_group\":\"" SYS_ID "\",\"template\":\"soc-2\"}}";
	struct err err = { 0 };
	char *again = NULL;

	(void)state;
	for (int round = 0; round < 2; round++) {
		struct customer *customer = decode(again ? again : text, &err);

		assert_non_null(customer);
		assert_string_equal(customer->time_zone, "America/Argentina/Buenos_Aires");
		assert_string_equal(customer->servicenow.template, "soc-2");
		assert_true(customer_check_zone(customer, "customers/a.json", &err));
		free(again);
		again = customer_encode(customer);
		customer_free(customer);
	}
	free(again);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ WITH(",\"priority\":\"p1\""),
		  ": servicenow.priority: \"p1\" is not one of severity, ancestors" },
		{ WITH(",\"priority\":{\"critcal\":[1,1]}"),
		  ": servicenow.priority.critcal: unknown member, did you mean critical?" },
		{ WITH(",\"priority\":{\"critical\":[0,1]}"),
		  ": servicenow.priority.critical: must be [impact, urgency], each 1 to 3" },
		{ WITH(",\"priority\":{\"critical\":[1,4]}"),
		  ": servicenow.priority.critical: must be [impact" },
		{ WITH(",\"priority\":{\"critical\":[1]}"),
		  ": servicenow.priority.critical: must be [impact" },
		{ WITH(",\"priority\":{\"critical\":[1,\"1\"]}"),
		  ": servicenow.priority.critical: must be [impact" },
		{ WITH(",\"priority\":{\"critical\":null}"),
		  ": servicenow.priority.critical: must be [impact" },
		{ WITH(",\"template\":\"../x\""), ": servicenow.template: \"../x\" may only" },
		{ WITH(",\"template\":\"\""), ": servicenow.template: " },
		{ "{\"id\":\"a\",\"time_zone\":\"../../etc/passwd\"}",
		  ": time_zone: must be a name like Europe/Berlin" },
		{ "{\"id\":\"a\",\"time_zone\":1}", ": time_zone: must be" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct err err = { 0 };
		struct customer *customer = decode(rows[i].text, &err);

		assert_null(customer);
		if (strncmp(err.text, "customers/a.json", 16) != 0 ||
		    strncmp(err.text + 16, rows[i].says, strlen(rows[i].says)) != 0)
			fail_msg("%s: %s", rows[i].text, err.text);
	}
}

/* Reading a record out of Redis does not depend on the machine; reading the file does. */
static void test_unknown_zone(void **state)
{
	struct err err = { 0 };
	struct customer *customer =
	    decode("{\"id\":\"a\",\"time_zone\":\"Europe/Berlim\"}", &err);

	(void)state;
	assert_non_null(customer);
	assert_false(customer_check_zone(customer, "customers/a.json", &err));
	assert_non_null(
	    strstr(err.text, "customers/a.json: time_zone: no time zone Europe/Berlim"));
	customer_free(customer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_priorities),
		cmocka_unit_test(test_template_and_zone),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_unknown_zone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
