/* Accounts and sources, for tocsin status. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "bus/gate.h"
#include "bus/key.h"
#include "bus/redis.h"
#include "bus/reply.h"
#include "model/customer.h"
#include "source/cursor.h"
#include "status.h"
#include "view.h"

enum {
	LATE_MS = 60 * 1000, /* on top of two intervals */
	FAILURES = 3,	     /* polls in a row: no longer a hiccup */
};

/* As the alerts have it. */
#define DAY_MS		 ((uint64_t)24 * 60 * 60 * 1000)
#define EXPIRY_SOON_MS	 (30 * DAY_MS)
#define EXPIRY_URGENT_MS (7 * DAY_MS)

/* ---- accounts ---- */

static uint64_t next_try(const struct gate_state *state)
{
	if (state->parked)
		return state->probe_ms;
	return state->breaker_until_ms ? state->breaker_until_ms : state->paused_until_ms;
}

json_t *status_account(struct redis *redis, const char *id, struct err *err)
{
	struct gate_state state = { 0 };

	if (!gate_read(redis, id, &state, err))
		return NULL;
	const char *word = state.parked		    ? "parked"
			   : state.breaker_until_ms ? "failing"
			   : state.paused_until_ms  ? "throttled"
						    : "ok";
	return json_pack("{s:s,s:b,s:s,s:o,s:o,s:o,s:I,s:I}", "id", id, "parked", state.parked,
			 "state", word, "reason", view_text(state.parked ? state.reason : NULL),
			 "parked_ms", view_ms(state.parked_ms), "next_ms",
			 view_ms(next_try(&state)), "failures", (json_int_t)state.failures,
			 "in_flight", (json_int_t)state.in_flight);
}

/* No vendor tells: it is what the file says. */
static void judge_expiry(const struct account *account, struct verdict *verdict)
{
	uint64_t left_ms =
	    account->expires_ms > verdict->now_ms ? account->expires_ms - verdict->now_ms : 0;
	enum health health = left_ms > EXPIRY_URGENT_MS ? HEALTH_BEHIND : HEALTH_BROKEN;

	if (!account->expires_ms || left_ms > EXPIRY_SOON_MS)
		return;
	if (left_ms == 0)
		verdict_add(verdict, health, "account %s: its secret has expired", account->id);
	else
		verdict_add(verdict, health, "account %s: its secret expires in %llu days",
			    account->id, (unsigned long long)(left_ms / DAY_MS));
}

json_t *status_accounts(struct redis *redis, const struct directory *directory,
			struct verdict *verdict, struct err *err)
{
	json_t *list = json_array();

	for (size_t i = 0; i < directory_account_count(directory); i++) {
		const struct account *account = directory_account_at(directory, i);
		json_t *row = status_account(redis, account->id, err);

		if (!row) {
			json_decref(list);
			return NULL;
		}
		const char *state = json_string_value(json_object_get(row, "state"));
		const char *reason = json_string_value(json_object_get(row, "reason"));
		if (strcmp(state, "parked") == 0)
			verdict_add(verdict, HEALTH_BROKEN, "account %s is parked: %s",
				    account->id, reason ? reason : "");
		else if (strcmp(state, "failing") == 0)
			verdict_add(verdict, HEALTH_BEHIND,
				    "account %s: its calls fail, it is left alone for a while",
				    account->id);
		judge_expiry(account, verdict);
		json_object_set_new(row, "kind", json_string(account_kind_name(account->kind)));
		json_object_set_new(row, "expires_ms", view_ms(account->expires_ms));
		json_array_append_new(list, row);
	}
	return list;
}

/* ---- sources ---- */

