/* The certificate a server shows, and what is not taken in its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/conf.h"
#include "net/http.h"
#include "net/httpd.h"
#include "tls_peer.h"

static enum httpd_outcome hello(struct httpd_exchange *exchange, void *state)
{
	(void)state;
	httpd_answer(exchange, 200, "application/json", "{}", 2);
	return HTTPD_DONE;
}

static const struct httpd_route routes[] = { { "POST", "/", hello, 100 }, { 0 } };

/* FOLDER/NAME, or the name itself where there is no such file. */
static char *read_file(const char *name)
{
	char path[80];

	snprintf(path, sizeof path, "%s/%s", peer_folder, name);
	char *text = conf_read_file(path, 1 << 16, NULL);
	return text ? text : strdup(name);
}

static struct httpd *start(const char *certificate, const char *key, struct err *err)
{
	struct httpd_settings settings = { .address = "127.0.0.1", .routes = routes };
	char *certificate_text = read_file(certificate), *key_text = read_file(key);

	settings.tls_certificate = certificate_text;
	settings.tls_key = key_text;
	struct httpd *httpd = httpd_new(&settings, err);
	free(certificate_text);
	free(key_text);
	return httpd;
}

static bool renew(struct httpd *httpd, const char *certificate, const char *key,
		  struct err *err)
{
	char *certificate_text = read_file(certificate), *key_text = read_file(key);
	bool good = httpd_renew_tls(httpd, certificate_text, key_text, err);

	free(certificate_text);
	free(key_text);
	return good;
}

/* Whether what a new connection is shown is good.pem; else why it is not believed. */
static bool shows_good(const struct httpd *httpd, struct err *err)
{
	const struct http_settings settings = { .ca_file = peer_ca };
	struct http *http = http_new(&settings, err);
	struct http_response response;
	char url[64];

	snprintf(url, sizeof url, "https://localhost:%u/", httpd_port(httpd));
	bool good = http_exchange(http, &(struct http_request){ .method = "POST", .url = url },
				  &response, err);
	http_response_done(&response);
	http_free(http);
	return good;
}

static const struct {
	const char *certificate, *key, *why;
} bad[] = {
	{ "wrong.pem", "good.key", "TLS: certificate and key: " },
	{ "rubbish", "good.key", "TLS: certificate: " },
	{ "", "good.key", "TLS: certificate: " },
	{ "good.key", "good.key", "TLS: certificate: " },
	{ "good.pem", "rubbish", "TLS: key: " },
	{ "good.pem", "", "TLS: key: " },
	{ "good.pem", "good.pem", "TLS: key: " },
};

static void a_bad_pair_is_not_started_with(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct err err = { 0 };

		assert_null(start(bad[i].certificate, bad[i].key, &err));
		if (strncmp(err.text, bad[i].why, strlen(bad[i].why)) != 0)
			fail_msg("%zu: %s", i, err.text);
	}
}

static void a_bad_pair_is_not_taken_instead(void **state)
{
	struct err err = { 0 };
	struct httpd *httpd = start("good.pem", "good.key", &err);

	(void)state;
	assert_non_null(httpd);
	const int64_t until_s = httpd_tls_until_s(httpd);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_false(renew(httpd, bad[i].certificate, bad[i].key, &err));
		if (strncmp(err.text, bad[i].why, strlen(bad[i].why)) != 0)
			fail_msg("%zu: %s", i, err.text);
	}
	/* Its validity is no second long: wait until it is over. */
	nanosleep(&(struct timespec){ .tv_sec = 1, .tv_nsec = 100000000 }, NULL);
	assert_false(renew(httpd, "expired.pem", "expired.key", &err));
	assert_string_equal(err.text, "TLS: the certificate has expired");
	if (!shows_good(httpd, &err))
		fail_msg("%s", err.text);
	assert_int_equal(httpd_tls_until_s(httpd), until_s);
	httpd_free(httpd);
}

static void a_good_pair_is_shown_from_then_on(void **state)
{
	struct err err = { 0 };
	struct httpd *httpd = start("wrong.pem", "wrong.key", &err);

	(void)state;
	assert_non_null(httpd);
	assert_false(shows_good(httpd, &err));
	assert_non_null(strstr(err.text, "no alternative certificate subject name matches"));
	assert_true(renew(httpd, "good.pem", "good.key", &err));
	if (!shows_good(httpd, &err))
		fail_msg("%s", err.text);
	assert_true(renew(httpd, "wrong.pem", "wrong.key", &err));
	assert_false(shows_good(httpd, &err));
	httpd_free(httpd);
}

static atomic_bool enough;

static void *renew_often(void *opaque)
{
	while (!enough) {
		assert_true(renew(opaque, "client.pem", "client.key", NULL));
		assert_true(renew(opaque, "good.pem", "good.key", NULL));
	}
	return NULL;
}

/* A handshake is made with one pair, whatever happens meanwhile. */
static void handshakes_go_on_while_it_is_replaced(void **state)
{
	struct err err = { 0 };
	struct httpd *httpd = start("good.pem", "good.key", &err);
	pthread_t thread;
	unsigned good = 0;

	(void)state;
	assert_non_null(httpd);
	pthread_create(&thread, NULL, renew_often, httpd);
	for (int i = 0; i < 50; i++) {
		if (shows_good(httpd, &err))
			good++;
		else if (!strstr(err.text, "no alternative certificate subject name"))
			fail_msg("%s", err.text);
	}
	enough = true;
	pthread_join(thread, NULL);
	assert_in_range(good, 1, 50);
	httpd_free(httpd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bad_pair_is_not_started_with),
		cmocka_unit_test(a_bad_pair_is_not_taken_instead),
		cmocka_unit_test(a_good_pair_is_shown_from_then_on),
		cmocka_unit_test(handshakes_go_on_while_it_is_replaced),
	};

	return cmocka_run_group_tests(tests, peer_start, peer_stop);
}
