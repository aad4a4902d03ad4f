#include "vendor_fake.h"

#include "vendor/servicenow.h"

#define SYS_ID	"c537bae64f411200adf9f8e18110c76e"
#define COMPANY "0123456789abcdef0123456789abcdef"
#define OTHER	"ffffffffffffffffffffffffffffffff"

static const struct servicenow_place place = { "incident", SYS_ID };

static int start(void **state)
{
	(void)state;
	fake_start(ACCOUNT_SERVICENOW, ACCOUNT_AUTH_BASIC, 8);
	return 0;
}

static int start_oauth(void **state)
{
	(void)state;
	fake_start(ACCOUNT_SERVICENOW, ACCOUNT_AUTH_OAUTH, 8);
	return 0;
}

static int end(void **state)
{
	(void)state;
	fake_end();
	return 0;
}

static const struct servicenow_column columns[] = {
	{ "short_description", "Threat \"x\" [SecureX]", SERVICENOW_TEXT },
	{ "description", "two\nlines ", SERVICENOW_TEXT },
	{ "impact", "2", SERVICENOW_TEXT },
	{ "company", COMPANY, SERVICENOW_REFERENCE },
	{ "category", NULL, SERVICENOW_TEXT },
	{ "work_notes", "secret note", SERVICENOW_JOURNAL },
};

enum { COLUMNS = sizeof columns / sizeof columns[0] };

static bool create(int status, const char *body, struct servicenow_created *ret_created,
		   struct servicenow_answer *ret_answer, struct err *err)
{
	fake_reset();
	fake_json(status, body);
	*err = (struct err){ 0 };
	return servicenow_create(&fake.session, "incident", columns, COLUMNS, fake.arena,
				 ret_created, ret_answer, err);
}

static void creates_and_compares(void **state)
{
	struct servicenow_created created;
	struct servicenow_answer answer;
	struct err err;

	(void)state;
	/* Trimmed, other line ends, a reference with its link all the same: nothing is amiss.
	 */
	assert_true(
	    create(201,
		   "{\"result\":{\"sys_id\":\"" SYS_ID "\",\"number\":\"INC1\","
		   "\"short_description\":\"Threat \\\"x\\\" [SecureX]\",\"description\":"
		   "\"two\\r\\nlines\",\"impact\":\"2\",\"company\":{\"link\":\"x\",\"value\":"
		   "\"" COMPANY "\"}}}",
		   &created, &answer, &err));
	assert_string_equal(created.sys_id, SYS_ID);
	assert_string_equal(created.number, "INC1");
	assert_int_equal(created.mismatch_count, 0);
	assert_int_equal(answer.outcome, SERVICENOW_OK);
	assert_string_equal(fake_asked(0)->method, "POST");
	assert_string_equal(
	    fake_asked(0)->url,
	    "https://vendor.example/api/now/v2/table/incident?sysparm_fields="
	    "sys_id%2Cnumber%2Cshort_description%2Cdescription%2Cimpact%2Ccompany"
	    "&sysparm_exclude_reference_link=true");
	assert_string_equal(
	    fake_asked(0)->body,
	    "{\"short_description\":\"Threat \\\"x\\\" [SecureX]\",\"description\":"
	    "\"two\\nlines \",\"impact\":\"2\",\"company\":\"" COMPANY "\","
	    "\"work_notes\":\"secret note\"}");
	assert_string_equal(fake_asked(0)->basic_user, "robot");
	assert_string_equal(fake_asked(0)->content_type, "application/json");
}

static void names_what_the_instance_did_not_take(void **state)
{
	struct servicenow_created created;
	struct err err;

	(void)state;
	assert_true(create(201,
			   "{\"result\":{\"sys_id\":\"" SYS_ID
			   "\",\"description\":null,\"impact\":"
			   "\"3\",\"company\":\"\"}}",
			   &created, NULL, &err));
	assert_string_equal(created.number, "");
	assert_int_equal(created.mismatch_count, 4);
	assert_string_equal(created.mismatches[0].column, "short_description");
	assert_int_equal(created.mismatches[0].difference, SERVICENOW_DROPPED);
	assert_int_equal(created.mismatches[1].difference, SERVICENOW_EMPTIED);
	assert_int_equal(created.mismatches[2].difference, SERVICENOW_CHANGED);
	assert_string_equal(created.mismatches[2].value, "3");
	assert_string_equal(created.mismatches[3].column, "company");
	assert_int_equal(created.mismatches[3].difference, SERVICENOW_EMPTIED);
	assert_int_equal(created.mismatches[3].kind, SERVICENOW_REFERENCE);
}