static const char *judge(const struct customer *customer, const struct customer_source *source,
			 const struct cursor *progress, struct verdict *verdict)
{
	uint64_t late_ms = 2 * source->interval_ms + LATE_MS;

	if (customer->mode == CUSTOMER_PAUSED)
		return "paused";
	if (progress->failures >= FAILURES) {
		verdict_add(verdict, HEALTH_BROKEN, "%s %s: %llu polls failed in a row: %s",
			    customer->id, source->name, (unsigned long long)progress->failures,
			    progress->last_error);
		return "broken";
	}
	if (!progress->last_ok_ms) {
		verdict_add(verdict, HEALTH_BEHIND, "%s %s was never polled yet", customer->id,
			    source->name);
		return "waiting";
	}
	if (progress->last_ok_ms + late_ms < verdict->now_ms) {
		verdict_add(verdict, HEALTH_BEHIND, "%s %s was last polled %llu s ago",
			    customer->id, source->name,
			    (unsigned long long)(verdict->now_ms - progress->last_ok_ms) /
				1000);
		return "behind";
	}
	return "ok";
}

/* Who has the lease: its token is "<collector>:<fence>". */
static json_t *read_collector(struct redis *redis, const struct customer *customer,
			      const struct customer_source *source)
{
	struct key key;

	key_format(&key, customer->partition, "lease:%s:%s", customer->id, source->name);
	struct redis_reply *token = redis_command(redis, NULL, "GET %s", key.text);
	char *name = xstrdup(reply_type(token) == REPLY_TEXT ? reply_text(token) : "");
	char *fence = strrchr(name, ':');

	if (fence)
		*fence = '\0';
	json_t *text = view_text(name);
	free(name);
	reply_free(token);
	return text;
}

static json_t *describe(const struct customer *customer, const struct customer_source *source,
			const struct cursor *progress, struct verdict *verdict)
{
	static const char *const modes[] = { [CUSTOMER_SHADOW] = "shadow",
					     [CUSTOMER_LIVE] = "live",
					     [CUSTOMER_PAUSED] = "paused" };
	bool failed = progress->failures > 0 && progress->last_error[0];
	json_t *lag = progress->last_ok_ms && progress->last_ok_ms < verdict->now_ms
			  ? json_integer((json_int_t)(verdict->now_ms - progress->last_ok_ms))
			  : json_null();

	return json_pack(
	    "{s:s,s:s,s:s,s:s,s:o,s:o,s:o,s:o,s:I,s:I,s:o,s:o,s:o,s:o}", "customer",
	    customer->id, "source", source->name, "mode", modes[customer->mode], "state",
	    judge(customer, source, progress, verdict), "last_poll_ms",
	    view_ms(progress->last_poll_ms), "last_ok_ms", view_ms(progress->last_ok_ms),
	    "lag_ms", lag, "next_ms", view_ms(progress->next_due_ms), "failures",
	    (json_int_t)progress->failures, "events", (json_int_t)progress->events_seen,
	    "last_error", view_text(failed ? progress->last_error : NULL), "lateness_p99_ms",
	    view_ms(lateness_quantile_ms(&progress->lateness, 990)), "lateness_max_ms",
	    view_ms(lateness_max_ms(&progress->lateness)), "look_back_ms",
	    view_ms(progress->look_back_ms));
}

static json_t *read_source(struct redis *redis, const struct customer *customer,
			   const struct customer_source *source, struct verdict *verdict,
			   struct err *err)
{
	struct arena *arena = arena_new();
	struct cursor progress;
	json_t *row = NULL;
	struct key key;

	cursor_key(&key, customer, source);
	if (cursor_load(redis, &key, arena, &progress, err)) {
		/* Without a reason to wait longer, the next poll is an interval after the last.
		 */
		if (!progress.next_due_ms && progress.last_poll_ms)
			progress.next_due_ms = progress.last_poll_ms + source->interval_ms;
		row = describe(customer, source, &progress, verdict);
		json_object_set_new(row, "collector", read_collector(redis, customer, source));
	}
	arena_free(arena);
	return row;
}

json_t *status_sources(struct redis *redis, const struct directory *directory,
		       struct verdict *verdict, struct err *err)
{
	json_t *list = json_array();

	for (size_t i = 0; i < directory_count(directory); i++) {
		const struct customer *customer = directory_at(directory, i);

		for (size_t k = 0; k < customer->source_count; k++) {
			json_t *row =
			    read_source(redis, customer, &customer->sources[k], verdict, err);
			if (!row) {
				json_decref(list);
				return NULL;
			}
			json_array_append_new(list, row);
		}
	}
	return list;
}
