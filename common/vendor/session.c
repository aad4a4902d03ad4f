/* The way of every call: share, gate, attempt, gate. */
#include "vendor/session.h"

#include <stdlib.h>

#include "base/backoff.h"
#include "base/buf.h"
#include "base/clock.h"
#include "bus/share.h"
#include "model/customer.h"
#include "net/http.h"
#include "vendor/attempt.h"
#include "vendor/call.h"
#include "vendor/pass.h"
#include "vendor/passage.h"
#include "vendor/settings.h"
#include "vendor/token.h"
#include "vendor/vendor.h"

enum {
	DEFAULT_DEADLINE_MS = 30 * 1000,
	DEFAULT_START_BY_MS = 5 * 1000,
	DEFAULT_SHARE = 8,
};

/* Takes the seat of a single call. */
static const char NOBODY[] = "";

static struct metric calls_total = {
	.name = "tocsin_vendor_calls_total",
	.kind = METRIC_COUNTER,
	.help = "calls to vendors by how they ended; refused ones were not sent",
	.labels = "vendor,outcome",
};

struct metric *const vendor_metrics[] = { &calls_total, &attempt_seconds, NULL };

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

bool vendor_refuse(struct vendor_session *session, enum vendor_refusal refusal,
		   uint64_t wait_ms, const char *why, struct err *err)
{
	session->refusal = refusal;
	session->wait_ms = wait_ms ? wait_ms : 1;
	err_fill(err, ERR_TRANSIENT, "%s: not sent: %s", session->account->id, why);
	if (err)
		err->retry_after_ms = session->wait_ms;
	return false;
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

static bool call_through_gate(struct vendor_session *session,
			      const struct vendor_request *request,
			      struct http_response *ret_response, struct err *err)
{
	struct passage passage;

	if (!passage_enter(session, &passage, err))
		return false;
	bool ok = attempt_make(session, request, ret_response, err);
	if (!ok && !request->write)
		err->ambiguous = false;
	if (!ok && session->refusal == VENDOR_ATTEMPTED) {
		err_prefix(err, "%s", request->what);
		err_prefix(err, "%s", session->account->id);
	}
	passage_leave(session, request, &passage, ok, ret_response, err);
	return ok;
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
		vendor_refuse(session, VENDOR_SHARE,
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

bool vendor_seat_take(struct vendor *vendor, const char *account, const char *customer,
		      uint64_t wait_ms, uint64_t *ret_again_ms)
{
	return share_take_within(vendor->share, account, customer, wait_ms, ret_again_ms);
}

void vendor_seat_give(struct vendor *vendor, const char *account, const char *customer)
{
	share_give(vendor->share, account, customer);
}
