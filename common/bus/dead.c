#include "bus/dead.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "bus/entry.h"
#include "bus/key.h"
#include "bus/redis.h"

enum { LIST_MAX = 100 };

static uint64_t number_of(const struct redis_reply *list, const char *name)
{
	int64_t number = reply_integer(reply_find(list, name));
	return number > 0 ? (uint64_t)number : 0;
}

static const char *text_of(const struct redis_reply *list, const char *name,
			   struct arena *arena)
{
	return arena_strdup(arena, reply_text(reply_find(list, name)));
}

/* What the bus added when it buried the entry is named dead.*, all else is as it was. */
static void decode_dead(const struct redis_reply *row, struct arena *arena, struct dead *dead)
{
	const struct redis_reply *list = reply_at(row, 1);
	struct field *fields =
	    arena_alloc(arena, (reply_count(list) / 2 + 1) * sizeof(*fields));
	*dead = (struct dead){
		.id = arena_strdup(arena, reply_text(reply_at(row, 0))),
		.stream = text_of(list, "dead.stream", arena),
		.entry = text_of(list, "dead.entry", arena),
		.reason = text_of(list, "dead.reason", arena),
		.fate_key = text_of(list, "dead.fate", arena),
		.first_ms = number_of(list, "dead.first"),
		.attempts = (unsigned)number_of(list, "dead.attempts"),
		.deliveries = (unsigned)number_of(list, "dead.deliveries"),
		.fields = fields,
	};
	for (size_t i = 0; i + 1 < reply_count(list); i += 2) {
		const char *name = reply_text(reply_at(list, i));
		const struct redis_reply *value = reply_at(list, i + 1);
		if (strncmp(name, "dead.", 5) == 0)
			continue;
		fields[dead->field_count++] = (struct field){
			.name = arena_strdup(arena, name),
			.value = arena_strndup(arena, reply_text(value), reply_size(value)),
			.size = reply_size(value),
		};
	}
}

static bool count_reply(struct redis_reply *reply, size_t *ret_count)
{
	if (!reply)
		return false;
	int64_t count = reply_integer(reply);
	*ret_count = count > 0 ? (size_t)count : 0;
	reply_free(reply);
	return true;
}

bool dead_count(struct redis *redis, unsigned partition, size_t *ret_count, struct err *err)
{
	struct key key;
	key_format(&key, partition, STREAM_DEAD);
	return count_reply(redis_command(redis, err, "XLEN %s", key.text), ret_count);
}

/* Ids come from people; Redis's own message about a bad one names no field of theirs. */
static bool valid_id(const char *id, struct err *err)
{
	size_t first = strspn(id, "0123456789");
	size_t second = id[first] == '-' ? strspn(id + first + 1, "0123456789") : 0;
	if (first == 0 || first > 15 || second == 0 || second > 15 ||
	    id[first + 1 + second] != '\0')
		return err_set(err, ERR_PERMANENT,
			       "\"%.40s\" is no id of a dead entry, such as 1763749000000-0",
			       id);
	return true;
}

bool dead_list(struct redis *redis, unsigned partition, const char *after, size_t count,
	       struct arena *arena, struct dead *ret_list, size_t *ret_count, struct err *err)
{
	struct key key;
	char start[40] = "-";
	if (after[0] != '\0') {
		if (!valid_id(after, err))
			return false;
		snprintf(start, sizeof(start), "(%s", after);
	}
	key_format(&key, partition, STREAM_DEAD);
	struct redis_reply *reply =
	    redis_command(redis, err, "XRANGE %s %s + COUNT %d", key.text, start,
			  (int)(count < LIST_MAX ? count : LIST_MAX));
	if (!reply)
		return false;
	*ret_count = 0;
	for (size_t i = 0; i < reply_count(reply) && i < count; i++)
		decode_dead(reply_at(reply, i), arena, &ret_list[(*ret_count)++]);
	reply_free(reply);
	return true;
}

bool dead_show(struct redis *redis, unsigned partition, const char *id, struct arena *arena,
	       struct dead *ret_dead, bool *ret_found, struct err *err)
{
	struct key key;
	*ret_found = false;
	if (!valid_id(id, err))
		return false;
	key_format(&key, partition, STREAM_DEAD);
	struct redis_reply *reply =
	    redis_command(redis, err, "XRANGE %s %s %s", key.text, id, id);
	if (!reply)
		return false;
	*ret_found = reply_count(reply) == 1;
	if (*ret_found)
		decode_dead(reply_at(reply, 0), arena, ret_dead);
	reply_free(reply);
	return true;
}

bool dead_replay(struct redis *redis, unsigned partition, const char *id, uint64_t fate_ttl_ms,
		 bool *ret_found, struct err *err)
{
	struct redis_call call;
	struct key key;
	struct key stream;
	struct dead dead;
	struct arena *arena = arena_new();
	bool done = dead_show(redis, partition, id, arena, &dead, ret_found, err);
	if (!done || !*ret_found)
		goto out;
	key_format(&key, partition, STREAM_DEAD);
	key_format(&stream, partition, "%.32s", dead.stream);
	redis_call_init(&call, "dead_replay");
	redis_call_key(&call, key.text);
	redis_call_key(&call, stream.text);
	if (dead.fate_key[0] != '\0')
		redis_call_key(&call, dead.fate_key);
	redis_call_text(&call, id);
	redis_call_number(&call, fate_ttl_ms);
	struct redis_reply *reply = redis_function(redis, &call, err);
	done = reply != NULL;
	*ret_found = reply_integer(reply) == 1;
	reply_free(reply);
out:
	arena_free(arena);
	return done;
}

bool dead_drop(struct redis *redis, unsigned partition, const char *id, bool *ret_found,
	       struct err *err)
{
	struct key key;
	size_t count = 0;
	*ret_found = false;
	if (!valid_id(id, err))
		return false;
	key_format(&key, partition, STREAM_DEAD);
	if (!count_reply(redis_command(redis, err, "XDEL %s %s", key.text, id), &count))
		return false;
	*ret_found = count == 1;
	return true;
}
