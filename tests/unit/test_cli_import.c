/* Tables of customers: CSV as spreadsheets write it, our columns, and the older table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/csv.h"
#include "cli/draft.h"
#include "cli/import.h"
#include "model/vault.h"

/* ---- CSV ---- */

static void csv_is_read_as_spreadsheets_write_it(void **state)
{
	static const char *const same[] = {
		"id,Name\nacme,\"Acme, Inc\"\n",
		"id,name\r\nacme,\"Acme, Inc\"\r\n",
		"\xEF\xBB\xBFid, NAME \nacme,\"Acme, Inc\"",
		"id;name\nacme;Acme, Inc\n",
		"id\tname\nacme\tAcme, Inc\n\n\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
		struct csv csv;
		struct err err = { 0 };

		if (!csv_parse(&csv, same[i], strlen(same[i]), "t.csv", &err))
			fail_msg("case %zu: %s", i, err.text);
		assert_int_equal(csv.row_count, 1);
		assert_int_equal(csv.rows[0].line, 2);
		assert_string_equal(csv_field(&csv, &csv.rows[0], "id"), "acme");
		assert_string_equal(csv_field(&csv, &csv.rows[0], "name"), "Acme, Inc");
		assert_null(csv_field(&csv, &csv.rows[0], "other"));
		csv_done(&csv);
	}
}

static void csv_quotes(void **state)
{
	static const char text[] = "a,b\n\"say \"\"hi\"\"\",\"two\nlines\"\n,x\n";
	struct csv csv;

	(void)state;
	assert_true(csv_parse(&csv, text, sizeof text - 1, "t.csv", NULL));
	assert_int_equal(csv.row_count, 2);
	assert_string_equal(csv_field(&csv, &csv.rows[0], "a"), "say \"hi\"");
	assert_string_equal(csv_field(&csv, &csv.rows[0], "b"), "two\nlines");
	assert_null(csv_field(&csv, &csv.rows[1], "a"));
	assert_int_equal(csv.rows[1].line, 4);
	csv_done(&csv);
}

static void csv_errors_name_the_line(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "a,b\n1,2\n1,2,3\n", "t.csv: line 3: 3 fields where the first line names 2" },
		{ "a,b\n1,\"2\n", "t.csv: line 2: a quote is never closed" },
		{ "a,b\n\"1\"x,2\n", "t.csv: line 2: text after a closing quote" },
		{ "a,A\n", "t.csv: line 1: column 'a' is there twice" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct csv csv;
		struct err err = { 0 };

		assert_false(
		    csv_parse(&csv, cases[i].text, strlen(cases[i].text), "t.csv", &err));
		if (!strstr(err.text, cases[i].says))
			fail_msg("case %zu: '%s'", i, err.text);
	}
}

/* ---- the older table ---- */

static void names_become_ids(void **state)
{
	static const struct {
		const char *name, *id;
	} cases[] = {
		{ "Acme", "acme" },
		{ "Acme & Sons Ltd.", "acme-sons-ltd" },
		{ "M\xC3\xBCller GmbH", "m-ller-gmbh" },
		{ "  --  ", "" },
		{ "A very long name of a company indeed", "a-very-long-name-of-a-co" },
		{ "ends with a blank at 24 x", "ends-with-a-blank-at-24" },
	};
	char id[25];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		import_id(cases[i].name, id);
		assert_string_equal(id, cases[i].id);
	}
}

static void base64_of_id_and_secret(void **state)
{
	static const char *const same[] = { "aWQtMTpzZWNyZXQ6MT8+", "aWQtMTpzZWNyZXQ6MT8-",
					    "Basic aWQtMTpzZWNyZXQ6MT8+",
					    "aWQtMTpz\nZWNyZXQ6MT8+" };
	static const char *const wrong[] = { "", "****", "aWQ=", "OnNlY3JldA==", "aWQ6" };
	char *id, *secret;

	(void)state;
	for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
		assert_true(import_credentials(same[i], &id, &secret, NULL));
		assert_string_equal(id, "id-1");
		assert_string_equal(secret, "secret:1?>");
		free(id);
		vault_wipe(secret);
	}
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct err err = { 0 };
		assert_false(import_credentials(wrong[i], &id, &secret, &err));
		assert_non_null(strstr(err.text, "base64"));
	}
}

