#ifndef NET_HTTP_H
#define NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * HTTP to the vendors: one per process, safe from any thread. Calls block the caller only; all
 * of them share the connections (and HTTP/2 streams) of one thread inside. Certificates are
 * always verified, TLS is 1.2 or newer, there are no cookies, and the environment's proxies
 * and .netrc are not read. Nothing is retried in here that a server may have seen.
 */
struct http;

struct http_settings {
	const char *proxy;	/* "http://proxy:3128", NULL for none */
	const char *proxy_auth; /* "user:password", NULL for none */
	const char *ca_file;	/* PEM; NULL for the system's */
	const char *user_agent;
	unsigned connect_timeout_ms; /* TCP and TLS; 0 for 5,000 */
	unsigned max_in_flight;	     /* on the wire at once; further calls wait. 0 for 256 */
};

/* All texts are copied. NULL with err filled when the CA file cannot be read. */
struct http *http_new(const struct http_settings *settings, struct err *err);
/* From now on calls are refused with ERR_STOPPING. Those on the wire get grace_ms, then end
 * with ERR_STOPPING and ambiguous set if the server may have seen them. Does not block. */
void http_stop(struct http *http, unsigned grace_ms);
/* Stops without grace if http_stop was not called. No call may be under way in another thread
 * that has not been told to stop, none may start after. NULL is fine. */
void http_free(struct http *http);

/* Everything is borrowed until http_exchange returns; zeroed fields take the default. */
struct http_request {
	const char *method; /* "GET" when NULL */
	const char *url;    /* http or https */
	const char *bearer; /* NULL for none */
	const char *basic_user, *basic_password;
	const char *content_type;   /* of the body */
	const char *accept;	    /* NULL for application/json */
	const char *const *headers; /* further "Name: value", ended by NULL; or NULL */
	const void *body;
	size_t size;
	uint64_t timeout_ms;   /* of everything, the wait for a slot included; 0 for 30,000 */
	uint64_t start_by_ms;  /* clock_mono_ms(): refused if not on the wire by then; 0 none */
	size_t max_body_bytes; /* of the response, decompressed; 0 for 8 MiB */
	/* How many redirects are followed: GET and HEAD on any, other methods on 307 and 308
	 * only, never from https to http, and only where may_redirect allows it: that address
	 * gets the credentials. What is not followed is returned as the answer. */
	unsigned redirects;
	bool (*may_redirect)(const char *from, const char *to);
};

struct http_response {
	int status;
	char *body; /* owned, NUL-terminated, never NULL after success */
	size_t size;
	const char *content_type; /* in headers; "" when there is none */
	char *headers;		  /* owned, use http_response_header() */
	uint64_t elapsed_ms;
};

/*
 * True when a complete answer came, whatever its status. False with err:
 *  ERR_TRANSIENT  not ambiguous: name, connection, TLS, start_by, no slot in time;
 *                 ambiguous: timeout, connection lost or body cut after the request was begun;
 *  ERR_PERMANENT  the request is malformed, or (ambiguous) the response exceeds
 *                 max_body_bytes;
 *  ERR_STOPPING   http_stop() was called; ambiguous if the server may have seen the request.
 * Call http_response_done() in every case.
 */
bool http_exchange(struct http *http, const struct http_request *request,
		   struct http_response *ret_response, struct err *err)
    __attribute__((warn_unused_result));
void http_response_done(struct http_response *response); /* zeroed is fine */

/* The first header of that name, letter case ignored; NULL when there is none. */
const char *http_response_header(const struct http_response *response, const char *name);
/* Retry-After as seconds, "3172s" or an HTTP date (against the response's own Date); at most a
 * day. 0 when there is none or it is none of these. */
uint64_t http_retry_after_ms(const struct http_response *response);
/* True for application/json, text/json and anything that ends in +json. */
bool http_is_json(const struct http_response *response);

/* 2xx ERR_NONE; 3xx, 401, 402, 403 and 407 ERR_ACCOUNT; 408, 425, 429 and 5xx ERR_TRANSIENT;
 * the rest ERR_PERMANENT. */
enum err_kind http_status_kind(int status);

#endif
