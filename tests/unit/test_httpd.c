/* The server against senders that are not libcurl: exact bytes over sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "net/httpd.h"

#include "wire.h"

/* ---- handlers ---- */

static enum httpd_outcome echo(struct httpd_exchange *exchange, void *state)
{
	char text[4096];
	size_t size;
	const char *body = httpd_body(exchange, &size);
	const char *query = httpd_query(exchange, "q");
	const char *header = httpd_header(exchange, "x-test");

	assert_string_equal(state, "state");
	int length = snprintf(text, sizeof text, "%s %s q=%s x=%s from=%s body=%zu:%s",
			      httpd_method(exchange), httpd_path(exchange), query ? query : "-",
			      header ? header : "-", httpd_peer(exchange), size, body);
	httpd_answer_header(exchange, "X-Answer", "yes");
	httpd_answer(exchange, 202, "text/plain", text, (size_t)length);
	return HTTPD_DONE;
}

/* Exchanges that wait for the test to let them go. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct httpd_exchange *pending[8];
	unsigned count;
} parked = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static enum httpd_outcome park(struct httpd_exchange *exchange, void *state)
{
	(void)state;
	pthread_mutex_lock(&parked.lock);
	parked.pending[parked.count++] = exchange;
	pthread_cond_broadcast(&parked.changed);
	pthread_mutex_unlock(&parked.lock);
	return HTTPD_PENDING;
}

static void let_go(unsigned count)
{
	pthread_mutex_lock(&parked.lock);
	while (parked.count < count)
		pthread_cond_wait(&parked.changed, &parked.lock);
	for (unsigned i = 0; i < parked.count; i++) {
		httpd_answer(parked.pending[i], 200, "text/plain", "late", 4);
		httpd_complete(parked.pending[i]);
	}
	parked.count = 0;
	pthread_mutex_unlock(&parked.lock);
}

static void *complete(void *exchange)
{
	httpd_answer(exchange, 200, "text/plain", "other thread", 12);
	httpd_complete(exchange);
	return NULL;
}

/* Completed from another thread while, or before, the handler returns. */
static enum httpd_outcome race(struct httpd_exchange *exchange, void *state)
{
	pthread_t thread;

	(void)state;
	pthread_create(&thread, NULL, complete, exchange);
	pthread_detach(thread);
	return HTTPD_PENDING;
}

/* Completed before the handler returns. */
static enum httpd_outcome early(struct httpd_exchange *exchange, void *state)
{
	(void)state;
	complete(exchange);
	return HTTPD_PENDING;
}

static const struct httpd_route routes[] = {
	{ "POST", "/early", early, 100 },
	{ "GET", "/echo", echo, 0 },
	{ "POST", "/echo", echo, 20 },
	{ "GET", "/under/*", echo, 0 },
	{ "POST", "/park", park, 100 },
	{ "POST", "/race", race, 100 },
	{ 0 },
};

static char shared[] = "state";

static struct httpd *start(struct httpd_settings settings)
{
	struct err err;

	settings.address = "127.0.0.1";
	settings.routes = routes;
	settings.state = shared;
	struct httpd *httpd = httpd_new(&settings, &err);
	if (!httpd)
		fail_msg("%s", err.text);
	return httpd;
}

/* Sends the bytes, reads until the server closes. */
static const char *ask(struct httpd *httpd, const char *request)
{
	static char answer[65536];
	int fd = wire_connect(httpd_port(httpd));

	assert_true(fd >= 0);
	wire_say(fd, request);
	wire_read_all(fd, answer, sizeof answer);
	close(fd);
	return answer;
}

static void expect_status(struct httpd *httpd, const char *request, int status)
{
	const char *answer = ask(httpd, request);
	int seen = 0;

	if (sscanf(answer, "HTTP/1.%*d %d", &seen) != 1 || seen != status)
		fail_msg("%d for <%s>, answer <%.200s>", seen, request, answer);
	if (!strstr(answer, "Connection: close"))
		fail_msg("kept open: <%.300s>", answer);
}

#define HOST "Host: x\r\n"

/* ---- tests ---- */

