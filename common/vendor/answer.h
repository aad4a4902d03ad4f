#ifndef VENDOR_ANSWER_H
#define VENDOR_ANSWER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "net/http.h"

struct arena;

/* What is said of an answer in the same way for every vendor; who is the vendor's name. */

/* The body (body_parse()); NULL when it is no JSON, or is not called so. */
json_t *answer_json(const struct http_response *response);
/* The body's bytes, for what points into them. */
char *answer_copy(const struct http_response *response, struct arena *arena);
/* By the vendor's clock; 0 when it does not say. */
uint64_t answer_date_ms(const struct http_response *response);

/* "WHO answered 503, detail": err of that kind. What may pass has Retry-After, and may have
 * been done unless it is a 429. Always false, as the next one. */
bool answer_refused(const struct http_response *response, const char *who, enum err_kind kind,
		    const char *detail, struct err *err);
/* "WHO answered 200 what": a success that does not say what it should, "without JSON". It may
 * pass, and may have been done. */
bool answer_unfit(int status, const char *who, const char *what, struct err *err);

#endif
