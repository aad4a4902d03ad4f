/* The way of every call: share, gate, credentials, exchange, classification, gate. */
#include "vendor/session.h"

#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/buf.h"
#include "base/clock.h"
#include "bus/share.h"
#include "model/customer.h"
#include "model/vault.h"
#include "net/http.h"
#include "vendor/call.h"
#include "vendor/pass.h"
#include "vendor/settings.h"
#include "vendor/token.h"

enum {
	DEFAULT_DEADLINE_MS = 30 * 1000,
	DEFAULT_START_BY_MS = 5 * 1000,
	DEFAULT_SHARE = 8,
	GATE_WAIT_MIN_MS = 500,
	GATE_WAIT_MAX_MS = 2000,
	SLOT_TRIES = 25, /* over about 400 ms */
	SLOT_POLL_MIN_MS = 5,
	SLOT_POLL_MAX_MS = 25,
	RATE_RESET_MAX_S = 3600,
	FINGERPRINT_MAX = 64 << 10,
	DEFAULT_PROBE_INTERVAL_MS = 60 * 1000,
	REDIRECTS_MAX = 3,
};

/* Takes the seat of a single call. */
static const char NOBODY[] = "";

struct vendor {
	struct http *http;
	const struct vault *vault;
	struct gate_limits limits; /* those that are the same for every account */
	uint64_t deadline_ms;
	uint64_t start_by_ms;
	void (*on_change)(const struct vendor_session *session, enum gate_change change,
			  const char *reason, void *opaque);
	void *opaque;
	struct share *share;
	struct pass_cache *passes;
	struct token_cache *tokens;
};

static struct metric calls_total = {
	.name = "tocsin_vendor_calls_total",
	.kind = METRIC_COUNTER,
	.help = "calls to vendors by how they ended; refused ones were not sent",
	.labels = "vendor,outcome",
};

static const double call_bounds[] = { 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
				      1,     2.5,  5,	  10,	30,  60,   0 };

static struct metric call_seconds = {
	.name = "tocsin_vendor_call_seconds",
	.kind = METRIC_HISTOGRAM,
	.help = "time from sending to the whole answer, or to giving up",
	.labels = "vendor",
	.bounds = call_bounds,
};

struct metric *const vendor_metrics[] = { &calls_total, &call_seconds, NULL };

struct vendor *vendor_new(const struct vendor_needs *needs)
{
	const struct vendor_settings *settings = needs->settings;
	unsigned share = settings ? settings->share : DEFAULT_SHARE;
	struct vendor *vendor = xcalloc(1, sizeof *vendor);

	vendor->http = needs->http;
	vendor->vault = needs->vault;
	vendor->deadline_ms = needs->deadline_ms ? needs->deadline_ms : DEFAULT_DEADLINE_MS;
	vendor->start_by_ms = DEFAULT_START_BY_MS;
	if (settings) {
		vendor->start_by_ms = settings->start_by_ms;
		vendor->limits.breaker_failures = settings->breaker_failures;
		vendor->limits.breaker_min_ms = settings->breaker_min_ms;
		vendor->limits.breaker_max_ms = settings->breaker_max_ms;
		vendor->limits.probe_interval_ms = settings->probe_interval_ms;
	}
	vendor->on_change = needs->on_change;
	vendor->opaque = needs->opaque;
	/* No call lasts longer than its deadline; the rest is for a slow way back. */
	vendor->limits.slot_ttl_ms = vendor->deadline_ms + vendor->deadline_ms / 2;
	unsigned limit = share ? needs->threads / share : 0;
	vendor->share = share_new(share && !limit ? 1 : limit);
	vendor->passes = pass_cache_new();
	vendor->tokens = token_cache_new();
	return vendor;
}

void vendor_free(struct vendor *vendor)
{
	if (!vendor)
		return;
	token_cache_free(vendor->tokens);
	pass_cache_free(vendor->passes);
	share_free(vendor->share);
	free(vendor);
}

const char *vendor_refusal_name(enum vendor_refusal refusal)
{
	static const char *const names[] = {
		[VENDOR_ATTEMPTED] = "attempted", [VENDOR_PARKED] = "parked",
		[VENDOR_BREAKER] = "breaker",	  [VENDOR_BUDGET] = "budget",
		[VENDOR_SLOTS] = "slots",	  [VENDOR_SHARE] = "share",
		[VENDOR_LATE] = "late",		  [VENDOR_GATE] = "gate",
	};

	return (size_t)refusal < sizeof names / sizeof names[0] ? names[refusal] : "unknown";
}

