/* One call of Threat Response: token, URL, answer. */
#include "vendor/threat_response_call.h"

#include <stdlib.h>
#include <string.h>

#include "model/customer.h"
#include "vendor/answer.h"
#include "vendor/session.h"

static const char WHO[] = "Threat Response";

enum {
	URL_MAX_BYTES = 8 << 10,
	BODY_MAX_BYTES = 4 << 20,
	ANSWER_MAX_BYTES = 16 << 20,
	TOKEN_LIFE_MS = 600 * 1000, /* documented; expires_in says so too */
};

void response_call_init(struct response_call *call, const char *what, const char *base,
			const char *path)
{
	*call = (struct response_call){ .what = what };
	buf_init(&call->url, URL_MAX_BYTES);
	buf_init(&call->body, BODY_MAX_BYTES);
	buf_adds(&call->url, base);
	buf_adds(&call->url, path);
}

void response_call_done(struct response_call *call)
{
	json_decref(call->root);
	buf_done(&call->url);
	buf_done(&call->body);
}

/* ---- answers ---- */

/* {"error","error_description"} of IROH, {"error","message"} or {"type","message"} of CTIA, and
 * {"errors":{"status":"missing-required-key"}} of its schema check. */
static void take_detail(const struct http_response *response, char *ret_detail, size_t room)
{
	static const char *const names[] = { "error_description", "message", "error", "type" };
	json_t *root = answer_json(response);
	const json_t *errors = json_object_get(root, "errors");
	char *dump = NULL;
	const char *text = "";

	for (size_t i = 0; !*text && i < sizeof names / sizeof names[0]; i++)
		text = body_peek(root, names[i]);
	if (!*text && errors)
		text = dump = json_dumps(errors, JSON_COMPACT);
	body_excerpt(text ? text : "", ret_detail, room);
	free(dump);
	json_decref(root);
}

static bool check(const struct http_response *response, bool one, struct err *err)
{
	enum err_kind kind = http_status_kind(response->status);
	char detail[160];

	if (kind == ERR_NONE && http_is_json(response))
		return true;
	if (kind == ERR_NONE)
		return answer_unfit(response->status, WHO, "without JSON", err);
	if (!one && (response->status == 404 || response->status == 405))
		kind = ERR_ACCOUNT; /* the URL is wrong, and for every call */
	take_detail(response, detail, sizeof detail);
	if (response->status == 400 && strstr(detail, "TLP"))
		kind = ERR_ACCOUNT; /* the server does not allow ours, on any entity */
	return answer_refused(response, WHO, kind, detail, err);
}

static bool classify(const struct vendor_request *request, const struct http_response *response,
		     struct err *err)
{
	struct response_call *call = request->opaque;

	if (!check(response, call->one, err))
		return false;
	json_decref(call->root);
	call->root = body_parse(response->body, response->size);
	return call->root ||
	       answer_unfit(response->status, WHO, "with JSON that breaks off", err);
}

/* ---- calls ---- */

static bool fetch_token(const struct vendor_grant *grant, char **ret_token,
			uint64_t *ret_life_ms, struct err *err)
{
	const struct account *account = grant->session->account;
	struct vendor_token token;
	struct buf url;

	buf_init(&url, URL_MAX_BYTES);
	buf_addf(&url, "%s/oauth2/token", account->url);
	const struct vendor_form form = { .url = buf_text(&url),
					  .basic_user = account->client_id,
					  .basic_password = grant->secret,
					  .text = "grant_type=client_credentials",
					  .life_ms = TOKEN_LIFE_MS };
	bool ok = vendor_post_form(grant, &form, &token, err);
	buf_done(&url);
	*ret_token = token.token;
	*ret_life_ms = token.life_ms;
	return ok;
}

bool response_call_refuse(struct vendor_session *session, struct err *err, const char *text)
{
	session->refusal = VENDOR_ATTEMPTED;
	session->status = 0;
	return err_set(err, ERR_PERMANENT, "%s", text);
}

bool response_call_run(struct response_call *call, struct vendor_session *session,
		       struct err *err)
{
	const struct vendor_request request = {
		.what = call->what,
		.method = call->method,
		.url = buf_text(&call->url),
		.body = call->body.size ? call->body.data : NULL,
		.size = call->body.size,
		.max_body_bytes = ANSWER_MAX_BYTES,
		.write = call->write,
		.content_type = call->form_basic ? "application/x-www-form-urlencoded" : NULL,
		.auth = call->form_basic ? VENDOR_AUTH_BASIC : VENDOR_AUTH_BEARER,
		.basic_user = session->account->client_id,
		.fetch_token = fetch_token,
		.classify = classify,
		.opaque = call,
	};
	struct http_response response;

	if (!buf_ok(&call->url) || !buf_ok(&call->body))
		return response_call_refuse(session, err, "too large for Threat Response");
	if (!vendor_call(session, &request, &response, err))
		return false;
	http_response_done(&response);
	return true;
}

bool response_call_unexpected(struct err *err, const char *text)
{
	err_fill(err, ERR_TRANSIENT, "%s", text);
	if (err)
		err->ambiguous = true;
	return false;
}
