/* Hosts and what is frozen, out of Redis, as JSON. */
#include "containment_view.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "bus/key.h"
#include "bus/redis.h"
#include "view.h"

json_t *containment_holders(struct redis *redis, unsigned partition, const char *customer,
			    const char *machine, struct err *err)
{
	json_t *holders = json_array();
	struct redis_reply *reply;
	struct key key;

	key_format(&key, partition, "host:%s:%s", customer, machine);
	reply = redis_command(redis, err, "SMEMBERS %s", key.text);
	if (!reply) {
		json_decref(holders);
		return NULL;
	}
	for (size_t i = 0; i < reply_count(reply); i++) {
		const char *member = reply_text(reply_at(reply, i));
		const char *blank = strchr(member, ' ');

		if (blank)
			json_array_append_new(holders, json_pack("{s:s%,s:s}", "method", member,
								 (size_t)(blank - member),
								 "incident", blank + 1));
	}
	reply_free(reply);
	return holders;
}

json_t *containment_frozen(struct redis *redis, struct arena *arena, struct err *err)
{
	struct redis_reply *reply;
	json_t *rows;
	struct key key;

	/* Every partition has the same. */
	key_format(&key, 0, "freeze");
	reply = redis_command(redis, err, "HGETALL %s", key.text);
	if (!reply)
		return NULL;
	rows = json_array();
	for (size_t i = 0; i + 1 < reply_count(reply); i += 2) {
		char *what = arena_strdup(arena, reply_text(reply_at(reply, i)));
		const char *value = reply_text(reply_at(reply, i + 1));
		const char *who = strchr(value, ' ');
		char *colon = strchr(what, ':');

		if (colon)
			*colon = '\0';
		json_array_append_new(rows,
				      json_pack("{s:s,s:o,s:o,s:o}", "what", what, "customer",
						view_text(colon ? colon + 1 : NULL), "since_ms",
						view_ms(strtoull(value, NULL, 10)), "who",
						view_text(who ? who + 1 : NULL)));
	}
	reply_free(reply);
	return rows;
}
