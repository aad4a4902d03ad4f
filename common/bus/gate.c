/* Typed calls of functions_account.lua. */
#include "bus/gate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "bus/key.h"
#include "bus/redis.h"

enum {
	SLOT_TTL_MS = 120000,
	BREAKER_FAILURES = 5,
	BREAKER_MIN_MS = 30000,
	BREAKER_MAX_MS = 300000,
	PROBE_INTERVAL_MS = 60000,
	REASON_MAX = 199,
};

static uint64_t or_default(uint64_t value, uint64_t fallback)
{
	return value > 0 ? value : fallback;
}

static uint64_t probe_interval(const struct gate_limits *limits)
{
	return or_default(limits->probe_interval_ms, PROBE_INTERVAL_MS);
}

static enum gate_answer parse_answer(const char *text)
{
	static const struct {
		const char *name;
		enum gate_answer answer;
	} names[] = {
		{ "entered", GATE_ENTERED }, { "probe", GATE_PROBE },
		{ "budget", GATE_BUDGET },   { "paused", GATE_PAUSED },
		{ "broken", GATE_BROKEN },   { "parked", GATE_PARKED },
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i].name) == 0)
			return names[i].answer;
	}
	return GATE_BUSY; /* also of a later library: wait, then ask again */
}

bool gate_enter(struct redis *redis, const char *id, enum gate_class class,
		const struct gate_limits *limits, struct gate_pass *ret_pass, struct err *err)
{
	struct redis_call call;
	struct key key;
	unsigned burst = limits->burst ? limits->burst : limits->calls_per_hour / 8;
	/* What came at once and what trickles in after it stay within the hour's limit. */
	unsigned per_hour = limits->calls_per_hour > burst ? limits->calls_per_hour - burst
							   : limits->calls_per_hour;
	memset(ret_pass, 0, sizeof(*ret_pass));
	snprintf(ret_pass->token, sizeof(ret_pass->token), "%016llx%016llx",
		 (unsigned long long)backoff_random(0, UINT64_MAX),
		 (unsigned long long)backoff_random(0, UINT64_MAX));
	key_account(&key, id);
	redis_call_init(&call, "account_enter");
	redis_call_key(&call, key.text);
	redis_call_text(&call, ret_pass->token);
	redis_call_number(&call, (uint64_t) class + 1);
	redis_call_number(&call, per_hour);
	redis_call_number(&call, burst ? burst : 1);
	redis_call_number(&call, limits->in_flight);
	redis_call_number(&call, or_default(limits->slot_ttl_ms, SLOT_TTL_MS));
	redis_call_number(&call, probe_interval(limits));
	struct redis_reply *reply =
	    redis_expect_list(redis_function(redis, &call, err), 4, err);
	if (!reply)
		return false;
	ret_pass->answer = parse_answer(reply_text(reply_at(reply, 0)));
	ret_pass->wait_ms = (uint64_t)reply_integer(reply_at(reply, 1));
	ret_pass->valid_ms = (uint64_t)reply_integer(reply_at(reply, 2));
	snprintf(ret_pass->reason, sizeof(ret_pass->reason), "%s",
		 reply_text(reply_at(reply, 3)));
	reply_free(reply);
	return true;
}

static const char *outcome_word(enum gate_outcome outcome)
{
	switch (outcome) {
	case GATE_OK:
		return "ok";
	case GATE_TRANSIENT:
		return "transient";
	case GATE_FAULT:
		return "fault";
	case GATE_NEUTRAL:
	default:
		return "neutral";
	}
}

static enum gate_change parse_change(const char *text)
{
	static const char *const names[] = {
		[GATE_SAME] = "same",
		[GATE_NEWLY_PARKED] = "parked",
		[GATE_RESUMED] = "resumed",
		[GATE_BREAKER_OPENED] = "opened",
		[GATE_BREAKER_CLOSED] = "closed",
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) == 0)
			return (enum gate_change)i;
	}
	return GATE_SAME;
}

