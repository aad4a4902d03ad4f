/* The gate around a call: who may make it, and what it proves. */
#include "vendor/passage.h"

#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "model/customer.h"
#include "net/http.h"
#include "vendor/call.h"
#include "vendor/pass.h"
#include "vendor/vendor.h"

enum {
	GATE_WAIT_MIN_MS = 500,
	GATE_WAIT_MAX_MS = 2000,
	SLOT_TRIES = 25, /* over about 400 ms */
	SLOT_POLL_MIN_MS = 5,
	SLOT_POLL_MAX_MS = 25,
	RATE_RESET_MAX_S = 3600,
	DEFAULT_PROBE_INTERVAL_MS = 60 * 1000,
};

/* What only a person can put right: no call proves that it is. */
static const char until_resumed[] = "until resumed: ";

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
		vendor_refuse(session, VENDOR_BUDGET, pass->wait_ms,
			      "the account's calls per hour are used up", err);
		break;
	case GATE_PAUSED:
		vendor_refuse(session, VENDOR_BUDGET, pass->wait_ms,
			      "the vendor asked to come back later", err);
		break;
	case GATE_BUSY:
		vendor_refuse(session, VENDOR_SLOTS, pass->wait_ms,
			      "enough calls to the account are in flight", err);
		break;
	case GATE_BROKEN:
		vendor_refuse(session, VENDOR_BREAKER, pass->wait_ms,
			      "the account's calls failed in a row", err);
		break;
	case GATE_PARKED:
		vendor_refuse(session, VENDOR_PARKED, pass->wait_ms, "the account is parked",
			      err);
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
	return vendor_refuse(session, VENDOR_PARKED,
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

bool passage_enter(struct vendor_session *session, struct passage *ret_passage, struct err *err)
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
		return vendor_refuse(session, VENDOR_GATE,
				     backoff_random(GATE_WAIT_MIN_MS, GATE_WAIT_MAX_MS),
				     failure.text, err);
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

static void tell(struct vendor_session *session, const struct passage *passage,
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

void passage_leave(struct vendor_session *session, const struct vendor_request *request,
		   const struct passage *passage, bool ok, const struct http_response *response,
		   const struct err *failure)
{
	uint64_t wait_ms = used_up_ms(response);
	if (!ok && session->refusal == VENDOR_ATTEMPTED && failure->retry_after_ms > wait_ms)
		wait_ms = failure->retry_after_ms;
	enum gate_outcome outcome = gate_outcome(session, request, ok, failure);
	bool unproved = outcome == GATE_OK && !proves(passage, session, request);

	tell(session, passage, unproved ? GATE_NEUTRAL : outcome, wait_ms,
	     ok ? "" : failure->text);
	/* The next call of this thread may be the one that proves it. A connection to Redis is
	 * one thread's. */
	if (unproved)
		pass_cache_try(session->vendor->passes, session->account->id, session->redis,
			       clock_mono_ms() + session->vendor->deadline_ms);
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
