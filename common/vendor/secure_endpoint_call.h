#ifndef VENDOR_SECURE_ENDPOINT_CALL_H
#define VENDOR_SECURE_ENDPOINT_CALL_H

#include <stdbool.h>

#include "vendor/body.h"
#include "vendor/call.h"
#include "vendor/json_slice.h"
#include "vendor/secure_endpoint.h"

/* The inside of secure_endpoint.h. */

/* Whether the answer is a success with JSON, or a 204. one: the path names one machine or
 * group, so that a 404 is about it and not about the account. */
bool secure_endpoint_check(const struct http_response *response, bool one, struct err *err);

/* A page of events; everything that is returned points into body or the arena. False when the
 * envelope is broken; an event that is, is handed on as it is. */
bool secure_endpoint_page_read(const char *body, size_t size, struct arena *arena,
			       struct secure_endpoint_page *ret_page);

#endif
