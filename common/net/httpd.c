/*
 * The server over libmicrohttpd: requests, routes, answers. It is stricter than the library in
 * what it reads (httpd_frame.c) and how long it waits (httpd_watch.c).
 */
#include "net/httpd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "base/buf.h"
#include "net/httpd_frame.h"
#include "net/httpd_peers.h"
#include "net/httpd_watch.h"

enum {
	CONNECTIONS = 64,
	HEAD_BYTES = 16 * 1024,
	IDLE_MS = 5000,
	REQUEST_MS = 10000,
	STACK_BYTES = 256 * 1024,
	ANSWER_HEADERS = 12,
	SMALL_BODY = 16 * 1024,
	FORGOTTEN_BODY = 4 * 1024 * 1024,
	OPTIONS_MAX = 8,
};

struct httpd {
	struct httpd_settings settings;
	struct MHD_Daemon *daemon;
	struct httpd_watch *watch;
	int listener; /* after draining, ours to close */
	_Atomic bool draining;
	_Atomic size_t body_bytes; /* of all exchanges */
	struct httpd_peers *peers;
	pthread_mutex_t pending; /* of the completed and suspended flags of every exchange */
};

struct httpd_exchange {
	struct httpd *httpd;
	struct MHD_Connection *connection;
	const struct httpd_route *route;
	const char *method, *path;
	struct buf body;
	char peer[INET6_ADDRSTRLEN];
	_Atomic unsigned *of_address; /* httpd_peers_enter() */
	size_t length;		      /* of the body, as announced */
	bool handled, completed, suspended;
	bool dropped; /* the body: refused, or no memory for it */

	int status;
	bool close;
	char *answer; /* owned until it is the library's */
	size_t answer_size;
	unsigned header_count;
	struct {
		char *name, *value;
	} headers[ANSWER_HEADERS];
};

/* ---- routes ---- */

static bool path_fits(const char *pattern, const char *path)
{
	size_t size = strlen(pattern);

	if (size > 0 && pattern[size - 1] == '*')
		return strncmp(path, pattern, size - 1) == 0;
	return strcmp(path, pattern) == 0;
}

