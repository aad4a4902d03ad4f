/* Refusals: RFC 9457 problem details. */
#include "problem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

struct metric problem_refusals = {
	.name = "tocsin_callback_refusals_total",
	.kind = METRIC_COUNTER,
	.help = "requests refused, by problem",
	.labels = "problem",
};
struct metric *const problem_metrics[] = { &problem_refusals, NULL };

static const struct problem_row rows[PROBLEM_COUNT] = {
	[PROBLEM_MALFORMED_REQUEST] = { 400, "malformed-request", "Malformed request",
					"The request is not HTTP as we accept it." },
	[PROBLEM_MALFORMED_BODY] = { 400, "malformed-body", "Malformed body",
				     "The body is not what is expected here." },
	[PROBLEM_MALFORMED_QUERY] = { 400, "malformed-query", "Malformed query",
				      "The parameters of the URL are not what is expected." },
	[PROBLEM_UNAUTHORIZED] = { 401, "unauthorized", "Unauthorized",
				   "The credentials are missing, wrong or too old." },
	[PROBLEM_FORBIDDEN] = { 403, "forbidden", "Forbidden",
				"These credentials do not allow this." },
	[PROBLEM_WRONG_INSTANCE] = { 403, "wrong-instance", "Wrong instance",
				     "These credentials are linked to another instance." },
	[PROBLEM_LINK_INVALID] = { 403, "link-invalid", "This link does not work here",
				   "It is damaged, or was made for something else." },
	[PROBLEM_NOT_FOUND] = { 404, "not-found", "Not found", "There is nothing here." },
	[PROBLEM_METHOD_NOT_ALLOWED] = { 405, "method-not-allowed", "Method not allowed",
					 "The header Allow says what is." },
	[PROBLEM_CONFLICT] = { 409, "conflict", "Conflict",
			       "This id was used before, for something else." },
	[PROBLEM_LINK_USED] = { 409, "link-used", "This link was used before",
				"A link works once, and it was used for another choice." },
	[PROBLEM_LINK_EXPIRED] = { 410, "link-expired", "This link has expired",
				   "Close the ticket itself instead." },
	[PROBLEM_TOO_LARGE] = { 413, "too-large", "Content too large",
				"The body is larger than is accepted." },
	[PROBLEM_TOO_MANY_REQUESTS] = { 429, "too-many-requests", "Too many requests",
					"Repeat it after the time in Retry-After." },
	[PROBLEM_UNAVAILABLE] = { 503, "unavailable", "Temporarily unavailable",
				  "It may or may not have been stored: repeat it as it is." },
	[PROBLEM_FULL] = { 503, "full", "The queue is full",
			   "Nothing was stored. Repeat it after the time in Retry-After." },
};

enum httpd_outcome problem_answer(struct httpd_exchange *exchange, enum problem problem,
				  const char *detail)
{
	struct buf body;
	const char *text = detail ? detail : rows[problem].detail;

	buf_init(&body, 4096);
	buf_addf(&body,
		 "{\"type\":\"urn:tocsin:problem:%s\",\"title\":\"%s\",\"status\":%d,"
		 "\"detail\":\"",
		 rows[problem].name, rows[problem].title, rows[problem].status);
	buf_add_json(&body, text, strlen(text));
	buf_adds(&body, "\"}\n");
	if (problem == PROBLEM_UNAUTHORIZED)
		httpd_answer_header(exchange, "WWW-Authenticate", "Bearer");
	httpd_answer(exchange, rows[problem].status, "application/problem+json", body.data,
		     body.size);
	buf_done(&body);
	problem_count(problem);
	return HTTPD_DONE;
}

const struct problem_row *problem_row(enum problem problem)
{
	return &rows[problem];
}

void problem_count(enum problem problem)
{
	metric_add(&problem_refusals, 1, rows[problem].name);
}

void problem_retry_after(struct httpd_exchange *exchange, uint64_t retry_after_ms)
{
	char seconds[24];

	snprintf(seconds, sizeof seconds, "%" PRIu64, (retry_after_ms + 999) / 1000);
	httpd_answer_header(exchange, "Retry-After", seconds);
}

enum httpd_outcome problem_answer_later(struct httpd_exchange *exchange, enum problem problem,
					const char *detail, uint64_t retry_after_ms)
{
	problem_retry_after(exchange, retry_after_ms);
	return problem_answer(exchange, problem, detail);
}

void problem_refused(struct httpd_exchange *exchange, int status, const char *why, void *app)
{
	enum problem problem = PROBLEM_MALFORMED_REQUEST;

	(void)app;
	for (unsigned i = 0; i < PROBLEM_COUNT; i++) {
		if (rows[i].status == status && status != 400 && status != 503)
			problem = (enum problem)i;
	}
	if (status == 503 || status == 429)
		problem_answer_later(exchange, status == 503 ? PROBLEM_FULL : problem, why,
				     1000);
	else
		problem_answer(exchange, problem, why);
}
