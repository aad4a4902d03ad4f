/* Credentials, exchange, classification. */
#include "vendor/attempt.h"

#include "base/buf.h"
#include "base/clock.h"
#include "bus/share.h"
#include "model/customer.h"
#include "model/vault.h"
#include "net/http.h"
#include "vendor/call.h"
#include "vendor/token.h"
#include "vendor/vendor.h"

enum { FINGERPRINT_MAX = 64 << 10, REDIRECTS_MAX = 3 };

static const double call_bounds[] = { 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
				      1,     2.5,  5,	  10,	30,  60,   0 };

struct metric attempt_seconds = {
	.name = "tocsin_vendor_call_seconds",
	.kind = METRIC_HISTOGRAM,
	.help = "time from sending to the whole answer, or to giving up",
	.labels = "vendor",
	.bounds = call_bounds,
};

struct attempt {
	struct vendor_session *session;
	const struct vendor_request *request;
	uint64_t deadline_ms;
	uint64_t start_by_ms;
	char *secret;
	char *token;
};

static bool fetch_token(void *opaque, char **ret_token, uint64_t *ret_life_ms, struct err *err)
{
	const struct attempt *attempt = opaque;
	const struct vendor_grant grant = { .session = attempt->session,
					    .http = attempt->session->vendor->http,
					    .secret = attempt->secret,
					    .deadline_ms = attempt->deadline_ms,
					    .start_by_ms = attempt->start_by_ms };

	return attempt->request->fetch_token(&grant, ret_token, ret_life_ms, err);
}

static const char *text_or_empty(const char *text)
{
	return text ? text : "";
}

/* A token is good for whoever it was given to, and shown only to whoever gave it. */
static bool take_token(struct attempt *attempt, struct err *err)
{
	const struct account *account = attempt->session->account;
	struct buf print;

	buf_init(&print, FINGERPRINT_MAX);
	buf_addf(&print, "%s %s %s %s %s %s", account->url, text_or_empty(account->intel_url),
		 text_or_empty(account->management_url), text_or_empty(account->org_id),
		 text_or_empty(account->client_id),
		 account->secret /* sealed: changes with each sealing */);

	const struct token_request request = {
		.account = account->id,
		.fingerprint = buf_text(&print),
		.deadline_ms = attempt->deadline_ms,
		.fetch = fetch_token,
		.opaque = attempt,
	};

	attempt->token = token_get(attempt->session->vendor->tokens, &request, err);
	buf_done(&print);
	return attempt->token != NULL;
}

static void drop_token(struct attempt *attempt)
{
	token_drop(attempt->session->vendor->tokens, attempt->session->account->id,
		   attempt->token);
	token_wipe(attempt->token);
	attempt->token = NULL;
}

static bool is_late(const struct attempt *attempt)
{
	uint64_t now_ms = clock_mono_ms();

	return now_ms >= attempt->start_by_ms || now_ms >= attempt->deadline_ms;
}

static bool send(const struct attempt *attempt, struct http_response *ret_response,
		 struct err *err)
{
	const struct vendor_request *request = attempt->request;
	struct vendor_session *session = attempt->session;

	if (is_late(attempt))
		return vendor_refuse(session, VENDOR_LATE, SHARE_WAIT_MIN_MS,
				     "it took too long to begin", err);
	const struct http_request http = {
		.method = request->method,
		.url = request->url,
		.bearer = attempt->token,
		.basic_user = request->auth == VENDOR_AUTH_BASIC ? request->basic_user : NULL,
		.basic_password = request->auth == VENDOR_AUTH_BASIC ? attempt->secret : NULL,
		.content_type = !request->body		? NULL
				: request->content_type ? request->content_type
							: "application/json",
		.body = request->body,
		.size = request->size,
		.timeout_ms = attempt->deadline_ms - clock_mono_ms(),
		.start_by_ms = attempt->start_by_ms,
		.max_body_bytes = request->max_body_bytes,
		.redirects = request->may_redirect ? REDIRECTS_MAX : 0,
		.may_redirect = request->may_redirect,
	};
	bool ok = http_exchange(session->vendor->http, &http, ret_response, err);
	session->status = ok ? ret_response->status : 0;
	return ok;
}

static bool send_and_classify(const struct attempt *attempt, struct http_response *ret_response,
			      struct err *err)
{
	return send(attempt, ret_response, err) &&
	       attempt->request->classify(attempt->request, ret_response, err);
}

/* A token may have been withdrawn before its time: one fresh one, one more try. A 401 says that
 * nothing was done. */
static bool exchange(struct attempt *attempt, struct http_response *ret_response,
		     struct err *err)
{
	bool bearer = attempt->request->auth == VENDOR_AUTH_BEARER;

	if (attempt->request->auth != VENDOR_AUTH_NONE) {
		attempt->secret = account_unseal(attempt->session->account,
						 attempt->session->vendor->vault, err);
		if (!attempt->secret) {
			if (err)
				err->kind = ERR_ACCOUNT;
			return false;
		}
	}
	if (bearer && !take_token(attempt, err))
		return false;
	if (send_and_classify(attempt, ret_response, err))
		return true;
	if (!bearer || attempt->session->status != 401)
		return false;
	http_response_done(ret_response);
	*ret_response = (struct http_response){ 0 };
	drop_token(attempt);
	attempt->session->status = 0;
	return take_token(attempt, err) && send_and_classify(attempt, ret_response, err);
}

bool attempt_make(struct vendor_session *session, const struct vendor_request *request,
		  struct http_response *ret_response, struct err *err)
{
	uint64_t now_ms = clock_mono_ms();
	struct attempt attempt = {
		.session = session,
		.request = request,
		.deadline_ms = session->deadline_ms ? session->deadline_ms
						    : now_ms + session->vendor->deadline_ms,
		.start_by_ms = session->start_by_ms ? session->start_by_ms
						    : now_ms + session->vendor->start_by_ms,
	};
	bool ok = exchange(&attempt, ret_response, err);

	vault_wipe(attempt.secret);
	token_wipe(attempt.token);
	metric_observe(&attempt_seconds, (double)(clock_mono_ms() - now_ms) / 1000,
		       account_kind_name(session->account->kind));
	return ok;
}