static bool refuse(struct vendor_session *session, enum vendor_refusal refusal,
		   uint64_t wait_ms, const char *why, struct err *err)
{
	session->refusal = refusal;
	session->wait_ms = wait_ms ? wait_ms : 1;
	err_fill(err, ERR_TRANSIENT, "%s: not sent: %s", session->account->id, why);
	if (err)
		err->retry_after_ms = session->wait_ms;
	return false;
}

/* ---- the gate ---- */

/* What only a person can put right: no call proves that it is. */
static const char until_resumed[] = "until resumed: ";

struct passage {
	struct gate_pass pass;
	bool asked;  /* Redis gave a pass that has to be given back, even after a success */
	bool parked; /* as the one call that may try */
	char reason[sizeof((struct gate_state *)NULL)->reason];
};

static struct gate_limits limits_of(const struct vendor_session *session)
{
	struct gate_limits limits = session->vendor->limits;

	limits.calls_per_hour = session->account->calls_per_hour;
	limits.burst = session->account->burst;
	limits.in_flight = session->account->in_flight;
	return limits;
}

static bool gate_refuses(struct vendor_session *session, const struct gate_pass *pass,
			 struct err *err)
{
	switch (pass->answer) {
	case GATE_ENTERED:
	case GATE_PROBE:
		return false;
	case GATE_BUDGET:
		refuse(session, VENDOR_BUDGET, pass->wait_ms,
		       "the account's calls per hour are used up", err);
		break;
	case GATE_PAUSED:
		refuse(session, VENDOR_BUDGET, pass->wait_ms,
		       "the vendor asked to come back later", err);
		break;
	case GATE_BUSY:
		refuse(session, VENDOR_SLOTS, pass->wait_ms,
		       "enough calls to the account are in flight", err);
		break;
	case GATE_BROKEN:
		refuse(session, VENDOR_BREAKER, pass->wait_ms,
		       "the account's calls failed in a row", err);
		break;
	case GATE_PARKED:
		refuse(session, VENDOR_PARKED, pass->wait_ms, "the account is parked", err);
		break;
	}
	return true;
}

/* The one caller that may try a parked account learns why it is parked. */
static bool enter_parked(struct vendor_session *session, struct passage *passage,
			 const struct gate_limits *limits, struct err *err)
{
	struct gate_state state;

	if (!gate_read(session->redis, session->account->id, &state, NULL) || !state.parked)
		return true; /* only its breaker is open */
	passage->parked = true;
	memcpy(passage->reason, state.reason, sizeof passage->reason);
	if (strncmp(state.reason, until_resumed, sizeof until_resumed - 1) != 0)
		return true;
	gate_leave(session->redis, session->account->id, limits, &passage->pass,
		   &(struct gate_result){ .outcome = GATE_NEUTRAL },
		   &(enum gate_change){ GATE_SAME }, NULL);
	return refuse(session, VENDOR_PARKED,
		      limits->probe_interval_ms ? limits->probe_interval_ms
						: DEFAULT_PROBE_INTERVAL_MS,
		      "the account is parked until an operator resumes it", err);
}

/* Slots are all processes' and are held for as long as a call: who has a seat here waits a
 * moment for one, or replicas would send each other's work away for a second while slots are
 * free. */
static bool ask_gate(struct vendor_session *session, const struct gate_limits *limits,
		     struct gate_pass *ret_pass, struct err *err)
{
	static const enum gate_class classes[] = { [VENDOR_CONTAINMENT] = GATE_CONTAINMENT,
						   [VENDOR_OPENING] = GATE_OPENING,
						   [VENDOR_POLLING] = GATE_POLLING };
	unsigned tries = session->seated ? SLOT_TRIES : 1;

	while (gate_enter(session->redis, session->account->id, classes[session->class], limits,
			  ret_pass, err)) {
		if (ret_pass->answer != GATE_BUSY || --tries == 0)
			return true;
		clock_sleep_ms(backoff_random(SLOT_POLL_MIN_MS, SLOT_POLL_MAX_MS));
	}
	return false;
}

