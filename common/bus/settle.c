/* How entries leave the pending list of their stream. */
#include "bus/settle.h"

#include <stdio.h>
#include <string.h>

#include "bus/redis.h"

enum { CALL_ARGS_MAX = 3500, CALL_BYTES_MAX = 1 << 20, ITEM_ARGS = 7 };

void settle_from_init(struct settle_from *ret_from, unsigned partition, const char *stream,
		      const char *output, const char *consumer, uint64_t fate_ttl_ms)
{
	memset(ret_from, 0, sizeof(*ret_from));
	key_format(&ret_from->stream, partition, "%s", stream);
	if (output)
		key_format(&ret_from->output, partition, "%s", output);
	key_format(&ret_from->dead, partition, STREAM_DEAD);
	key_format(&ret_from->deferred, partition, "deferred");
	snprintf(ret_from->consumer, sizeof(ret_from->consumer), "%s", consumer);
	ret_from->fate_ttl_ms = fate_ttl_ms;
}

static size_t item_args(const struct settle_item *item)
{
	return ITEM_ARGS + 2 * item->field_count;
}

/* How many of the items fit one call; at least one. */
static size_t chunk_size(const struct settle_item *items, size_t count)
{
	size_t args = 0;
	size_t bytes = 0;
	size_t i = 0;
	for (; i < count; i++) {
		args += item_args(&items[i]);
		for (size_t f = 0; f < items[i].field_count; f++)
			bytes += items[i].fields[f].size;
		if (i > 0 && (args > CALL_ARGS_MAX || bytes > CALL_BYTES_MAX))
			break;
	}
	return i;
}

static const char *kind_letter(const struct settle_item *item)
{
	switch (item->kind) {
	case SETTLE_PUBLISH:
		return item->keep ? "k" : "p";
	case SETTLE_BURY:
		return "b";
	case SETTLE_DROP:
	default:
		return "d";
	}
}

static void build_call(struct redis_call *call, const struct settle_from *from,
		       const struct settle_item *items, size_t count)
{
	/* A sink has no output; the key in its place is not written to. */
	const struct key *output = from->output.text[0] ? &from->output : &from->stream;
	bool keeps = from->recent.text[0] != '\0';
	redis_call_init(call, keeps ? "settle_keep" : "settle");
	redis_call_key(call, from->stream.text);
	redis_call_key(call, output->text);
	redis_call_key(call, from->dead.text);
	if (keeps)
		redis_call_key(call, from->recent.text);
	for (size_t i = 0; i < count; i++) {
		if (items[i].fate_key)
			redis_call_key(call, items[i].fate_key);
	}
	redis_call_text(call, BUS_GROUP);
	redis_call_text(call, from->consumer);
	redis_call_number(call, from->fate_ttl_ms);
	if (keeps) {
		redis_call_number(call, from->recent_count);
		redis_call_number(call, from->recent_ms);
	}
	size_t fates = keeps ? 4 : 3;
	for (size_t i = 0; i < count; i++) {
		const struct settle_item *item = &items[i];
		redis_call_text(call, item->id);
		redis_call_text(call, kind_letter(item));
		redis_call_number(call, item->fate_key ? ++fates : 0);
		redis_call_text(call, item->fate ? item->fate : "");
		redis_call_text(call, item->reason ? item->reason : "");
		redis_call_fields(call, item->fields, item->field_count);
	}
}

size_t settle_append(struct redis *redis, const struct settle_from *from,
		     const struct settle_item *items, size_t count)
{
	size_t calls = 0;
	for (size_t done = 0; done < count; calls++) {
		struct redis_call call;
		size_t size = chunk_size(items + done, count - done);
		build_call(&call, from, items + done, size);
		redis_append_function(redis, &call);
		done += size;
	}
	return calls;
}

bool settle_read(struct redis *redis, const struct settle_item *items, size_t count,
		 bool *ret_settled, enum redis_error *ret_error, struct err *err)
{
	bool complete = true;
	for (size_t done = 0; done < count;) {
		size_t size = chunk_size(items + done, count - done);
		struct err why;
		struct err *first = complete ? err : &why;
		struct redis_reply *reply =
		    redis_expect_list(redis_read(redis, first), size, first);
		if (!reply && *ret_error == REDIS_NONE)
			*ret_error = redis_error(redis);
		complete = complete && reply;
		for (size_t i = 0; i < size && ret_settled; i++)
			ret_settled[done + i] = reply_integer(reply_at(reply, i)) == 1;
		reply_free(reply);
		done += size;
	}
	return complete;
}

void settle_append_defer(struct redis *redis, const struct settle_from *from,
			 const struct defer_item *item)
{
	struct redis_call call;
	redis_call_init(&call, "defer");
	redis_call_key(&call, from->stream.text);
	redis_call_key(&call, from->deferred.text);
	redis_call_text(&call, BUS_GROUP);
	redis_call_text(&call, from->consumer);
	redis_call_text(&call, item->id);
	redis_call_number(&call, item->delay_ms);
	redis_call_text(&call, item->counted ? "1" : "0");
	redis_call_arg(&call, item->reason, strnlen(item->reason, SETTLE_REASON_MAX));
	redis_append_function(redis, &call);
}

static bool read_integer(struct redis *redis, int64_t *ret_value, struct err *err)
{
	struct redis_reply *reply = redis_read(redis, err);
	if (!reply)
		return false;
	*ret_value = reply_integer(reply);
	reply_free(reply);
	return true;
}

bool settle_defer(struct redis *redis, const struct settle_from *from,
		  const struct defer_item *item, bool *ret_settled, struct err *err)
{
	int64_t settled = 0;
	settle_append_defer(redis, from, item);
	bool answered = read_integer(redis, &settled, err);
	if (ret_settled)
		*ret_settled = settled == 1;
	return answered;
}

void settle_append_release(struct redis *redis, const struct settle_from *from,
			   const char *const *ids, size_t count)
{
	struct redis_call call;
	redis_call_init(&call, "release");
	redis_call_key(&call, from->stream.text);
	redis_call_text(&call, BUS_GROUP);
	redis_call_text(&call, from->consumer);
	for (size_t i = 0; i < count; i++)
		redis_call_text(&call, ids[i]);
	redis_append_function(redis, &call);
}

bool settle_release(struct redis *redis, const struct settle_from *from, const char *const *ids,
		    size_t count, struct err *err)
{
	int64_t released = 0;
	if (count == 0)
		return true;
	settle_append_release(redis, from, ids, count);
	return read_integer(redis, &released, err);
}

bool settle_bury(struct redis *redis, const struct settle_from *from, const char *id,
		 const char *fate_key, unsigned limit, uint64_t idle_ms, bool *ret_buried,
		 struct err *err)
{
	struct redis_call call;
	int64_t buried = 0;
	redis_call_init(&call, "bury");
	redis_call_key(&call, from->stream.text);
	redis_call_key(&call, from->dead.text);
	if (fate_key)
		redis_call_key(&call, fate_key);
	redis_call_text(&call, BUS_GROUP);
	redis_call_text(&call, id);
	redis_call_number(&call, limit);
	redis_call_number(&call, idle_ms);
	redis_call_number(&call, from->fate_ttl_ms);
	redis_append_function(redis, &call);
	bool answered = read_integer(redis, &buried, err);
	if (ret_buried)
		*ret_buried = buried == 1;
	return answered;
}
