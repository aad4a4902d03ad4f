/* What a person says at this client, on its way to the incident service. */
#include "closure_say.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/trace.h"
#include "bus/key.h"
#include "bus/redis.h"
#include "bus/reply.h"
#include "model/closure.h"

/* Who says it, for the timeline: the name in the environment proves nothing, who may use the
 * operator's password does. */
const char *closure_actor(struct arena *arena)
{
	const char *user = getenv("SUDO_USER");
	char host[65] = "";

	if (!user || !*user)
		user = getenv("USER");
	gethostname(host, sizeof host - 1);
	return arena_printf(arena, "%.60s@%.60s", user && *user ? user : "operator", host);
}

/* The next step of the incident's own trace. */
static const char *trace_of(struct redis *redis, unsigned partition, const char *incident,
			    struct arena *arena)
{
	char *trace = arena_alloc(arena, TRACE_ROOM);
	struct redis_reply *reply = NULL;
	struct err ignored;
	struct key key;

	if (incident && *incident) {
		key_format(&key, partition, "incident:%s", incident);
		reply = redis_command(redis, &ignored, "HGET %s trace", key.text);
	}
	trace_child(reply_text(reply), trace);
	reply_free(reply);
	return trace;
}

bool closure_say(struct redis *redis, unsigned partition, struct closure *closure,
		 struct err *err)
{
	struct redis_call call;
	struct field fields[CLOSURE_FIELDS];
	struct redis_reply *reply;
	struct key stream;
	size_t count;

	redis_call_init(&call, "always");
	closure->via = CLOSURE_CLI;
	closure->trace = trace_of(redis, partition, closure->incident, call.arena);
	closure->received_ms = clock_wall_ms();
	closure->actor = closure_actor(call.arena);
	count = closure_encode(closure, call.arena, fields);
	key_format(&stream, partition, STREAM_ORDERS);
	redis_call_key(&call, stream.text);
	redis_call_text(&call, "XADD");
	redis_call_text(&call, "NOMKSTREAM");
	redis_call_text(&call, "*");
	for (size_t i = 0; i < count; i++) {
		redis_call_text(&call, fields[i].name);
		redis_call_arg(&call, fields[i].value, fields[i].size);
	}
	reply = redis_function(redis, &call, err);
	if (!reply)
		return false;

	bool added = reply_size(reply) > 0;

	reply_free(reply);
	return added || err_set(err, ERR_TRANSIENT,
				"the stream %s is missing: tocsin setup makes it", stream.text);
}
