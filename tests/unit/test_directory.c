#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/customer.h"

#define SEALED "\"v1.k1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB\""

static int setup(void **state)
{
	*state = directory_new();
	return 0;
}

static int teardown(void **state)
{
	directory_free(*state);
	return 0;
}

static void add_customer(struct directory *directory, const char *id, const char *members)
{
	char text[800];
	struct err err;

	snprintf(text, sizeof text, "{\"id\":\"%s\"%s}", id, members);
	struct customer *customer = customer_decode(text, strlen(text), "x", &err);
	if (!customer)
		fail_msg("%s", err.text);
	directory_add_customer(directory, customer);
}

static void add_account(struct directory *directory, const char *id, const char *kind)
{
	char text[400];
	struct err err;

	snprintf(text, sizeof text,
		 "{\"id\":\"%s\",\"kind\":\"%s\",\"region\":\"eu\",\"client_id\":\"c\","
		 "\"secret\":" SEALED "}",
		 id, kind);
	struct account *account = account_decode(text, strlen(text), "x", &err);
	if (!account)
		fail_msg("%s", err.text);
	directory_add_account(directory, account);
}

#define OWN                                                                                    \
	",\"accounts\":{\"secure_endpoint\":{\"region\":\"eu\",\"client_id\":\"c\",\"secret\"" \
	":" SEALED "}},\"sources\":{\"secure_endpoint\":{}}"

static void finds_everyone_by_id(void **state)
{
	struct directory *directory = *state;
	struct err err;
	char id[25];

	for (unsigned i = 0; i < 100; i++) {
		snprintf(id, sizeof id, "c%u", i * 7 % 100); /* in no order */
		add_customer(directory, id, i % 2 ? OWN : "");
	}
	add_account(directory, "xdr", "threat_response");
	assert_int_equal(directory_count(directory), 100);
	assert_int_equal(directory_account_count(directory), 51);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(id, sizeof id, "c%u", i);
		assert_string_equal(directory_customer(directory, id)->id, id);
	}
	for (size_t i = 1; i < directory_count(directory); i++)
		assert_true(strcmp(directory_at(directory, i - 1)->id,
				   directory_at(directory, i)->id) < 0);
	for (size_t i = 0; i < directory_account_count(directory); i++) {
		const struct account *account = directory_account_at(directory, i);
		assert_ptr_equal(directory_account(directory, account->id), account);
	}
	assert_null(directory_customer(directory, "c100"));
	assert_null(directory_account(directory, "c1"));
	assert_true(directory_check(directory, &err));
}

static void the_last_of_an_id_counts(void **state)
{
	struct directory *directory = *state;

	add_customer(directory, "acme", OWN);
	assert_non_null(directory_account(directory, "acme.secure_endpoint"));
	add_customer(directory, "acme", ",\"name\":\"Second\"");
	assert_int_equal(directory_count(directory), 1);
	assert_string_equal(directory_customer(directory, "acme")->name, "Second");
	assert_null(directory_account(directory, "acme.secure_endpoint"));
	add_account(directory, "shared", "secure_endpoint");
	add_account(directory, "shared", "threat_response");
	assert_int_equal(directory_account_count(directory), 1);
	assert_int_equal(directory_account(directory, "shared")->kind, ACCOUNT_THREAT_RESPONSE);
}

static void checks_what_refers_to_what(void **state)
{
	static const struct {
		const char *members, *says;
	} cases[] = {
		{ ",\"sources\":{\"secure_endpoint\":{\"account\":\"gone\"}}",
		  "customers/acme.json: sources.secure_endpoint.account: there is no account "
		  "gone" },
		{ ",\"sources\":{\"secure_endpoint\":{\"account\":\"xdr\"}}",
		  "customers/acme.json: sources.secure_endpoint.account: xdr is for "
		  "threat_response, not secure_endpoint" },
		{ ",\"sources\":{\"secure_endpoint\":{\"account\":\"globex.secure_endpoint\"}}",
		  "customers/acme.json: sources.secure_endpoint.account: "
		  "globex.secure_endpoint "
		  "belongs to customer globex" },
		{ ",\"threat_response\":{\"account\":\"amp\"}",
		  "customers/acme.json: threat_response.account: amp is for secure_endpoint, "
		  "not "
		  "threat_response" },
	};
	struct directory *directory = *state;
	struct err err = { 0 };

	add_account(directory, "xdr", "threat_response");
	add_account(directory, "amp", "secure_endpoint");
	add_customer(directory, "globex", OWN);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		add_customer(directory, "acme", cases[i].members);
		assert_false(directory_check(directory, &err));
		assert_string_equal(err.text, cases[i].says);
	}
	add_customer(directory, "acme",
		     ",\"sources\":{\"secure_endpoint\":{\"account\":\"amp\"}},"
		     "\"threat_response\":{\"account\":\"xdr\"}");
	assert_true(directory_check(directory, &err));
}

#define WITH_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DIRECTORY(finds_everyone_by_id),
		WITH_DIRECTORY(the_last_of_an_id_counts),
		WITH_DIRECTORY(checks_what_refers_to_what),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