static void handlers_see_the_request(void **state)
{
	struct httpd *httpd = start((struct httpd_settings){ 0 });

	(void)state;
	const char *answer =
	    ask(httpd, "GET /echo?q=a%20b HTTP/1.1\r\n" HOST "X-Test: t\r\n\r\n");
	assert_non_null(strstr(answer, "HTTP/1.1 202 "));
	assert_non_null(strstr(answer, "\r\nX-Answer: yes\r\n"));
	assert_non_null(strstr(answer, "\r\nCache-Control: no-store\r\n"));
	assert_non_null(strstr(answer, "\r\nX-Content-Type-Options: nosniff\r\n"));
	assert_non_null(strstr(answer, "GET /echo q=a b x=t from=127.0.0.1 body=0:"));
	answer = ask(httpd, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello");
	assert_non_null(strstr(answer, "POST /echo q=- x=- from=127.0.0.1 body=5:hello"));
	answer = ask(httpd, "GET /under/a%2Fb/c HTTP/1.1\r\n" HOST "\r\n");
	assert_non_null(strstr(answer, "GET /under/a/b/c q=-"));
	answer = ask(httpd, "HEAD /echo HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
	assert_non_null(strstr(answer, "HTTP/1.1 202 "));
	assert_null(strstr(answer, "body="));
	httpd_free(httpd);
	httpd_free(NULL);
}

static void what_two_could_read_differently_is_refused(void **state)
{
	static const struct {
		const char *request;
		int status;
	} rows[] = {
		{ "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
		  "5\r\nhello\r\n0\r\n\r\n",
		  400 },
		{ "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: "
		  "chunked\r\n\r\n0\r\n\r\n",
		  400 },
		{ "POST /echo HTTP/1.1\r\n" HOST
		  "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
		  400 },
		{ "POST /echo HTTP/1.1\r\n" HOST
		  "Content-Length: 5\r\nContent-Length: 0\r\n\r\nhello",
		  400 },
		{ "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\nhello", 400 },
		{ "POST /echo HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\nhello", 400 },
		{ "POST /echo HTTP/1.1\r\n" HOST "Content-Length : 5\r\n\r\nhello", 400 },
		{ "POST /echo HTTP/1.1\r\n" HOST "X y: 5\r\n\r\n", 400 },
		{ "GET /echo HTTP/1.1\r\n\r\n", 400 },
		{ "GET /echo HTTP/1.1\r\n" HOST HOST "\r\n", 400 },
		{ "GET /echo HTTP/1.1\r\n" HOST "Host: y\r\n\r\n", 400 },
		{ "GET /echo HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx", 400 },
		{ "GET /none HTTP/1.1\r\n" HOST "\r\n", 404 },
		{ "GET /echo/ HTTP/1.1\r\n" HOST "\r\n", 404 },
		{ "GET /echo%00 HTTP/1.1\r\n" HOST "\r\n", 404 },
		{ "DELETE /echo HTTP/1.1\r\n" HOST "\r\n", 405 },
		{ "POST /under/x HTTP/1.1\r\n" HOST "\r\n", 405 },
		{ "POST /echo HTTP/1.1\r\n" HOST
		  "Content-Length: 21\r\n\r\n123456789012345678901",
		  413 },
		{ "POST /echo HTTP/1.1\r\n" HOST
		  "Content-Length: 21\r\nExpect: 100-continue\r\n\r\n",
		  413 },
		{ "POST /echo HTTP/1.1\r\n" HOST "Expect: more\r\n\r\n", 400 },
		{ "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\n\r\nhello", 400 },
		{ "POST /echo HTTP/1.1\n" HOST "Content-Length: 5\r\n\r\nhello", 400 },
		{ "POST /echo HTTP/1.1\r\n" HOST "X: a\rContent-Length: 5\r\n\r\nhello", 400 },
		{ "GET /echo HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", 400 },
		{ "GET /echo HTTP/1.1\r\n" HOST "X: a\n\r\n", 400 },
		{ "GET /echo HTTP/1.1\r\n" HOST "Transfer_Encoding: chunked\r\n\r\n", 400 },
		{ "GET /echo HTTP/1.1\r\n" HOST "Upgrade: h2c\r\n\r\n", 400 },
		{ "GET http://other/echo HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET * HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "G;T /echo HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "POST /echo HTTP/1.1\r\n" HOST
		  "Content-Length: 99999999999999999999999\r\n\r\n",
		  413 },
	};
	struct httpd *httpd = start((struct httpd_settings){ .keep_alive = true });

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		expect_status(httpd, rows[i].request, rows[i].status);
	assert_non_null(
	    strstr(ask(httpd, "DELETE /echo HTTP/1.1\r\n" HOST "\r\n"), "\r\nAllow: GET\r\n"));
	httpd_free(httpd);
}

/* What follows a refused request on the same connection is never a request of its own. */
static void nothing_is_smuggled(void **state)
{
	struct httpd *httpd = start((struct httpd_settings){ .keep_alive = true });
	const char *answer =
	    ask(httpd, "POST /echo HTTP/1.1\r\n" HOST
		       "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n"
		       "1\r\nA\r\n0\r\n\r\n"
		       "GET /under/smuggled HTTP/1.1\r\n" HOST "\r\n");

	(void)state;
	assert_non_null(strstr(answer, "HTTP/1.1 400"));
	assert_null(strstr(answer, "smuggled"));
	httpd_free(httpd);
}

static void large_heads_are_refused(void **state)
{
	struct httpd *httpd = start((struct httpd_settings){ .head_bytes = 4096 });
	char request[16384];
	int size = snprintf(request, sizeof request, "GET /echo HTTP/1.1\r\n" HOST "X: ");

	(void)state;
	memset(request + size, 'x', 10000);
	strcpy(request + size + 10000, "\r\n\r\n");
	const char *answer = ask(httpd, request);
	/* An answer that says so, or just the end of the connection. */
	assert_null(strstr(answer, " 202 "));
	assert_true(answer[0] == '\0' || strstr(answer, "HTTP/1.1 4") != NULL);
	httpd_free(httpd);
}

static void kept_connections_serve_again(void **state)
{
	struct httpd *httpd = start((struct httpd_settings){ .keep_alive = true });
	const char *answer =
	    ask(httpd, "GET /under/1 HTTP/1.1\r\n" HOST "\r\n"
		       "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nab"
		       "GET /under/3 HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");

	(void)state;
	assert_non_null(strstr(answer, "GET /under/1 "));
	assert_non_null(strstr(answer, "body=2:ab"));
	assert_non_null(strstr(answer, "GET /under/3 "));
	httpd_free(httpd);
}

/* A byte every now and then keeps the library's own timeout from ever firing. */
static void drips_are_cut(void **state)
{
	static const char request[] = "GET /echo HTTP/1.1\r\nHost: x\r\nX-Drip: ";
	struct httpd *httpd =
	    start((struct httpd_settings){ .request_ms = 400, .idle_ms = 60000 });
	int fd = wire_connect(httpd_port(httpd));
	uint64_t started = clock_mono_ms();
	char answer[1000];

	(void)state;
	assert_true(wire_say(fd, request));
	while (wire_say(fd, "x") && clock_mono_ms() - started < 10000) {
		/* Until the server has closed, or 20 ms have passed. */
		const struct timeval pause = { .tv_usec = 20000 };
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &pause, sizeof pause);
		if (recv(fd, answer, sizeof answer, 0) == 0)
			break;
	}
	uint64_t took = clock_mono_ms() - started;
	close(fd);
	assert_in_range(took, 390, 5000);
	/* One that waits for its handler is not cut. */
	fd = wire_connect(httpd_port(httpd));
	wire_say(fd, "POST /park HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n");
	started = clock_mono_ms();
	const struct timeval longer = { .tv_usec = 700000 };
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &longer, sizeof longer);
	assert_int_equal(recv(fd, answer, sizeof answer, 0), -1);
	let_go(1);
	wire_limit(fd);
	wire_read_all(fd, answer, sizeof answer);
	assert_non_null(strstr(answer, "late"));
	close(fd);
	httpd_free(httpd);
}

