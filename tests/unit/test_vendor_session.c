/* The way of every call, with a scripted gate and vendor. */
#include "vendor_fake.h"

#include <stdatomic.h>

#include "vendor/call.h"

static _Atomic uint64_t now_ms = 1000000;

static uint64_t mono(void)
{
	return now_ms;
}

static bool by_status(const struct vendor_request *request,
		      const struct http_response *response, struct err *err)
{
	enum err_kind kind = http_status_kind(response->status);

	(void)request;
	if (kind == ERR_NONE)
		return true;
	err_fill(err, kind, "vendor answered %d", response->status);
	err->ambiguous = kind == ERR_TRANSIENT && response->status != 429;
	err->retry_after_ms = http_retry_after_ms(response);
	return false;
}

static bool fetch(const struct vendor_grant *grant, char **ret_token, uint64_t *ret_life_ms,
		  struct err *err)
{
	const struct vendor_form form = { .url = "https://vendor.example/token",
					  .basic_user = "client",
					  .basic_password = grant->secret,
					  .text = "grant_type=client_credentials",
					  .life_ms = 600000 };
	struct vendor_token token;
	bool ok = vendor_post_form(grant, &form, &token, err);

	*ret_token = token.token;
	*ret_life_ms = token.life_ms;
	return ok;
}

static struct vendor_request request(enum vendor_auth auth, bool write)
{
	return (struct vendor_request){ .what = write ? "writing" : "reading",
					.method = write ? "POST" : NULL,
					.url = "https://vendor.example/x",
					.write = write,
					.auth = auth,
					.basic_user = "robot",
					.fetch_token = fetch,
					.classify = by_status };
}

static bool call(enum vendor_auth auth, bool write, struct err *err)
{
	struct vendor_request made = request(auth, write);
	struct http_response response;

	*err = (struct err){ 0 };
	bool ok = vendor_call(&fake.session, &made, &response, err);
	http_response_done(&response);
	return ok;
}

static int start(void **state)
{
	(void)state;
	fake_start(ACCOUNT_SERVICENOW, ACCOUNT_AUTH_BASIC, 16);
	return 0;
}

static int end(void **state)
{
	(void)state;
	fake_end();
	return 0;
}

/* What comes of an answer: for the caller, and for everyone through the gate. */
static const struct {
	struct fake_answer answer;
	bool write;
	enum err_kind kind;
	bool ambiguous;
	enum gate_outcome outcome;
	uint64_t wait_ms;
} classes[] = {
	{ { .status = 200 }, true, ERR_NONE, false, GATE_OK, 0 },
	{ { .status = 400 }, true, ERR_PERMANENT, false, GATE_OK, 0 },
	{ { .status = 401 }, true, ERR_ACCOUNT, false, GATE_FAULT, 0 },
	{ { .status = 403 }, true, ERR_ACCOUNT, false, GATE_FAULT, 0 },
	{ { .status = 429, .headers = "Retry-After: 9" },
	  true,
	  ERR_TRANSIENT,
	  false,
	  GATE_TRANSIENT,
	  9000 },
	{ { .status = 503 }, true, ERR_TRANSIENT, true, GATE_TRANSIENT, 0 },
	{ { .status = 503 }, false, ERR_TRANSIENT, false, GATE_TRANSIENT, 0 },
	{ { .kind = ERR_TRANSIENT, .ambiguous = true },
	  true,
	  ERR_TRANSIENT,
	  true,
	  GATE_TRANSIENT,
	  0 },
	{ { .kind = ERR_TRANSIENT, .ambiguous = true },
	  false,
	  ERR_TRANSIENT,
	  false,
	  GATE_TRANSIENT,
	  0 },
	{ { .kind = ERR_STOPPING, .ambiguous = true },
	  true,
	  ERR_STOPPING,
	  true,
	  GATE_NEUTRAL,
	  0 },
	/* The budget that the vendor counts is used up: everyone waits, we succeeded.
	 */
	{ { .status = 200, .headers = "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 120" },
	  false,
	  ERR_NONE,
	  false,
	  GATE_OK,
	  120000 },
	{ { .status = 200,
	    .headers = "x-rate-limit-remaining: 0\nx-rate-limit-reset: 99999999" },
	  false,
	  ERR_NONE,
	  false,
	  GATE_OK,
	  3600000 },
	{ { .status = 200, .headers = "x-ratelimit-remaining: 1\nx-ratelimit-reset: 120" },
	  false,
	  ERR_NONE,
	  false,
	  GATE_OK,
	  0 },
};