static bool enter(struct vendor_session *session, struct passage *ret_passage, struct err *err)
{
	struct vendor *vendor = session->vendor;
	const char *id = session->account->id;
	struct gate_limits limits = limits_of(session);
	struct gate_pass *pass = &ret_passage->pass;
	struct err failure = { 0 };

	*ret_passage = (struct passage){ .pass.answer = GATE_ENTERED };
	if (session->probe || pass_cache_valid(vendor->passes, id))
		return true;
	if (pass_cache_trying(vendor->passes, id, session->redis)) {
		pass->answer = GATE_PROBE;
		ret_passage->asked = true;
		return enter_parked(session, ret_passage, &limits, err);
	}
	if (!ask_gate(session, &limits, pass, &failure))
		return refuse(session, VENDOR_GATE,
			      backoff_random(GATE_WAIT_MIN_MS, GATE_WAIT_MAX_MS), failure.text,
			      err);
	if (gate_refuses(session, pass, err))
		return false;
	if (pass->valid_ms)
		pass_cache_keep(vendor->passes, id, clock_mono_ms() + pass->valid_ms);
	ret_passage->asked = !pass->valid_ms;
	return pass->answer != GATE_PROBE || enter_parked(session, ret_passage, &limits, err);
}

/* Whether a success ends the parking: the reason is the text of the error that parked it, which
 * says what was being done. Credentials are proved by any call; that records can be created is
 * proved by creating one only, or the account would be resumed and parked again, with an alarm,
 * by every search before a create. */
static bool proves(const struct passage *passage, const struct vendor_session *session,
		   const struct vendor_request *request)
{
	const char *id = session->account->id;
	const char *reason = passage->reason;
	size_t size = strlen(id);

	if (!passage->parked || strncmp(reason, id, size) != 0 ||
	    strncmp(reason + size, ": ", 2) != 0 || strstr(reason, "no token") ||
	    strstr(reason, "answered 401"))
		return true;
	reason += size + 2;
	size = strlen(request->what);
	return strncmp(reason, request->what, size) == 0 && reason[size] == ':';
}

/* A vendor's count of calls left, in the spellings in use: only "none" matters, it is the
 * moment to stop before the vendor says 429. */
static uint64_t used_up_ms(const struct http_response *response)
{
	static const char *const names[][2] = {
		{ "X-RateLimit-Remaining", "X-RateLimit-Reset" },
		{ "X-Rate-Limit-Remaining", "X-Rate-Limit-Reset" },
		{ "X-RateLimit-Org-Remaining", "X-RateLimit-Org-Reset" },
	};

	if (!response->headers)
		return 0;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const char *left = http_response_header(response, names[i][0]);
		const char *reset = http_response_header(response, names[i][1]);

		if (!left || !reset || strcmp(left, "0") != 0)
			continue;
		unsigned long seconds = strtoul(reset, NULL, 10);
		return (seconds < RATE_RESET_MAX_S ? seconds : RATE_RESET_MAX_S) * 1000;
	}
	return 0;
}

static enum gate_outcome gate_outcome(const struct vendor_session *session,
				      const struct vendor_request *request, bool ok,
				      const struct err *failure)
{
	if (ok)
		return GATE_OK;
	if (session->refusal != VENDOR_ATTEMPTED)
		return GATE_NEUTRAL;
	switch (failure->kind) {
	case ERR_TRANSIENT:
		return GATE_TRANSIENT;
	case ERR_ACCOUNT: /* a 401, or a token that is not to be had, is everybody's */
		return request->optional && session->status && session->status != 401
			   ? GATE_OK
			   : GATE_FAULT;
	case ERR_PERMANENT:
		return GATE_OK; /* the vendor works, and answered */
	default:
		return GATE_NEUTRAL;
	}
}

static void leave(struct vendor_session *session, const struct passage *passage,
		  enum gate_outcome outcome, uint64_t wait_ms, const char *reason)
{
	struct vendor *vendor = session->vendor;
	struct gate_limits limits = limits_of(session);
	enum gate_change change = GATE_SAME;

	if (session->probe ||
	    (!passage->asked && !wait_ms && (outcome == GATE_OK || outcome == GATE_NEUTRAL)))
		return;
	if (outcome != GATE_OK || wait_ms || passage->parked)
		pass_cache_forget(vendor->passes, session->account->id);
	/* When Redis does not answer, the slot ends by itself and the next failure is as good a
	 * witness as this one. */
	const struct gate_result result = { .outcome = outcome,
					    .retry_after_ms = wait_ms,
					    .reason = reason };
	if (!gate_leave(session->redis, session->account->id, &limits, &passage->pass, &result,
			&change, NULL))
		return;
	if (change != GATE_SAME && vendor->on_change)
		vendor->on_change(session, change, reason, vendor->opaque);
}