/* ---- rows ---- */

static const struct command_option options[] = {
	{ "name", "NAME", "", .sets = "name" },
	{ "secure-endpoint-region", "R", "", .sets = "accounts.secure_endpoint.region" },
	{ "secure-endpoint-client-id", "ID", "", .sets = "accounts.secure_endpoint.client_id" },
	{ "event-types", "LIST", "", .sets = "sources.secure_endpoint.event_types[]" },
	{ "servicenow-account", "A", "", .sets = "servicenow.account" },
	{ "dry-run", NULL, "" },
	{ 0 },
};

/* The only row's draft as compact JSON with sorted keys; NULL with err. */
static char *import_text(const char *text, const struct args *args, struct err *err)
{
	struct csv csv;
	char *dumped = NULL;

	assert_true(csv_parse(&csv, text, strlen(text), "t.csv", err));
	if (import_check_columns(&csv, "t.csv", options, err)) {
		json_t *draft = import_row(&csv, &csv.rows[0], "t.csv", args, options, err);
		if (draft)
			dumped = json_dumps(draft, JSON_COMPACT | JSON_SORT_KEYS);
		draft_free(draft);
	}
	csv_done(&csv);
	return dumped;
}

static void rows_become_drafts(void **state)
{
	static const struct arg given[] = { { &options[4], "now" } };
	static struct args args;
	struct err err = { 0 };
	char *draft = import_text("id,name,secure_endpoint_region,secure_endpoint_client_id,"
				  "secure_endpoint_secret,event_types\n"
				  "acme,Acme,eu,abc,s3cret,\"1, 2\"\n",
				  &args, &err);

	(void)state;
	assert_non_null(draft);
	assert_string_equal(
	    draft,
	    "{\"accounts\":{\"secure_endpoint\":{\"client_id\":\"abc\",\"region\":\"eu\","
	    "\"secret\":\"s3cret\"}},\"id\":\"acme\",\"name\":\"Acme\","
	    "\"sources\":{\"secure_endpoint\":{\"event_types\":[1,2]}}}");
	free(draft);

	args.options[0] = given[0];
	args.option_count = 1;
	draft = import_text("customer_name,encoded_amp_api_credentials,"
			    "encoded_umb_api_credentials,umb_org_ID\n"
			    "Acme & Sons,aWQtMTpzZWNyZXQ6MT8+,eDp5,123\n",
			    &args, &err);
	assert_non_null(draft);
	assert_string_equal(
	    draft,
	    "{\"accounts\":{\"secure_endpoint\":{\"client_id\":\"id-1\",\"region\":"
	    "\"nam\",\"secret\":\"secret:1?>\"},\"umbrella\":{\"auth\":\"legacy\",\"client_"
	    "id\":\"x\",\"org_id\":\"123\",\"secret\":\"y\"}},\"id\":\"acme-sons\",\"name\":"
	    "\"Acme & Sons\",\"servicenow\":{\"account\":\"now\"},"
	    "\"sources\":{\"secure_endpoint\":{},\"umbrella\":{}}}");
	free(draft);
}

static void wrong_rows_are_named(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "idd,name\nacme,x\n", "unknown column 'idd': did you mean 'id'?" },
		{ "id,name\n,x\n", "t.csv: line 2: id is missing" },
		{ "id,event_types\nacme,1;x\n", "t.csv: line 2: event_types" },
		{ "id,servicenow_secret\nacme,x\n", "t.csv: line 2: secret servicenow" },
		{ "customer_name,encoded_amp_api_credentials\nA,!!!\n",
		  "t.csv: line 2: encoded_amp_api_credentials" },
	};
	static const struct args args;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct err err = { 0 };

		assert_null(import_text(cases[i].text, &args, &err));
		if (!strstr(err.text, cases[i].says))
			fail_msg("case %zu: '%s' lacks '%s'", i, err.text, cases[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(csv_is_read_as_spreadsheets_write_it),
		cmocka_unit_test(csv_quotes),
		cmocka_unit_test(csv_errors_name_the_line),
		cmocka_unit_test(names_become_ids),
		cmocka_unit_test(base64_of_id_and_secret),
		cmocka_unit_test(rows_become_drafts),
		cmocka_unit_test(wrong_rows_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