static void classifies_for_caller_and_gate(void **state)
{
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
		fake_reset();
		fake_answer(classes[i].answer);
		bool ok = call(VENDOR_AUTH_BASIC, classes[i].write, &err);

		assert_int_equal(ok, classes[i].kind == ERR_NONE);
		assert_int_equal(err.kind, classes[i].kind);
		assert_int_equal(err.ambiguous, classes[i].ambiguous);
		assert_int_equal(fake.session.status, classes[i].answer.status);
		assert_int_equal(fake.session.refusal, VENDOR_ATTEMPTED);
		assert_int_equal(fake.entered, 1);
		assert_int_equal(fake.leave_count, 1);
		assert_int_equal(fake.leaves[0].outcome, classes[i].outcome);
		assert_int_equal(fake.leaves[0].retry_after_ms, classes[i].wait_ms);
		assert_int_equal(fake.changes, classes[i].outcome == GATE_FAULT);
		assert_string_equal(fake_asked(0)->basic_user, "robot");
		assert_string_equal(fake_asked(0)->basic_password, "s3cret&=");
	}
}

static void a_refusal_sends_nothing(void **state)
{
	static const struct {
		struct gate_pass pass;
		bool down;
		enum vendor_refusal refusal;
		uint64_t least_ms;
	} rows[] = {
		{ { .answer = GATE_BUDGET, .wait_ms = 70 }, false, VENDOR_BUDGET, 70 },
		{ { .answer = GATE_PAUSED, .wait_ms = 71 }, false, VENDOR_BUDGET, 71 },
		{ { .answer = GATE_BUSY, .wait_ms = 72 }, false, VENDOR_SLOTS, 72 },
		{ { .answer = GATE_BROKEN, .wait_ms = 73 }, false, VENDOR_BREAKER, 73 },
		{ { .answer = GATE_PARKED, .wait_ms = 74 }, false, VENDOR_PARKED, 74 },
		{ { .answer = GATE_PARKED, .wait_ms = 0 }, false, VENDOR_PARKED, 1 },
		{ { .answer = GATE_ENTERED }, true, VENDOR_GATE, 500 },
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		fake_reset();
		fake.pass = rows[i].pass;
		fake.gate_down = rows[i].down;
		assert_false(call(VENDOR_AUTH_BASIC, true, &err));
		assert_int_equal(err.kind, ERR_TRANSIENT);
		assert_false(err.ambiguous);
		assert_int_equal(fake.session.refusal, rows[i].refusal);
		assert_true(fake.session.wait_ms >= rows[i].least_ms);
		assert_int_equal(fake.request_count, 0);
		assert_int_equal(fake.leave_count, 0);
	}
}

static void a_late_call_is_not_made(void **state)
{
	struct err err;

	(void)state;
	fake_reset();
	fake.session.start_by_ms = now_ms;
	assert_false(call(VENDOR_AUTH_BASIC, true, &err));
	assert_int_equal(fake.session.refusal, VENDOR_LATE);
	assert_int_equal(fake.request_count, 0);
	assert_int_equal(fake.leaves[0].outcome, GATE_NEUTRAL);
	fake_reset();
	fake.session.deadline_ms = now_ms;
	assert_false(call(VENDOR_AUTH_BASIC, true, &err));
	assert_int_equal(fake.session.refusal, VENDOR_LATE);
}

