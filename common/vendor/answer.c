/* Answers that refuse, and answers that say nothing. */
#include "vendor/answer.h"

#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "vendor/body.h"

json_t *answer_json(const struct http_response *response)
{
	return http_is_json(response) ? body_parse(response->body, response->size) : NULL;
}

char *answer_copy(const struct http_response *response, struct arena *arena)
{
	char *body = arena_alloc(arena, response->size + 1);

	memcpy(body, response->body, response->size);
	return body;
}

uint64_t answer_date_ms(const struct http_response *response)
{
	const char *date = http_response_header(response, "Date");
	uint64_t date_ms = 0;

	if (date)
		clock_parse_http(date, &date_ms);
	return date_ms;
}

bool answer_refused(const struct http_response *response, const char *who, enum err_kind kind,
		    const char *detail, struct err *err)
{
	err_fill(err, kind, "%s answered %d%s%s", who, response->status, *detail ? ", " : "",
		 detail);
	if (err && kind == ERR_TRANSIENT) {
		err->ambiguous = response->status != 429;
		err->retry_after_ms = http_retry_after_ms(response);
	}
	return false;
}

bool answer_unfit(int status, const char *who, const char *what, struct err *err)
{
	err_fill(err, ERR_TRANSIENT, "%s answered %d %s", who, status, what);
	if (err)
		err->ambiguous = true;
	return false;
}
