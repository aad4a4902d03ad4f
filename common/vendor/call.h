#ifndef VENDOR_CALL_H
#define VENDOR_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/http.h"

struct vendor_request;
struct vendor_session;

/* The inside of session.h, for the clients in this folder: nobody else calls a vendor. */

enum vendor_auth { VENDOR_AUTH_NONE, VENDOR_AUTH_BASIC, VENDOR_AUTH_BEARER };

/*
 * What a complete answer means. True: success. Otherwise err is filled: its kind decides over
 * breaker and parking; ambiguous as if the request were a write, it is cleared when it is not.
 */
typedef bool vendor_classify(const struct vendor_request *request,
			     const struct http_response *response, struct err *err);

/* What a token is asked for with. */
struct vendor_grant {
	const struct vendor_session *session;
	struct http *http;
	const char *secret; /* the account's, in the clear */
	uint64_t deadline_ms, start_by_ms;
};

/* See token.h for the results. */
typedef bool vendor_fetch_token(const struct vendor_grant *grant, char **ret_token,
				uint64_t *ret_life_ms, struct err *err);

struct vendor_request {
	const char *what;   /* "creating the incident": begins every message */
	const char *method; /* NULL: GET */
	const char *url;
	const char *body; /* NULL: none */
	size_t size;
	const char *content_type; /* NULL: application/json */
	size_t max_body_bytes;	  /* of the answer; 0: http.h's */
	bool write; /* doing it twice is not the same as once, or not seeing it done matters */
	bool optional; /* an account error is this call's own (a table we may not read) */
	enum vendor_auth auth;
	const char *basic_user;		 /* BASIC; the password is the account's secret */
	vendor_fetch_token *fetch_token; /* BEARER */
	vendor_classify *classify;
	/* As of http.h: an address that it allows gets the credentials. NULL: none is followed.
	 */
	bool (*may_redirect)(const char *from, const char *to);
	void *opaque; /* for classify */
};

/* Fills the session's last part. ret_response is to be freed with http_response_done() after
 * success only. */
bool vendor_call(struct vendor_session *session, const struct vendor_request *request,
		 struct http_response *ret_response, struct err *err);

/*
 * One POST of a form to a token endpoint, inside another call's slot and within its deadline.
 * Reads access_token, expires_in and scope of the answer (RFC 6749, 5.1). A 400, 401 or 403 is
 * an account error.
 */
struct vendor_form {
	const char *url;
	const char *basic_user; /* NULL: the credentials are in the text */
	const char *basic_password;
	const char *text;
	const char *const *headers; /* further "Name: value", ended by NULL; or NULL */
	uint64_t life_ms;	    /* when the answer names none */
	/* Looks at an answer first; false with err when it is none of a token endpoint. NULL:
	 * nothing to look at. */
	bool (*inspect)(const struct http_response *response, struct err *err);
};

struct vendor_token {
	char *token; /* malloc'd */
	uint64_t life_ms;
	char scope[1024];
};

bool vendor_post_form(const struct vendor_grant *grant, const struct vendor_form *form,
		      struct vendor_token *ret_token, struct err *err);

#endif
