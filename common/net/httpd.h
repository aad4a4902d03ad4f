#ifndef NET_HTTPD_H
#define NET_HTTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * A small HTTP server. Requests that proxies and servers could read differently are refused
 * with 400 and the connection closed: Transfer-Encoding, not exactly one Host, more than one
 * Content-Length, malformed header names, a body on GET. A request has an absolute time,
 * however busily its sender drips.
 */
struct httpd;
struct httpd_exchange; /* one request and its answer */

enum httpd_outcome {
	HTTPD_DONE,    /* httpd_answer() was called */
	HTTPD_PENDING, /* some thread will call httpd_answer() and then httpd_complete() */
};

typedef enum httpd_outcome httpd_handler(struct httpd_exchange *exchange, void *state);

/* The first row that fits is taken. A table ends with a zeroed row. */
struct httpd_route {
	const char *method; /* GET also answers HEAD */
	const char *path;   /* whole path; with a trailing "*", a prefix */
	httpd_handler *handle;
	size_t max_body_bytes; /* 0: no body */
};

/* Gives the answer, by httpd_answer(), to what the server refuses by itself: 400, 404, 405,
 * 413, and 503 when bodies take too much memory. why is a short text. */
typedef void httpd_refused(struct httpd_exchange *exchange, int status, const char *why,
			   void *state);
/* Sees every answer; route is the path of its row, NULL when there was none. */
typedef void httpd_answered(const char *route, int status, void *state);

struct httpd_settings {
	const char *address; /* "127.0.0.1", "0.0.0.0", "::" */
	unsigned port;	     /* 0: any free one, see httpd_port() */
	const struct httpd_route *routes;
	void *state;	      /* given to the handlers; borrowed, like the routes */
	unsigned threads;     /* 0 for one */
	unsigned connections; /* at once; 0 for 64 */
	/* Connections at once of one address, or behind trusted proxies, which all share
	 * theirs, requests; 0 for no limit. */
	unsigned per_address;
	unsigned head_bytes; /* request line and headers; 0 for 16 KiB */
	unsigned idle_ms;    /* without a byte; 0 for 5,000 */
	unsigned request_ms; /* from connection to the whole request, then again from there
			      * to the whole answer taken; 0 for 10,000 */
	size_t body_bytes; /* of all requests together, a quarter of it kept for small ones (16
			    * KiB); 0 for no limit */
	bool keep_alive;   /* false: every answer closes its connection */
	/* PEM, both or neither: TLS 1.2 or later. Read by httpd_new() only; httpd_renew_tls().
	 */
	const char *tls_certificate, *tls_key;
	/* Addresses and networks with commas whose X-Forwarded-For is believed. NULL: none. */
	const char *trusted_proxies;
	httpd_refused *refused;	  /* NULL: a line of plain text */
	httpd_answered *answered; /* NULL: nobody */
};

struct httpd *httpd_new(const struct httpd_settings *settings, struct err *err);
unsigned httpd_port(const struct httpd *httpd);
/* A server with TLS shows this certificate from the next connection on; those that are there go
 * on. False when it has expired, cannot be read or is not the key's: nothing changes. From any
 * thread. */
bool httpd_renew_tls(struct httpd *httpd, const char *certificate, const char *key,
		     struct err *err);
/* When the certificate that is shown ends, Unix time; 0 without TLS. */
int64_t httpd_tls_until_s(const struct httpd *httpd);
/* Stops accepting and waits at most grace_ms for exchanges under way. False when some are left;
 * they must be completed before httpd_free. */
bool httpd_drain(struct httpd *httpd, unsigned grace_ms);
/* No exchange may be pending. NULL is fine. */
void httpd_free(struct httpd *httpd);

/* What came in; valid until HTTPD_DONE is returned or httpd_complete() is called. */
const char *httpd_method(const struct httpd_exchange *exchange);
const char *httpd_path(const struct httpd_exchange *exchange); /* percent-decoded */
const char *httpd_query(const struct httpd_exchange *exchange, const char *name);  /* or NULL */
const char *httpd_header(const struct httpd_exchange *exchange, const char *name); /* or NULL */
const char *httpd_body(const struct httpd_exchange *exchange,
		       size_t *ret_size); /* never NULL */
/* Numeric address; behind a trusted proxy that of the client it names. */
const char *httpd_peer(const struct httpd_exchange *exchange);

/* Both copy. The answer may be given once; headers before or after it. */
void httpd_answer_header(struct httpd_exchange *exchange, const char *name, const char *value);
void httpd_answer(struct httpd_exchange *exchange, int status, const char *content_type,
		  const char *body, size_t size);
/* Lets an answered HTTPD_PENDING exchange go; from any thread, even before the handler has
 * returned. The exchange must not be touched after. */
void httpd_complete(struct httpd_exchange *exchange);

#endif
