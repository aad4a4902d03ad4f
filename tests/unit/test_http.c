/* The client against a server that answers as badly as servers do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "net/http.h"

#include "wire.h"

/* ---- the server: what it does depends on the first part of the path ---- */

static struct {
	int listener;
	unsigned port;
	pthread_t thread;
	_Atomic unsigned requests, connections;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned held;	   /* requests that wait to be let go */
	unsigned releases; /* grows: all that waited go on */
	unsigned living;   /* threads of connections */
} server = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

/* "{"ok":true}", and 60,000 bytes in a few. */
static const unsigned char gzip_small[] = {
	0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xab,
	0x56, 0xca, 0xcf, 0x56, 0xb2, 0x2a, 0x29, 0x2a, 0x4d, 0xad, 0x05,
	0x00, 0x90, 0x5f, 0xd4, 0xa7, 0x0b, 0x00, 0x00, 0x00,
};
static const unsigned char gzip_bomb[] = {
	0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xed, 0xc1, 0x41,
	0x0d, 0x00, 0x30, 0x08, 0x04, 0x30, 0x2f, 0x27, 0x03, 0x37, 0x73, 0x41, 0x42,
	0xf0, 0x3e, 0x1b, 0x3c, 0xda, 0x4e, 0x5e, 0x2a, 0x0d, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x70, 0x4c, 0xf6, 0x03, 0x80, 0x99, 0x2c, 0x5d, 0x68, 0xea, 0x00, 0x00,
};

static void hold(void)
{
	pthread_mutex_lock(&server.lock);
	unsigned releases = server.releases;
	server.held++;
	pthread_cond_broadcast(&server.changed);
	while (server.releases == releases)
		pthread_cond_wait(&server.changed, &server.lock);
	server.held--;
	pthread_cond_broadcast(&server.changed);
	pthread_mutex_unlock(&server.lock);
}

static void wait_held(unsigned count)
{
	pthread_mutex_lock(&server.lock);
	while (server.held < count)
		pthread_cond_wait(&server.changed, &server.lock);
	pthread_mutex_unlock(&server.lock);
}

static void let_go(void)
{
	pthread_mutex_lock(&server.lock);
	server.releases++;
	pthread_cond_broadcast(&server.changed);
	while (server.held > 0)
		pthread_cond_wait(&server.changed, &server.lock);
	pthread_mutex_unlock(&server.lock);
}

static bool answer(int fd, const char *status, const char *headers, const char *body)
{
	char text[70000];

	snprintf(text, sizeof text, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n%s", status,
		 headers, strlen(body), body);
	return wire_say(fd, text);
}

#define JSON "Content-Type: application/json\r\n"

static bool answer_gzip(int fd, const unsigned char *data, size_t size)
{
	char head[200];

	snprintf(head, sizeof head,
		 "HTTP/1.1 200 OK\r\n" JSON "Content-Encoding: gzip\r\nContent-Length: "
		 "%zu\r\n\r\n",
		 size);
	return wire_say(fd, head) && wire_send(fd, data, size);
}

static bool answer_many_headers(int fd)
{
	wire_say(fd, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 3000; i++)
		if (!wire_say(fd, "X-Filler: 0123456789012345678901234567890123456789\r\n"))
			return false;
	return wire_say(fd, "Content-Length: 0\r\n\r\n");
}

static bool answer_redirect(int fd, const char *path)
{
	/* /redirect/STATUS/TARGET */
	char headers[400];

	snprintf(headers, sizeof headers, "Location: %.300s\r\n", path + 14);
	char status[32];
	snprintf(status, sizeof status, "%.3s Moved", path + 10);
	return answer(fd, status, headers, "");
}

