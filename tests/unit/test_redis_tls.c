/* TLS to Redis: whom it believes, and that each refusal says what is wrong. Where hiredis has
 * no TLS there is nothing to test here; test_redis.c has what is said then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include "bus/redis.h"
#include "tls_peer.h"

/* The error of connecting to one of the peers, none of which is a Redis. */
static struct err refusal_of(const char *scheme, const char *host, const char *name,
			     struct redis_settings settings)
{
	struct err err = { 0 };
	char url[64];
	snprintf(url, sizeof(url), "%s://%s:%u", scheme, host, peer_port(name));
	settings.url = url;
	settings.connect_timeout_ms = 1000;
	settings.command_timeout_ms = 1000;
	struct redis *redis = redis_new(&settings, "test");
	assert_false(redis_connect(redis, &err));
	assert_int_equal(redis_error(redis), REDIS_IO);
	assert_int_equal(err.kind, ERR_TRANSIENT);
	assert_false(err.ambiguous);
	redis_free(redis);
	return err;
}

static void a_server_with_tls_only_is_named(void **state)
{
	const struct err err =
	    refusal_of("redis", "localhost", "good", (struct redis_settings){ 0 });
	(void)state;
	if (!strstr(err.text, "it ends, or wants TLS (rediss://)"))
		fail_msg("%s", err.text);
}

#ifdef TOCSIN_REDIS_TLS

static struct err refusal(const char *host, const char *name, struct redis_settings settings)
{
	return refusal_of("rediss", host, name, settings);
}

static void each_refusal_says_what_is_wrong(void **state)
{
	static const struct {
		const char *host, *name, *why;
	} rows[] = {
		{ "127.0.0.1", "wrong", "certificate is not for 127.0.0.1" },
		{ "localhost", "wrong", "certificate is not for localhost" },
		{ "127.0.0.1", "expired", "certificate has expired" },
		{ "localhost", "unknown", "is not signed by /tmp/tocsin-test-tls-" },
		{ "127.0.0.1", "old", "has no TLS 1.2 or later" },
		{ "127.0.0.1", "plain", "does not speak it on this port" },
		{ "127.0.0.1", "silent", "no answer in time" },
		{ "127.0.0.1", "asks", "it ends, or wants TOCSIN_REDIS_CERTIFICATE_FILE" },
		/* No fault of TLS: what is there is no Redis. */
		{ "127.0.0.1", "good", "Protocol error" },
		{ "localhost", "good", "Protocol error" },
	};
	(void)state;
	/* The validity of one of them is no second long: wait until it is over. */
	nanosleep(&(struct timespec){ .tv_sec = 1, .tv_nsec = 100000000 }, NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct err err = refusal(rows[i].host, rows[i].name,
					       (struct redis_settings){ .ca_file = peer_ca });
		if (!strstr(err.text, rows[i].why) || !strstr(err.text, rows[i].host))
			fail_msg("%s: %s", rows[i].name, err.text);
	}
}

static void our_authority_is_not_the_systems(void **state)
{
	const struct err err = refusal("127.0.0.1", "good", (struct redis_settings){ 0 });
	(void)state;
	assert_non_null(strstr(err.text, "not signed by the system's authorities"));
}

/* Copies a file of the peer's to FOLDER/used.pem, beside it first when it is to be renamed. */
static const char *use_authority(const char *name, bool renamed)
{
	static char used[80];
	char command[300];
	snprintf(used, sizeof(used), "%s/used.pem", peer_folder);
	snprintf(command, sizeof(command), "cp %s/%s.pem %s%s", peer_folder, name, used,
		 renamed ? ".new" : "");
	assert_int_equal(system(command), 0);
	if (renamed) {
		snprintf(command, sizeof(command), "%s.new", used);
		assert_int_equal(rename(command, used), 0);
	}
	return used;
}

/* Connections share what was read, until the file is another: replaced, written or gone. */
static void a_renewed_authority_is_believed_at_the_next_connection(void **state)
{
	static const struct {
		const char *authority;
		bool renamed;
		const char *unknown, *good;
	} rows[] = {
		{ "ca", false, "is not signed by", "Protocol error" },
		{ "other", false, "Protocol error", "is not signed by" },
		{ "ca", true, "is not signed by", "Protocol error" },
		{ "other", true, "Protocol error", "is not signed by" },
	};
	struct redis_settings settings = { 0 };
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		settings.ca_file = (char *)use_authority(rows[i].authority, rows[i].renamed);
		for (int again = 0; again < 2; again++) {
			const struct err unknown = refusal("127.0.0.1", "unknown", settings);
			const struct err good = refusal("127.0.0.1", "good", settings);
			if (!strstr(unknown.text, rows[i].unknown) ||
			    !strstr(good.text, rows[i].good))
				fail_msg("%zu: %s; %s", i, unknown.text, good.text);
		}
	}
	assert_int_equal(unlink(settings.ca_file), 0);
	const struct err gone = refusal("127.0.0.1", "unknown", settings);
	if (!strstr(gone.text, "cannot read certificates from"))
		fail_msg("%s", gone.text);
}

static void a_certificate_of_ours_is_shown(void **state)
{
	char certificate[80], key[80];
	(void)state;
	snprintf(certificate, sizeof(certificate), "%s/client.pem", peer_folder);
	snprintf(key, sizeof(key), "%s/client.key", peer_folder);
	const struct err err =
	    refusal("127.0.0.1", "asks",
		    (struct redis_settings){
			.ca_file = peer_ca, .certificate_file = certificate, .key_file = key });
	if (!strstr(err.text, "Protocol error"))
		fail_msg("%s", err.text);
}

static void files_are_looked_at_before_the_start(void **state)
{
	char key[80];
	snprintf(key, sizeof(key), "%s/client.key", peer_folder);
	const struct {
		struct redis_settings settings;
		const char *why;
	} rows[] = {
		{ { .ca_file = peer_ca }, NULL },
		{ { .ca_file = "/nowhere/ca.pem" },
		  "TOCSIN_REDIS_CA_FILE: cannot read certificates from /nowhere/ca.pem: "
		  "No such file" },
		{ { .ca_file = key }, "TOCSIN_REDIS_CA_FILE: cannot read" },
		{ { .ca_file = peer_ca, .certificate_file = key, .key_file = key },
		  "TOCSIN_REDIS_CERTIFICATE_FILE: cannot use" },
		{ { .ca_file = peer_ca, .certificate_file = peer_ca, .key_file = key },
		  "TOCSIN_REDIS_KEY_FILE: cannot use" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct redis_settings settings = rows[i].settings;
		struct err err = { 0 };
		settings.url = "rediss://localhost";
		if (redis_files_check(&settings, &err) != !rows[i].why ||
		    (rows[i].why && !strstr(err.text, rows[i].why)))
			fail_msg("%zu: %s", i, err.text);
		settings.url = "redis://localhost";
		assert_true(redis_files_check(&settings, &err));
	}
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_with_tls_only_is_named),
#ifdef TOCSIN_REDIS_TLS
		cmocka_unit_test(each_refusal_says_what_is_wrong),
		cmocka_unit_test(our_authority_is_not_the_systems),
		cmocka_unit_test(a_renewed_authority_is_believed_at_the_next_connection),
		cmocka_unit_test(a_certificate_of_ours_is_shown),
		cmocka_unit_test(files_are_looked_at_before_the_start),
#endif
	};
	return cmocka_run_group_tests(tests, peer_start, peer_stop);
}