static void answers_may_come_later(void **state)
{
	struct httpd *httpd = start((struct httpd_settings){ .threads = 2 });
	int fds[4];
	char answer[1000];

	(void)state;
	for (int i = 0; i < 4; i++) {
		fds[i] = wire_connect(httpd_port(httpd));
		wire_say(fds[i], "POST /park HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx");
	}
	let_go(4);
	for (int i = 0; i < 4; i++) {
		wire_read_all(fds[i], answer, sizeof answer);
		assert_non_null(strstr(answer, "HTTP/1.1 200"));
		assert_non_null(strstr(answer, "late"));
		close(fds[i]);
	}
	assert_non_null(
	    strstr(ask(httpd, "POST /early HTTP/1.1\r\n" HOST "\r\n"), "other thread"));
	/* The other thread wins and loses the race against the handler's return. */
	for (int i = 0; i < 300; i++)
		assert_non_null(
		    strstr(ask(httpd, "POST /race HTTP/1.1\r\n" HOST "\r\n"), "other thread"));
	httpd_free(httpd);
}

/* A sender that leaves while its answer is pending. */
static void senders_may_leave(void **state)
{
	struct httpd *httpd = start((struct httpd_settings){ 0 });
	int fd = wire_connect(httpd_port(httpd));

	(void)state;
	wire_say(fd, "POST /park HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n");
	pthread_mutex_lock(&parked.lock);
	while (parked.count < 1)
		pthread_cond_wait(&parked.changed, &parked.lock);
	pthread_mutex_unlock(&parked.lock);
	const struct linger reset = { .l_onoff = 1 };
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	close(fd);
	let_go(1);
	assert_true(httpd_drain(httpd, 10000));
	httpd_free(httpd);
}