/* False closes the connection. nth counts the requests on it from 1. */
static bool serve(int fd, const char *path, const char *request, unsigned nth)
{
	if (strcmp(path, "/ok") == 0)
		return answer(fd, "200 OK", JSON "x-Mixed-CASE:  seen \r\n", "{\"ok\":true}");
	if (strcmp(path, "/echo") == 0)
		return answer(fd, "200 OK", JSON, request);
	if (strcmp(path, "/continue") == 0)
		return wire_say(fd, "HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n") &&
		       answer(fd, "201 Created", JSON, "{}");
	if (strcmp(path, "/hold") == 0) {
		hold();
		return answer(fd, "200 OK", JSON, "{\"held\":true}");
	}
	if (strcmp(path, "/cut") == 0)
		return false;
	if (strcmp(path, "/cut-if-used") == 0)
		return nth > 1 ? false : answer(fd, "200 OK", JSON, "{}");
	if (strcmp(path, "/truncated") == 0) {
		wire_say(fd, "HTTP/1.1 200 OK\r\n" JSON "Content-Length: 100\r\n\r\n{\"a\":");
		return false;
	}
	if (strcmp(path, "/truncated-chunks") == 0) {
		wire_say(fd, "HTTP/1.1 200 OK\r\n" JSON
			     "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n");
		return false;
	}
	if (strcmp(path, "/unbounded") == 0) {
		wire_say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
		while (wire_say(fd, "10\r\n0123456789abcdef\r\n"))
			;
		return false;
	}
	if (strcmp(path, "/many-headers") == 0)
		return answer_many_headers(fd);
	if (strcmp(path, "/gzip") == 0)
		return answer_gzip(fd, gzip_small, sizeof gzip_small);
	if (strcmp(path, "/bomb") == 0)
		return answer_gzip(fd, gzip_bomb, sizeof gzip_bomb);
	if (strncmp(path, "/redirect/", 10) == 0)
		return answer_redirect(fd, path);
	return answer(fd, "404 Not Found", "", "");
}

/* One request with its body; false at the end of the connection. */
static bool read_request(int fd, char *text, size_t room)
{
	size_t size = 0, want = 0;

	for (;;) {
		const char *end = size > 0 ? strstr(text, "\r\n\r\n") : NULL;
		if (end && want == 0) {
			const char *length = strcasestr(text, "\r\nContent-Length:");
			want = (size_t)(end + 4 - text) +
			       (length ? strtoul(length + 17, NULL, 10) : 0);
		}
		if (end && size >= want)
			return true;
		ssize_t got = recv(fd, text + size, room - 1 - size, 0);
		if (got <= 0)
			return false;
		size += (size_t)got;
		text[size] = '\0';
		if (text[0] == 0x16)
			return false; /* TLS, which is not spoken here */
	}
}

static void *serve_connection(void *opaque)
{
	int fd = (int)(intptr_t)opaque;
	char *request = malloc(65536);
	unsigned nth = 0;

	while (read_request(fd, request, 65536)) {
		char path[512] = "";
		atomic_fetch_add(&server.requests, 1);
		sscanf(request, "%*s %511s", path);
		if (!serve(fd, path, request, ++nth))
			break;
	}
	close(fd);
	free(request);
	pthread_mutex_lock(&server.lock);
	server.living--;
	pthread_cond_broadcast(&server.changed);
	pthread_mutex_unlock(&server.lock);
	return NULL;
}

static void *accept_connections(void *opaque)
{
	(void)opaque;
	for (;;) {
		pthread_t thread;
		int fd = accept(server.listener, NULL, NULL);
		if (fd < 0)
			return NULL;
		wire_limit(fd);
		atomic_fetch_add(&server.connections, 1);
		pthread_mutex_lock(&server.lock);
		server.living++;
		pthread_mutex_unlock(&server.lock);
		pthread_create(&thread, NULL, serve_connection, (void *)(intptr_t)fd);
		pthread_detach(thread);
	}
}

static int start_server(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	server.listener = wire_listen(&server.port);
	return server.listener < 0 ||
	       pthread_create(&server.thread, NULL, accept_connections, NULL) != 0;
}

static int stop_server(void **state)
{
	(void)state;
	shutdown(server.listener, SHUT_RDWR);
	pthread_join(server.thread, NULL);
	close(server.listener);
	pthread_mutex_lock(&server.lock);
	while (server.living > 0)
		pthread_cond_wait(&server.changed, &server.lock);
	pthread_mutex_unlock(&server.lock);
	return 0;
}

/* ---- helpers ---- */

static struct http *client(unsigned max_in_flight)
{
	const struct http_settings settings = { .max_in_flight = max_in_flight,
						.user_agent = "unit/1" };
	struct err err;
	struct http *http = http_new(&settings, &err);