bool vendor_park(struct vendor_session *session, const char *reason, struct err *err)
{
	struct vendor *vendor = session->vendor;
	struct err failure; /* room for a text, no failure */
	bool changed = false;

	err_fill(&failure, ERR_ACCOUNT, "%s%s", until_resumed, reason);
	pass_cache_forget(vendor->passes, session->account->id);
	if (!gate_park(session->redis, session->account->id, failure.text, &changed, err))
		return false;
	if (changed && vendor->on_change)
		vendor->on_change(session, GATE_NEWLY_PARKED, reason, vendor->opaque);
	return true;
}

/* ---- one exchange ---- */

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
		return refuse(session, VENDOR_LATE, SHARE_WAIT_MIN_MS,
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

static const char *outcome_name(const struct vendor_session *session, bool ok,
				const struct err *failure)
{
	if (ok)
		return "ok";
	if (session->refusal != VENDOR_ATTEMPTED)
		return "refused";
	if (session->status == 429)
		return "throttled";
	return failure->ambiguous ? "ambiguous" : err_kind_name(failure->kind);
}

/* Between entering and leaving the gate. */
static bool attempt_call(struct vendor_session *session, const struct vendor_request *request,
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
	metric_observe(&call_seconds, (double)(clock_mono_ms() - now_ms) / 1000,
		       account_kind_name(session->account->kind));
	return ok;
}

static bool call_through_gate(struct vendor_session *session,
			      const struct vendor_request *request,
			      struct http_response *ret_response, struct err *err)
{
	struct passage passage;

	if (!enter(session, &passage, err))
		return false;
	bool ok = attempt_call(session, request, ret_response, err);
	if (!ok && !request->write)
		err->ambiguous = false;
	if (!ok && session->refusal == VENDOR_ATTEMPTED) {
		err_prefix(err, "%s", request->what);
		err_prefix(err, "%s", session->account->id);
	}
	uint64_t wait_ms = used_up_ms(ret_response);
	if (!ok && session->refusal == VENDOR_ATTEMPTED && err->retry_after_ms > wait_ms)
		wait_ms = err->retry_after_ms;
	enum gate_outcome outcome = gate_outcome(session, request, ok, err);
	bool unproved = outcome == GATE_OK && !proves(&passage, session, request);

	leave(session, &passage, unproved ? GATE_NEUTRAL : outcome, wait_ms,
	      ok ? "" : err->text);
	/* The next call of this thread may be the one that proves it. A connection to Redis is
	 * one thread's. */
	if (unproved)
		pass_cache_try(session->vendor->passes, session->account->id, session->redis,
			       clock_mono_ms() + session->vendor->deadline_ms);
	return ok;
}

bool vendor_seat_take(struct vendor *vendor, const char *account, const char *customer,
		      uint64_t wait_ms, uint64_t *ret_again_ms)
{
	return share_take_within(vendor->share, account, customer, wait_ms, ret_again_ms);
}

void vendor_seat_give(struct vendor *vendor, const char *account, const char *customer)
{
	share_give(vendor->share, account, customer);
}

bool vendor_call(struct vendor_session *session, const struct vendor_request *request,
		 struct http_response *ret_response, struct err *err)
{
	struct share *share = session->vendor->share;
	const char *id = session->account->id;
	bool seated = session->probe || session->seated;
	struct err failure = { 0 };
	bool ok = false;

	*ret_response = (struct http_response){ 0 };
	session->refusal = VENDOR_ATTEMPTED;
	session->wait_ms = 0;
	session->status = 0;
	if (seated || share_take(share, id, NOBODY)) {
		ok = call_through_gate(session, request, ret_response, &failure);
		if (!seated)
			share_give(share, id, NOBODY);
	} else {
		refuse(session, VENDOR_SHARE,
		       backoff_random(SHARE_WAIT_MIN_MS, SHARE_WAIT_MAX_MS),
		       "the account holds its share of this process", &failure);
	}
	metric_add(&calls_total, 1, account_kind_name(session->account->kind),
		   outcome_name(session, ok, &failure));
	if (ok)
		return true;
	http_response_done(ret_response);
	*ret_response = (struct http_response){ 0 };
	if (err)
		*err = failure;
	return false;
}
