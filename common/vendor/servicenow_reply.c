/* What an instance's answer means. The shapes are those of the documentation and of what
 * clients in the open have recorded; instances answer in their own language, so that words only
 * ever refine what the status says. */
#include "vendor/servicenow_reply.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "net/http.h"
#include "vendor/answer.h"
#include "vendor/body.h"

enum { PAGE_LOOKED_AT = 64 << 10, RATE_RESET_MAX_MS = 3600 * 1000 };

const char *servicenow_outcome_name(enum servicenow_outcome outcome)
{
	static const char *const names[] = {
		[SERVICENOW_OK] = "ok",
		[SERVICENOW_NOT_SENT] = "not sent",
		[SERVICENOW_NO_ANSWER] = "no answer",
		[SERVICENOW_HIBERNATING] = "hibernating",
		[SERVICENOW_LOGIN_PAGE] = "login page",
		[SERVICENOW_TRUNCATED] = "truncated",
		[SERVICENOW_ACCEPTED] = "accepted",
		[SERVICENOW_THROTTLED] = "throttled",
		[SERVICENOW_UNAUTHORIZED] = "unauthorized",
		[SERVICENOW_FORBIDDEN] = "forbidden",
		[SERVICENOW_DATA_POLICY] = "data policy",
		[SERVICENOW_BUSINESS_RULE] = "business rule",
		[SERVICENOW_NO_TABLE] = "no table",
		[SERVICENOW_BAD_REQUEST] = "bad request",
		[SERVICENOW_NOT_FOUND] = "not found",
		[SERVICENOW_DUPLICATE] = "duplicate",
		[SERVICENOW_CANCELLED] = "cancelled",
		[SERVICENOW_SERVER_ERROR] = "server error",
		[SERVICENOW_UNEXPECTED] = "unexpected",
	};

	return (size_t)outcome < sizeof names / sizeof names[0] ? names[outcome] : "unknown";
}

/* One row of what an outcome makes of a call. */
struct verdict {
	enum servicenow_outcome outcome;
	enum err_kind kind;
	bool ambiguous;
	const char *text; /* for people: what it is and what helps */
};

static bool contains(const char *body, size_t size, const char *word)
{
	size_t length = strlen(word);

	for (size_t i = 0; i + length <= size; i++) {
		if (strncasecmp(body + i, word, length) == 0)
			return true;
	}
	return false;
}

static bool contains_any(const char *body, size_t size, const char *const *words)
{
	for (; *words; words++) {
		if (contains(body, size, *words))
			return true;
	}
	return false;
}

bool servicenow_reply_hibernating(const char *body, size_t size)
{
	static const char *const words[] = { "instance-hibernating-page",
					     "instance hibernating", "hibernating instance",
					     "instance is hibernating", NULL };

	return contains_any(body, size < PAGE_LOOKED_AT ? size : PAGE_LOOKED_AT, words);
}

static bool login_page(const char *body, size_t size)
{
	static const char *const words[] = { "login",	    "log in",	"sign in", "signin",
					     "SAMLRequest", "password", NULL };

	return contains_any(body, size < PAGE_LOOKED_AT ? size : PAGE_LOOKED_AT, words);
}

static const struct verdict hibernating = {
	SERVICENOW_HIBERNATING, ERR_TRANSIENT, false,
	"the instance is hibernating: wake it up at developer.servicenow.com"
};
static const struct verdict login = {
	SERVICENOW_LOGIN_PAGE, ERR_ACCOUNT, false,
	"the instance answered with a login page: is the URL right, and may this user use REST?"
};

/* Answers that are no JSON at all. */
static struct verdict judge_page(const struct http_response *response)
{
	int status = response->status;

	if (servicenow_reply_hibernating(response->body, response->size))
		return hibernating;
	if (status >= 300 && status < 400) {
		const char *to = http_response_header(response, "Location");

		if (to &&
		    (strcasestr(to, "hibernat") || strcasestr(to, "developer.servicenow.com")))
			return hibernating;
		return login;
	}
	if (status >= 200 && status < 300 && login_page(response->body, response->size))
		return login;
	if (status == 404)
		return (struct verdict){ SERVICENOW_NO_TABLE, ERR_ACCOUNT, false,
					 "no such path: is the URL that of an instance?" };
	return (struct verdict){ SERVICENOW_UNEXPECTED, ERR_TRANSIENT, true,
				 "the answer is not JSON" };
}

