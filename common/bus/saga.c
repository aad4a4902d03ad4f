/* Incidents in Redis: typed calls of functions_incident.lua. */
#include "bus/saga.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "bus/redis.h"

enum { CLAIM_ARGS_MAX = 3500, CLAIM_BYTES_MAX = 1 << 20, INBOX_WINDOW = 100 };

void saga_keys_init(struct saga_keys *ret_keys, unsigned partition, const char *incident_id)
{
	key_format(&ret_keys->incident, partition, "incident:%s", incident_id);
	key_format(&ret_keys->inbox, partition, "incident:%s:inbox", incident_id);
	key_format(&ret_keys->timeline, partition, "incident:%s:timeline", incident_id);
	key_format(&ret_keys->waiting, partition, "incident:%s:waiting", incident_id);
	key_format(&ret_keys->actions, partition, STREAM_ACTIONS);
	key_format(&ret_keys->deferred, partition, "deferred");
}

static size_t claim_chunk(const struct group_finding *findings, size_t count)
{
	size_t args = 0;
	size_t bytes = 0;
	size_t i = 0;
	for (; i < count; i++) {
		const struct group_finding *finding = &findings[i];
		args += 18 + 2 * finding->field_count;
		if (finding->storm)
			args += 4 + 2 * finding->storm->field_count;
		bytes += strlen(finding->open_item) + strlen(finding->summary);
		if (finding->note_item)
			bytes += strlen(finding->note_item);
		for (size_t f = 0; f < finding->field_count; f++)
			bytes += finding->fields[f].size;
		if (i > 0 && (args > CLAIM_ARGS_MAX || bytes > CLAIM_BYTES_MAX))
			break;
	}
	return i;
}

/* "tocsin:{p0}:incident:", from any key of the partition. */
static void incident_prefix(struct key *ret_prefix, const struct key *stream)
{
	size_t tag = (size_t)(key_kind(stream->text) - stream->text);
	snprintf(ret_prefix->text, sizeof(ret_prefix->text), "%.*sincident:", (int)tag,
		 stream->text);
}

static void claim_keys(struct redis_call *call, const struct group_finding *finding)
{
	redis_call_key(call, finding->group_key);
	if (finding->fate_key)
		redis_call_key(call, finding->fate_key);
	if (finding->subject_key)
		redis_call_key(call, finding->subject_key);
	if (!finding->storm)
		return;
	redis_call_key(call, finding->storm->key);
	redis_call_key(call, finding->storm->group_key);
}

/* key counts what claim_keys() has added, from 1 as Lua does. */
static void claim_args(struct redis_call *call, const struct group_finding *finding,
		       size_t *key)
{
	const struct group_storm *storm = finding->storm;
	redis_call_text(call, finding->entry_id);
	redis_call_number(call, ++*key);
	redis_call_number(call, finding->fate_key ? ++*key : 0);
	redis_call_number(call, finding->subject_key ? ++*key : 0);
	redis_call_number(call, storm ? *key + 1 : 0);
	*key += storm ? 2 : 0;
	redis_call_text(call, finding->candidate ? finding->candidate : "");
	redis_call_text(call, finding->open_item);
	redis_call_text(call, finding->note_item ? finding->note_item : "");
	redis_call_text(call, finding->summary);
	redis_call_number(call, finding->severity);
	redis_call_number(call, storm ? storm->limit : 0);
	redis_call_number(call, storm ? storm->per_ms : 0);
	redis_call_text(call, finding->recorded ? finding->recorded : "recorded");
	redis_call_fields(call, finding->fields, finding->field_count);
	if (!storm)
		return;
	redis_call_text(call, storm->candidate);
	redis_call_fields(call, storm->fields, storm->field_count);
}

static struct redis_reply *claim_chunk_call(struct redis *redis, const struct settle_from *from,
					    const struct group_finding *findings, size_t count,
					    struct err *err)
{
	struct redis_call call;
	struct key prefix;
	incident_prefix(&prefix, &from->stream);
	redis_call_init(&call, "group_claim");
	redis_call_key(&call, from->stream.text);
	redis_call_key(&call, from->output.text);
	for (size_t i = 0; i < count; i++)
		claim_keys(&call, &findings[i]);
	redis_call_text(&call, BUS_GROUP);
	redis_call_text(&call, from->consumer);
	redis_call_number(&call, from->fate_ttl_ms);
	redis_call_text(&call, prefix.text);
	size_t key = 2;
	for (size_t i = 0; i < count; i++)
		claim_args(&call, &findings[i], &key);
	struct redis_reply *reply = redis_function(redis, &call, err);
	return redis_expect_list(reply, count, err);
}

