/* Hosts in Redis: typed calls of functions_containment.lua. */
#include "bus/containment.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "bus/redis.h"

enum { ROWS_MAX = 100000 };

struct host_keys {
	struct key host, record, index, ceiling, freeze;
	char place[128]; /* member of the index */
};

static void host_keys_init(struct host_keys *keys, const struct host_claim *claim)
{
	key_format(&keys->host, claim->partition, "host:%s:%s", claim->customer,
		   claim->machine);
	key_format(&keys->record, claim->partition, "host:%s:%s:record", claim->customer,
		   claim->machine);
	key_format(&keys->index, claim->partition, "containment:hosts");
	key_format(&keys->ceiling, claim->partition, "ceiling:%s", claim->customer);
	key_format(&keys->freeze, claim->partition, "freeze");
	snprintf(keys->place, sizeof(keys->place), "%s %s", claim->customer, claim->machine);
}

/* What host_read() of the functions reads. The keys must be there already. */
static void add_claim(struct redis_call *call, const struct host_keys *keys,
		      const struct host_claim *claim)
{
	redis_call_text(call, claim->incident);
	redis_call_text(call, claim->method);
	redis_call_text(call, keys->place);
	redis_call_number(call, claim->act_ttl_ms);
}

static void host_call_init(struct redis_call *call, const char *function,
			   const struct host_keys *keys)
{
	redis_call_init(call, function);
	redis_call_key(call, keys->host.text);
	redis_call_key(call, keys->record.text);
	redis_call_key(call, keys->index.text);
}

static bool read_answer(struct redis *redis, struct redis_call *call,
			struct host_reply *ret_reply, struct err *err)
{
	static const char *const names[] = {
		[HOST_GRANTED] = "granted", [HOST_BUSY] = "busy",     [HOST_FROZEN] = "frozen",
		[HOST_CEILING] = "ceiling", [HOST_SHARED] = "shared",
	};
	struct redis_reply *reply = redis_expect_list(redis_function(redis, call, err), 2, err);
	bool known = false;

	if (!reply)
		return false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(reply_text(reply_at(reply, 0)), names[i]) != 0)
			continue;
		ret_reply->answer = (enum host_answer)i;
		known = true;
	}
	snprintf(ret_reply->other, sizeof(ret_reply->other), "%s",
		 reply_text(reply_at(reply, 1)));
	reply_free(reply);
	return known || err_set(err, ERR_TRANSIENT, "Redis: not an answer about a host");
}

bool host_held(struct redis *redis, const struct host_claim *claim, bool *ret_held,
	       struct err *err)
{
	struct redis_reply *reply;
	struct host_keys keys;

	host_keys_init(&keys, claim);
	reply = redis_command(redis, err, "SCARD %s", keys.host.text);
	if (!reply)
		return false;
	*ret_held = reply_integer(reply) > 0;
	reply_free(reply);
	return true;
}

bool host_hold(struct redis *redis, const struct host_claim *claim,
	       struct host_reply *ret_reply, struct err *err)
{
	struct redis_call call;
	struct host_keys keys;

	host_keys_init(&keys, claim);
	host_call_init(&call, "host_hold", &keys);
	redis_call_key(&call, keys.ceiling.text);
	redis_call_key(&call, keys.freeze.text);
	add_claim(&call, &keys, claim);
	redis_call_text(&call, claim->customer);
	redis_call_text(&call, claim->by_itself ? "1" : "0");
	redis_call_number(&call, claim->per_hour);
	redis_call_text(&call, claim->from ? claim->from : "");
	redis_call_text(&call, claim->to ? claim->to : "");
	return read_answer(redis, &call, ret_reply, err);
}

bool host_join(struct redis *redis, const struct host_claim *claim,
	       struct host_reply *ret_reply, struct err *err)
{
	struct redis_call call;
	struct host_keys keys;

	host_keys_init(&keys, claim);
	host_call_init(&call, "host_join", &keys);
	add_claim(&call, &keys, claim);
	return read_answer(redis, &call, ret_reply, err);
}

bool host_unhold(struct redis *redis, const struct host_claim *claim,
		 struct host_reply *ret_reply, struct err *err)
{
	struct redis_call call;
	struct host_keys keys;

	host_keys_init(&keys, claim);
	host_call_init(&call, "host_unhold", &keys);
	add_claim(&call, &keys, claim);
	return read_answer(redis, &call, ret_reply, err);
}

bool host_settle(struct redis *redis, const struct host_claim *claim, bool keep,
		 struct err *err)
{
	struct redis_call call;
	struct host_keys keys;
	bool ignored;

	host_keys_init(&keys, claim);
	host_call_init(&call, "host_settle", &keys);
	add_claim(&call, &keys, claim);
	redis_call_text(&call, keep ? "1" : "0");
	return redis_function_yes(redis, &call, &ignored, err);
}

