/* Standard Webhooks signatures: the specification's example, and everything that is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>

#include "model/signature.h"

/* github.com/standard-webhooks/standard-webhooks, the example of its libraries' tests; the
 * signature as OpenSSL computes it. */
#define SECRET	  "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define ID	  "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define BODY	  "{\"test\": 2432232314}"
#define SIGNATURE "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define OTHER	  "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

enum { TIME = 1614265330 };

static void checks(void **state)
{
	static const char time[] = "1614265330";
	static const struct {
		const char *what, *id, *timestamp, *signatures, *body;
		int64_t late_s;
		bool good;
	} rows[] = {
		{ "the example", ID, time, SIGNATURE, BODY, 0, true },
		{ "300 s late", ID, time, SIGNATURE, BODY, 300, true },
		{ "300 s early", ID, time, SIGNATURE, BODY, -300, true },
		{ "301 s late", ID, time, SIGNATURE, BODY, 301, false },
		{ "301 s early", ID, time, SIGNATURE, BODY, -301, false },
		{ "second of the list", ID, time, OTHER " " SIGNATURE, BODY, 0, true },
		{ "after unknown versions", ID, time, "v1a,x v2," SIGNATURE " " SIGNATURE, BODY,
		  0, true },
		{ "with blanks", ID, time, "  " SIGNATURE " ", BODY, 0, true },
		{ "the ninth", ID, time,
		  OTHER " " OTHER " " OTHER " " OTHER " " OTHER " " OTHER " " OTHER " " OTHER
			" " SIGNATURE,
		  BODY, 0, false },
		{ "another", ID, time, OTHER, BODY, 0, false },
		{ "cut", ID, time, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1O", BODY, 0,
		  false },
		{ "without version", ID, time,
		  "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", BODY, 0, false },
		{ "another version", ID, time,
		  "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", BODY, 0, false },
		{ "with commas", ID, time, OTHER "," SIGNATURE, BODY, 0, false },
		{ "another body", ID, time, SIGNATURE, BODY " ", 0, false },
		{ "another id", "msg_2", time, SIGNATURE, BODY, 0, false },
		{ "another time", ID, "1614265331", SIGNATURE, BODY, 0, false },
		{ "time with zeros", ID, "01614265330", SIGNATURE, BODY, 0, false },
		{ "time with sign", ID, "+1614265330", SIGNATURE, BODY, 0, false },
		{ "time of letters", ID, "now", SIGNATURE, BODY, 0, false },
		{ "huge time", ID, "99999999999999999999", SIGNATURE, BODY, 0, false },
		{ "no time", ID, "", SIGNATURE, BODY, 0, false },
		{ "empty id", "", time, SIGNATURE, BODY, 0, false },
		{ "empty list", ID, time, "", BODY, 0, false },
		{ "id missing", NULL, time, SIGNATURE, BODY, 0, false },
		{ "time missing", ID, NULL, SIGNATURE, BODY, 0, false },
		{ "list missing", ID, time, NULL, BODY, 0, false },
	};
	struct signature_keys keys = { 0 };

	(void)state;
	assert_true(signature_keys_add(&keys, SECRET));
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct signature_request request = {
			.id = rows[i].id,
			.timestamp = rows[i].timestamp,
			.signatures = rows[i].signatures,
			.body = rows[i].body,
			.body_size = strlen(rows[i].body),
			.now_ms = (uint64_t)(TIME + rows[i].late_s) * 1000,
		};
		if (signature_valid(&request, &keys) != rows[i].good)
			fail_msg("%s is %s", rows[i].what, rows[i].good ? "refused" : "taken");
	}
	signature_keys_wipe(&keys);
}

static void two_keys_and_no_more(void **state)
{
	const struct signature_request request = {
		.id = ID,
		.timestamp = "1614265330",
		.signatures = SIGNATURE,
		.body = BODY,
		.body_size = strlen(BODY),
		.now_ms = (uint64_t)TIME * 1000,
	};
	struct signature_keys keys = { 0 }, nobody;
	char fresh[SIGNATURE_SECRET_SIZE];

	(void)state;
	signature_keys_dummy(&nobody);
	assert_false(signature_valid(&request, &nobody));
	signature_new_secret(fresh);
	assert_int_equal(strncmp(fresh, "whsec_", 6), 0);
	assert_true(signature_keys_add(&keys, fresh));
	assert_false(signature_valid(&request, &keys));
	assert_true(signature_keys_add(&keys, SECRET));
	assert_true(signature_valid(&request, &keys));
	assert_false(signature_keys_add(&keys, SECRET));
}

static void what_is_no_secret(void **state)
{
	static const char *const texts[] = { "",
					     "whsec_",
					     "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
					     "whsec_c2hvcnQ=",
					     "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!",
					     "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS" };
	struct signature_keys keys = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		assert_false(signature_keys_add(&keys, texts[i]));
	assert_int_equal(keys.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checks),
		cmocka_unit_test(two_keys_and_no_more),
		cmocka_unit_test(what_is_no_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