static bool method_fits(const char *wanted, const char *method)
{
	return strcmp(wanted, method) == 0 ||
	       (strcmp(wanted, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

/* 0 with the route found, or the status that says why there is none. */
static int find_route(struct httpd_exchange *exchange)
{
	int status = MHD_HTTP_NOT_FOUND;

	for (const struct httpd_route *route = exchange->httpd->settings.routes; route->path;
	     route++) {
		if (!path_fits(route->path, exchange->path))
			continue;
		if (method_fits(route->method, exchange->method)) {
			exchange->route = route;
			return 0;
		}
		status = MHD_HTTP_METHOD_NOT_ALLOWED;
		httpd_answer_header(exchange, "Allow", route->method);
	}
	return status;
}

/* ---- one exchange ---- */

static void answer_text(struct httpd_exchange *exchange, int status, const char *text)
{
	char line[128];
	int size = snprintf(line, sizeof line, "%s\n", text);

	httpd_answer(exchange, status, "text/plain; charset=utf-8", line, (size_t)size);
}

static void refuse(struct httpd_exchange *exchange, int status, const char *why)
{
	const struct httpd_settings *settings = &exchange->httpd->settings;

	exchange->close = true;
	if (settings->refused)
		settings->refused(exchange, status, why, settings->state);
	else
		answer_text(exchange, status, why);
}

/* The route's own bounds; refuses what does not keep them. */
static void check_route(struct httpd_exchange *exchange)
{
	unsigned per_address = exchange->httpd->settings.per_address;
	int status = find_route(exchange);

	if (exchange->of_address && per_address > 0 && *exchange->of_address > per_address)
		refuse(exchange, MHD_HTTP_TOO_MANY_REQUESTS,
		       "too many requests of one address at once");
	else if (status != 0)
		refuse(exchange, status,
		       status == MHD_HTTP_NOT_FOUND ? "not found" : "method not allowed");
	else if (exchange->length > exchange->route->max_body_bytes)
		refuse(exchange, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large");
}

/* The headers are there, the body is not. False when the answer is to be sent now. */
static bool begin(struct httpd_exchange *exchange, const char *version)
{
	const char *fault = httpd_frame_fault(exchange->connection, exchange->method,
					      exchange->path, version, &exchange->length);

	if (fault) {
		refuse(exchange, MHD_HTTP_BAD_REQUEST, fault);
		return false;
	}
	check_route(exchange);
	if (exchange->status == 0) {
		exchange->close = !exchange->httpd->settings.keep_alive;
		buf_init(&exchange->body, exchange->route->max_body_bytes);
		return true;
	}
	/* Closing with bytes unread resets the connection, and our answer is lost: a body that
	 * is not huge is read and forgotten, unless its sender waits for leave to send it. */
	exchange->dropped = true;
	return exchange->length > 0 && exchange->length <= FORGOTTEN_BODY &&
	       !httpd_header(exchange, "Expect");
}

/* A piece of the body. What there is no memory for is read and forgotten: the library takes no
 * answer before the end. */
static void take_piece(struct httpd_exchange *exchange, const char *data, size_t size)
{
	struct httpd *httpd = exchange->httpd;
	size_t limit = httpd->settings.body_bytes;

	if (exchange->dropped)
		return;
	if (exchange->length > SMALL_BODY)
		limit -= limit / 4;
	if (atomic_fetch_add(&httpd->body_bytes, size) + size > limit && limit > 0) {
		atomic_fetch_sub(&httpd->body_bytes, size);
		exchange->dropped = true;
		return;
	}
	buf_add(&exchange->body, data, size);
}

static enum MHD_Result send_answer(struct httpd_exchange *exchange)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
	    exchange->answer_size, exchange->answer, MHD_RESPMEM_MUST_FREE);

	if (!response)
		return MHD_NO;
	exchange->answer = NULL;
	for (unsigned i = 0; i < exchange->header_count; i++)
		MHD_add_response_header(response, exchange->headers[i].name,
					exchange->headers[i].value);
	MHD_add_response_header(response, "Cache-Control", "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (exchange->close || exchange->httpd->draining)
		MHD_add_response_header(response, "Connection", "close");
	if (exchange->httpd->settings.answered)
		exchange->httpd->settings.answered(
		    exchange->route ? exchange->route->path : NULL, exchange->status,
		    exchange->httpd->settings.state);
	httpd_watch_renew(exchange->httpd->watch, exchange->connection);
	enum MHD_Result result =
	    MHD_queue_response(exchange->connection, (unsigned)exchange->status, response);
	MHD_destroy_response(response);
	return result;
}

/* Runs the handler. True when its answer can be sent now. */
static bool handle(struct httpd_exchange *exchange)
{
	struct httpd *httpd = exchange->httpd;

	exchange->handled = true;
	if (exchange->dropped) {
		if (exchange->status == 0)
			refuse(exchange, MHD_HTTP_SERVICE_UNAVAILABLE,
			       "too much is being sent to us");
		return true;
	}
	httpd_watch_pause(httpd->watch, exchange->connection);
	if (exchange->route->handle(exchange, httpd->settings.state) == HTTPD_DONE)
		return true;
	pthread_mutex_lock(&httpd->pending);
	bool completed = exchange->completed;
	if (!completed) {
		exchange->suspended = true;
		MHD_suspend_connection(exchange->connection);
	}
	pthread_mutex_unlock(&httpd->pending);
	return completed;
}

void httpd_complete(struct httpd_exchange *exchange)
{
	struct httpd *httpd = exchange->httpd;

	/* Not a lock of the exchange's own: it may be freed as soon as it is resumed. */
	pthread_mutex_lock(&httpd->pending);
	exchange->completed = true;
	if (exchange->suspended)
		MHD_resume_connection(exchange->connection);
	pthread_mutex_unlock(&httpd->pending);
}

static struct httpd_exchange *exchange_new(struct httpd *httpd,
					   struct MHD_Connection *connection, const char *path,
					   const char *method)
{
	struct httpd_exchange *exchange = xcalloc(1, sizeof *exchange);

	exchange->httpd = httpd;
	exchange->connection = connection;
	exchange->path = path;
	exchange->method = method;
	exchange->of_address = httpd_peers_enter(httpd->peers, connection, exchange->peer);
	httpd_watch_enter(httpd->watch);
	return exchange;
}

static void exchange_free(struct httpd_exchange *exchange)
{
	for (unsigned i = 0; i < exchange->header_count; i++) {
		free(exchange->headers[i].name);
		free(exchange->headers[i].value);
	}
	atomic_fetch_sub(&exchange->httpd->body_bytes, exchange->body.size);
	httpd_peers_leave(exchange->of_address);
	buf_done(&exchange->body);
	free(exchange->answer);
	free(exchange);
}

/* Called when the headers are there, for each piece of the body, at its end, and again after a
 * pending answer was completed. */
static enum MHD_Result on_request(void *opaque, struct MHD_Connection *connection,
				  const char *path, const char *method, const char *version,
				  const char *data, size_t *size, void **context)
{
	struct httpd_exchange *exchange = *context;

	if (!exchange) {
		exchange = exchange_new(opaque, connection, path, method);
		*context = exchange;
		return begin(exchange, version) ? MHD_YES : send_answer(exchange);
	}
	if (*size > 0) {
		take_piece(exchange, data, *size);
		*size = 0;
		return MHD_YES;
	}
	if (!exchange->handled)
		return handle(exchange) ? send_answer(exchange) : MHD_YES;
	return send_answer(exchange);
}

static void on_completed(void *opaque, struct MHD_Connection *connection, void **context,
			 enum MHD_RequestTerminationCode code)
{
	struct httpd *httpd = opaque;

	(void)code;
	if (!*context)
		return;
	exchange_free(*context);
	*context = NULL;
	httpd_watch_leave(httpd->watch, connection);
}

/* A zero byte would end the path early, "/healthz%00/other": such texts stay as they are. */
static size_t unescape(void *opaque, struct MHD_Connection *connection, char *text)
{
	(void)opaque;
	(void)connection;
	return strstr(text, "%00") ? strlen(text) : MHD_http_unescape(text);
}

/* ---- what handlers see ---- */

const char *httpd_method(const struct httpd_exchange *exchange)
{
	return exchange->method;
}

const char *httpd_path(const struct httpd_exchange *exchange)
{
	return exchange->path;
}

const char *httpd_query(const struct httpd_exchange *exchange, const char *name)
{
	return MHD_lookup_connection_value(exchange->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *httpd_header(const struct httpd_exchange *exchange, const char *name)
{
	return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

const char *httpd_body(const struct httpd_exchange *exchange, size_t *ret_size)
{
	if (ret_size)
		*ret_size = exchange->body.size;
	return buf_text(&exchange->body);
}

const char *httpd_peer(const struct httpd_exchange *exchange)
{
	return exchange->peer;
}

void httpd_answer_header(struct httpd_exchange *exchange, const char *name, const char *value)
{
	if (exchange->header_count == ANSWER_HEADERS)
		return;
	exchange->headers[exchange->header_count].name = xstrdup(name);
	exchange->headers[exchange->header_count].value = xstrdup(value);
	exchange->header_count++;
}

void httpd_answer(struct httpd_exchange *exchange, int status, const char *content_type,
		  const char *body, size_t size)
{
	free(exchange->answer);
	exchange->status = status;
	exchange->answer = xmalloc(size);
	exchange->answer_size = size;
	if (size > 0)
		memcpy(exchange->answer, body, size);
	if (content_type)
		httpd_answer_header(exchange, "Content-Type", content_type);
}

/* ---- life ---- */

static void take_defaults(struct httpd_settings *settings)
{
	if (settings->threads == 0)
		settings->threads = 1;
	if (settings->connections == 0)
		settings->connections = CONNECTIONS;
	if (settings->head_bytes == 0)
		settings->head_bytes = HEAD_BYTES;
	if (settings->idle_ms == 0)
		settings->idle_ms = IDLE_MS;
	if (settings->request_ms == 0)
		settings->request_ms = REQUEST_MS;
}

#if MHD_VERSION >= 0x01000000
#define STRICTNESS MHD_OPTION_CLIENT_DISCIPLINE_LVL
#else
#define STRICTNESS MHD_OPTION_STRICT_FOR_CLIENT
#endif

static struct MHD_OptionItem option_text(enum MHD_OPTION option, const char *text)
{
	return (struct MHD_OptionItem){ option, 0, (char *)(uintptr_t)text };
}

static struct MHD_Daemon *start_daemon(struct httpd *httpd, const struct addrinfo *at)
{
	const struct httpd_settings *settings = &httpd->settings;
	/* Not epoll: MHD_quiesce_daemon() and a daemon's thread may both take the listener out
	 * of the set, and whoever is second ends the process (seen with 0.9.75). */
	unsigned flags = MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_ALLOW_SUSPEND_RESUME;
	unsigned idle_s = (settings->idle_ms + 999) / 1000;
	bool proxied = httpd_peers_proxied(httpd->peers);
	struct MHD_OptionItem options[OPTIONS_MAX] = { { MHD_OPTION_END, 0, NULL } };
	size_t count = 0;

	if (at->ai_family == AF_INET6)
		flags |= MHD_USE_DUAL_STACK;
	if (settings->threads > 1)
		options[count++] = (struct MHD_OptionItem){ MHD_OPTION_THREAD_POOL_SIZE,
							    (intptr_t)settings->threads, NULL };
	if (settings->tls_key) {
		flags |= MHD_USE_TLS;
		options[count++] = option_text(MHD_OPTION_HTTPS_MEM_KEY, settings->tls_key);
		options[count++] =
		    option_text(MHD_OPTION_HTTPS_MEM_CERT, settings->tls_certificate);
		options[count++] = option_text(
		    MHD_OPTION_HTTPS_PRIORITIES,
		    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE");
	}
	options[count] = (struct MHD_OptionItem){ MHD_OPTION_END, 0, NULL };
	return MHD_start_daemon(
	    flags, 0, NULL, NULL, on_request, httpd, MHD_OPTION_SOCK_ADDR, at->ai_addr,
	    MHD_OPTION_NOTIFY_COMPLETED, on_completed, httpd, MHD_OPTION_NOTIFY_CONNECTION,
	    httpd_watch_connection, httpd->watch, MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL,
	    MHD_OPTION_CONNECTION_LIMIT, settings->connections,
	    MHD_OPTION_PER_IP_CONNECTION_LIMIT, proxied ? 0 : settings->per_address,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)settings->head_bytes,
	    MHD_OPTION_CONNECTION_TIMEOUT, idle_s, MHD_OPTION_THREAD_STACK_SIZE,
	    (size_t)STACK_BYTES, STRICTNESS, 1, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}

/* The server's threads take no signals: they are for those who wait for them. */
static bool listen_on(struct httpd *httpd, const struct addrinfo *at, struct err *err)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	errno = 0;
	httpd->daemon = start_daemon(httpd, at);
	int reason = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!httpd->daemon)
		return err_set(err, ERR_PERMANENT, "cannot listen on %s port %u: %s",
			       httpd->settings.address, httpd->settings.port, strerror(reason));
	return true;
}

static bool resolve(const struct httpd_settings *settings, struct addrinfo **ret_at,
		    struct err *err)
{
	char port[16];
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_PASSIVE,
					.ai_socktype = SOCK_STREAM };

	snprintf(port, sizeof port, "%u", settings->port);
	if (settings->port <= 65535 &&
	    getaddrinfo(settings->address, port, &hints, ret_at) == 0)
		return true;
	return err_set(err, ERR_PERMANENT, "not an address to listen on: %.100s port %u",
		       settings->address, settings->port);
}

static bool check_tls(const struct httpd_settings *settings, struct err *err)
{
	if (!settings->tls_key != !settings->tls_certificate)
		return err_set(err, ERR_PERMANENT, "TLS needs both a certificate and its key");
	if (settings->tls_key && MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
		return err_set(err, ERR_PERMANENT, "this libmicrohttpd has no TLS");
	return true;
}

struct httpd *httpd_new(const struct httpd_settings *settings, struct err *err)
{
	struct addrinfo *at;

	if (!check_tls(settings, err) || !resolve(settings, &at, err))
		return NULL;
	struct httpd_peers *peers = httpd_peers_new(settings->trusted_proxies, err);
	if (!peers) {
		freeaddrinfo(at);
		return NULL;
	}
	struct httpd *httpd = xcalloc(1, sizeof *httpd);
	httpd->settings = *settings;
	httpd->peers = peers;
	take_defaults(&httpd->settings);
	httpd->listener = -1;
	pthread_mutex_init(&httpd->pending, NULL);
	httpd->watch = httpd_watch_new(httpd->settings.request_ms, httpd->settings.idle_ms);
	bool good = listen_on(httpd, at, err);
	freeaddrinfo(at);
	httpd->settings.tls_certificate = httpd->settings.tls_key = NULL;
	if (good)
		return httpd;
	httpd_free(httpd);
	return NULL;
}

unsigned httpd_port(const struct httpd *httpd)
{
	const union MHD_DaemonInfo *info =
	    MHD_get_daemon_info(httpd->daemon, MHD_DAEMON_INFO_BIND_PORT);

	return info ? info->port : 0;
}

bool httpd_drain(struct httpd *httpd, unsigned grace_ms)
{
	httpd->draining = true;
	if (httpd->listener < 0) {
		httpd->listener = MHD_quiesce_daemon(httpd->daemon);
		/* Closed only after the threads are gone, but nobody shall wait in its queue.
		 */
		if (httpd->listener >= 0)
			shutdown(httpd->listener, SHUT_RDWR);
	}
	return httpd_watch_wait(httpd->watch, grace_ms);
}

void httpd_free(struct httpd *httpd)
{
	if (!httpd)
		return;
	if (httpd->daemon)
		MHD_stop_daemon(httpd->daemon);
	if (httpd->listener >= 0)
		close(httpd->listener);
	httpd_watch_free(httpd->watch);
	httpd_peers_free(httpd->peers);
	/* Whoever resumed the last exchange may still be on the way out of httpd_complete(). */
	pthread_mutex_lock(&httpd->pending);
	pthread_mutex_unlock(&httpd->pending);
	pthread_mutex_destroy(&httpd->pending);
	free(httpd);
}