static void a_pass_saves_the_gate_for_a_while(void **state)
{
	struct err err;

	(void)state;
	fake_reset();
	fake.pass.valid_ms = 1000;
	for (int i = 0; i < 3; i++) {
		fake_json(200, "{}");
		assert_true(call(VENDOR_AUTH_BASIC, true, &err));
	}
	assert_int_equal(fake.entered, 1);
	assert_int_equal(fake.leave_count, 0);
	/* A failure is told, and the next call asks again. */
	fake_json(500, "{}");
	assert_false(call(VENDOR_AUTH_BASIC, true, &err));
	assert_int_equal(fake.leaves[0].outcome, GATE_TRANSIENT);
	fake_json(200, "{}");
	assert_true(call(VENDOR_AUTH_BASIC, true, &err));
	assert_int_equal(fake.entered, 2);
	now_ms += 1000;
	fake_json(200, "{}");
	assert_true(call(VENDOR_AUTH_BASIC, true, &err));
	assert_int_equal(fake.entered, 3);
	now_ms += 1000;
}

static void a_probing_session_asks_no_gate(void **state)
{
	struct err err;

	(void)state;
	fake_reset();
	fake.session.probe = true;
	fake_json(401, "{}");
	assert_false(call(VENDOR_AUTH_BASIC, true, &err));
	assert_int_equal(err.kind, ERR_ACCOUNT);
	assert_int_equal(fake.entered + fake.leave_count, 0);
	assert_false(fake.parked);
}

static void only_its_own_kind_ends_a_parking(void **state)
{
	static char other_thread;
	struct err err;

	(void)state;
	fake_reset();
	fake_json(403, "{}");
	assert_false(call(VENDOR_AUTH_BASIC, true, &err));
	assert_true(fake.parked);
	assert_int_equal(fake.change, GATE_NEWLY_PARKED);
	assert_string_equal(fake.reason, "acme.vendor: writing: vendor answered 403");

	/* A read that works proves nothing about writing, but the thread may go on, in another
	 * session of it too; no other thread may. */
	fake.leave_count = fake.entered = 0;
	fake.pass.answer = GATE_PROBE;
	fake_json(200, "{}");
	assert_true(call(VENDOR_AUTH_BASIC, false, &err));
	assert_true(fake.parked);
	assert_int_equal(fake.leaves[0].outcome, GATE_NEUTRAL);
	fake.pass = (struct gate_pass){ .answer = GATE_PARKED, .wait_ms = 5 };
	fake.session.redis = (struct redis *)&other_thread;
	assert_false(call(VENDOR_AUTH_BASIC, true, &err));
	assert_int_equal(fake.session.refusal, VENDOR_PARKED);
	fake.session =
	    (struct vendor_session){ .vendor = fake.vendor, .account = &fake.account };
	fake_json(200, "{}");
	assert_true(call(VENDOR_AUTH_BASIC, true, &err));
	assert_int_equal(fake.entered, 2);
	assert_int_equal(fake.leaves[1].outcome, GATE_OK);
	assert_true(fake.leaves[1].probe);
	assert_false(fake.parked);
	assert_int_equal(fake.change, GATE_RESUMED);
	/* And is a thread like any other again. */
	assert_false(call(VENDOR_AUTH_BASIC, true, &err));
	assert_int_equal(fake.session.refusal, VENDOR_PARKED);
}

static void any_call_proves_credentials(void **state)
{
	struct err err;

	(void)state;
	fake_reset();
	fake_json(401, "{}");
	assert_false(call(VENDOR_AUTH_BASIC, true, &err));
	assert_true(fake.parked);
	fake.pass.answer = GATE_PROBE;
	fake_json(200, "{}");
	assert_true(call(VENDOR_AUTH_BASIC, false, &err));
	assert_false(fake.parked);
}

static void what_a_person_must_right_waits_for_one(void **state)
{
	struct err err;

	(void)state;
	fake_reset();
	assert_true(vendor_park(&fake.session, "company 123 is not known there", &err));
	assert_int_equal(fake.changes, 1);
	assert_non_null(strstr(fake.reason, "company 123"));
	fake.pass.answer = GATE_PROBE;
	assert_false(call(VENDOR_AUTH_BASIC, true, &err));
	assert_int_equal(fake.session.refusal, VENDOR_PARKED);
	assert_int_equal(fake.request_count, 0);
	assert_true(fake.parked);
}

