/* From the operators' files to the hash tocsin:programs. */
#include "programs.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "bus/key.h"
#include "bus/redis.h"
#include "plan.h"

static programs_reader *const readers[] = { programs_read_sources, programs_read_rules,
					    programs_read_templates };

/* ---- files ---- */

void programs_break(struct programs_files *files, const char *name, const char *where,
		    const struct err *err)
{
	program_set_add(files->broken, name, "", 0);
	plan_add_problem(files->plan, where, err);
}

bool programs_load(struct programs_files *ret_files, const char *config_dir,
		   const struct store *store, const struct jq_settings *settings,
		   struct plan *plan, struct err *err)
{
	bool good = true;

	*ret_files = (struct programs_files){ .config_dir = config_dir,
					      .store = store,
					      .plan = plan,
					      .jq = jq_new(settings),
					      .good = program_set_new(),
					      .broken = program_set_new() };
	for (size_t i = 0; good && i < sizeof readers / sizeof readers[0]; i++)
		good = readers[i](ret_files, err);
	if (!good)
		programs_done(ret_files);
	return good;
}

void programs_done(struct programs_files *files)
{
	program_set_free(files->good);
	program_set_free(files->broken);
	jq_free(files->jq);
	*files = (struct programs_files){ 0 };
}

/* ---- the hash ---- */

static struct program_set *read_current(struct redis *redis, uint64_t *ret_version,
					struct err *err)
{
	struct redis_reply *reply = redis_command(redis, err, "HGETALL %s", KEY_PROGRAMS);
	struct program_set *current = reply ? program_set_new() : NULL;

	*ret_version = 0;
	for (size_t i = 0; current && i + 1 < reply_count(reply); i += 2) {
		const char *name = reply_text(reply_at(reply, i));
		const struct redis_reply *value = reply_at(reply, i + 1);

		if (strcmp(name, "#version") == 0)
			*ret_version = (uint64_t)reply_integer(value);
		else
			program_set_add(current, name, reply_text(value), reply_size(value));
	}
	reply_free(reply);
	return current;
}

/* What differs from before. */
static size_t find_changed(const struct programs_files *files,
			   const struct program_set *current,
			   const struct program_set_item **ret_items)
{
	size_t count = 0;

	for (size_t i = 0; i < program_set_count(files->good); i++) {
		const struct program_set_item *item = program_set_at(files->good, i);
		const struct program_set_item *old = program_set_find(current, item->name);

		if (!old || old->size != item->size ||
		    memcmp(old->text, item->text, old->size) != 0)
			ret_items[count++] = item;
	}
	return count;
}

/* What of it is wrong now is as it was before. */
static bool is_broken(const struct programs_files *files, const char *name)
{
	for (size_t i = 0; i < program_set_count(files->broken); i++) {
		const char *broken = program_set_at(files->broken, i)->name;
		size_t size = strlen(broken);

		if (strcmp(broken, name) == 0 ||
		    (broken[size - 1] == '/' && strncmp(broken, name, size) == 0))
			return true;
	}
	return false;
}

static size_t find_gone(const struct programs_files *files, const struct program_set *current,
			const struct program_set_item **ret_items)
{
	size_t count = 0;

	for (size_t i = 0; i < program_set_count(current); i++) {
		const struct program_set_item *old = program_set_at(current, i);

		if (!program_set_find(files->good, old->name) && !is_broken(files, old->name))
			ret_items[count++] = old;
	}
	return count;
}

/* The version is a clock, so that it does not repeat after Redis lost its data. */
static uint64_t next_version(uint64_t version)
{
	uint64_t now_ms = clock_wall_ms();

	return version < now_ms ? now_ms : version + 1;
}

/* What is set, then what is removed. */
static bool change(struct redis *redis, const struct program_set_item *const *items, size_t set,
		   size_t removed, uint64_t seen, uint64_t version, struct err *err)
{
	struct redis_call call;
	bool done = false;

	redis_call_init(&call, "hash_change");
	redis_call_key(&call, KEY_PROGRAMS);
	redis_call_number(&call, seen);
	redis_call_number(&call, version);
	redis_call_number(&call, set);
	for (size_t i = 0; i < set + removed; i++) {
		redis_call_text(&call, items[i]->name);
		if (i < set)
			redis_call_arg(&call, items[i]->text, items[i]->size);
	}
	if (!redis_function_yes(redis, &call, &done, err))
		return false;
	return done ||
	       err_set(err, ERR_TRANSIENT, "%s is changed by others: is another setup running?",
		       KEY_PROGRAMS);
}

bool programs_publish(struct redis *redis, const struct programs_files *files,
		      uint64_t *ret_version, size_t *ret_set, size_t *ret_removed,
		      struct err *err)
{
	uint64_t seen = 0;
	struct program_set *current = read_current(redis, &seen, err);
	bool good = true;

	if (!current)
		return false;
	const struct program_set_item **items = xcalloc(
	    program_set_count(files->good) + program_set_count(current) + 1, sizeof *items);

	*ret_set = find_changed(files, current, items);
	*ret_removed = find_gone(files, current, items + *ret_set);
	*ret_version = seen;
	if (*ret_set + *ret_removed > 0 || seen == 0) {
		*ret_version = next_version(seen);
		good = change(redis, items, *ret_set, *ret_removed, seen, *ret_version, err);
	}
	free(items);
	program_set_free(current);
	return good;
}

bool programs_check(struct redis *redis, uint64_t version, struct err *err)
{
	struct redis_reply *reply = redis_command(redis, err, "HGET %s #version", KEY_PROGRAMS);
	bool same = reply && (uint64_t)reply_integer(reply) == version;

	if (reply && !same)
		err_fill(err, ERR_TRANSIENT, "%s was changed by someone else", KEY_PROGRAMS);
	reply_free(reply);
	return same;
}
