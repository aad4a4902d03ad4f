#ifndef CALLBACK_PROBLEM_H
#define CALLBACK_PROBLEM_H

#include "base/metric.h"
#include "net/httpd.h"

/*
 * Refusals, as RFC 9457 says them: application/problem+json with type, title, status and
 * detail. Each kind is a row of one table (problem.c) and is counted. A detail is for the
 * sender's programmer and never says what we know: not whether a customer exists, nor which
 * part of a credential was wrong.
 */
enum problem {
	PROBLEM_MALFORMED_REQUEST,  /* 400 HTTP itself */
	PROBLEM_MALFORMED_BODY,	    /* 400 not JSON, or not what is expected */
	PROBLEM_MALFORMED_QUERY,    /* 400 nor are the parameters of the URL */
	PROBLEM_UNAUTHORIZED,	    /* 401 unknown, unsigned, badly signed, too old */
	PROBLEM_FORBIDDEN,	    /* 403 known, but not for this */
	PROBLEM_WRONG_INSTANCE,	    /* 403 a clone */
	PROBLEM_LINK_INVALID,	    /* 403 not ours, altered, for another purpose */
	PROBLEM_NOT_FOUND,	    /* 404 */
	PROBLEM_METHOD_NOT_ALLOWED, /* 405 */
	PROBLEM_CONFLICT,	    /* 409 an id used before, for something else */
	PROBLEM_LINK_USED,	    /* 409 */
	PROBLEM_LINK_EXPIRED,	    /* 410 */
	PROBLEM_TOO_LARGE,	    /* 413 */
	PROBLEM_TOO_MANY_REQUESTS,  /* 429 + Retry-After */
	PROBLEM_UNAVAILABLE,	    /* 503 + Retry-After: Redis does not answer */
	PROBLEM_FULL,		    /* 503 + Retry-After: Redis is full, or we are */
	PROBLEM_COUNT,
};

/* Answers with the row's own detail, or with detail when it is not NULL. */
enum httpd_outcome problem_answer(struct httpd_exchange *exchange, enum problem problem,
				  const char *detail);
/* The same with Retry-After, in seconds rounded up. */
enum httpd_outcome problem_answer_later(struct httpd_exchange *exchange, enum problem problem,
					const char *detail, uint64_t retry_after_ms);

/* The header alone, in seconds rounded up. */
void problem_retry_after(struct httpd_exchange *exchange, uint64_t retry_after_ms);

/* What a row says, for those who answer in another form (page.c); problem_count() counts it. */
struct problem_row {
	int status;
	const char *name; /* of the metric, and the end of the type */
	const char *title;
	const char *detail;
};
const struct problem_row *problem_row(enum problem problem);
void problem_count(enum problem problem);

/* Refusals by problem, and the error of oauth.c; the list ends with NULL. */
extern struct metric problem_refusals;
extern struct metric *const problem_metrics[];

/* httpd_refused: what the server refuses by itself. */
void problem_refused(struct httpd_exchange *exchange, int status, const char *why, void *app);

#endif
