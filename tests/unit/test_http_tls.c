/* Whom the client believes: certificates that must be refused, one that must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/http.h"

static char folder[] = "/tmp/tocsin-test-tls-XXXXXX";
static char ca_file[64];
static char ports[512]; /* "good=1234 wrong=..." */
static pid_t peer;
static int peer_input;

static int start_peer(void **state)
{
	int in[2], out[2];
	size_t size = 0;
	ssize_t got = 0;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(folder) || pipe(in) != 0 || pipe(out) != 0)
		return -1;
	snprintf(ca_file, sizeof ca_file, "%s/ca.pem", folder);
	peer = fork();
	if (peer == 0) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		close(in[1]);
		close(out[0]);
		execl("tests/unit/tls_peer", "tls_peer", folder, (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	peer_input = in[1];
	while (size + 1 < sizeof ports && !strchr(ports, '\n') &&
	       (got = read(out[0], ports + size, sizeof ports - 1 - size)) > 0)
		size += (size_t)got;
	close(out[0]);
	return strchr(ports, '\n') ? 0 : -1;
}

static int stop_peer(void **state)
{
	char command[100];

	(void)state;
	close(peer_input);
	waitpid(peer, NULL, 0);
	snprintf(command, sizeof command, "rm -r %s", folder);
	return system(command);
}

static unsigned port_of(const char *name)
{
	char wanted[32];

	snprintf(wanted, sizeof wanted, "%s=", name);
	const char *found = strstr(ports, wanted);
	assert_non_null(found);
	return (unsigned)strtoul(found + strlen(wanted), NULL, 10);
}

static bool call(const struct http_settings *settings, const char *host, const char *name,
		 struct err *err)
{
	struct http *http = http_new(settings, err);
	struct http_response response;
	char url[64];

	assert_non_null(http);
	snprintf(url, sizeof url, "https://%s:%u/", host, port_of(name));
	bool good = http_exchange(http, &(struct http_request){ .method = "POST", .url = url },
				  &response, err);
	http_response_done(&response);
	http_free(http);
	return good;
}

static void a_good_certificate_is_believed(void **state)
{
	const struct http_settings settings = { .ca_file = ca_file };
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
	const struct http_settings settings = { .ca_file = ca_file };

	(void)state;
	/* The validity of one of them is no second long: wait until it is over. */
	nanosleep(&(struct timespec){ .tv_sec = 1, .tv_nsec = 100000000 }, NULL);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct err err = { 0 };
		char host[64];
		snprintf(host, sizeof host, "POST 127.0.0.1:%u: ", port_of(rows[i].name));
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

	return cmocka_run_group_tests(tests, start_peer, stop_peer);
}
