/* What must exist in Redis before anything works: functions, streams, groups, a generation. */
#include "bus/setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/buf.h"
#include "bus/key.h"
#include "bus/redis.h"

#include "common/bus/functions.lua.h"
#include "common/bus/functions_account.lua.h"
#include "common/bus/functions_closing.lua.h"
#include "common/bus/functions_containment.lua.h"
#include "common/bus/functions_incident.lua.h"
#include "common/bus/functions_intake.lua.h"
#include "common/bus/functions_mail.lua.h"
#include "common/bus/functions_queue.lua.h"
#include "common/bus/functions_retention.lua.h"
#include "common/bus/functions_rules.lua.h"

/* A library is one text. */
static const char *const library[] = {
	functions_lua,
	functions_queue_lua,
	functions_intake_lua,
	functions_incident_lua,
	functions_closing_lua,
	functions_account_lua,
	functions_containment_lua,
	functions_rules_lua,
	functions_mail_lua,
	functions_retention_lua,
};

static const struct {
	const char *name;
	bool grouped;
} streams[] = {
	{ STREAM_RAW, true },	    { STREAM_FINDINGS, true }, { STREAM_CLOSURES, true },
	{ STREAM_ORDERS, true },    { STREAM_ACTIONS, true },  { STREAM_DEAD, false },
	{ STREAM_ACTIVITY, false },
};

enum { STREAM_COUNT = sizeof(streams) / sizeof(streams[0]), LIBRARY_MAX = 256 << 10 };

/* The version of the loaded library; 0 when there is none. */
static bool loaded_version(struct redis *redis, int64_t *ret_version, struct err *err)
{
	*ret_version = 0;
	struct redis_reply *reply = redis_command(redis, err, "FCALL version 0");
	if (!reply)
		return redis_error(redis) == REDIS_NOFUNCTION;
	*ret_version = reply_integer(reply);
	reply_free(reply);
	return true;
}

bool setup_functions(struct redis *redis, bool *ret_loaded, struct err *err)
{
	int64_t version = 0;
	*ret_loaded = false;
	if (!loaded_version(redis, &version, err))
		return false;
	if (version >= FUNCTIONS_VERSION)
		return true;
	struct buf text;
	buf_init(&text, LIBRARY_MAX);
	for (size_t i = 0; i < sizeof(library) / sizeof(library[0]); i++)
		buf_adds(&text, library[i]);
	*ret_loaded =
	    redis_run(redis, err, "FUNCTION LOAD REPLACE %b", buf_text(&text), text.size);
	buf_done(&text);
	return *ret_loaded;
}

/* Not asked by creating it again, which a full Redis refuses. */
static bool has_group(struct redis *redis, const struct key *key)
{
	return redis_run(redis, NULL, "XPENDING %s %s", key->text, BUS_GROUP);
}

/* Creates a stream, with our group or with none. *ret_new: it was not there. */
static bool make_stream(struct redis *redis, const struct key *key, bool grouped, bool *ret_new,
			struct err *err)
{
	const char *group = grouped ? BUS_GROUP : "setup";
	struct redis_reply *reply = redis_command(redis, err, "EXISTS %s", key->text);
	if (!reply)
		return false;
	*ret_new = reply_integer(reply) == 0;
	reply_free(reply);
	if (!*ret_new && (!grouped || has_group(redis, key)))
		return true;
	/* At 0, never $: what was added before the group existed is work too. */
	if (!redis_run(redis, err, "XGROUP CREATE %s %s 0 MKSTREAM", key->text, group) &&
	    redis_error(redis) != REDIS_BUSYGROUP)
		return false;
	return grouped || redis_run(redis, err, "XGROUP DESTROY %s %s", key->text, group);
}

static bool new_generation(char *ret_text, struct err *err)
{
	unsigned char bytes[(GENERATION_SIZE - 1) / 2];
	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return err_set(err, ERR_TRANSIENT, "no random bytes from the kernel");
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(ret_text + 2 * i, 3, "%02x", bytes[i]);
	return true;
}

/* Streams known to an earlier setup of this data set, "raw,findings,..."; "" when there was
 * none.
 */
