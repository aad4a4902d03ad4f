#include "vendor_fake.h"

#include "vendor/defender_machine.h"

#define TOKEN	"{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"t.2\"}"
#define MACHINE "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ACTION(id, type, status, created)                                                      \
	"{\"id\":\"" id "\",\"type\":\"" type "\",\"status\":\"" status                        \
	"\",\"machineId\":\"" MACHINE "\",\"requestor\":\"app\",\"requestorComment\":\"c\","   \
	"\"creationDateTimeUtc\":\"" created "\"}"

static int start(void **state)
{
	(void)state;
	fake_start(ACCOUNT_DEFENDER, ACCOUNT_AUTH_BASIC, 8);
	fake.account.login_url = xstrdup("https://login.example");
	fake.account.tenant_id = xstrdup("contoso.example");
	return 0;
}

static int end(void **state)
{
	(void)state;
	free(fake.account.login_url);
	free(fake.account.tenant_id);
	fake_end();
	return 0;
}

/* The one call behind the token's, or the only one when the token is known. */
static const struct fake_request *last_asked(void)
{
	return fake_asked(fake.request_count - 1);
}

static void isolates(void **state)
{
	struct defender_action action;
	struct err err = { 0 };
	bool busy;

	(void)state;
	fake_reset();
	fake_json(200, TOKEN);
	fake_json(201, ACTION("a1", "Isolate", "Pending", "2026-11-21T18:00:00.1234567Z"));
	assert_true(defender_isolate(&fake.session, MACHINE, true, "for \"us\"", fake.arena,
				     &action, &busy, &err));
	assert_string_equal(last_asked()->method, "POST");
	assert_non_null(strstr(last_asked()->url, "/api/machines/" MACHINE "/isolate"));
	assert_string_equal(last_asked()->body,
			    "{\"Comment\":\"for \\\"us\\\"\",\"IsolationType\":\"Selective\"}");
	assert_string_equal(action.id, "a1");
	assert_true(defender_action_running(&action));
	assert_false(busy);

	fake_json(201, ACTION("a2", "Unisolate", "Pending", "2026-11-21T18:00:00Z"));
	assert_true(defender_unisolate(&fake.session, MACHINE, "done", fake.arena, &action,
				       &busy, &err));
	assert_string_equal(last_asked()->body, "{\"Comment\":\"done\"}");
}

static void refusals(void **state)
{
	static const struct {
		int status;
		const char *body;
		enum err_kind kind;
		bool busy, ambiguous;
	} cases[] = {
		{ 400,
		  "{\"error\":{\"code\":\"ActiveRequestAlreadyExists\",\"message\":\"m\"}}",
		  ERR_PERMANENT, true, false },
		{ 400, "{\"error\":{\"code\":\"OsPlatformNotSupported\"}}", ERR_PERMANENT,
		  false, false },
		{ 403, "{\"error\":{\"code\":\"Forbidden\"}}", ERR_ACCOUNT, false, false },
		{ 404, "{\"error\":{\"code\":\"ResourceNotFound\"}}", ERR_PERMANENT, false,
		  false },
		{ 500, "{\"error\":{\"code\":\"InternalServerError\"}}", ERR_TRANSIENT, false,
		  true },
		{ 429, "{\"error\":{\"code\":\"TooManyRequests\"}}", ERR_TRANSIENT, false,
		  false },
		{ 201, "{\"id\":\"a1\"", ERR_TRANSIENT, false, true },
		{ 201, "{\"id\":\"a1\",\"machineId\":\"another\"}", ERR_TRANSIENT, false,
		  true },
		{ 201, "{}", ERR_TRANSIENT, false, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct defender_action action;
		struct err err = { 0 };
		bool busy;

		fake_reset();
		fake_json(cases[i].status, cases[i].body);
		assert_false(defender_isolate(&fake.session, MACHINE, false, "c", fake.arena,
					      &action, &busy, &err));
		if (err.kind != cases[i].kind || busy != cases[i].busy ||
		    err.ambiguous != cases[i].ambiguous)
			fail_msg("case %zu: %s", i, err.text);
	}
}

static void actions_are_sorted_and_looked_at(void **state)
{
	const struct defender_action_query query = { .machine = MACHINE };
	struct defender_action *actions;
	struct err err = { 0 };
	size_t count;

	(void)state;
	fake_reset();
	fake_json(
	    200,
	    "{\"value\":[" ACTION("old", "Isolate", "Succeeded", "2026-11-21T18:00:00.12Z") "," ACTION(
		"new", "Unisolate", "Strange",
		"2026-11-21T18:00:00.1231Z") "," ACTION("scan", "RunAntiVirusScan", "Pending",
							"2026-11-21T19:00:00Z") ",{\"type\":"
										"\"Isolate\","
										"\"machineId\":"
										"\"another\"},"
										"7]}");
	assert_true(
	    defender_actions(&fake.session, &query, fake.arena, &actions, &count, &err));
	assert_int_equal(count, 2);
	assert_string_equal(actions[0].id, "new");
	assert_int_equal(actions[0].status, DEFENDER_ACTION_UNKNOWN);
	assert_true(defender_action_running(&actions[0]));
	assert_false(defender_action_running(&actions[1]));
	fake_json(200, "{}");
	assert_false(
	    defender_actions(&fake.session, &query, fake.arena, &actions, &count, &err));
}

static void machines(void **state)
{
	struct defender_machine machine;
	struct err err = { 0 };
	bool found;

	(void)state;
	fake_reset();
	fake_json(200, "{\"id\":\"" MACHINE "\",\"computerDnsName\":\"ws-1\",\"osPlatform\":"
		       "\"Windows11\",\"lastIpAddress\":\"10.0.0.1\"}");
	assert_true(
	    defender_machine(&fake.session, MACHINE, fake.arena, &found, &machine, &err));
	assert_true(found);
	assert_string_equal(machine.platform, "Windows11");
	fake_json(404, "{\"error\":{\"code\":\"ResourceNotFound\"}}");
	assert_true(
	    defender_machine(&fake.session, MACHINE, fake.arena, &found, &machine, &err));
	assert_false(found);
	fake_json(200, "{\"id\":\"another\"}");
	assert_false(
	    defender_machine(&fake.session, MACHINE, fake.arena, &found, &machine, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(isolates),
		cmocka_unit_test(refusals),
		cmocka_unit_test(actions_are_sorted_and_looked_at),
		cmocka_unit_test(machines),
	};

	return cmocka_run_group_tests(tests, start, end);
}
