/*
 * server: libmicrohttpd around the vendors. A call is taken in, a fault plan is made for it, it
 * is served, and its answer waits on the timer if it has to: a waiting call is a suspended
 * connection, not a thread.
 */
#include "server.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "account.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "exchange.h"
#include "request.h"
#include "sandbox.h"
#include "timer.h"

struct server {
	struct MHD_Daemon *daemon;
	struct sandbox *sandbox;
};

enum stage { STAGE_RECEIVING, STAGE_WAITING, STAGE_READY };

struct call {
	struct exchange exchange;
	struct MHD_Connection *connection;
	struct buf body;
	enum stage stage;
};

/* An answer that comes in pieces, or only half. */
struct drip {
	struct sandbox *sandbox;
	struct MHD_Connection *connection;
	char *data;
	size_t size;
	size_t chunk_bytes;
	uint64_t chunk_ms;
	uint64_t cut_at; /* connection is closed there; SIZE_MAX: never */
	bool rested;
};

static void *call_new(void *opaque, const char *uri, struct MHD_Connection *connection)
{
	struct server *server = opaque;
	struct call *call = xcalloc(1, sizeof(*call));

	exchange_init(&call->exchange, server->sandbox);
	call->connection = connection;
	buf_init(&call->body, REQUEST_BODY_MAX);
	request_set_target(&call->exchange.request, uri);
	return call;
}

static void call_completed(void *opaque, struct MHD_Connection *connection, void **state,
			   enum MHD_RequestTerminationCode why)
{
	struct call *call = *state;

	(void)opaque;
	(void)connection;
	(void)why;
	if (!call)
		return;
	exchange_done(&call->exchange);
	buf_done(&call->body);
	free(call);
	*state = NULL;
}

static enum MHD_Result take_header(void *opaque, enum MHD_ValueKind kind, const char *name,
				   const char *value)
{
	struct request *request = opaque;
	const struct {
		const char *name;
		const char **field;
	} wanted[] = {
		{ "Authorization", &request->authorization },
		{ "Content-Type", &request->content_type },
		{ "Accept", &request->accept },
		{ "Cookie", &request->cookie },
		{ "Host", &request->host },
		{ "User-Agent", &request->user_agent },
		{ "X-HTTP-Method-Override", &request->method_override },
		{ "X-no-response-body", &request->no_response_body },
		{ "X-Umbrella-OrgId", &request->organization },
	};

	(void)kind;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		if (strcasecmp(name, wanted[i].name) == 0)
			*wanted[i].field = value;
	}
	return MHD_YES;
}

static void drip_free(void *opaque)
{
	struct drip *drip = opaque;

	free(drip->data);
	free(drip);
}

static void drip_resume(void *opaque)
{
	struct drip *drip = opaque;

	MHD_resume_connection(drip->connection);
}

static ssize_t drip_read(void *opaque, uint64_t at, char *out, size_t room)
{
	struct drip *drip = opaque;
	size_t left = drip->size - (size_t)at;

	if (at >= drip->cut_at)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (left == 0)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (drip->chunk_ms && at > 0 && !drip->rested) {
		drip->rested = true;
		MHD_suspend_connection(drip->connection);
		if (!timer_add(drip->sandbox->timer, drip->chunk_ms, drip_resume, drip))
			MHD_resume_connection(drip->connection);
		return 0;
	}
	drip->rested = false;
	if (room > drip->chunk_bytes)
		room = drip->chunk_bytes;
	if (room > left)
		room = left;
	if (room > drip->cut_at - at)
		room = (size_t)(drip->cut_at - at);
	memcpy(out, drip->data + at, room);
	return (ssize_t)room;
}

static struct MHD_Response *drip_response(struct call *call, char *data, size_t size)
{
	struct exchange *exchange = &call->exchange;
	struct drip *drip = xcalloc(1, sizeof(*drip));
	bool slow = exchange->wire == WIRE_SLOW;

	drip->sandbox = exchange->sandbox;
	drip->connection = call->connection;
	drip->data = data;
	drip->size = size;
	drip->chunk_bytes = slow ? exchange->plan.chunk_bytes : size + 1;
	drip->chunk_ms = slow ? exchange->plan.chunk_ms : 0;
	drip->cut_at = slow ? SIZE_MAX : size / 2;
	return MHD_create_response_from_callback(size, 16384, drip_read, drip, drip_free);
}

static enum MHD_Result answer(struct call *call)
{
	struct exchange *exchange = &call->exchange;
	struct response *response = &exchange->response;
	size_t size;