static struct verdict judge_400(const char *said)
{
	if (strcasestr(said, "Unique Key violation"))
		return (struct verdict){ SERVICENOW_DUPLICATE, ERR_TRANSIENT, true,
					 "refused by a unique index" };
	if (strcasestr(said, "Invalid table") ||
	    strcasestr(said, "does not represent any resource"))
		return (struct verdict){ SERVICENOW_NO_TABLE, ERR_ACCOUNT, false,
					 "no such table: is the plug-in installed?" };
	return (struct verdict){ SERVICENOW_BAD_REQUEST, ERR_PERMANENT, false, "refused" };
}

static struct verdict judge_403(enum servicenow_act act, const char *said)
{
	if (strcasestr(said, "Unique Key violation"))
		return judge_400(said);
	if (strcasestr(said, "Data Policy Exception"))
		/* Likewise: a close code that this ticket's table does not have, say. */
		return (struct verdict){ SERVICENOW_DATA_POLICY,
					 act == SERVICENOW_CHANGE ? ERR_PERMANENT : ERR_ACCOUNT,
					 false, "mandatory columns are missing" };
	if (strcasestr(said, "aborted by Business Rule"))
		/* A rule that forbids a change looks at that record (it is closed, say); one
		 * that forbids creating forbids the next one too. */
		return (struct verdict){ SERVICENOW_BUSINESS_RULE,
					 act == SERVICENOW_CHANGE ? ERR_PERMANENT : ERR_ACCOUNT,
					 false, "aborted by a business rule" };
	return (struct verdict){ SERVICENOW_FORBIDDEN, ERR_ACCOUNT, false,
				 "not allowed: roles or access lists of the integration user" };
}

static struct verdict judge_404(enum servicenow_act act)
{
	if (act == SERVICENOW_CHANGE || act == SERVICENOW_READ)
		return (struct verdict){ SERVICENOW_NOT_FOUND, ERR_PERMANENT, false,
					 "no such record, or it is hidden from us" };
	return (struct verdict){ SERVICENOW_NO_TABLE, ERR_ACCOUNT, false, "no such table" };
}

static struct verdict judge_5xx(const char *said)
{
	if (strcasestr(said, "Unique Key violation"))
		return judge_400(said);
	if (strcasestr(said, "Transaction cancelled"))
		return (struct verdict){ SERVICENOW_CANCELLED, ERR_TRANSIENT, true,
					 "the transaction took too long; it may be committed" };
	return (struct verdict){ SERVICENOW_SERVER_ERROR, ERR_TRANSIENT, true, "server error" };
}

/* Statuses other than 200 and 201; said is the instance's message and detail. */
static struct verdict judge_status(int status, enum servicenow_act act, const char *said)
{
	switch (status) {
	case 202:
		return (struct verdict){ SERVICENOW_ACCEPTED, ERR_TRANSIENT, true,
					 "accepted, not known to be done" };
	case 400:
	case 413:
		return judge_400(said);
	case 401:
		return (struct verdict){ SERVICENOW_UNAUTHORIZED, ERR_ACCOUNT, false,
					 "wrong credentials, or a user who may not use REST" };
	case 403:
		return judge_403(act, said);
	case 404:
		return judge_404(act);
	case 408:
	case 425:
		return (struct verdict){ SERVICENOW_UNEXPECTED, ERR_TRANSIENT, true,
					 "the instance gave up waiting" };
	case 429:
		return (struct verdict){ SERVICENOW_THROTTLED, ERR_TRANSIENT, false,
					 "rate limit of the instance" };
	case 405:
	case 406:
	case 407:
	case 415:
		return (struct verdict){ SERVICENOW_UNEXPECTED, ERR_ACCOUNT, false,
					 "something between us and the instance refuses REST" };
	default:
		break;
	}
	if (status >= 500)
		return judge_5xx(said);
	if (status >= 200 && status < 300)
		return (struct verdict){ SERVICENOW_UNEXPECTED, ERR_TRANSIENT, true,
					 "success without a record" };
	return (struct verdict){ SERVICENOW_UNEXPECTED, ERR_PERMANENT, false, "refused" };
}

/* "Data Policy Exception: \n\tThe following fields are mandatory: A, B" */
static void take_labels(struct servicenow_reply *reply, const char *said)
{
	const char *labels = strcasestr(said, "mandatory:");

	if (labels)
		body_excerpt(labels + strlen("mandatory:"), reply->labels,
			     sizeof reply->labels);
}

