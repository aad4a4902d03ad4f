#ifndef VENDOR_ATTEMPT_H
#define VENDOR_ATTEMPT_H

#include <stdbool.h>

#include "base/err.h"
#include "base/metric.h"

struct http_response;
struct vendor_request;
struct vendor_session;

/* One exchange, between entering and leaving the gate: credentials, token, HTTP, what the
 * answer means. A token that is not taken any more is replaced once. */
bool attempt_make(struct vendor_session *session, const struct vendor_request *request,
		  struct http_response *ret_response, struct err *err);

extern struct metric attempt_seconds;

#endif