bool gate_leave(struct redis *redis, const char *id, const struct gate_limits *limits,
		const struct gate_pass *pass, const struct gate_result *result,
		enum gate_change *ret_change, struct err *err)
{
	const char *reason = result->reason ? result->reason : "";
	struct redis_call call;
	struct key key;
	key_account(&key, id);
	redis_call_init(&call, "account_leave");
	redis_call_key(&call, key.text);
	redis_call_text(&call, pass->token);
	redis_call_text(&call, outcome_word(result->outcome));
	redis_call_number(&call, result->retry_after_ms);
	redis_call_arg(&call, reason, strnlen(reason, REASON_MAX));
	redis_call_text(&call, pass->answer == GATE_PROBE ? "1" : "0");
	redis_call_number(&call, or_default(limits->breaker_failures, BREAKER_FAILURES));
	redis_call_number(&call, or_default(limits->breaker_min_ms, BREAKER_MIN_MS));
	redis_call_number(&call, or_default(limits->breaker_max_ms, BREAKER_MAX_MS));
	redis_call_number(&call, backoff_random(0, 1000));
	redis_call_number(&call, probe_interval(limits));
	struct redis_reply *reply = redis_function(redis, &call, err);
	if (!reply)
		return false;
	if (ret_change)
		*ret_change = parse_change(reply_text(reply));
	reply_free(reply);
	return true;
}

bool gate_park(struct redis *redis, const char *id, const char *reason, bool *ret_changed,
	       struct err *err)
{
	struct redis_call call;
	struct key key;
	key_account(&key, id);
	redis_call_init(&call, "account_park");
	redis_call_key(&call, key.text);
	redis_call_arg(&call, reason, strnlen(reason, REASON_MAX));
	redis_call_number(&call, PROBE_INTERVAL_MS);
	return redis_function_yes(redis, &call, ret_changed, err);
}

bool gate_resume(struct redis *redis, const char *id, bool *ret_changed, struct err *err)
{
	struct redis_call call;
	struct key key;
	key_account(&key, id);
	redis_call_init(&call, "account_resume");
	redis_call_key(&call, key.text);
	return redis_function_yes(redis, &call, ret_changed, err);
}

static uint64_t number_of(const struct redis_reply *hash, const char *name)
{
	int64_t number = reply_integer(reply_find(hash, name));
	return number > 0 ? (uint64_t)number : 0;
}

static unsigned slots_used(const struct redis_reply *hash, uint64_t now_ms)
{
	unsigned used = 0;
	for (size_t i = 0; i + 1 < reply_count(hash); i += 2) {
		if (strncmp(reply_text(reply_at(hash, i)), "s:", 2) == 0 &&
		    reply_integer(reply_at(hash, i + 1)) > (int64_t)now_ms)
			used++;
	}
	return used;
}

bool gate_read(struct redis *redis, const char *id, struct gate_state *ret_state,
	       struct err *err)
{
	struct redis_call call;
	struct key key;
	memset(ret_state, 0, sizeof(*ret_state));
	key_account(&key, id);
	redis_call_init(&call, "account_state");
	redis_call_key(&call, key.text);
	struct redis_reply *reply =
	    redis_expect_list(redis_function(redis, &call, err), 2, err);
	if (!reply)
		return false;
	uint64_t now = (uint64_t)reply_integer(reply_at(reply, 0));
	const struct redis_reply *hash = reply_at(reply, 1);
	const struct redis_reply *parked = reply_find(hash, "parked");
	ret_state->known = reply_count(hash) > 0;
	ret_state->parked = parked != NULL;
	snprintf(ret_state->reason, sizeof(ret_state->reason), "%s", reply_text(parked));
	ret_state->parked_ms = number_of(hash, "parked_ms");
	ret_state->probe_ms = number_of(hash, "probe_ms");
	ret_state->breaker_until_ms = number_of(hash, "open_until");
	ret_state->paused_until_ms = number_of(hash, "paused_until");
	ret_state->failures = (unsigned)number_of(hash, "failures");
	ret_state->canary_ms = number_of(hash, "canary_ms");
	ret_state->in_flight = slots_used(hash, now);
	ret_state->tokens = strtod(reply_text(reply_find(hash, "tokens")), NULL);
	reply_free(reply);
	return true;
}