	if (exchange->wire == WIRE_CUT)
		return MHD_NO;
	char *data = buf_take(&response->body, &size);
	struct MHD_Response *answer =
	    exchange->wire == WIRE_PLAIN
		? MHD_create_response_from_buffer(size, data, MHD_RESPMEM_MUST_FREE)
		: drip_response(call, data, size);

	if (!answer)
		return MHD_NO;
	if (response->content_type)
		MHD_add_response_header(answer, "Content-Type", response->content_type);
	for (unsigned i = 0; i < response->headers; i++)
		MHD_add_response_header(answer, response->header[i].name,
					response->header[i].value);
	enum MHD_Result result = MHD_queue_response(call->connection, response->status, answer);

	MHD_destroy_response(answer);
	return result;
}

static void call_due(void *opaque)
{
	struct call *call = opaque;

	if (!exchange_served(&call->exchange))
		exchange_serve(&call->exchange);
	call->stage = STAGE_READY;
	MHD_resume_connection(call->connection);
}

static enum MHD_Result received(struct call *call, const char *method)
{
	struct exchange *exchange = &call->exchange;
	struct request *request = &exchange->request;

	MHD_get_connection_values(call->connection, MHD_HEADER_KIND, take_header, request);
	request->method = method;
	request->arrived_ms = clock_wall_ms();
	request->body_too_large = !buf_ok(&call->body);
	request->body = request->body_too_large ? "" : buf_text(&call->body);
	request->body_size = request->body_too_large ? 0 : call->body.size;
	uint64_t delay_ms = exchange_plan(exchange);

	if (delay_ms == 0 || !exchange->plan.late)
		exchange_serve(exchange);
	if (delay_ms == 0)
		return answer(call);
	call->stage = STAGE_WAITING;
	MHD_suspend_connection(call->connection);
	if (!timer_add(exchange->sandbox->timer, delay_ms, call_due, call))
		call_due(call);
	return MHD_YES;
}

static enum MHD_Result handle(void *opaque, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *upload,
			      size_t *upload_size, void **state)
{
	struct call *call = *state;

	(void)opaque;
	(void)connection;
	(void)url;
	(void)version;
	if (call->stage == STAGE_READY)
		return answer(call);
	if (!call->exchange.request.method) { /* headers only so far */
		call->exchange.request.method = method;
		return MHD_YES;
	}
	if (*upload_size > 0) {
		call->exchange.request.body_announced += *upload_size;
		if (buf_ok(&call->body))
			buf_add(&call->body, upload, *upload_size);
		*upload_size = 0;
		return MHD_YES;
	}
	return received(call, method);
}

/* Paths and queries are decoded by request.c, once and in one way. */
static size_t keep_escapes(void *opaque, struct MHD_Connection *connection, char *text)
{
	(void)opaque;
	(void)connection;
	return strlen(text);
}

struct server *server_start(struct sandbox *sandbox, const struct server_options *options,
			    struct err *err)
{
	struct server *server = xcalloc(1, sizeof(*server));
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(options->port) };

	server->sandbox = sandbox;
	if (inet_pton(AF_INET, options->address, &address.sin_addr) != 1) {
		err_fill(err, ERR_PERMANENT, "--listen %s: not an IPv4 address",
			 options->address);
		free(server);
		return NULL;
	}
	server->daemon = MHD_start_daemon(
	    MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, options->port, NULL, NULL,
	    handle, server, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address,
	    MHD_OPTION_THREAD_POOL_SIZE, options->threads, MHD_OPTION_CONNECTION_LIMIT,
	    options->connections, MHD_OPTION_LISTEN_BACKLOG_SIZE, 4096u,
	    MHD_OPTION_NOTIFY_COMPLETED, call_completed, NULL, MHD_OPTION_URI_LOG_CALLBACK,
	    call_new, server, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
	    MHD_OPTION_CONNECTION_TIMEOUT, 600u, MHD_OPTION_END);
	if (!server->daemon) {
		err_fill(err, ERR_TRANSIENT, "cannot listen on %s:%u: is the port in use?",
			 options->address, options->port);
		free(server);
		return NULL;
	}
	return server;
}

uint16_t server_port(const struct server *server)
{
	const union MHD_DaemonInfo *info =
	    MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);

	return info ? info->port : 0;
}

void server_stop(struct server *server)
{
	if (!server)
		return;
	MHD_stop_daemon(server->daemon);
	free(server);
}