static void a_success_without_a_record_is_none(void **state)
{
	static const char *const bodies[] = {
		"{\"result\":{}}",
		"{\"result\":[]}",
		"{\"result\":\"ok\"}",
		"{\"result\":{\"sys_id\":\"\"}}",
		"{\"result\":{\"sys_id\":\"../../x\"}}",
		"{\"result\":{\"sys_id\":{\"value\":{\"value\":\"" SYS_ID "\"}}}}",
	};
	struct servicenow_created created;
	struct servicenow_answer answer;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
		assert_false(create(201, bodies[i], &created, &answer, &err));
		assert_int_equal(err.kind, ERR_TRANSIENT);
		assert_true(err.ambiguous);
		assert_int_equal(answer.outcome, SERVICENOW_UNEXPECTED);
	}
}

static void says_how_a_create_ended(void **state)
{
	struct servicenow_created created;
	struct servicenow_answer answer;
	struct err err;

	(void)state;
	assert_false(
	    create(403,
		   "{\"error\":{\"message\":\"Operation Failed\",\"detail\":\"Data Policy "
		   "Exception: \\n\\tThe following fields are mandatory: Caller, Service\"}}",
		   &created, &answer, &err));
	assert_int_equal(answer.outcome, SERVICENOW_DATA_POLICY);
	assert_string_equal(answer.labels, "Caller, Service");
	assert_int_equal(err.kind, ERR_ACCOUNT);
	assert_true(fake.parked);
	assert_non_null(strstr(fake.reason, "Caller, Service"));

	fake_reset(); /* sent, and then nothing */
	fake_answer((struct fake_answer){ .kind = ERR_TRANSIENT, .ambiguous = true });
	assert_false(servicenow_create(&fake.session, "incident", columns, COLUMNS, fake.arena,
				       &created, &answer, &err));
	assert_int_equal(answer.outcome, SERVICENOW_NO_ANSWER);
	assert_true(err.ambiguous);

	fake_reset(); /* never sent */
	fake_answer((struct fake_answer){ .kind = ERR_TRANSIENT });
	assert_false(servicenow_create(&fake.session, "incident", columns, COLUMNS, fake.arena,
				       &created, &answer, &err));
	assert_int_equal(answer.outcome, SERVICENOW_NOT_SENT);

	fake_reset();
	fake.pass.answer = GATE_BUSY;
	assert_false(servicenow_create(&fake.session, "incident", columns, COLUMNS, fake.arena,
				       &created, &answer, &err));
	assert_int_equal(answer.outcome, SERVICENOW_NOT_SENT);
	assert_int_equal(fake.session.refusal, VENDOR_SLOTS);
}

static void changes_the_record_asked_for(void **state)
{
	const struct servicenow_column note = { "work_notes", "n", SERVICENOW_JOURNAL };
	struct servicenow_created changed;
	struct err err;

	(void)state;
	fake_reset();
	fake_json(200, "{\"result\":{\"sys_id\":\"" SYS_ID "\",\"number\":\"INC1\"}}");
	assert_true(servicenow_patch(&fake.session, &place, &note, 1, fake.arena, &changed,
				     NULL, &err));
	assert_string_equal(fake_asked(0)->method, "PATCH");
	assert_string_equal(fake_asked(0)->body, "{\"work_notes\":\"n\"}");
	assert_non_null(strstr(fake_asked(0)->url, "/incident/" SYS_ID "?"));
	fake_json(200, "{\"result\":{\"sys_id\":\"" OTHER "\"}}");
	assert_false(servicenow_patch(&fake.session, &place, &note, 1, fake.arena, &changed,
				      NULL, &err));
	assert_true(err.ambiguous);
}

