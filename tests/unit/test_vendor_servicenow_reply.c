/* Every answer that ServiceNow documents or that clients have met, and what we make of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "net/http.h"
#include "vendor/servicenow_reply.h"

#define JSON "application/json;charset=UTF-8"
#define HTML "text/html;charset=UTF-8"

#define SLEEPING                                                                               \
	"<html><head><title>Instance Hibernating page</title></head>"                          \
	"<body class=\"instance-hibernating-page\">Your instance is hibernating</body></html>"

static const struct row {
	const char *name;
	enum servicenow_act act;
	int status;
	const char *type;
	const char *headers; /* "Name: value" or NULL */
	const char *body;
	enum servicenow_outcome outcome;
	enum err_kind kind;
	bool ambiguous;
	const char *labels;
} rows[] = {
	{ "created", SERVICENOW_CREATE, 201, JSON, NULL, "{\"result\":{\"sys_id\":\"a\"}}",
	  SERVICENOW_OK, ERR_NONE, false, "" },
	{ "nothing found is no error in v2", SERVICENOW_LIST, 200, JSON, NULL,
	  "{\"result\":[]}", SERVICENOW_OK, ERR_NONE, false, "" },
	{ "a node under load breaks off", SERVICENOW_LIST, 200, JSON, NULL,
	  "{\"result\":[{\"name\":\"x\"}\"\"],\"error\":{\"message\":\"Transaction cancelled: "
	  "maximum execution time exceeded\"},\"status\":\"failure\"}",
	  SERVICENOW_TRUNCATED, ERR_TRANSIENT, true, "" },
	{ "cut", SERVICENOW_CREATE, 201, JSON, NULL, "{\"result\":{\"sys_id\":\"a",
	  SERVICENOW_TRUNCATED, ERR_TRANSIENT, true, "" },
	{ "empty", SERVICENOW_CREATE, 201, JSON, NULL, "", SERVICENOW_TRUNCATED, ERR_TRANSIENT,
	  true, "" },
	{ "duplicate members", SERVICENOW_CREATE, 201, JSON, NULL,
	  "{\"result\":{\"sys_id\":\"a\",\"sys_id\":\"b\"}}", SERVICENOW_TRUNCATED,
	  ERR_TRANSIENT, true, "" },
	{ "error in spite of 200", SERVICENOW_CREATE, 200, JSON, NULL,
	  "{\"error\":{\"message\":\"Transaction cancelled: maximum execution time exceeded\","
	  "\"detail\":null},\"status\":\"failure\",\"result\":[]}",
	  SERVICENOW_CANCELLED, ERR_TRANSIENT, true, "" },
	{ "no result", SERVICENOW_CREATE, 200, JSON, NULL, "{}", SERVICENOW_UNEXPECTED,
	  ERR_TRANSIENT, true, "" },
	{ "accepted, perhaps", SERVICENOW_CREATE, 202, JSON, NULL, "{\"result\":{}}",
	  SERVICENOW_ACCEPTED, ERR_TRANSIENT, true, "" },
	{ "accepted without a body", SERVICENOW_CREATE, 202, "", NULL, "", SERVICENOW_ACCEPTED,
	  ERR_TRANSIENT, true, "" },
	{ "no content", SERVICENOW_CREATE, 204, "", NULL, "", SERVICENOW_UNEXPECTED,
	  ERR_TRANSIENT, true, "" },
	{ "asleep with 200", SERVICENOW_CREATE, 200, HTML, NULL, SLEEPING,
	  SERVICENOW_HIBERNATING, ERR_TRANSIENT, false, "" },
	{ "asleep with 503", SERVICENOW_CREATE, 503, HTML, NULL, SLEEPING,
	  SERVICENOW_HIBERNATING, ERR_TRANSIENT, false, "" },
	{ "asleep with a redirect", SERVICENOW_CREATE, 302, HTML,
	  "Location: https://developer.servicenow.com/hibernate", "", SERVICENOW_HIBERNATING,
	  ERR_TRANSIENT, false, "" },
	{ "single sign-on by redirect", SERVICENOW_CREATE, 302, HTML,
	  "Location: https://sso.example/saml", "", SERVICENOW_LOGIN_PAGE, ERR_ACCOUNT, false,
	  "" },
	{ "login page with 200", SERVICENOW_CREATE, 200, HTML, NULL,
	  "<form action=\"login.do\"><input type=\"Password\"></form>", SERVICENOW_LOGIN_PAGE,
	  ERR_ACCOUNT, false, "" },
	{ "some page with 200", SERVICENOW_CREATE, 200, HTML, NULL, "<h1>Maintenance</h1>",
	  SERVICENOW_UNEXPECTED, ERR_TRANSIENT, true, "" },
	{ "wrong password, 2021", SERVICENOW_CREATE, 401, JSON, NULL,
	  "{\"error\":{\"detail\":\"Required to provide Auth information\",\"message\":\"User "
	  "Not Authenticated\"},\"status\":\"failure\"}",
	  SERVICENOW_UNAUTHORIZED, ERR_ACCOUNT, false, "" },
	{ "wrong password, a page", SERVICENOW_CREATE, 401, HTML, NULL, "<h1>401</h1>",
	  SERVICENOW_UNAUTHORIZED, ERR_ACCOUNT, false, "" },
	{ "may not create", SERVICENOW_CREATE, 403, JSON, NULL,
	  "{\"error\":{\"message\":\"Operation Failed\",\"detail\":\"ACL Exception Insert "
	  "Failed "
	  "due to security constraints\"}}",
	  SERVICENOW_FORBIDDEN, ERR_ACCOUNT, false, "" },
	{ "may not query, null detail", SERVICENOW_LIST, 403, JSON, NULL,
	  "{\"error\":{\"message\":\"Insufficient rights to query records\",\"detail\":null},"
	  "\"status\":\"failure\"}",
	  SERVICENOW_FORBIDDEN, ERR_ACCOUNT, false, "" },
	{ "no scope", SERVICENOW_LIST, 403, JSON, NULL,
	  "{\"error\":{\"message\":\"Access to unscoped api is not allowed\"}}",
	  SERVICENOW_FORBIDDEN, ERR_ACCOUNT, false, "" },
	{ "mandatory columns", SERVICENOW_CREATE, 403, JSON, NULL,
	  "{\"error\":{\"message\":\"Operation Failed\",\"detail\":\"Data Policy Exception: "
	  "\\n\\tThe following fields are mandatory: Resolution code, Close notes\"},"
	  "\"status\":\"failure\"}",
	  SERVICENOW_DATA_POLICY, ERR_ACCOUNT, false, "Resolution code, Close notes" },
	{ "a rule refuses a new record", SERVICENOW_CREATE, 403, JSON, NULL,
	  "{\"error\":{\"message\":\"Operation Failed\",\"detail\":\"Operation against file "
	  "'incident' was aborted by Business Rule 'Guard^0123'. Business Rule Stack:Guard\"}}",
	  SERVICENOW_BUSINESS_RULE, ERR_ACCOUNT, false, "" },
	{ "a rule refuses a change", SERVICENOW_CHANGE, 403, JSON, NULL,
	  "{\"error\":{\"message\":\"Operation Failed\",\"detail\":\"Operation against file "
	  "'incident' was aborted by Business Rule 'Abort on closed^0123'\"}}",
	  SERVICENOW_BUSINESS_RULE, ERR_PERMANENT, false, "" },
	{ "unique index", SERVICENOW_CREATE, 403, JSON, NULL,
	  "{\"error\":{\"message\":\"Operation Failed\",\"detail\":\"Unique Key violation "
	  "detected by database (Duplicate entry 'x' for key 'y')\"}}",
	  SERVICENOW_DUPLICATE, ERR_TRANSIENT, true, "" },
	{ "no table", SERVICENOW_CREATE, 400, JSON, NULL,
	  "{\"error\":{\"message\":\"Invalid table incidents\",\"detail\":null},"
	  "\"status\":\"failure\"}",
	  SERVICENOW_NO_TABLE, ERR_ACCOUNT, false, "" },
	{ "no such path", SERVICENOW_CREATE, 400, JSON, NULL,
	  "{\"error\":{\"message\":\"Requested URI does not represent any resource\"}}",
	  SERVICENOW_NO_TABLE, ERR_ACCOUNT, false, "" },
	{ "too large", SERVICENOW_CREATE, 400, JSON, NULL,
	  "{\"error\":{\"message\":\"Exception while reading request\",\"detail\":\"Rejected "
	  "large REST payload with content-length = 15105102 bytes.\"}}",
	  SERVICENOW_BAD_REQUEST, ERR_PERMANENT, false, "" },
	{ "too large for a proxy", SERVICENOW_CREATE, 413, HTML, NULL, "<h1>413</h1>",
	  SERVICENOW_BAD_REQUEST, ERR_PERMANENT, false, "" },
	{ "gone or hidden", SERVICENOW_READ, 404, JSON, NULL,
	  "{\"error\":{\"message\":\"No Record found\",\"detail\":\"Record doesn't exist or "
	  "ACL "
	  "restricts the record retrieval\"},\"status\":\"failure\"}",
	  SERVICENOW_NOT_FOUND, ERR_PERMANENT, false, "" },
	{ "no list at all", SERVICENOW_LIST, 404, JSON, NULL,
	  "{\"error\":{\"message\":\"No Record found\"}}", SERVICENOW_NO_TABLE, ERR_ACCOUNT,
	  false, "" },
	{ "not an instance", SERVICENOW_CREATE, 404, HTML, NULL, "<h1>Not Found</h1>",
	  SERVICENOW_NO_TABLE, ERR_ACCOUNT, false, "" },
	{ "not an instance when reading", SERVICENOW_READ, 404, HTML, NULL, "nginx",
	  SERVICENOW_NO_TABLE, ERR_ACCOUNT, false, "" },
	{ "not acceptable", SERVICENOW_CREATE, 406, HTML, NULL, "", SERVICENOW_UNEXPECTED,
	  ERR_ACCOUNT, false, "" },
	{ "gave up waiting", SERVICENOW_CREATE, 408, HTML, NULL, "", SERVICENOW_UNEXPECTED,
	  ERR_TRANSIENT, true, "" },
	{ "rate limit", SERVICENOW_CREATE, 429, JSON, "Retry-After: 7",
	  "{\"error\":{\"message\":\"Rate limit exceeded\",\"detail\":\"Rate limit of 5 "
	  "requests "
	  "per hour for Table API exceeded\"}}",
	  SERVICENOW_THROTTLED, ERR_TRANSIENT, false, "" },
	{ "rate limit without words", SERVICENOW_CREATE, 429, HTML, NULL, "",
	  SERVICENOW_THROTTLED, ERR_TRANSIENT, false, "" },
	{ "cancelled, maybe committed", SERVICENOW_CREATE, 500, JSON, NULL,
	  "{\"error\":{\"message\":\"Transaction cancelled: maximum execution time "
	  "exceeded\"}}",
	  SERVICENOW_CANCELLED, ERR_TRANSIENT, true, "" },
	{ "broken inside", SERVICENOW_CREATE, 500, JSON, NULL, "{}", SERVICENOW_SERVER_ERROR,
	  ERR_TRANSIENT, true, "" },
	{ "reclaimed", SERVICENOW_CREATE, 502, HTML, NULL, "<h1>502</h1>",
	  SERVICENOW_SERVER_ERROR, ERR_TRANSIENT, true, "" },
	{ "overloaded", SERVICENOW_CREATE, 503, JSON, NULL, "{\"error\":\"busy\"}",
	  SERVICENOW_SERVER_ERROR, ERR_TRANSIENT, true, "" },
	{ "teapot", SERVICENOW_CREATE, 418, JSON, NULL, "{}", SERVICENOW_UNEXPECTED,
	  ERR_PERMANENT, false, "" },
};