/* ---- tokens ---- */

static void one_fresh_token_after_a_401(void **state)
{
	struct err err;

	(void)state;
	fake_reset();
	fake_json(200, "{\"access_token\":\"one\",\"expires_in\":600}");
	fake_json(401, "{}");
	fake_json(200, "{\"access_token\":\"two\",\"expires_in\":600}");
	fake_json(200, "{}");
	assert_true(call(VENDOR_AUTH_BEARER, true, &err));
	assert_string_equal(fake_asked(0)->basic_password, "s3cret&=");
	assert_string_equal(fake_asked(1)->bearer, "one");
	assert_string_equal(fake_asked(3)->bearer, "two");
	/* The fresh one is kept; refused, and the next too: the account is at fault. */
	fake_reset();
	fake_json(401, "{}");
	fake_json(200, "{\"access_token\":\"three\",\"expires_in\":600}");
	fake_json(401, "{}");
	assert_false(call(VENDOR_AUTH_BEARER, true, &err));
	assert_string_equal(fake_asked(0)->bearer, "two");
	assert_int_equal(fake.request_count, 3);
	assert_int_equal(err.kind, ERR_ACCOUNT);
	assert_true(fake.parked);
}

/* Its secret stays sealed as it was: only its address, or its client, is another. */
static void an_account_that_changed_gets_a_token_of_its_own(void **state)
{
	struct err err;
	char **changed[] = { &fake.account.url, &fake.account.client_id };

	(void)state;
	fake_reset();
	fake_json(200, "{\"access_token\":\"first\",\"expires_in\":600}");
	fake_json(200, "{}");
	assert_true(call(VENDOR_AUTH_BEARER, true, &err));
	for (size_t i = 0; i < sizeof changed / sizeof changed[0]; i++) {
		char *before = *changed[i];

		*changed[i] = (char[]){ "https://another.example" };
		fake_reset();
		fake_json(200, "{\"access_token\":\"second\",\"expires_in\":600}");
		fake_json(200, "{}");
		bool ok = call(VENDOR_AUTH_BEARER, true, &err);

		*changed[i] = before;
		assert_true(ok);
		assert_string_equal(fake_asked(fake.request_count - 1)->bearer, "second");
	}
}

static void a_token_endpoint_that_refuses(void **state)
{
	static const struct {
		struct fake_answer answer;
		enum err_kind kind;
	} rows[] = {
		{ { .status = 401, .body = "{\"error\":\"invalid_client\"}" }, ERR_ACCOUNT },
		{ { .status = 400, .body = "{\"error\":\"invalid_grant\"}" }, ERR_ACCOUNT },
		{ { .status = 429, .headers = "Retry-After: 3172s" }, ERR_TRANSIENT },
		{ { .status = 500 }, ERR_TRANSIENT },
		{ { .status = 200, .body = "{}" }, ERR_TRANSIENT },
		{ { .status = 200, .body = "{\"access_token\":\"a\\nb\"}" }, ERR_TRANSIENT },
		{ { .status = 200, .body = "<html>", .type = "text/html" }, ERR_TRANSIENT },
		{ { .kind = ERR_TRANSIENT, .ambiguous = true }, ERR_TRANSIENT },
	};
	struct err err;

	(void)state;
	free(fake.account.secret);
	fake.account.secret = NULL;
	assert_true(account_seal(&fake.account, fake.vault, "other", NULL));
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		fake_reset();
		fake_answer(rows[i].answer);
		assert_false(call(VENDOR_AUTH_BEARER, true, &err));
		assert_int_equal(err.kind, rows[i].kind);
		assert_false(err.ambiguous); /* the write itself was never sent */
		assert_int_equal(fake.request_count, 1);
		assert_int_equal(fake.parked, rows[i].kind == ERR_ACCOUNT);
	}
	assert_int_equal(fake.session.status, 0);
}