static struct group_answer claim_answer(const struct redis_reply *row)
{
	static const char *const names[] = {
		[GROUP_NOT_OURS] = "not ours", [GROUP_OPENED] = "opened",
		[GROUP_JOINED] = "joined",     [GROUP_ATTACHED] = "attached",
		[GROUP_RECORDED] = "recorded",
	};
	struct group_answer answer = { .outcome = GROUP_NOT_OURS };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(reply_text(reply_at(row, 0)), names[i]) == 0)
			answer.outcome = (enum group_outcome)i;
	}
	snprintf(answer.incident, sizeof(answer.incident), "%s", reply_text(reply_at(row, 1)));
	return answer;
}

bool group_claim(struct redis *redis, const struct settle_from *from,
		 const struct group_finding *findings, size_t count,
		 struct group_answer *ret_answers, struct err *err)
{
	for (size_t done = 0; done < count;) {
		size_t size = claim_chunk(findings + done, count - done);
		struct redis_reply *reply =
		    claim_chunk_call(redis, from, findings + done, size, err);
		if (!reply)
			return false;
		for (size_t i = 0; i < size; i++)
			ret_answers[done + i] = claim_answer(reply_at(reply, i));
		reply_free(reply);
		done += size;
	}
	return true;
}

static void decode_hash(const struct redis_reply *hash, struct arena *arena,
			struct incident_hold *hold)
{
	struct field *fields =
	    arena_alloc(arena, (reply_count(hash) / 2 + 1) * sizeof(*fields));
	for (size_t i = 0; i + 1 < reply_count(hash); i += 2) {
		const struct redis_reply *value = reply_at(hash, i + 1);
		fields[hold->field_count++] = (struct field){
			.name = arena_strdup(arena, reply_text(reply_at(hash, i))),
			.value = arena_strndup(arena, reply_text(value), reply_size(value)),
			.size = reply_size(value),
		};
	}
	hold->fields = fields;
}

static void decode_inbox(const struct redis_reply *inbox, struct arena *arena,
			 struct incident_hold *hold)
{
	hold->items = arena_alloc(arena, (reply_count(inbox) + 1) * sizeof(*hold->items));
	for (size_t i = 0; i < reply_count(inbox); i++)
		hold->items[hold->item_count++] =
		    arena_strdup(arena, reply_text(reply_at(inbox, i)));
}

static bool decode_taken(const struct redis_reply *reply, struct incident_hold *hold,
			 struct err *err)
{
	if (reply_count(reply) != 3)
		return err_set(err, ERR_TRANSIENT, "Redis: not an answer of incident_take");
	hold->taken = reply_integer(reply_at(reply, 0)) == 1;
	hold->now_ms = (uint64_t)reply_integer(reply_at(reply, 2));
	if (hold->taken)
		hold->fence = (uint64_t)reply_integer(reply_at(reply, 1));
	else
		hold->busy_until_ms = (uint64_t)reply_integer(reply_at(reply, 1));
	return true;
}

/* One round trip: the function, and what it guards read behind it, which costs Redis a third of
 * what the function would need for it. */
bool incident_take(struct redis *redis, const struct saga_keys *keys, const char *owner,
		   uint64_t ttl_ms, struct arena *arena, struct incident_hold *ret_hold,
		   struct err *err)
{
	struct redis_reply *replies[3];
	struct redis_call call;
	struct err failure = { 0 };
	bool ok = true;
	memset(ret_hold, 0, sizeof(*ret_hold));
	ret_hold->owner = owner;
	ret_hold->ttl_ms = ttl_ms;
	redis_call_init(&call, "incident_take");
	redis_call_key(&call, keys->incident.text);
	redis_call_key(&call, keys->inbox.text);
	redis_call_text(&call, owner);
	redis_call_number(&call, ttl_ms);
	redis_append_function(redis, &call);
	redis_append(redis, "HGETALL %s", keys->incident.text);
	redis_append(redis, "LRANGE %s 0 %d", keys->inbox.text, INBOX_WINDOW - 1);
	for (size_t i = 0; i < 3; i++) {
		/* The first failure is the one that explains. */
		replies[i] = redis_read(redis, ok ? &failure : NULL);
		ok = ok && replies[i];
	}
	ok = ok && decode_taken(replies[0], ret_hold, &failure);
	if (ok && ret_hold->taken) {
		decode_hash(replies[1], arena, ret_hold);
		decode_inbox(replies[2], arena, ret_hold);
	}
	for (size_t i = 0; i < 3; i++)
		reply_free(replies[i]);
	if (!ok && err)
		*err = failure;
	return ok;
}

/* FNV-1a over everything that is written: with the number of the write it is the mark by which
 * Redis knows a repetition. Not for secrets, only against accidents. */
static uint64_t digest_bytes(uint64_t digest, const void *data, size_t size)
{
	const unsigned char *bytes = data;
	for (size_t i = 0; i < size; i++)
		digest = (digest ^ bytes[i]) * 0x100000001b3ULL;
	return (digest ^ 0xff) * 0x100000001b3ULL;
}

static uint64_t digest_text(uint64_t digest, const char *text)
{
	return digest_bytes(digest, text, strlen(text));
}

