#include "bus/activity.h"

#include "bus/key.h"
#include "bus/redis.h"

enum { ACTIVITY_KEPT = 10000 };

bool activity_add(struct redis *redis, unsigned partition, const struct field *fields,
		  size_t count, struct err *err)
{
	struct redis_call command;
	struct key key;
	key_format(&key, partition, STREAM_ACTIVITY);
	redis_call_init(&command, "always");
	redis_call_key(&command, key.text);
	redis_call_text(&command, "XADD");
	redis_call_text(&command, "NOMKSTREAM");
	redis_call_text(&command, "MAXLEN");
	redis_call_text(&command, "~");
	redis_call_number(&command, ACTIVITY_KEPT);
	redis_call_text(&command, "*");
	for (size_t i = 0; i < count; i++) {
		redis_call_text(&command, fields[i].name);
		redis_call_arg(&command, fields[i].value, fields[i].size);
	}
	struct redis_reply *reply = redis_function(redis, &command, err);
	bool added = reply != NULL;
	reply_free(reply);
	return added;
}