static void draining_waits_for_what_is_under_way(void **state)
{
	struct httpd *httpd = start((struct httpd_settings){ .keep_alive = true });
	unsigned port = httpd_port(httpd);
	int fd = wire_connect(port);
	char answer[1000];

	(void)state;
	wire_say(fd, "POST /park HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n");
	pthread_mutex_lock(&parked.lock);
	while (parked.count < 1)
		pthread_cond_wait(&parked.changed, &parked.lock);
	pthread_mutex_unlock(&parked.lock);
	assert_false(httpd_drain(httpd, 50));
	assert_int_equal(wire_connect(port), -1); /* nobody listens any more */
	let_go(1);
	assert_true(httpd_drain(httpd, 10000));
	wire_read_all(fd, answer, sizeof answer);
	assert_non_null(strstr(answer, "late"));
	assert_non_null(strstr(answer, "Connection: close"));
	close(fd);
	httpd_free(httpd);
}

static void addresses_share_nothing(void **state)
{
	struct httpd *httpd = start((struct httpd_settings){ .per_address = 2 });
	int one = wire_connect(httpd_port(httpd)), two = wire_connect(httpd_port(httpd));
	char answer[100];

	(void)state;
	/* Both are known to the server once it has refused them something. */
	wire_say(one, "POST /park HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n");
	wire_say(two, "POST /park HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n");
	pthread_mutex_lock(&parked.lock);
	while (parked.count < 2)
		pthread_cond_wait(&parked.changed, &parked.lock);
	pthread_mutex_unlock(&parked.lock);
	int three = wire_connect(httpd_port(httpd));
	wire_say(three, "GET /echo HTTP/1.1\r\n" HOST "\r\n");
	assert_int_equal(wire_read_all(three, answer, sizeof answer), 0);
	close(three);
	let_go(2);
	close(one);
	close(two);
	assert_true(httpd_drain(httpd, 10000));
	httpd_free(httpd);
}

static void wrong_addresses_are_said(void **state)
{
	struct err err;
	struct httpd *httpd = start((struct httpd_settings){ 0 });
	struct httpd_settings settings = { .address = "127.0.0.1",
					   .port = httpd_port(httpd),
					   .routes = routes };

	(void)state;
	assert_null(httpd_new(&settings, &err));
	assert_non_null(strstr(err.text, "cannot listen on 127.0.0.1 port"));
	settings.address = "nowhere";
	assert_null(httpd_new(&settings, &err));
	assert_non_null(strstr(err.text, "not an address to listen on: nowhere"));
	settings = (struct httpd_settings){ .address = "::1", .port = 70000, .routes = routes };
	assert_null(httpd_new(&settings, &err));
	httpd_free(httpd);
}

static int ignore_sigpipe(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handlers_see_the_request),
		cmocka_unit_test(what_two_could_read_differently_is_refused),
		cmocka_unit_test(nothing_is_smuggled),
		cmocka_unit_test(large_heads_are_refused),
		cmocka_unit_test(kept_connections_serve_again),
		cmocka_unit_test(drips_are_cut),
		cmocka_unit_test(answers_may_come_later),
		cmocka_unit_test(senders_may_leave),
		cmocka_unit_test(draining_waits_for_what_is_under_way),
		cmocka_unit_test(addresses_share_nothing),
		cmocka_unit_test(wrong_addresses_are_said),
	};

	return cmocka_run_group_tests(tests, ignore_sigpipe, NULL);
}
