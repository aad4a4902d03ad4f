/* One call of the Secure Endpoint API: URL, credentials, answer. */
#include "vendor/secure_endpoint_call.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "model/customer.h"
#include "vendor/answer.h"
#include "vendor/session.h"

static const char WHO[] = "Secure Endpoint";

enum { URL_MAX_BYTES = 4 << 10, RESET_MAX_S = 3600 };

/* ---- answers ---- */

/* {"errors":[{"error_code","description","details":[...]}]}; older answers
 * {"error":{"message"}}
 */
static void take_detail(const struct http_response *response, char *ret_detail, size_t room)
{
	json_t *root = answer_json(response);
	const json_t *first = json_array_get(json_object_get(root, "errors"), 0);
	const char *text =
	    json_string_value(json_array_get(json_object_get(first, "details"), 0));

	if (!text)
		text = body_peek(first, "description");
	if (!*text)
		text = body_peek(json_object_get(root, "error"), "message");
	body_excerpt(text, ret_detail, room);
	json_decref(root);
}

/* The body of a 429 is not documented; its headers are, in two spellings. */
static uint64_t throttled_ms(const struct http_response *response)
{
	uint64_t after_ms = http_retry_after_ms(response);
	const char *reset = http_response_header(response, "X-RateLimit-Reset");

	if (!reset)
		reset = http_response_header(response, "X-Rate-Limit-Reset");
	if (after_ms || !reset)
		return after_ms;
	unsigned long seconds = strtoul(reset, NULL, 10);
	return (seconds < RESET_MAX_S ? seconds : RESET_MAX_S) * 1000;
}

bool secure_endpoint_check(const struct http_response *response, bool one, struct err *err)
{
	enum err_kind kind = http_status_kind(response->status);
	char detail[128];

	if (kind == ERR_NONE && (response->status == 204 || http_is_json(response)))
		return true;
	if (kind == ERR_NONE)
		return answer_unfit(response->status, WHO, "without JSON", err);
	if (!one && (response->status == 404 || response->status == 405))
		kind = ERR_ACCOUNT; /* the URL is wrong, and for every call */
	take_detail(response, detail, sizeof detail);
	answer_refused(response, WHO, kind, detail, err);
	if (err && kind == ERR_TRANSIENT)
		err->retry_after_ms = throttled_ms(response);
	return false;
}

/* ---- calls ---- */

void endpoint_call_init(struct endpoint_call *call, const struct vendor_session *session,
			const char *what, const char *path)
{
	*call = (struct endpoint_call){ .what = what };
	buf_init(&call->url, URL_MAX_BYTES);
	buf_adds(&call->url, session->account->url);
	buf_adds(&call->url, path);
}

void endpoint_call_done(struct endpoint_call *call)
{
	json_decref(call->root);
	buf_done(&call->url);
}

/* One of the comma-separated methods, blanks around them aside. */
static bool lists_put(const char *allow)
{
	while (allow && *allow) {
		size_t size = strcspn(allow, ", \t");

		if (size == 3 && strncasecmp(allow, "PUT", 3) == 0)
			return true;
		allow += size;
		allow += strspn(allow, ", \t");
	}
	return false;
}

static bool classify(const struct vendor_request *request, const struct http_response *response,
		     struct err *err)
{
	struct endpoint_call *call = request->opaque;

	if (!secure_endpoint_check(response, call->one, err))
		return false;
	call->put = lists_put(http_response_header(response, "Allow"));
	if (response->status == 204)
		return true;
	json_decref(call->root);
	call->root = body_parse(response->body, response->size);
	return json_object_get(call->root, "data") ||
	       answer_unfit(response->status, WHO, "with JSON that breaks off", err);
}

bool endpoint_call_run(struct endpoint_call *call, struct vendor_session *session,
		       struct err *err)
{
	const struct vendor_request request = {
		.what = call->what,
		.method = call->method,
		.url = buf_text(&call->url),
		.body = call->body,
		.size = call->body ? strlen(call->body) : 0,
		.write = call->write,
		.optional = call->one, /* a group that this client may not see, say */
		.auth = VENDOR_AUTH_BASIC,
		.basic_user = session->account->client_id,
		.classify = classify,
		.opaque = call,
	};
	struct http_response response;

	if (!buf_ok(&call->url)) {
		session->refusal = VENDOR_ATTEMPTED;
		session->status = 0;
		return err_set(err, ERR_PERMANENT, "%s: too large", call->what);
	}
	if (!vendor_call(session, &request, &response, err))
		return false;
	http_response_done(&response);
	return true;
}

const json_t *endpoint_call_data(const struct endpoint_call *call)
{
	return json_object_get(call->root, "data");
}

/* A list whose rows all are objects is not promised: rows of another kind are left out. */
size_t endpoint_call_rows(const struct endpoint_call *call)
{
	return json_array_size(endpoint_call_data(call));
}
