#ifndef NET_HTTP_CALL_H
#define NET_HTTP_CALL_H

#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

#include <curl/curl.h>

#include "base/buf.h"
#include "net/http.h"

/* Inside net only: one request on its way (http_call.c), and the thread that drives all of them
 * (http.c). A call lives on the stack of the thread that waits for it. */

enum http_cause {
	HTTP_CAUSE_CURL,     /* code says what happened */
	HTTP_CAUSE_LATE,     /* start_by had passed before it was begun */
	HTTP_CAUSE_REPEATED, /* the connection broke; a second attempt would be a retry */
	HTTP_CAUSE_TOO_LARGE,
	HTTP_CAUSE_NO_SLOT, /* timed out while waiting for one */
	HTTP_CAUSE_STOPPING,
};

struct http_call {
	struct http_call *next; /* in the list of the driving thread that holds it */
	struct http_call *previous;

	const struct http_request *request;
	const char *method;
	const char *url;
	struct curl_slist *headers;
	uint64_t deadline_ms;

	CURL *easy;
	unsigned begun; /* how often the request was begun on a connection */
	enum http_cause cause;
	CURLcode code;
	int status;
	struct buf body;
	struct buf head; /* "Name: value" lines, each ended by a NUL */
	char *redirect_url;
	char reason[CURL_ERROR_SIZE];
	sem_t done;
};

/* False with err when the request itself is wrong. */
bool http_call_init(struct http_call *call, const struct http_request *request, const char *url,
		    uint64_t deadline_ms, struct err *err);
void http_call_done(struct http_call *call);
/* After done was posted: fills the response, or err. */
bool http_call_result(struct http_call *call, struct http_response *ret_response,
		      struct err *err);

/* A handle with the options that never change, and the ones of one call. */
CURL *http_easy_new(const struct http_settings *settings);
void http_easy_prepare(CURL *easy, struct http_call *call, unsigned connect_timeout_ms);
void http_easy_collect(CURL *easy, struct http_call *call);

#endif