static struct http_response answer(int status, const char *type, const char *headers,
				   const char *body)
{
	struct http_response response = { .status = status,
					  .body = xstrdup(body),
					  .size = strlen(body),
					  .content_type = type };
	size_t size = headers ? strlen(headers) : 0;

	response.headers = xcalloc(1, size + 2); /* ended by an empty line */
	if (headers)
		memcpy(response.headers, headers, size);
	return response;
}

static void tells_answers_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct row *row = &rows[i];
		struct http_response response =
		    answer(row->status, row->type, row->headers, row->body);
		struct servicenow_reply reply;
		struct err err = { 0 };
		bool ok = servicenow_reply_read(&reply, row->act, &response, &err);

		if (ok != (row->outcome == SERVICENOW_OK) || reply.outcome != row->outcome ||
		    err.kind != row->kind || err.ambiguous != row->ambiguous)
			fail_msg("%s: %s, %s%s: %s", row->name,
				 servicenow_outcome_name(reply.outcome),
				 err_kind_name(err.kind), err.ambiguous ? ", ambiguous" : "",
				 err.text);
		assert_string_equal(reply.labels, row->labels);
		assert_true(ok == (reply.result != NULL));
		servicenow_reply_done(&reply);
		http_response_done(&response);
	}
}

static uint64_t wait_of(const char *headers)
{
	struct http_response response = answer(429, JSON, headers, "{}");
	struct servicenow_reply reply;
	struct err err;

	assert_false(servicenow_reply_read(&reply, SERVICENOW_CREATE, &response, &err));
	http_response_done(&response);
	return err.retry_after_ms;
}