static void reads_one_record(void **state)
{
	struct servicenow_record record;
	struct servicenow_answer answer;
	bool found;
	struct err err = { 0 };

	(void)state;
	fake_reset();
	fake_json(200, "{\"result\":{\"sys_id\":\"" SYS_ID "\",\"state\":\"6\",\"active\":true,"
		       "\"n\":7,\"company\":null}}");
	assert_true(servicenow_get(&fake.session, &place, "state", fake.arena, &found, &record,
				   &answer, &err));
	assert_true(found);
	assert_string_equal(servicenow_record_value(&record, "state"), "6");
	assert_string_equal(servicenow_record_value(&record, "active"), "true");
	assert_string_equal(servicenow_record_value(&record, "n"), "7");
	assert_string_equal(servicenow_record_value(&record, "company"), "");
	assert_null(servicenow_record_value(&record, "absent"));
	fake_json(404, "{\"error\":{\"message\":\"No Record found\",\"detail\":null}}");
	assert_true(servicenow_get(&fake.session, &place, "state", fake.arena, &found, &record,
				   &answer, &err));
	assert_false(found);
	assert_int_equal(answer.outcome, SERVICENOW_NOT_FOUND);
	fake_json(200, "{\"result\":{\"sys_id\":\"" OTHER "\",\"state\":\"6\"}}");
	assert_false(servicenow_get(&fake.session, &place, "state", fake.arena, &found, &record,
				    &answer, &err));
	assert_false(found);
}

static bool find(const char *body, const char *key, bool prefix, size_t *ret_count,
		 struct err *err)
{
	const struct servicenow_search search = {
		.table = "incident", .correlation_id = key, .prefix = prefix, .limit = 10
	};
	struct servicenow_record *records;

	fake_reset();
	fake_json(200, body);
	*err = (struct err){ 0 };
	return servicenow_find(&fake.session, &search, fake.arena, &records, ret_count, NULL,
			       err);
}

/* An instance ignores what it does not understand of a query and returns other records. */
static void finds_only_what_carries_the_key(void **state)
{
	size_t count;
	struct err err;

	(void)state;
	assert_true(find("{\"result\":[]}", "tocsin-i:a", false, &count, &err));
	assert_int_equal(count, 0);
	assert_non_null(
	    strstr(fake_asked(0)->url,
		   "sysparm_query=correlation_id%3Dtocsin-i%3Aa%5EORDERBYsys_created_on"));
	assert_true(find("{\"result\":[{\"correlation_id\":\"tocsin-i:a\"},{\"correlation_id\":"
			 "\"TOCSIN-I:A\"},{\"correlation_id\":\"tocsin-i:ab\"}]}",
			 "tocsin-i:a", false, &count, &err));
	assert_int_equal(count, 1);
	assert_true(
	    find("{\"result\":[{\"correlation_id\":\"tocsin-g:a:1\"},{\"correlation_id\":"
		 "\"tocsin-g:a:2\"}]}",
		 "tocsin-g:a:", true, &count, &err));
	assert_int_equal(count, 2);
	assert_non_null(strstr(fake_asked(0)->url, "correlation_idSTARTSWITHtocsin-g%3Aa%3A"));
	/* Compared without regard to case there: a namesake, and so none of ours. */
	assert_true(find("{\"result\":[{\"correlation_id\":\"TOCSIN-I:A\"}]}", "tocsin-i:a",
			 false, &count, &err));
	assert_int_equal(count, 0);
}

static void an_ignored_search_is_no_empty_one(void **state)
{
	static const char *const bodies[] = {
		"{\"result\":[{\"sys_id\":\"" SYS_ID "\",\"correlation_id\":\"\"}]}",
		"{\"result\":[{\"sys_id\":\"" SYS_ID "\"}]}",
		"{\"result\":[3]}",
	};
	size_t count;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
		assert_false(find(bodies[i], "tocsin-i:a", false, &count, &err));
		assert_int_equal(err.kind, ERR_ACCOUNT);
		assert_true(fake.parked);
	}
	assert_false(find("{\"result\":[]}", "a^ORactive=true", false, &count, &err));
	assert_int_equal(err.kind, ERR_PERMANENT);
	assert_int_equal(fake.request_count, 0);
	assert_false(find("{\"result\":{}}", "a", false, &count, &err));
	assert_int_equal(err.kind, ERR_TRANSIENT);
}