	assert_non_null(http);
	return http;
}

static const char *at(const char *path)
{
	static _Thread_local char url[600];

	snprintf(url, sizeof url, "http://127.0.0.1:%u%s", server.port, path);
	return url;
}

struct expected {
	enum err_kind kind;
	bool ambiguous;
	const char *text; /* part of it */
};

static void expect_failure(struct http *http, const struct http_request *request,
			   const struct expected *expected)
{
	struct http_response response;
	struct err err = { 0 };

	assert_false(http_exchange(http, request, &response, &err));
	http_response_done(&response);
	if (err.kind != expected->kind || err.ambiguous != expected->ambiguous ||
	    !strstr(err.text, expected->text))
		fail_msg("%s%s: %s", err_kind_name(err.kind),
			 err.ambiguous ? ", ambiguous" : "", err.text);
}

/* A call in a thread of its own. */
struct background {
	struct http *http;
	struct http_request request;
	struct http_response response;
	struct err err;
	bool good;
	pthread_t thread;
};

static void *run_background(void *opaque)
{
	struct background *b = opaque;

	b->good = http_exchange(b->http, &b->request, &b->response, &b->err);
	return NULL;
}

static void start_background(struct background *b)
{
	pthread_create(&b->thread, NULL, run_background, b);
}

static void join_background(struct background *b)
{
	pthread_join(b->thread, NULL);
	http_response_done(&b->response);
}

/* ---- answers ---- */

static void a_complete_answer(void **state)
{
	struct http *http = client(0);
	struct http_response response;
	struct err err;

	(void)state;
	assert_true(
	    http_exchange(http, &(struct http_request){ .url = at("/ok") }, &response, &err));
	assert_int_equal(response.status, 200);
	assert_string_equal(response.body, "{\"ok\":true}");
	assert_int_equal(response.size, 11);
	assert_string_equal(response.content_type, "application/json");
	assert_string_equal(http_response_header(&response, "X-mixed-case"), "seen ");
	assert_null(http_response_header(&response, "X-Mixed"));
	http_response_done(&response);

	/* Any status is an answer; what an interim answer said is not part of it. */
	assert_true(
	    http_exchange(http, &(struct http_request){ .url = at("/none") }, &response, &err));
	assert_int_equal(response.status, 404);
	assert_string_equal(response.body, "");
	assert_string_equal(response.content_type, "");
	http_response_done(&response);
	assert_true(http_exchange(http, &(struct http_request){ .url = at("/continue") },
				  &response, &err));
	assert_int_equal(response.status, 201);
	assert_null(http_response_header(&response, "X-Early"));
	http_response_done(&response);
	http_free(http);
}

static void connections_are_used_again(void **state)
{
	struct http *http = client(0);
	unsigned before = server.connections;

	(void)state;
	for (int i = 0; i < 20; i++) {
		struct http_response response;
		assert_true(http_exchange(http, &(struct http_request){ .url = at("/ok") },
					  &response, NULL));
		http_response_done(&response);
	}
	assert_int_equal(server.connections, before + 1);
	http_free(http);
}

static void expect_request(struct http *http, const struct http_request *request,
			   const char *const *present, const char *const *absent)
{
	struct http_response response;
	struct err err;

	assert_true(http_exchange(http, request, &response, &err));
	for (; *present; present++)
		if (!strstr(response.body, *present))
			fail_msg("no <%s> in <%s>", *present, response.body);
	for (; *absent; absent++)
		if (strcasestr(response.body, *absent))
			fail_msg("<%s> in <%s>", *absent, response.body);
	http_response_done(&response);
}

