/* Whom the client believes: certificates that must be refused, one that must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include "net/http.h"
#include "tls_peer.h"

static bool call(const struct http_settings *settings, const char *host, const char *name,
		 struct err *err)
{
	struct http *http = http_new(settings, err);
	struct http_response response;
	char url[64];

	assert_non_null(http);
	snprintf(url, sizeof url, "https://%s:%u/", host, peer_port(name));
	bool good = http_exchange(http, &(struct http_request){ .method = "POST", .url = url },
				  &response, err);
	http_response_done(&response);
	http_free(http);
	return good;
}

static void a_good_certificate_is_believed(void **state)
{
	const struct http_settings settings = { .ca_file = peer_ca };
	struct err err = { 0 };

	(void)state;
	if (!call(&settings, "127.0.0.1", "good", &err))
		fail_msg("%s", err.text);
	assert_true(call(&settings, "localhost", "good", &err));
}

static void others_are_not(void **state)
{
	static const struct {
		const char *name, *why;
	} rows[] = {
		{ "wrong", "no alternative certificate subject name matches" },
		{ "expired", "certificate has expired" },
		{ "unknown", "unable to get local issuer certificate" },
		{ "old", "" }, /* TLS 1.1 */
	};
	const struct http_settings settings = { .ca_file = peer_ca };

	(void)state;
	/* The validity of one of them is no second long: wait until it is over. */
	nanosleep(&(struct timespec){ .tv_sec = 1, .tv_nsec = 100000000 }, NULL);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct err err = { 0 };
		char host[64];
		snprintf(host, sizeof host, "POST 127.0.0.1:%u: ", peer_port(rows[i].name));
		assert_false(call(&settings, "127.0.0.1", rows[i].name, &err));
		if (err.kind != ERR_TRANSIENT || err.ambiguous || !strstr(err.text, host) ||
		    !strstr(err.text, rows[i].why))
			fail_msg("%s: %s, %d: %s", rows[i].name, err_kind_name(err.kind),
				 err.ambiguous, err.text);
	}
}

static void our_authority_is_not_the_systems(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_false(call(&(struct http_settings){ 0 }, "127.0.0.1", "good", &err));
	assert_int_equal(err.kind, ERR_TRANSIENT);
	assert_false(err.ambiguous);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_certificate_is_believed),
		cmocka_unit_test(others_are_not),
		cmocka_unit_test(our_authority_is_not_the_systems),
	};

	return cmocka_run_group_tests(tests, peer_start, peer_stop);
}