static uint64_t write_digest(const struct journal_write *write)
{
	uint64_t digest = 0xcbf29ce484222325ULL;
	for (size_t i = 0; i < write->set_count; i++) {
		digest = digest_text(digest, write->set[i].name);
		digest = digest_bytes(digest, write->set[i].value, write->set[i].size);
	}
	for (size_t i = 0; i < write->remove_count; i++)
		digest = digest_text(digest, write->remove[i]);
	digest = digest_bytes(digest, &write->items_done, sizeof(write->items_done));
	digest = digest_bytes(digest, &write->group, sizeof(write->group));
	return digest_text(digest, write->timeline ? write->timeline : "");
}

static const char *group_word(enum journal_group group)
{
	switch (group) {
	case JOURNAL_GROUP_DROP:
		return "drop";
	case JOURNAL_GROUP_TAKE:
		return "take";
	case JOURNAL_GROUP_KEEP:
	default:
		return "keep";
	}
}

/* The arguments of a write, as the functions read it. */
static void add_write(struct redis_call *call, const struct saga_keys *keys,
		      const struct incident_hold *hold, const struct journal_write *write)
{
	char mark[48];
	const char *kind = key_kind(keys->incident.text);
	snprintf(mark, sizeof(mark), "%" PRIu64 ":%016" PRIx64, hold->writes + 1,
		 write_digest(write));
	redis_call_text(call, hold->owner);
	redis_call_number(call, hold->fence);
	redis_call_number(call, hold->ttl_ms);
	redis_call_text(call, arena_strdup(call->arena, mark));
	redis_call_number(call, write->items_done);
	redis_call_text(call, write->timeline ? write->timeline : "");
	redis_call_text(call, group_word(write->group));
	redis_call_text(call, kind + strlen("incident:"));
	redis_call_number(call, write->previous_ttl_ms ? write->previous_ttl_ms : 1);
	redis_call_fields(call, write->set, write->set_count);
	for (size_t i = 0; i < write->remove_count; i++)
		redis_call_text(call, write->remove[i]);
}

/* The arguments of a turn's end, as the functions read it. */
static void add_end(struct redis_call *call, const struct incident_end *end)
{
	const char *reason = end->reason ? end->reason : "";
	redis_call_text(call, BUS_GROUP);
	redis_call_text(call, end->from->consumer);
	redis_call_text(call, end->entry_id);
	if (end->again)
		redis_call_number(call, end->delay_ms);
	else
		redis_call_text(call, "");
	redis_call_text(call, end->counted ? "1" : "0");
	redis_call_arg(call, reason, strnlen(reason, SETTLE_REASON_MAX));
	redis_call_number(call, end->items_left);
}

bool incident_journal(struct redis *redis, const struct saga_keys *keys,
		      struct incident_hold *hold, const struct journal_write *write,
		      bool *ret_group_taken, struct err *err)
{
	struct redis_call call;
	redis_call_init(&call, "journal");
	redis_call_key(&call, keys->incident.text);
	redis_call_key(&call, keys->inbox.text);
	redis_call_key(&call, keys->timeline.text);
	if (write->group_key)
		redis_call_key(&call, write->group_key);
	add_write(&call, keys, hold, write);
	bool written = false;
	if (!redis_function_yes(redis, &call, &written, err))
		return false;
	if (ret_group_taken)
		*ret_group_taken = written;
	if (!written && write->group != JOURNAL_GROUP_TAKE)
		return err_set(err, ERR_TRANSIENT, "Redis: the journal was not written");
	hold->writes += written;
	return true;
}

bool incident_release(struct redis *redis, const struct saga_keys *keys,
		      const struct incident_hold *hold, const struct incident_end *end,
		      bool *ret_released, struct err *err)
{
	struct redis_call call;
	*ret_released = false;
	redis_call_init(&call, "incident_release");
	redis_call_key(&call, keys->incident.text);
	redis_call_key(&call, keys->inbox.text);
	redis_call_key(&call, keys->actions.text);
	redis_call_key(&call, keys->deferred.text);
	redis_call_text(&call, hold->owner);
	redis_call_number(&call, hold->fence);
	add_end(&call, end);
	return redis_function_yes(redis, &call, ret_released, err);
}

bool incident_finish(struct redis *redis, const struct saga_keys *keys,
		     struct incident_hold *hold, const struct journal_write *write,
		     const struct incident_end *end, bool *ret_released, struct err *err)
{
	struct redis_call call;
	*ret_released = false;
	redis_call_init(&call, "incident_finish");
	redis_call_key(&call, keys->incident.text);
	redis_call_key(&call, keys->inbox.text);
	redis_call_key(&call, keys->timeline.text);
	redis_call_key(&call, keys->actions.text);
	redis_call_key(&call, keys->deferred.text);
	if (write->group_key)
		redis_call_key(&call, write->group_key);
	add_end(&call, end);
	add_write(&call, keys, hold, write);
	if (!redis_function_yes(redis, &call, ret_released, err))
		return false;
	hold->writes++;
	return true;
}