static void a_secret_that_does_not_open_parks(void **state)
{
	struct err err;

	(void)state;
	fake_reset();
	free(fake.account.owner);
	fake.account.owner = xstrdup("somebody-else");
	assert_false(call(VENDOR_AUTH_BASIC, true, &err));
	assert_int_equal(err.kind, ERR_ACCOUNT);
	assert_true(fake.parked);
	assert_int_equal(fake.request_count, 0);
}

/* ---- the share of threads ---- */

/* Holds its slot until released. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned inside;
	bool go;
} hold = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static bool wait_inside(const struct vendor_request *made, const struct http_response *response,
			struct err *err)
{
	(void)made, (void)response, (void)err;
	pthread_mutex_lock(&hold.lock);
	hold.inside++;
	pthread_cond_broadcast(&hold.changed);
	while (!hold.go)
		pthread_cond_wait(&hold.changed, &hold.lock);
	pthread_mutex_unlock(&hold.lock);
	return true;
}

static void *hold_one(void *opaque)
{
	struct vendor_session session = { .vendor = fake.vendor,
					  .account = &fake.account,
					  .probe = false };
	struct vendor_request made = request(VENDOR_AUTH_NONE, false);
	struct http_response response;

	(void)opaque;
	made.classify = wait_inside;
	assert_true(vendor_call(&session, &made, &response, NULL));
	http_response_done(&response);
	return NULL;
}

/* 16 threads, an eighth of them: two. */
static void no_account_holds_more_than_its_share(void **state)
{
	pthread_t threads[2];
	struct err err;

	(void)state;
	fake_reset();
	fake.pass.valid_ms = 1000; /* the threads leave the fake gate alone */
	for (int i = 0; i < 4; i++)
		fake_json(200, "{}");
	assert_true(call(VENDOR_AUTH_NONE, false, &err)); /* takes the pass */
	for (size_t i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, hold_one, NULL);
	pthread_mutex_lock(&hold.lock);
	while (hold.inside < 2)
		pthread_cond_wait(&hold.changed, &hold.lock);
	pthread_mutex_unlock(&hold.lock);
	assert_false(call(VENDOR_AUTH_NONE, false, &err));
	assert_int_equal(fake.session.refusal, VENDOR_SHARE);
	assert_in_range(fake.session.wait_ms, 1000, 5000);
	pthread_mutex_lock(&hold.lock);
	hold.go = true;
	pthread_cond_broadcast(&hold.changed);
	pthread_mutex_unlock(&hold.lock);
	for (size_t i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_true(call(VENDOR_AUTH_NONE, false, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(classifies_for_caller_and_gate, start, end),
		cmocka_unit_test_setup_teardown(a_refusal_sends_nothing, start, end),
		cmocka_unit_test_setup_teardown(a_late_call_is_not_made, start, end),
		cmocka_unit_test_setup_teardown(a_pass_saves_the_gate_for_a_while, start, end),
		cmocka_unit_test_setup_teardown(a_probing_session_asks_no_gate, start, end),
		cmocka_unit_test_setup_teardown(only_its_own_kind_ends_a_parking, start, end),
		cmocka_unit_test_setup_teardown(any_call_proves_credentials, start, end),
		cmocka_unit_test_setup_teardown(what_a_person_must_right_waits_for_one, start,
						end),
		cmocka_unit_test_setup_teardown(one_fresh_token_after_a_401, start, end),
		cmocka_unit_test_setup_teardown(an_account_that_changed_gets_a_token_of_its_own,
						start, end),
		cmocka_unit_test_setup_teardown(a_token_endpoint_that_refuses, start, end),
		cmocka_unit_test_setup_teardown(a_secret_that_does_not_open_parks, start, end),
		cmocka_unit_test_setup_teardown(no_account_holds_more_than_its_share, start,
						end),
	};

	clock_inject(NULL, mono);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
