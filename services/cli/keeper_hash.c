/* Reading and replacing hashes as a whole. */
#include "keeper_hash.h"

#include <string.h>

#include "bus/redis.h"

#define VERSION_FIELD "#version"

bool keeper_hash_read(struct redis *redis, const char *key, struct plan_fields *ret_fields,
		      uint64_t *ret_version, struct err *err)
{
	struct redis_reply *reply = redis_command(redis, err, "HGETALL %s", key);

	*ret_version = 0;
	if (!reply)
		return false;
	for (size_t i = 0; i + 1 < reply_count(reply); i += 2) {
		const char *name = reply_text(reply_at(reply, i));
		const struct redis_reply *value = reply_at(reply, i + 1);

		if (strcmp(name, VERSION_FIELD) == 0)
			*ret_version = (uint64_t)reply_integer(value);
		else
			plan_fields_add(ret_fields, name, reply_text(value));
	}
	reply_free(reply);
	return true;
}

bool keeper_hash_write(struct redis *redis, const char *key, const struct plan_fields *set,
		       const struct plan_fields *remove, uint64_t seen, uint64_t version,
		       bool *ret_done, struct err *err)
{
	struct redis_call call;

	redis_call_init(&call, "hash_change");
	redis_call_key(&call, key);
	redis_call_number(&call, seen);
	redis_call_number(&call, version);
	redis_call_number(&call, set->count);
	for (size_t i = 0; i < set->count; i++) {
		redis_call_text(&call, set->items[i].name);
		redis_call_text(&call, set->items[i].value);
	}
	for (size_t i = 0; i < remove->count; i++)
		redis_call_text(&call, remove->items[i].name);
	return redis_function_yes(redis, &call, ret_done, err);
}

bool keeper_hash_check(struct redis *redis, const char *key, uint64_t version, struct err *err)
{
	struct redis_reply *reply = redis_command(redis, err, "HGET %s %s", key, VERSION_FIELD);
	uint64_t found = (uint64_t)reply_integer(reply);
	bool answered = reply != NULL;

	reply_free(reply);
	if (answered && found != version)
		return err_set(err, ERR_TRANSIENT, "%s was changed by someone else", key);
	return answered;
}
