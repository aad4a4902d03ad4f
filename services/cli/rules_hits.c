/* The hashes `rules`: "<name>" counts matches, "<name>:<what>" the rest. */
#include "rules_hits.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "bus/key.h"
#include "bus/redis.h"
#include "model/program_set.h"
#include "model/rules.h"
#include "view.h"

/* ---- reading ---- */

static json_t *hit_of(json_t *hits, const char *name)
{
	json_t *hit = json_object_get(hits, name);

	if (hit)
		return hit;
	hit = json_pack("{s:i,s:n,s:i,s:n,s:n,s:n}", "matches", 0, "last_ms", "errors", 0,
			"error", "left_out", "since_ms");
	json_object_set_new(hits, name, hit);
	return hit;
}

static void add(json_t *hit, const char *member, const struct redis_reply *value)
{
	json_int_t had = json_integer_value(json_object_get(hit, member));

	json_object_set_new(hit, member, json_integer(had + reply_integer(value)));
}

/* Of several partitions the latest, or the earliest. */
static void keep_time(json_t *hit, const char *member, const struct redis_reply *value,
		      bool latest)
{
	json_int_t had = json_integer_value(json_object_get(hit, member));
	json_int_t now = reply_integer(value);

	if (had == 0 || (latest ? now > had : now < had))
		json_object_set_new(hit, member, json_integer(now));
}

static void read_field(json_t *hits, const char *field, const struct redis_reply *value)
{
	const char *colon = strchrnul(field, ':');
	char *name = xstrndup(field, (size_t)(colon - field));
	json_t *hit = hit_of(hits, name);

	if (!*colon)
		add(hit, "matches", value);
	else if (strcmp(colon, ":errors") == 0)
		add(hit, "errors", value);
	else if (strcmp(colon, ":last") == 0)
		keep_time(hit, "last_ms", value, true);
	else if (strcmp(colon, ":since") == 0)
		keep_time(hit, "since_ms", value, false);
	else if (strcmp(colon, ":error") == 0)
		json_object_set_new(hit, "error", view_text(reply_text(value)));
	else if (strcmp(colon, ":out") == 0)
		json_object_set_new(hit, "left_out", view_text(reply_text(value)));
	free(name);
}

static struct redis_reply *read_partition(struct redis *redis, unsigned partition,
					  struct key *ret_key, struct err *err)
{
	key_format(ret_key, partition, "rules");
	return redis_command(redis, err, "HGETALL %s", ret_key->text);
}

json_t *rules_hits_read(struct redis *redis, unsigned partitions, struct err *err)
{
	json_t *hits = json_object();

	for (unsigned partition = 0; partition < partitions; partition++) {
		struct key key;
		struct redis_reply *reply = read_partition(redis, partition, &key, err);

		for (size_t i = 0; i + 1 < reply_count(reply); i += 2)
			read_field(hits, reply_text(reply_at(reply, i)),
				   reply_at(reply, i + 1));
		bool good = reply != NULL;
		reply_free(reply);
		if (!good) {
			json_decref(hits);
			return NULL;
		}
	}
	return hits;
}

/* ---- for setup ---- */

static const struct rule *rule_named(const struct rules *rules, const char *name, size_t size)
{
	for (size_t i = 0; i < rules_count(rules); i++) {
		const struct rule *rule = rules_at(rules, i);

		if (strlen(rule->name) == size && strncmp(rule->name, name, size) == 0)
			return rule;
	}
	return NULL;
}

/* A field goes with its rule; why one was left out, when there is news. */
static bool is_stale(const struct rules *rules, const char *field, bool changed)
{
	const char *colon = strchrnul(field, ':');

	return !rule_named(rules, field, (size_t)(colon - field)) ||
	       (changed && (strcmp(colon, ":out") == 0 || strcmp(colon, ":error") == 0));
}

static bool keep_partition(struct redis *redis, unsigned partition, const struct rules *rules,
			   bool changed, struct err *err)
{
	struct key key;
	struct redis_reply *reply = read_partition(redis, partition, &key, err);
	size_t commands = 0;
	bool good = reply != NULL;

	for (size_t i = 0; i + 1 < reply_count(reply); i += 2) {
		const char *field = reply_text(reply_at(reply, i));

		if (!is_stale(rules, field, changed))
			continue;
		redis_append(redis, "HDEL %s %s", key.text, field);
		commands++;
	}
	for (size_t i = 0; good && i < rules_count(rules); i++) {
		char since[RULE_NAME_MAX + 16];

		snprintf(since, sizeof since, "%s:since", rules_at(rules, i)->name);
		if (reply_find(reply, since))
			continue;
		redis_append(redis, REDIS_ALWAYS "HSET %s %llu", key.text, since,
			     (unsigned long long)clock_wall_ms());
		commands++;
	}
	reply_free(reply);
	for (size_t i = 0; i < commands; i++) {
		struct redis_reply *done = redis_read(redis, good ? err : NULL);

		good = done && good;
		reply_free(done);
	}
	return good;
}

bool rules_hits_keep(struct redis *redis, unsigned partitions,
		     const struct program_set_item *rules, bool changed, struct err *err)
{
	struct rules *decoded =
	    rules ? rules_decode(rules->text, rules->size, "rules.json", err) : NULL;
	bool good = decoded || !rules;

	for (unsigned partition = 0; good && partition < partitions; partition++)
		good = keep_partition(redis, partition, decoded, changed, err);
	rules_free(decoded);
	return good;
}