/* Handles are used again: nothing of one request may be left in the next. */
static void requests_say_what_they_should(void **state)
{
	struct http *http = client(1);
	static const char *const extra[] = { "X-One: 1", "Prefer: a,b", NULL };

	(void)state;
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("HTTP_PROXY", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	expect_request(http,
		       &(struct http_request){ .method = "POST",
					       .url = at("/echo"),
					       .bearer = "tok-1",
					       .headers = extra,
					       .body = "{\"x\":1}",
					       .size = 7 },
		       (const char *const[]){
			   "POST /echo HTTP/1.1\r\n", "\r\nAuthorization: Bearer tok-1\r\n",
			   "\r\nContent-Type: application/json\r\n", "\r\nX-One: 1\r\n",
			   "\r\nPrefer: a,b\r\n", "\r\nAccept: application/json\r\n",
			   "\r\nUser-Agent: unit/1\r\n", "\r\n\r\n{\"x\":1}", NULL },
		       (const char *const[]){ "Expect", "Cookie", NULL });
	expect_request(
	    http, &(struct http_request){ .url = at("/echo"), .accept = "text/csv" },
	    (const char *const[]){ "GET /echo HTTP/1.1\r\n", "\r\nAccept: text/csv\r\n", NULL },
	    (const char *const[]){ "Authorization", "X-One", "Content-", NULL });
	expect_request(http,
		       &(struct http_request){ .method = "PATCH",
					       .url = at("/echo"),
					       .basic_user = "user",
					       .basic_password = "pa:ss",
					       .content_type = "text/plain",
					       .body = "abc",
					       .size = 3 },
		       (const char *const[]){ "PATCH /echo HTTP/1.1\r\n",
					      "\r\nAuthorization: Basic dXNlcjpwYTpzcw==\r\n",
					      "\r\nContent-Type: text/plain\r\n",
					      "\r\nContent-Length: 3\r\n", NULL },
		       (const char *const[]){ "Bearer", NULL });
	expect_request(http, &(struct http_request){ .method = "PUT", .url = at("/echo") },
		       (const char *const[]){ "PUT /echo HTTP/1.1\r\n",
					      "\r\nContent-Length: 0\r\n", NULL },
		       (const char *const[]){ "Authorization", "Content-Type", NULL });
	expect_request(http, &(struct http_request){ .method = "DELETE", .url = at("/echo") },
		       (const char *const[]){ "DELETE /echo HTTP/1.1\r\n", NULL },
		       (const char *const[]){ "Content-Length", "Authorization", NULL });
	unsetenv("http_proxy");
	unsetenv("HTTP_PROXY");
	unsetenv("ALL_PROXY");
	http_free(http);
}

static void malformed_requests_are_refused(void **state)
{
	struct http *http = client(0);
	static const char *const split[] = { "X-One: 1\r\nX-Two: 2", NULL };
	static const char *const nameless[] = { "nothing", NULL };
	const struct http_request rows[] = {
		{ .url = "ftp://127.0.0.1/" },
		{ .url = "http://user@127.0.0.1/" },
		{ .url = "http:///x" },
		{ .url = "http://127.0.0.1/a b" },
		{ .url = "http://127.0.0.1/\r\nHost: x" },
		{ .url = NULL },
		{ .url = at("/ok"), .method = "GET /" },
		{ .url = at("/ok"), .method = "" },
		{ .url = at("/ok"), .bearer = "a\r\nX: y" },
		{ .url = at("/ok"), .accept = "a\nb" },
		{ .url = at("/ok"), .headers = split },
		{ .url = at("/ok"), .headers = nameless },
		{ .url = at("/ok"), .basic_user = "a:b", .basic_password = "" },
	};
	unsigned before = server.requests;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		expect_failure(http, &rows[i], &(struct expected){ ERR_PERMANENT, false, "" });
	assert_int_equal(server.requests, before);
	http_free(http);
}

/* ---- failures ---- */

static void nothing_was_sent_is_not_ambiguous(void **state)
{
	struct http *http = client(0);
	char url[64];
	unsigned port;
	int listener = wire_listen(&port);

	(void)state;
	close(listener);
	snprintf(url, sizeof url, "http://127.0.0.1:%u/", port);
	expect_failure(http, &(struct http_request){ .method = "POST", .url = url },
		       &(struct expected){ ERR_TRANSIENT, false, "POST 127.0.0.1:" });
	expect_failure(http, &(struct http_request){ .url = "http://nowhere.invalid/" },
		       &(struct expected){ ERR_TRANSIENT, false, "GET nowhere.invalid: " });
	/* Not TLS at all. */
	snprintf(url, sizeof url, "https://127.0.0.1:%u/ok", server.port);
	expect_failure(http, &(struct http_request){ .url = url, .timeout_ms = 5000 },
		       &(struct expected){ ERR_TRANSIENT, false, "GET 127.0.0.1:" });
	http_free(http);
}

static void lost_answers_are_ambiguous(void **state)
{
	static const struct {
		const char *path, *text;
	} rows[] = {
		{ "/cut", "connection closed without an answer" },
		{ "/truncated", "in the middle of the body" },
		{ "/truncated-chunks", "" },
	};
	struct http *http = client(0);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		expect_failure(
		    http, &(struct http_request){ .method = "POST", .url = at(rows[i].path) },
		    &(struct expected){ ERR_TRANSIENT, true, rows[i].text });
	http_free(http);
}

static void time_runs_out(void **state)
{
	struct http *http = client(0);
	uint64_t started = clock_mono_ms();

	(void)state;
	expect_failure(
	    http,
	    &(struct http_request){ .method = "POST", .url = at("/hold"), .timeout_ms = 100 },
	    &(struct expected){ ERR_TRANSIENT, true, "no complete answer in time" });
	assert_true(clock_mono_ms() - started >= 95);
	let_go();
	http_free(http);
}

static void answers_are_bounded(void **state)
{
	static const char *const paths[] = { "/ok", "/unbounded", "/bomb", "/many-headers" };
	struct http *http = client(0);

	(void)state;
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
		expect_failure(http,
			       &(struct http_request){ .url = at(paths[i]),
						       .max_body_bytes = i == 0 ? 10 : 1000 },
			       &(struct expected){ ERR_PERMANENT, true,
						   "the answer is larger than allowed" });
	struct http_response response;
	assert_true(http_exchange(
	    http, &(struct http_request){ .url = at("/ok"), .max_body_bytes = 11 }, &response,
	    NULL));
	http_response_done(&response);
	assert_true(
	    http_exchange(http, &(struct http_request){ .url = at("/gzip") }, &response, NULL));
	assert_string_equal(response.body, "{\"ok\":true}");
	http_response_done(&response);
	http_free(http);
}

/* The connection was used before and breaks without a byte. The server may have acted on a
 * POST; a GET may be asked again. */
static void only_reading_is_repeated(void **state)
{
	static const struct {
		const char *method;
		bool repeated;
	} rows[] = {
		{ "POST", false }, { "PATCH", false }, { "DELETE", false }, { "GET", true }
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct http *http = client(0);
		struct http_response response;
		struct http_request request = { .url = at("/cut-if-used") };
		assert_true(http_exchange(http, &request, &response, NULL));
		http_response_done(&response);
		unsigned before = server.requests;
		request.method = rows[i].method;
		if (rows[i].repeated) {
			assert_true(http_exchange(http, &request, &response, NULL));
			http_response_done(&response);
		} else {
			expect_failure(http, &request,
				       &(struct expected){ ERR_TRANSIENT, true,
							   "closed without an answer" });
		}
		assert_int_equal(server.requests - before, rows[i].repeated ? 2 : 1);
		http_free(http);
	}
}

/* ---- slots and start_by ---- */

static void too_late_is_not_sent(void **state)
{
	struct http *http = client(0);
	unsigned before = server.requests;

	(void)state;
	expect_failure(http,
		       &(struct http_request){ .method = "POST",
					       .url = at("/ok"),
					       .start_by_ms = clock_mono_ms() - 1 },
		       &(struct expected){ ERR_TRANSIENT, false, "too late" });
	assert_int_equal(server.requests, before);
	struct http_response response;
	assert_true(http_exchange(
	    http,
	    &(struct http_request){ .url = at("/ok"), .start_by_ms = clock_mono_ms() + 60000 },
	    &response, NULL));
	http_response_done(&response);
	http_free(http);
}

/* A peer that takes the connection and then is silent: the handshake must not outlast start_by,
 * and what was not begun is not ambiguous. */
static void start_by_bounds_the_handshake(void **state)
{
	struct http *http = client(0);
	uint64_t started = clock_mono_ms();
	unsigned port;
	int silent = wire_listen(&port);
	char url[64];

	(void)state;
	snprintf(url, sizeof url, "https://127.0.0.1:%u/", port);
	expect_failure(http,
		       &(struct http_request){
			   .method = "POST", .url = url, .start_by_ms = started + 150 },
		       &(struct expected){ ERR_TRANSIENT, false, "no connection in time" });
	assert_in_range(clock_mono_ms() - started, 140, 4000);
	close(silent);
	http_free(http);
}

/* Not even the first call to a host may delay others to the same. */
static void a_slow_call_delays_nobody(void **state)
{
	struct http *http = client(0);
	struct background slow = { .http = http, .request = { .url = xstrdup(at("/hold")) } };
	struct http_response response;

	(void)state;
	start_background(&slow);
	wait_held(1);
	assert_true(
	    http_exchange(http, &(struct http_request){ .url = at("/ok"), .timeout_ms = 5000 },
			  &response, NULL));
	http_response_done(&response);
	let_go();
	pthread_join(slow.thread, NULL);
	assert_true(slow.good);
	http_response_done(&slow.response);
	free((char *)slow.request.url);
	http_free(http);
}

static void the_wait_for_a_slot_counts(void **state)
{
	struct http *http = client(1);
	struct background first = {
		.http = http, .request = { .method = "POST", .url = xstrdup(at("/hold")) }
	};

	(void)state;
	start_background(&first);
	wait_held(1);
	unsigned before = server.requests;
	expect_failure(http, &(struct http_request){ .url = at("/ok"), .timeout_ms = 60 },
		       &(struct expected){ ERR_TRANSIENT, false, "no free slot in time" });
	expect_failure(
	    http,
	    &(struct http_request){ .url = at("/ok"), .start_by_ms = clock_mono_ms() + 60 },
	    &(struct expected){ ERR_TRANSIENT, false, "too late" });
	assert_int_equal(server.requests, before);
	/* One that waits long enough gets the slot. */
	struct background second = { .http = http, .request = { .url = xstrdup(at("/ok")) } };
	start_background(&second);
	let_go();
	pthread_join(first.thread, NULL);
	pthread_join(second.thread, NULL);
	assert_true(first.good);
	assert_true(second.good);
	http_response_done(&first.response);
	http_response_done(&second.response);
	free((char *)first.request.url);
	free((char *)second.request.url);
	http_free(http);
}

/* ---- redirects ---- */

static _Atomic unsigned asked;

static bool same_host_only(const char *from, const char *url)
{
	(void)from;
	asked++;
	return strncmp(url, "http://127.0.0.1:", 17) == 0;
}

static void redirects_need_permission(void **state)
{
	static const struct {
		const char *method, *path;
		unsigned redirects;
		int status;
		unsigned requests;
	} rows[] = {
		{ "GET", "/redirect/302//ok", 0, 302, 1 },
		{ "GET", "/redirect/302//ok", 3, 200, 2 },
		{ "GET", "/redirect/307//redirect/301//ok", 3, 200, 3 },
		{ "GET", "/redirect/307//redirect/301//ok", 1, 301, 2 },
		/* another host: no call, so no credentials either */
		{ "GET", "/redirect/302/http://localhost:1/", 3, 302, 1 },
		{ "GET", "/redirect/302/ftp://127.0.0.1:1/", 3, 302, 1 },
		/* a POST is not made a GET, and not sent twice unless told so */
		{ "POST", "/redirect/302//ok", 3, 302, 1 },
		{ "POST", "/redirect/303//ok", 3, 303, 1 },
		{ "POST", "/redirect/308//ok", 3, 200, 2 },
	};
	struct http *http = client(0);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct http_response response;
		unsigned before = server.requests;
		const struct http_request request = { .method = rows[i].method,
						      .url = at(rows[i].path),
						      .bearer = "secret",
						      .redirects = rows[i].redirects,
						      .may_redirect = same_host_only };
		assert_true(http_exchange(http, &request, &response, NULL));
		assert_int_equal(response.status, rows[i].status);
		assert_int_equal(server.requests - before, rows[i].requests);
		http_response_done(&response);
	}
	http_free(http);
}

