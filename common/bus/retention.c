/* Letting go of incidents: typed call of functions_retention.lua. */
#include "bus/retention.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "bus/closing.h"
#include "bus/key.h"
#include "bus/redis.h"
#include "bus/saga.h"

static const char *const answers[] = {
	[FORGET_DONE] = "forgotten", [FORGET_UNKNOWN] = "unknown", [FORGET_OPEN] = "open",
	[FORGET_HOLDS] = "holds",    [FORGET_BUSY] = "busy",
};

static void add_key(struct redis_call *call, unsigned partition, const char *first,
		    const char *second, const char *third)
{
	struct key key;

	key_format(&key, partition, "%s%s%s", first, second, third);
	redis_call_key(call, arena_strdup(call->arena, key.text));
}

static void add_keys(struct redis_call *call, const struct forget *forget)
{
	const unsigned p = forget->partition;
	const char *id = forget->incident;

	add_key(call, p, "incident:", id, "");
	add_key(call, p, "incident:", id, ":inbox");
	add_key(call, p, "incident:", id, ":findings");
	add_key(call, p, "incident:", id, ":timeline");
	redis_call_key(call, forget->group_key);
	add_key(call, p, KEY_OPEN, "", "");
	add_key(call, p, "containment:", "stuck", "");
	add_key(call, p, "asks:", forget->customer, "");
	for (size_t i = 0; i < forget->machine_count; i++) {
		struct key host;

		key_format(&host, p, "host:%s:%s", forget->customer, forget->machines[i]);
		redis_call_key(call, arena_strdup(call->arena, host.text));
	}
}

bool incident_forget(struct redis *redis, const struct forget *forget,
		     enum forget_answer *ret_answer, struct err *err)
{
	struct redis_call call;

	redis_call_init(&call, "incident_forget");
	add_keys(&call, forget);
	redis_call_text(&call, forget->incident);
	redis_call_text(&call,
			arena_printf(call.arena, "%s %s", forget->customer, forget->incident));
	redis_call_number(&call, forget->changed_ms);
	redis_call_number(&call, forget->age_ms);
	struct redis_reply *reply = redis_function(redis, &call, err);
	if (!reply)
		return false;
	*ret_answer = FORGET_BUSY;
	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		if (strcmp(reply_text(reply), answers[i]) == 0)
			*ret_answer = (enum forget_answer)i;
	}
	reply_free(reply);
	return true;
}
