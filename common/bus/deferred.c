#include "bus/deferred.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "bus/key.h"
#include "bus/redis.h"

enum { LIST_MAX = 100 };

static uint64_t number_at(const struct redis_reply *row, size_t index)
{
	int64_t number = reply_integer(reply_at(row, index));
	return number > 0 ? (uint64_t)number : 0;
}

/* Copies names and values of a flat list; an odd one at the end is dropped. */
static const struct field *copy_fields(const struct redis_reply *list, struct arena *arena,
				       size_t *ret_count)
{
	size_t count = reply_count(list) / 2;
	struct field *fields = arena_alloc(arena, (count + 1) * sizeof(*fields));
	for (size_t i = 0; i < count; i++) {
		const struct redis_reply *value = reply_at(list, 2 * i + 1);
		fields[i] = (struct field){
			.name = arena_strdup(arena, reply_text(reply_at(list, 2 * i))),
			.value = arena_strndup(arena, reply_text(value), reply_size(value)),
			.size = reply_size(value),
		};
	}
	*ret_count = count;
	return fields;
}

static void decode_row(const struct redis_reply *row, struct arena *arena,
		       struct deferred *deferred)
{
	deferred->stream = arena_strdup(arena, reply_text(reply_at(row, 0)));
	deferred->id = arena_strdup(arena, reply_text(reply_at(row, 1)));
	deferred->reason = arena_strdup(arena, reply_text(reply_at(row, 2)));
	deferred->due_ms = number_at(row, 3);
	deferred->first_ms = number_at(row, 4);
	deferred->put_off_ms = number_at(row, 5);
	deferred->attempt = (unsigned)number_at(row, 6);
	deferred->counted = number_at(row, 7) == 1;
	deferred->fields = copy_fields(reply_at(row, 8), arena, &deferred->field_count);
}

bool deferred_list(struct redis *redis, unsigned partition, size_t offset, size_t count,
		   struct arena *arena, struct deferred *ret_list, size_t *ret_count,
		   struct err *err)
{
	struct redis_call call;
	struct key key;
	key_format(&key, partition, "deferred");
	redis_call_init(&call, "deferred_list");
	redis_call_key(&call, key.text);
	redis_call_number(&call, offset);
	redis_call_number(&call, count < LIST_MAX ? count : LIST_MAX);
	struct redis_reply *reply = redis_function(redis, &call, err);
	if (!reply)
		return false;
	*ret_count = 0;
	for (size_t i = 0; i < reply_count(reply) && i < count; i++)
		decode_row(reply_at(reply, i), arena, &ret_list[(*ret_count)++]);
	reply_free(reply);
	return true;
}

bool deferred_count(struct redis *redis, unsigned partition, size_t *ret_count, struct err *err)
{
	struct key key;
	key_format(&key, partition, "deferred");
	struct redis_reply *reply = redis_command(redis, err, "ZCARD %s", key.text);
	if (!reply)
		return false;
	*ret_count = (size_t)reply_integer(reply);
	reply_free(reply);
	return true;
}

bool deferred_wake(struct redis *redis, unsigned partition, const char *const *streams,
		   size_t stream_count, size_t max, size_t *cursor, size_t *ret_woken,
		   struct err *err)
{
	struct redis_call call;
	struct key key;
	redis_call_init(&call, "wake");
	key_format(&key, partition, "deferred");
	redis_call_key(&call, arena_strdup(call.arena, key.text));
	for (size_t i = 0; i < stream_count; i++) {
		key_format(&key, partition, "%s", streams[i]);
		redis_call_key(&call, arena_strdup(call.arena, key.text));
	}
	redis_call_number(&call, max);
	redis_call_number(&call, *cursor);
	struct redis_reply *reply =
	    redis_expect_list(redis_function(redis, &call, err), 2, err);
	if (!reply)
		return false;
	*ret_woken = (size_t)number_at(reply, 0);
	*cursor = (size_t)number_at(reply, 1);
	reply_free(reply);
	return true;
}

bool deferred_wake_matching(struct redis *redis, unsigned partition, const char *prefix,
			    size_t *ret_count, struct err *err)
{
	int64_t offset = 0;
	struct key key;
	key_format(&key, partition, "deferred");
	*ret_count = 0;
	while (offset >= 0) {
		struct redis_call call;
		redis_call_init(&call, "wake_matching");
		redis_call_key(&call, key.text);
		redis_call_text(&call, prefix);
		redis_call_number(&call, (uint64_t)offset);
		struct redis_reply *reply =
		    redis_expect_list(redis_function(redis, &call, err), 2, err);
		if (!reply)
			return false;
		*ret_count += (size_t)number_at(reply, 0);
		offset = reply_integer(reply_at(reply, 1));
		reply_free(reply);
	}
	return true;
}

bool deferred_wake_account(struct redis *redis, unsigned partitions, const char *account,
			   size_t *ret_count, struct err *err)
{
	char prefix[80];

	*ret_count = 0;
	snprintf(prefix, sizeof prefix, "account:%s", account);
	for (unsigned partition = 0; partition < partitions; partition++) {
		size_t count;

		if (!deferred_wake_matching(redis, partition, prefix, &count, err))
			return false;
		*ret_count += count;
	}
	return true;
}