static bool look_for_note(bool *ret_found, struct err *err)
{
	*err = (struct err){ 0 };
	return servicenow_note_exists(&fake.session, &place, "[tocsin 3]", fake.arena,
				      ret_found, NULL, err);
}

static void looks_for_a_note_in_both_places(void **state)
{
	bool found;
	struct err err;

	(void)state;
	fake_reset();
	fake_json(200, "{\"result\":[{\"element_id\":\"" SYS_ID
		       "\",\"value\":\"a\"},{\"element_id\":"
		       "\"" SYS_ID "\",\"value\":\"x [tocsin 3]\"}]}");
	assert_true(look_for_note(&found, &err));
	assert_true(found);
	assert_int_equal(fake.request_count, 1);
	/* Another ticket's notes: the query was ignored. Then the record itself. */
	fake_reset();
	fake_json(200,
		  "{\"result\":[{\"element_id\":\"" OTHER "\",\"value\":\"[tocsin 3]\"}]}");
	fake_json(
	    200,
	    "{\"result\":{\"work_notes\":\"2026-01-01 - R (Work notes)\\n[tocsin 3]\\n\"}}");
	assert_true(look_for_note(&found, &err));
	assert_true(found);
	assert_non_null(strstr(fake_asked(1)->url, "sysparm_display_value=true"));
	/* No right to the journal, nothing shown: nothing is proved. */
	fake_reset();
	fake_json(403, "{\"error\":{\"message\":\"Insufficient rights\",\"detail\":null}}");
	fake_json(200, "{\"result\":{\"work_notes\":\"\"}}");
	assert_true(look_for_note(&found, &err));
	assert_false(found);
	assert_false(fake.parked);
	fake_reset();
	fake_json(500, "{}");
	assert_false(look_for_note(&found, &err));
	assert_int_equal(err.kind, ERR_TRANSIENT);
}

static const char *item(const char *body, int status)
{
	const char *sys_id = "unset";

	fake_reset();
	fake_json(status, body);
	assert_true(servicenow_cmdb_ci(&fake.session, "WS-1", fake.arena, &sys_id, NULL));
	return sys_id;
}

static void takes_the_one_item_of_a_name(void **state)
{
	const char *sys_id;

	(void)state;
	assert_string_equal(item("{\"result\":[{\"sys_id\":\"" SYS_ID "\",\"name\":\"ws-1\"},"
				 "{\"sys_id\":\"" OTHER
				 "\",\"name\":\"ws-1\",\"install_status\":\"7\"},"
				 "{\"sys_id\":\"" COMPANY "\",\"name\":\"ws-10\"}]}",
				 200),
			    SYS_ID);
	assert_null(item("{\"result\":[{\"sys_id\":\"" SYS_ID
			 "\",\"name\":\"ws-1\"},{\"sys_id\":"
			 "\"" OTHER "\",\"name\":\"ws-1\"}]}",
			 200));
	assert_null(item("{\"result\":[]}", 200));
	assert_null(item("{\"error\":{\"message\":\"x\",\"detail\":null}}", 403));
	assert_false(fake.parked); /* a ticket does without */
	assert_null(item("{\"error\":{\"message\":\"Invalid table cmdb_ci\"}}", 400));
	fake_reset();
	assert_true(servicenow_cmdb_ci(&fake.session, "a^ORname=b", fake.arena, &sys_id, NULL));
	assert_null(sys_id);
	assert_int_equal(fake.request_count, 0);
}

