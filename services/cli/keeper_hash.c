/* Reading and replacing hashes as a whole. */
#include "keeper_hash.h"

#include <string.h>

#include "bus/redis.h"

enum { FIELDS_PER_COMMAND = 500 };

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

/* HSET or HDEL of many fields, as often as it takes; inside MULTI. Returns how many commands.
 */
static size_t append_fields(struct redis *redis, const char *key, const char *command,
			    const struct plan_fields *fields)
{
	const char *argv[2 + 2 * FIELDS_PER_COMMAND];
	size_t sizes[2 + 2 * FIELDS_PER_COMMAND];
	size_t commands = 0;

	for (size_t done = 0; done < fields->count;) {
		int argc = 0;

		argv[argc++] = command;
		argv[argc++] = key;
		for (size_t i = 0; i < FIELDS_PER_COMMAND && done < fields->count; i++) {
			argv[argc++] = fields->items[done].name;
			if (fields->items[done].value)
				argv[argc++] = fields->items[done].value;
			done++;
		}
		for (int i = 0; i < argc; i++)
			sizes[i] = strlen(argv[i]);
		redis_append_argv(redis, argc, argv, sizes);
		commands++;
	}
	return commands;
}

bool keeper_hash_write(struct redis *redis, const char *key, const struct plan_fields *set,
		       const struct plan_fields *remove, uint64_t version, bool *ret_done,
		       struct err *err)
{
	redis_append(redis, "MULTI");
	size_t commands = 1 + append_fields(redis, key, "HSET", set) +
			  append_fields(redis, key, "HDEL", remove);
	redis_append(redis, "HSET %s %s %llu", key, VERSION_FIELD, (unsigned long long)version);
	redis_append(redis, "EXEC");
	bool good = true;
	for (size_t i = 0; i < commands + 1; i++) {
		struct redis_reply *queued = redis_read(redis, good ? err : NULL);
		good = queued && good;
		reply_free(queued);
	}
	struct redis_reply *reply = redis_read(redis, good ? err : NULL);
	*ret_done = good && reply_type(reply) == REPLY_ARRAY;
	good = good && reply;
	reply_free(reply);
	return good;
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