/* ---- stop ---- */

static void stop_cancels_and_says_what_is_known(void **state)
{
	struct http *http = client(1);
	struct background flying = {
		.http = http, .request = { .method = "POST", .url = xstrdup(at("/hold")) }
	};
	struct background waiting = {
		.http = http, .request = { .method = "POST", .url = xstrdup(at("/ok")) }
	};

	(void)state;
	start_background(&flying);
	wait_held(1);
	start_background(&waiting);
	/* By the time this one has given up, the other waits, too. */
	expect_failure(http, &(struct http_request){ .url = at("/ok"), .timeout_ms = 100 },
		       &(struct expected){ ERR_TRANSIENT, false, "no free slot" });
	unsigned before = server.requests;
	http_stop(http, 50);
	join_background(&flying);
	join_background(&waiting);
	assert_false(flying.good);
	assert_int_equal(flying.err.kind, ERR_STOPPING);
	assert_true(flying.err.ambiguous);
	assert_false(waiting.good);
	assert_int_equal(waiting.err.kind, ERR_STOPPING);
	assert_false(waiting.err.ambiguous);
	expect_failure(http, &(struct http_request){ .url = at("/ok") },
		       &(struct expected){ ERR_STOPPING, false, "process stops" });
	assert_int_equal(server.requests, before);
	let_go();
	free((char *)flying.request.url);
	free((char *)waiting.request.url);
	http_free(http);
}