static void answers_verify(void **state)
{
	struct servicenow_record *records;
	const char **roles;
	size_t count;
	bool exists;

	(void)state;
	fake_reset();
	fake_json(200, "{\"result\":{\"sys_id\":\"" SYS_ID "\"}}");
	assert_true(servicenow_exists(&fake.session, "core_company", SYS_ID, fake.arena,
				      &exists, NULL, NULL));
	assert_true(exists);
	fake_json(404, "{\"error\":{\"message\":\"No Record found\"}}");
	assert_true(servicenow_exists(&fake.session, "core_company", SYS_ID, fake.arena,
				      &exists, NULL, NULL));
	assert_false(exists);
	fake_json(200,
		  "{\"result\":[{\"label\":\"User error\",\"value\":\"User error\",\"element\":"
		  "\"close_code\"},{\"label\":\"x\",\"value\":\"x\",\"element\":\"state\"}]}");
	assert_true(servicenow_choices(&fake.session, "incident", "close_code", fake.arena,
				       &records, &count, NULL, NULL));
	assert_int_equal(count, 1);
	fake_json(200, "{\"result\":[{\"role.name\":\"itil\",\"user.user_name\":\"robot\"},"
		       "{\"role.name\":\"admin\",\"user.user_name\":\"other\"}]}");
	assert_true(servicenow_roles(&fake.session, fake.arena, &roles, &count, NULL, NULL));
	assert_int_equal(count, 1);
	assert_string_equal(roles[0], "itil");
}

static void takes_a_token_with_a_form(void **state)
{
	struct servicenow_created created;
	struct servicenow_answer answer;
	struct err err;

	(void)state;
	fake_reset();
	fake_answer((struct fake_answer){ .status = 200,
					  .type = "text/html",
					  .body = "<title>Instance Hibernating page</title>" });
	assert_false(servicenow_create(&fake.session, "incident", columns, COLUMNS, fake.arena,
				       &created, &answer, &err));
	assert_int_equal(err.kind, ERR_TRANSIENT);
	assert_non_null(strstr(err.text, "hibernating"));
	assert_false(err.ambiguous);
	assert_string_equal(fake_asked(0)->url, "https://vendor.example/oauth_token.do");
	assert_string_equal(
	    fake_asked(0)->body,
	    "grant_type=client_credentials&client_id=client&client_secret=s3cret%26%3D");
	assert_string_equal(fake_asked(0)->basic_user, "");
	fake_reset();
	fake_json(200,
		  "{\"access_token\":\"t\",\"expires_in\":1799,\"scope\":\"useraccount\"}");
	fake_json(201, "{\"result\":{\"sys_id\":\"" SYS_ID "\"}}");
	assert_true(servicenow_create(&fake.session, "incident", columns, COLUMNS, fake.arena,
				      &created, &answer, &err));
	assert_string_equal(fake_asked(1)->bearer, "t");
	fake_reset();
	fake_json(401, "{}");
	fake_json(401, "{\"error_description\":\"access_denied\",\"error\":\"server_error\"}");
	assert_false(servicenow_create(&fake.session, "incident", columns, COLUMNS, fake.arena,
				       &created, &answer, &err));
	assert_int_equal(err.kind, ERR_ACCOUNT);
	assert_int_equal(answer.outcome, SERVICENOW_UNAUTHORIZED);
	assert_non_null(strstr(err.text, "access_denied"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(creates_and_compares),
		cmocka_unit_test(names_what_the_instance_did_not_take),
		cmocka_unit_test(a_success_without_a_record_is_none),
		cmocka_unit_test(says_how_a_create_ended),
		cmocka_unit_test(changes_the_record_asked_for),
		cmocka_unit_test(reads_one_record),
		cmocka_unit_test(finds_only_what_carries_the_key),
		cmocka_unit_test(an_ignored_search_is_no_empty_one),
		cmocka_unit_test(looks_for_a_note_in_both_places),
		cmocka_unit_test(takes_the_one_item_of_a_name),
		cmocka_unit_test(answers_verify),
	};
	const struct CMUnitTest oauth[] = {
		cmocka_unit_test(takes_a_token_with_a_form),
	};
	int failed = cmocka_run_group_tests(tests, start, end);

	return failed + cmocka_run_group_tests(oauth, start_oauth, end);
}