static bool known_streams(struct redis *redis, const struct key *meta, char *ret_names,
			  size_t room, struct err *err)
{
	struct redis_reply *reply =
	    redis_command(redis, err, "HMGET %s generation streams", meta->text);
	if (!reply)
		return false;
	bool known = reply_size(reply_at(reply, 0)) == GENERATION_SIZE - 1;
	snprintf(ret_names, room, "%s", known ? reply_text(reply_at(reply, 1)) : "");
	reply_free(reply);
	return true;
}

static bool make_streams(struct redis *redis, unsigned partition, const char *known,
			 bool *ret_lost, struct err *err)
{
	*ret_lost = false;
	for (size_t i = 0; i < STREAM_COUNT; i++) {
		struct key key;
		bool fresh = false;
		char name[32];
		key_format(&key, partition, "%s", streams[i].name);
		if (!make_stream(redis, &key, streams[i].grouped, &fresh, err)) {
			err_prefix(err, "making %s", key.text);
			return false;
		}
		snprintf(name, sizeof(name), "%s,", streams[i].name);
		*ret_lost |= fresh && strstr(known, name) != NULL;
	}
	return true;
}

bool setup_partition(struct redis *redis, unsigned partition, bool *ret_new_generation,
		     struct err *err)
{
	struct key meta;
	struct buf names;
	char known[256];
	char generation[GENERATION_SIZE];
	bool lost = false;
	*ret_new_generation = false;
	key_format(&meta, partition, "meta");
	if (!known_streams(redis, &meta, known, sizeof(known), err) ||
	    !make_streams(redis, partition, known, &lost, err))
		return false;
	buf_init(&names, sizeof(known));
	for (size_t i = 0; i < STREAM_COUNT; i++)
		buf_addf(&names, "%s,", streams[i].name);
	bool done = true;
	if (known[0] == '\0' || lost) {
		/* The last step: whoever sees a generation finds everything else in place. */
		done = new_generation(generation, err) &&
		       redis_run(redis, err, "HSET %s generation %s streams %s", meta.text,
				 generation, buf_text(&names));
		*ret_new_generation = done;
	} else if (strcmp(known, buf_text(&names)) != 0) {
		done = redis_run(redis, err, "HSET %s streams %s", meta.text, buf_text(&names));
	}
	buf_done(&names);
	return done;
}

bool setup_prune_consumers(struct redis *redis, unsigned partition, uint64_t idle_ms,
			   size_t *ret_removed, struct err *err)
{
	*ret_removed = 0;
	for (size_t i = 0; i < STREAM_COUNT; i++) {
		struct redis_call call;
		struct key key;
		if (!streams[i].grouped)
			continue;
		key_format(&key, partition, "%s", streams[i].name);
		redis_call_init(&call, "consumers_prune");
		redis_call_key(&call, key.text);
		redis_call_text(&call, BUS_GROUP);
		redis_call_number(&call, idle_ms);
		struct redis_reply *reply = redis_function(redis, &call, err);
		if (!reply)
			return false;
		*ret_removed += (size_t)reply_integer(reply);
		reply_free(reply);
	}
	return true;
}

bool setup_check(struct redis *redis, unsigned partition, char *ret_generation, struct err *err)
{
	struct key meta;
	int64_t version = 0;
	if (!loaded_version(redis, &version, err))
		return false;
	if (version < FUNCTIONS_VERSION)
		return err_set(
		    err, ERR_TRANSIENT,
		    "Redis has version %lld of our functions and we need %d: waiting "
		    "for `tocsin setup`",
		    (long long)version, FUNCTIONS_VERSION);
	key_format(&meta, partition, "meta");
	struct redis_reply *reply = redis_command(redis, err, "HGET %s generation", meta.text);
	if (!reply)
		return false;
	bool present = reply_size(reply) == GENERATION_SIZE - 1;
	if (present && ret_generation)
		snprintf(ret_generation, GENERATION_SIZE, "%s", reply_text(reply));
	reply_free(reply);
	if (!present)
		return err_set(err, ERR_TRANSIENT,
			       "Redis has no generation for partition %u: waiting for `tocsin "
			       "setup`",
			       partition);
	return true;
}