/* Both words of {"error":{"message","detail"}}; either may be null or absent. */
static void take_detail(struct servicenow_reply *reply, const json_t *root, char *ret_said,
			size_t room)
{
	const json_t *error = json_object_get(root, "error");
	const char *message =
	    json_is_string(error) ? json_string_value(error) : body_peek(error, "message");
	const char *detail = body_peek(error, "detail");

	if (!*detail)
		detail = body_peek(root, "error_description"); /* of OAuth */
	snprintf(ret_said, room, "%s%s%s", message, *message && *detail ? ": " : "", detail);
	body_excerpt(ret_said, reply->detail, sizeof reply->detail);
}

/* X-RateLimit-Reset is an epoch second, by the instance's clock. */
static uint64_t throttled_ms(const struct http_response *response)
{
	uint64_t after_ms = http_retry_after_ms(response);
	const char *reset = http_response_header(response, "X-RateLimit-Reset");
	const char *date = http_response_header(response, "Date");
	uint64_t now_ms;

	if (after_ms || !reset)
		return after_ms;
	if (!date || !clock_parse_http(date, &now_ms))
		now_ms = clock_wall_ms();
	uint64_t reset_ms = strtoull(reset, NULL, 10);

	if (reset_ms > UINT64_MAX / 1000)
		return RATE_RESET_MAX_MS;
	reset_ms *= 1000;
	if (reset_ms <= now_ms)
		return 0;
	return reset_ms - now_ms < RATE_RESET_MAX_MS ? reset_ms - now_ms : RATE_RESET_MAX_MS;
}

static bool refuse(struct servicenow_reply *reply, const struct verdict *verdict,
		   const struct http_response *response, struct err *err)
{
	reply->outcome = verdict->outcome;
	err_fill(err, verdict->kind, "ServiceNow answered %d, %s%s%s%s", response->status,
		 verdict->text, *reply->detail ? " (" : "", reply->detail,
		 *reply->detail ? ")" : "");
	if (!err)
		return false;
	err->ambiguous = verdict->ambiguous;
	if (verdict->kind == ERR_TRANSIENT)
		err->retry_after_ms = throttled_ms(response);
	return false;
}

/* 200 and 201 with JSON: success needs it whole, with a result and no error beside it. */
static bool read_success(struct servicenow_reply *reply, const struct http_response *response,
			 struct err *err)
{
	json_t *root = body_parse(response->body, response->size);
	const json_t *result = json_object_get(root, "result");
	char said[512];

	if (result && !json_object_get(root, "error")) {
		reply->outcome = SERVICENOW_OK;
		reply->root = root;
		reply->result = result;
		return true;
	}
	struct verdict verdict = { SERVICENOW_TRUNCATED, ERR_TRANSIENT, true,
				   "but the JSON breaks off; it may be committed" };
	if (root) {
		take_detail(reply, root, said, sizeof said);
		verdict = judge_5xx(said);
		if (verdict.outcome == SERVICENOW_SERVER_ERROR)
			verdict = (struct verdict){ SERVICENOW_UNEXPECTED, ERR_TRANSIENT, true,
						    "but without a result" };
	}
	json_decref(root);
	return refuse(reply, &verdict, response, err);
}

bool servicenow_reply_read(struct servicenow_reply *ret_reply, enum servicenow_act act,
			   const struct http_response *response, struct err *err)
{
	int status = response->status;
	struct verdict verdict;
	char said[512] = "";

	*ret_reply = (struct servicenow_reply){ .outcome = SERVICENOW_UNEXPECTED };
	if ((status == 200 || status == 201) && http_is_json(response))
		return read_success(ret_reply, response, err);

	json_t *root = answer_json(response);

	if (root)
		take_detail(ret_reply, root, said, sizeof said);
	json_decref(root);
	/* The statuses that say enough by themselves may come with any body, or none. */
	if (root || status == 202 || status == 204 || status == 401 || status == 403 ||
	    status == 429 || status == 413 || status == 400)
		verdict = judge_status(status, act, said);
	else
		verdict = judge_page(response);
	if (verdict.outcome == SERVICENOW_UNEXPECTED && status >= 400 && !root)
		verdict = judge_status(status, act, said);
	if (verdict.outcome == SERVICENOW_DATA_POLICY)
		take_labels(ret_reply, said);
	return refuse(ret_reply, &verdict, response, err);
}

void servicenow_reply_done(struct servicenow_reply *reply)
{
	json_decref(reply->root);
	reply->root = NULL;
	reply->result = NULL;
}