static void knows_when_to_come_back(void **state)
{
	char both[128] = "X-RateLimit-Reset: 1700000100\0Date: Tue, 14 Nov 2023 22:13:20 GMT";

	(void)state;
	assert_int_equal(wait_of("Retry-After: 7"), 7000);
	assert_int_equal(wait_of(NULL), 0);
	assert_int_equal(wait_of("X-RateLimit-Reset: 99999999999999999999"), 3600000);
	assert_int_equal(wait_of("X-RateLimit-Reset: soon"), 0);
	/* 100 s later by the instance's own clock, not by ours */
	struct http_response response = { .status = 429,
					  .body = xstrdup(""),
					  .content_type = "" };
	struct servicenow_reply reply;
	struct err err;

	response.headers = xcalloc(1, sizeof both + 2);
	memcpy(response.headers, both, sizeof both);
	assert_false(servicenow_reply_read(&reply, SERVICENOW_CREATE, &response, &err));
	assert_int_equal(err.retry_after_ms, 100000);
	http_response_done(&response);
}

static void names_every_outcome(void **state)
{
	(void)state;
	for (int i = SERVICENOW_OK; i <= SERVICENOW_UNEXPECTED; i++)
		assert_string_not_equal(servicenow_outcome_name((enum servicenow_outcome)i),
					"unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_answers_apart),
		cmocka_unit_test(knows_when_to_come_back),
		cmocka_unit_test(names_every_outcome),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