static void stop_lets_calls_finish_in_their_grace(void **state)
{
	struct http *http = client(0);
	struct background flying = {
		.http = http, .request = { .method = "POST", .url = xstrdup(at("/hold")) }
	};

	(void)state;
	start_background(&flying);
	wait_held(1);
	http_stop(http, 15000);
	let_go();
	pthread_join(flying.thread, NULL);
	assert_true(flying.good);
	assert_string_equal(flying.response.body, "{\"held\":true}");
	http_response_done(&flying.response);
	free((char *)flying.request.url);
	http_free(http);
	http_free(NULL);
}

/* ---- many at once ---- */

static void *call_often(void *opaque)
{
	for (int i = 0; i < 40; i++) {
		struct http_response response;
		char body[32], url[64];
		int size = snprintf(body, sizeof body, "{\"n\":%d}", i);
		snprintf(url, sizeof url, "http://127.0.0.1:%u/echo", server.port);
		const struct http_request request = {
			.method = "POST", .url = url, .body = body, .size = (size_t)size
		};
		if (!http_exchange(opaque, &request, &response, NULL) ||
		    !strstr(response.body, body))
			return opaque; /* anything but NULL */
		http_response_done(&response);
	}
	return NULL;
}

static void threads_get_their_own_answers(void **state)
{
	enum { THREADS = 32 };
	struct http *http = client(8);
	pthread_t threads[THREADS];

	(void)state;
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, call_often, http);
	for (int i = 0; i < THREADS; i++) {
		void *lost;
		pthread_join(threads[i], &lost);
		assert_null(lost);
	}
	http_free(http);
}

