/* Incidents that are over leave Redis. */
#include "retention.h"

#include <inttypes.h>
#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "bus/bus.h"
#include "bus/key.h"
#include "bus/redis.h"
#include "bus/retention.h"
#include "export.h"
#include "incident_view.h"
#include "model/containment.h"
#include "model/incident.h"

enum { PAGE = 1000, MACHINES_MAX = CONTAINMENT_METHODS + 1 };

#define DAY_MS (24UL * 3600 * 1000)

const struct conf_option retention_options[] = {
	{ "TOCSIN_KEEP_INCIDENTS", CONF_MILLIS, offsetof(struct retention_settings, keep_ms),
	  "30d", .max = 3650 * DAY_MS,
	  .help = "closed incidents, and those of shadow mode, are exported and forgotten when "
		  "they have not changed for so long; 0: never. At least TOCSIN_FATE_TTL" },
	{ "TOCSIN_EXPORT_DIR", CONF_PATH, offsetof(struct retention_settings, folder),
	  .help =
	      "folder for what is forgotten, a file of JSON lines a day; not set: only a line "
	      "in the log each" },
	{ "TOCSIN_RETENTION_INTERVAL", CONF_MILLIS,
	  offsetof(struct retention_settings, interval_ms), "1h", .min = 100, .max = DAY_MS,
	  .help = "how often what may be forgotten is looked for" },
	{ 0 },
};

static struct metric forgotten_total = {
	.name = "tocsin_incidents_forgotten_total",
	.kind = METRIC_COUNTER,
	.help = "incidents that were over for TOCSIN_KEEP_INCIDENTS and left Redis",
};
static struct metric failed_total = {
	.name = "tocsin_retention_failures_total",
	.kind = METRIC_COUNTER,
	.help = "times that incidents could not be exported or forgotten; they stay",
};
struct metric *const retention_metrics[] = { &forgotten_total, &failed_total, NULL };

bool retention_check(const struct retention_settings *settings, const struct bus_settings *bus,
		     struct err *err)
{
	if (settings->keep_ms > 0 && settings->keep_ms < bus->fate_ttl_ms)
		return err_set(
		    err, ERR_PERMANENT,
		    "TOCSIN_KEEP_INCIDENTS must be at least TOCSIN_FATE_TTL: the fate of "
		    "an event names its incident");
	return true;
}

/* ---- which ---- */

/* One that is old enough, with the copy that is kept of it. */
struct candidate {
	char id[INCIDENT_ID_SIZE];
	const char *customer;
	const char *group_key;
	const char *machines[MACHINES_MAX];
	size_t machine_count;
	uint64_t changed_ms;
	json_t *view;
};

static const char *const names[] = {
	"state", "shadow",    "changed_ms",	 "customer",
	"group", "group_key", "contain.machine", "undo",
};
enum { STATE, SHADOW, CHANGED, CUSTOMER, GROUP, GROUP_KEY, MACHINE, UNDO, NAMES };

static const char *text_at(const struct redis_reply *row, size_t column)
{
	return reply_text(reply_at(row, column));
}

static bool is_due(const struct retention *retention, const struct redis_reply *row)
{
	bool over = strcmp(text_at(row, STATE), "closed") == 0 ||
		    (strcmp(text_at(row, SHADOW), "1") == 0 &&
		     strcmp(text_at(row, STATE), "open") == 0);
	int64_t changed = reply_integer(reply_at(row, CHANGED));

	return over && changed > 0 &&
	       (uint64_t)changed + retention->settings->keep_ms <= clock_wall_ms();
}

static void add_machine(struct candidate *one, const char *machine)
{
	if (!containment_machine_valid(machine))
		return;
	for (size_t i = 0; i < one->machine_count; i++) {
		if (strcmp(one->machines[i], machine) == 0)
			return;
	}
	one->machines[one->machine_count++] = machine;
}

/* False: something is contained for it, or it cannot be read. */
static bool take(const struct retention *retention, const struct redis_reply *row,
		 struct arena *arena, struct candidate *one)
{
	const char *undo = text_at(row, UNDO);
	struct containment_ledger ledger = { 0 };
	struct key key;

	if (undo[0] && !containment_ledger_decode(&ledger, undo, arena, NULL))
		return false;
	one->customer = arena_strdup(arena, text_at(row, CUSTOMER));
	one->changed_ms = (uint64_t)reply_integer(reply_at(row, CHANGED));
	for (size_t i = 0; i < CONTAINMENT_METHODS; i++) {
		if (containment_is_due(&ledger.entries[i]))
			return false;
		if (ledger.entries[i].machine)
			add_machine(one, ledger.entries[i].machine);
	}
	add_machine(one, arena_strdup(arena, text_at(row, MACHINE)));
	key_format(&key, retention->partition, "group:%s:%s", one->customer,
		   text_at(row, GROUP));
	one->group_key = arena_strdup(
	    arena, text_at(row, GROUP_KEY)[0] ? text_at(row, GROUP_KEY) : key.text);
	return one->customer[0] != '\0';
}

/* Those of a page of keys that are due; the room is for all keys. */
static bool choose(const struct retention *retention, struct redis *redis,
		   const struct redis_reply *keys, struct arena *arena,
		   struct candidate *ret_found, size_t *ret_count, struct err *err)
{
	size_t asked = 0, found = 0;
	bool good = true;
	char(*ids)[INCIDENT_ID_SIZE] =
	    arena_alloc(arena, (reply_count(keys) + 1) * sizeof *ids);

