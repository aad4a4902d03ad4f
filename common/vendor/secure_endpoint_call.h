#ifndef VENDOR_SECURE_ENDPOINT_CALL_H
#define VENDOR_SECURE_ENDPOINT_CALL_H

#include <stdbool.h>

#include "base/buf.h"
#include "vendor/body.h"
#include "vendor/call.h"
#include "vendor/json_slice.h"
#include "vendor/secure_endpoint.h"

/* The inside of secure_endpoint.h. */

/* Whether the answer is a success with JSON, or a 204. one: the path names one machine or
 * group, so that a 404 is about it and not about the account. */
bool secure_endpoint_check(const struct http_response *response, bool one, struct err *err);

/* A call about computers, groups and isolation. */
struct endpoint_call {
	const char *what;
	const char *method; /* NULL: GET */
	const char *body;   /* NULL: none */
	bool write;
	bool one;
	struct buf url;
	json_t *root; /* of the answer; owned */
	bool put;     /* of OPTIONS: Allow lists PUT */
};

/* path goes behind the account's URL; more may be added to call->url. */
void endpoint_call_init(struct endpoint_call *call, const struct vendor_session *session,
			const char *what, const char *path);
void endpoint_call_done(struct endpoint_call *call);
/* True with call->root, which has data, or after a 204 without. */
bool endpoint_call_run(struct endpoint_call *call, struct vendor_session *session,
		       struct err *err);
/* Borrowed; NULL when there is none. */
const json_t *endpoint_call_data(const struct endpoint_call *call);
/* How many rows data has. That all of them are objects is not promised. */
size_t endpoint_call_rows(const struct endpoint_call *call);

/* A page of events; everything that is returned points into body or the arena. False when the
 * envelope is broken; an event that is, is handed on as it is. */
bool secure_endpoint_page_read(const char *body, size_t size, struct arena *arena,
			       struct secure_endpoint_page *ret_page);

#endif