static void an_unreadable_ca_file_is_said_at_once(void **state)
{
	struct err err;

	(void)state;
	assert_null(
	    http_new(&(struct http_settings){ .ca_file = "/nonexistent/ca.pem" }, &err));
	assert_int_equal(err.kind, ERR_PERMANENT);
	assert_non_null(strstr(err.text, "/nonexistent/ca.pem"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_complete_answer),
		cmocka_unit_test(connections_are_used_again),
		cmocka_unit_test(requests_say_what_they_should),
		cmocka_unit_test(malformed_requests_are_refused),
		cmocka_unit_test(nothing_was_sent_is_not_ambiguous),
		cmocka_unit_test(lost_answers_are_ambiguous),
		cmocka_unit_test(time_runs_out),
		cmocka_unit_test(answers_are_bounded),
		cmocka_unit_test(only_reading_is_repeated),
		cmocka_unit_test(too_late_is_not_sent),
		cmocka_unit_test(start_by_bounds_the_handshake),
		cmocka_unit_test(a_slow_call_delays_nobody),
		cmocka_unit_test(the_wait_for_a_slot_counts),
		cmocka_unit_test(redirects_need_permission),
		cmocka_unit_test(stop_cancels_and_says_what_is_known),
		cmocka_unit_test(stop_lets_calls_finish_in_their_grace),
		cmocka_unit_test(threads_get_their_own_answers),
		cmocka_unit_test(an_unreadable_ca_file_is_said_at_once),
	};

	return cmocka_run_group_tests(tests, start_server, stop_server);
}