	for (size_t i = 0; i < reply_count(keys); i++) {
		const char *key = reply_text(reply_at(keys, i)), *kind = key_kind(key);
		const char *argv[NAMES + 2] = { "HMGET", key };

		if (strlen(kind) != strlen("incident:") + INCIDENT_ID_SIZE - 1)
			continue;
		memcpy(argv + 2, names, sizeof names);
		redis_append_argv(redis, NAMES + 2, argv, NULL);
		snprintf(ids[asked++], INCIDENT_ID_SIZE, "%s", kind + strlen("incident:"));
	}
	for (size_t i = 0; i < asked; i++) {
		struct redis_reply *row = redis_read(redis, good ? err : NULL);
		struct candidate *one = &ret_found[found];

		good = good && row;
		*one = (struct candidate){ 0 };
		if (row && is_due(retention, row) && take(retention, row, arena, one))
			memcpy(ret_found[found++].id, ids[i], INCIDENT_ID_SIZE);
		reply_free(row);
	}
	*ret_count = found;
	return good;
}

/* ---- out ---- */

static bool copy_all(const struct retention *retention, struct redis *redis,
		     struct candidate *found, size_t count, struct err *err)
{
	json_t *rows = json_array();
	bool good = true;

	for (size_t i = 0; good && i < count; i++) {
		struct err unreadable = { 0 };
		bool there = false;

		found[i].view = incident_view(redis, retention->partition, found[i].id, true,
					      &there, &unreadable);
		if (found[i].view)
			json_array_append(rows, found[i].view);
		else if (unreadable.kind == ERR_TRANSIENT)
			good = err_set(err, ERR_TRANSIENT, "%s", unreadable.text);
	}
	if (good && retention->settings->folder && json_array_size(rows) > 0)
		good = export_append(retention->settings->folder, "incidents", clock_wall_ms(),
				     rows, err);
	json_decref(rows);
	return good;
}

static void say(const struct candidate *one)
{
	const char *number = json_string_value(json_object_get(one->view, "number"));

	log_info("incident %s of customer %s, ticket %s: over since long, forgotten", one->id,
		 one->customer, number ? number : "none");
}

static bool forget_all(struct retention *retention, struct redis *redis,
		       const struct candidate *found, size_t count, struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		const struct forget forget = {
			.partition = retention->partition,
			.incident = found[i].id,
			.customer = found[i].customer,
			.group_key = found[i].group_key,
			.machines = found[i].machines,
			.machine_count = found[i].machine_count,
			.changed_ms = found[i].changed_ms,
			.age_ms = retention->settings->keep_ms,
		};
		enum forget_answer answer;

		if (!found[i].view)
			continue;
		if (!incident_forget(redis, &forget, &answer, err))
			return false;
		if (answer != FORGET_DONE)
			continue;
		retention->forgotten++;
		metric_add(&forgotten_total, 1);
		if (!retention->settings->folder)
			say(&found[i]);
	}
	return true;
}

static bool do_page(struct retention *retention, struct redis *redis,
		    const struct redis_reply *keys, struct err *err)
{
	struct arena *arena = arena_new();
	struct candidate *found = arena_alloc(arena, (reply_count(keys) + 1) * sizeof *found);
	size_t count = 0;

	/* On the disk before it is forgotten. */
	bool good = choose(retention, redis, keys, arena, found, &count, err) &&
		    copy_all(retention, redis, found, count, err) &&
		    forget_all(retention, redis, found, count, err);
	for (size_t i = 0; i < count; i++)
		json_decref(found[i].view);
	arena_free(arena);
	return good;
}

static bool begin(struct retention *retention)
{
	uint64_t now_ms = clock_mono_ms();

	if (retention->settings->keep_ms == 0 ||
	    (retention->began_ms > 0 &&
	     now_ms - retention->began_ms < retention->settings->interval_ms))
		return false;
	retention->began_ms = now_ms;
	retention->partition = 0;
	retention->forgotten = 0;
	snprintf(retention->cursor, sizeof retention->cursor, "0");
	return true;
}

static void advance(struct retention *retention, const char *cursor)
{
	snprintf(retention->cursor, sizeof retention->cursor, "%s", cursor);
	if (strcmp(cursor, "0") != 0 || ++retention->partition < retention->partitions)
		return;
	retention->cursor[0] = '\0';
	if (retention->forgotten > 0)
		log_info("%" PRIu64 " incidents were over for long enough: forgotten",
			 retention->forgotten);
}

bool retention_step(struct retention *retention, struct redis *redis, struct err *err)
{
	struct key pattern;

	if (!retention->cursor[0] && !begin(retention))
		return true;
	key_format(&pattern, retention->partition, "incident:%s", "????????????????");
	struct redis_reply *reply =
	    redis_command(redis, err, "SCAN %s MATCH %s COUNT %d TYPE hash", retention->cursor,
			  pattern.text, (int)PAGE);
	bool good = reply && do_page(retention, redis, reply_at(reply, 1), err);

	if (good) {
		advance(retention, reply_text(reply_at(reply, 0)));
	} else {
		metric_add(&failed_total, 1);
		retention->cursor[0] = '\0'; /* the next round */
	}
	reply_free(reply);
	return good;
}
