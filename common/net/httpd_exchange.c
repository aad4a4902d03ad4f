/* One request: its route, its body, its handler, its answer. */
#include "net/httpd_exchange.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "net/httpd_frame.h"
#include "net/httpd_peers.h"
#include "net/httpd_watch.h"

enum {
	ANSWER_HEADERS = 12,
	SMALL_BODY = 16 * 1024,
	FORGOTTEN_BODY = 4 * 1024 * 1024,
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

enum MHD_Result httpd_on_request(void *opaque, struct MHD_Connection *connection,
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

void httpd_on_completed(void *opaque, struct MHD_Connection *connection, void **context,
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

size_t httpd_unescape(void *opaque, struct MHD_Connection *connection, char *text)
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