/* ---- freezing ---- */

/* "containment", or "containment:acme". */
static void freeze_field(char *ret_field, size_t room, const char *what, const char *customer)
{
	snprintf(ret_field, room, "%s%s%s", what, customer ? ":" : "",
		 customer ? customer : "");
}

/* The kinds that a word stands for. */
static size_t freeze_kinds(const char *what, const char **ret_kinds)
{
	size_t count = 0;

	if (strcmp(what, "all") == 0 || strcmp(what, "containment") == 0)
		ret_kinds[count++] = "containment";
	if (strcmp(what, "all") == 0 || strcmp(what, "closing") == 0)
		ret_kinds[count++] = "closing";
	return count;
}

bool freeze_set(struct redis *redis, unsigned partitions, const char *what,
		const char *customer, const char *who, uint64_t now_ms, struct err *err)
{
	const char *kinds[2];
	size_t count = freeze_kinds(what, kinds);
	char field[64], value[160];
	struct key key;

	snprintf(value, sizeof(value), "%" PRIu64 " %.100s", now_ms, who);
	for (unsigned i = 0; i < partitions; i++) {
		key_format(&key, i, "freeze");
		for (size_t k = 0; k < count; k++) {
			freeze_field(field, sizeof(field), kinds[k], customer);
			if (!redis_run(redis, err, REDIS_ALWAYS "HSET %s %s", key.text, field,
				       value))
				return false;
		}
	}
	return count > 0;
}

bool freeze_clear(struct redis *redis, unsigned partitions, const char *what,
		  const char *customer, struct err *err)
{
	const char *kinds[2];
	size_t count = freeze_kinds(what, kinds);
	char field[64];
	struct key key;

	for (unsigned i = 0; i < partitions; i++) {
		key_format(&key, i, "freeze");
		for (size_t k = 0; k < count; k++) {
			freeze_field(field, sizeof(field), kinds[k], customer);
			if (!redis_run(redis, err, "HDEL %s %s", key.text, field))
				return false;
		}
	}
	return count > 0;
}

bool freeze_read(struct redis *redis, unsigned partition, const char *what,
		 const char *customer, bool *ret_frozen, struct err *err)
{
	struct redis_reply *reply;
	char field[64];
	struct key key;

	key_format(&key, partition, "freeze");
	freeze_field(field, sizeof(field), what, customer);
	reply = redis_expect_list(
	    redis_command(redis, err, "HMGET %s %s %s", key.text, what, field), 2, err);
	if (!reply)
		return false;
	*ret_frozen = reply_type(reply_at(reply, 0)) == REPLY_TEXT ||
		      reply_type(reply_at(reply, 1)) == REPLY_TEXT;
	reply_free(reply);
	return true;
}

/* ---- lists ---- */

static void list_key(struct key *ret_key, unsigned partition, enum containment_list list)
{
	static const char *const names[] = {
		[CONTAINMENT_HOSTS] = "hosts",
		[CONTAINMENT_APPROVALS] = "approvals",
		[CONTAINMENT_STUCK] = "stuck",
	};

	key_format(ret_key, partition, "containment:%s", names[list]);
}

bool containment_list_put(struct redis *redis, unsigned partition, enum containment_list list,
			  const char *customer, const char *what, uint64_t time_ms,
			  struct err *err)
{
	char member[128];
	struct key key;

	list_key(&key, partition, list);
	snprintf(member, sizeof(member), "%s %s", customer, what);
	if (time_ms == 0)
		return redis_run(redis, err, "ZREM %s %s", key.text, member);
	return redis_run(redis, err, REDIS_ALWAYS "ZADD %llu %s", key.text,
			 (unsigned long long)time_ms, member);
}

bool containment_list_read(struct redis *redis, unsigned partition, enum containment_list list,
			   struct arena *arena, struct containment_row **ret_rows,
			   size_t *ret_count, struct err *err)
{
	struct redis_reply *reply;
	struct key key;
	size_t count = 0;

	*ret_count = 0;
	list_key(&key, partition, list);
	reply = redis_command(redis, err, "ZRANGE %s 0 %d WITHSCORES", key.text, ROWS_MAX - 1);
	if (!reply)
		return false;
	struct containment_row *rows =
	    arena_alloc(arena, (reply_count(reply) / 2 + 1) * sizeof(*rows));

	for (size_t i = 0; i + 1 < reply_count(reply); i += 2) {
		char *text = arena_strdup(arena, reply_text(reply_at(reply, i)));
		char *blank = strchr(text, ' ');

		if (!blank)
			continue;
		*blank = '\0';
		rows[count++] = (struct containment_row){
			.customer = text,
			.what = blank + 1,
			.time_ms = (uint64_t)reply_integer(reply_at(reply, i + 1)),
		};
	}
	reply_free(reply);
	*ret_rows = rows;
	*ret_count = count;
	return true;
}
