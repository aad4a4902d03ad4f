/* Mails that wait, in Redis: typed calls of functions_mail.lua. */
#include "bus/mail.h"

#include <string.h>

#include "base/arena.h"
#include "bus/key.h"
#include "bus/redis.h"
#include "bus/reply.h"

struct mail_keys {
	struct key waiting, current, due;
};

static void mail_call(struct redis_call *ret_call, struct mail_keys *keys,
		      const struct mail_digest *digest, const char *function)
{
	key_format(&keys->waiting, digest->partition, "mail:%s", digest->id);
	key_format(&keys->current, digest->partition, "mail:%s:current", digest->id);
	key_format(&keys->due, digest->partition, "mail:due");
	redis_call_init(ret_call, function);
	redis_call_key(ret_call, keys->waiting.text);
	redis_call_key(ret_call, keys->current.text);
	redis_call_key(ret_call, keys->due.text);
	redis_call_text(ret_call, digest->id);
}

bool mail_add(struct redis *redis, const struct mail_digest *digest, const char *incident,
	      uint64_t wait_ms, uint64_t interval_ms, struct err *err)
{
	struct redis_call call;
	struct mail_keys keys;

	mail_call(&call, &keys, digest, "mail_add");
	redis_call_text(&call, incident);
	redis_call_number(&call, wait_ms);
	redis_call_number(&call, interval_ms);
	return redis_function_yes(redis, &call, NULL, err);
}

bool mail_due(struct redis *redis, unsigned partition, size_t max, struct arena *arena,
	      const char ***ret_ids, size_t *ret_count, struct err *err)
{
	struct key due;
	struct redis_reply *reply;

	reply = redis_command(redis, err, "TIME");
	if (!reply)
		return false;
	long long now = (long long)reply_integer(reply_at(reply, 0)) * 1000 +
			(long long)reply_integer(reply_at(reply, 1)) / 1000;

	reply_free(reply);
	key_format(&due, partition, "mail:due");
	reply = redis_command(redis, err, "ZRANGE %s -inf %lld BYSCORE LIMIT 0 %llu", due.text,
			      now, (unsigned long long)max);
	if (!reply)
		return false;
	size_t count = reply_count(reply);
	const char **ids = arena_alloc(arena, (count + 1) * sizeof(*ids));

	for (size_t i = 0; i < count; i++)
		ids[i] = arena_strdup(arena, reply_text(reply_at(reply, i)));
	reply_free(reply);
	*ret_ids = ids;
	*ret_count = count;
	return true;
}

/* Words of a line, in the arena. */
static void split(const char *text, struct arena *arena, struct mail_current *ret_current)
{
	char *words = arena_strdup(arena, text), *save = NULL;

	ret_current->incidents = arena_alloc(arena, MAIL_INCIDENTS_MAX * sizeof(char *));
	for (char *word = strtok_r(words, " ", &save);
	     word && ret_current->count < MAIL_INCIDENTS_MAX; word = strtok_r(NULL, " ", &save))
		ret_current->incidents[ret_current->count++] = word;
}

bool mail_take(struct redis *redis, const struct mail_digest *digest, const char *message_id,
	       uint64_t busy_ms, struct arena *arena, struct mail_current *ret_current,
	       struct err *err)
{
	struct redis_call call;
	struct mail_keys keys;

	*ret_current = (struct mail_current){ 0 };
	mail_call(&call, &keys, digest, "mail_take");
	redis_call_number(&call, MAIL_INCIDENTS_MAX);
	redis_call_text(&call, message_id);
	redis_call_number(&call, busy_ms);
	struct redis_reply *reply = redis_function(redis, &call, err);
	if (!reply)
		return false;
	if (reply_count(reply) == 4) {
		ret_current->message_id = arena_strdup(arena, reply_text(reply_at(reply, 0)));
		ret_current->email_id = arena_strdup(arena, reply_text(reply_at(reply, 2)));
		ret_current->attempt = (unsigned)reply_integer(reply_at(reply, 3));
		split(reply_text(reply_at(reply, 1)), arena, ret_current);
	}
	reply_free(reply);
	return true;
}

bool mail_later(struct redis *redis, const struct mail_digest *digest,
		const struct mail_current *current, uint64_t delay_ms, struct err *err)
{
	struct redis_call call;
	struct mail_keys keys;

	mail_call(&call, &keys, digest, "mail_later");
	redis_call_text(&call, current->message_id);
	redis_call_text(&call, current->email_id);
	redis_call_number(&call, current->attempt);
	redis_call_number(&call, delay_ms);
	return redis_function_yes(redis, &call, NULL, err);
}

bool mail_sent(struct redis *redis, const struct mail_digest *digest, const char *message_id,
	       uint64_t interval_ms, struct err *err)
{
	struct redis_call call;
	struct mail_keys keys;

	mail_call(&call, &keys, digest, "mail_sent");
	redis_call_text(&call, message_id);
	redis_call_number(&call, interval_ms);
	return redis_function_yes(redis, &call, NULL, err);
}
