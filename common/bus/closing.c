/* Closing in Redis: typed calls of functions_closing.lua. */
#include "bus/closing.h"

#include <string.h>

#include "bus/key.h"
#include "bus/redis.h"
#include "bus/saga.h"

bool closing_take(struct redis *redis, const struct settle_from *from, unsigned partition,
		  const struct closing_item *item, enum closing_take *ret_take, struct err *err)
{
	struct saga_keys keys;
	struct redis_call call;
	struct key open;
	saga_keys_init(&keys, partition, item->incident);
	key_format(&open, partition, KEY_OPEN);
	redis_call_init(&call, "closure_take");
	redis_call_key(&call, keys.actions.text);
	redis_call_key(&call, open.text);
	redis_call_key(&call, keys.incident.text);
	redis_call_key(&call, keys.inbox.text);
	if (item->entry_id)
		redis_call_key(&call, from->stream.text);
	redis_call_text(&call, item->incident);
	redis_call_text(&call, item->item);
	redis_call_text(&call, BUS_GROUP);
	redis_call_text(&call, item->entry_id ? from->consumer : "");
	redis_call_text(&call, item->entry_id ? item->entry_id : "");
	redis_call_fields(&call, item->fields, item->field_count);
	struct redis_reply *reply = redis_function(redis, &call, err);
	if (!reply)
		return false;
	const char *word = reply_text(reply);
	*ret_take = strcmp(word, "taken") == 0	   ? CLOSING_TAKEN
		    : strcmp(word, "unknown") == 0 ? CLOSING_UNKNOWN
						   : CLOSING_NOT_OURS;
	reply_free(reply);
	return true;
}

bool closing_gate_pass(struct redis *redis, unsigned partition, const struct closing_gate *gate,
		       bool *ret_passed, uint64_t *ret_asked, struct err *err)
{
	struct redis_call call;
	struct key releases, asks;
	key_format(&releases, partition, "releases:%s", gate->customer);
	key_format(&asks, partition, "asks:%s", gate->customer);
	redis_call_init(&call, "release_gate");
	redis_call_key(&call, releases.text);
	redis_call_key(&call, asks.text);
	redis_call_text(&call, gate->incident);
	redis_call_number(&call, gate->window_ms);
	redis_call_number(&call, gate->limit);
	redis_call_text(&call, gate->words);
	struct redis_reply *reply =
	    redis_expect_list(redis_function(redis, &call, err), 2, err);
	if (!reply)
		return false;
	*ret_passed = reply_integer(reply_at(reply, 0)) == 1;
	*ret_asked = (uint64_t)reply_integer(reply_at(reply, 1));
	reply_free(reply);
	return true;
}
