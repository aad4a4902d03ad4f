/* Streams, work put off and dead entries, for tocsin status. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "bus/dead.h"
#include "bus/deferred.h"
#include "bus/entry.h"
#include "bus/key.h"
#include "bus/redis.h"
#include "status.h"
#include "view.h"

enum {
	OLD_MS = 60 * 1000, /* work of this age is waiting, not on its way */
	PAGE = 100,
	SAMPLE_MAX = 2000, /* entries looked at for reasons */
	REASONS_MAX = 12,
};

/* ---- streams ---- */

static bool read_stream(struct redis *redis, const struct key *key, int64_t *ret_length,
			int64_t *ret_pending, uint64_t *ret_oldest_ms, struct err *err)
{
	redis_append(redis, "XLEN %s", key->text);
	redis_append(redis, "XPENDING %s %s", key->text, BUS_GROUP);
	redis_append(redis, "XRANGE %s - + COUNT 1", key->text);
	struct redis_reply *length = redis_read(redis, err);
	struct redis_reply *pending = redis_read(redis, length ? err : NULL);
	struct redis_reply *oldest = redis_read(redis, length && pending ? err : NULL);
	bool good = length && pending && oldest;

	*ret_length = reply_integer(length);
	*ret_pending = reply_integer(reply_at(pending, 0));
	*ret_oldest_ms = entry_id_ms(reply_text(reply_at(reply_at(oldest, 0), 0)));
	reply_free(length);
	reply_free(pending);
	reply_free(oldest);
	return good;
}

static bool add_stream(json_t *list, struct redis *redis, unsigned partition, const char *name,
		       struct verdict *verdict, struct err *err)
{
	struct key key;
	int64_t length, pending;
	uint64_t oldest_ms;

	key_format(&key, partition, "%s", name);
	if (!read_stream(redis, &key, &length, &pending, &oldest_ms, err))
		return false;
	if (oldest_ms && oldest_ms + OLD_MS < verdict->now_ms)
		verdict_add(verdict, HEALTH_BEHIND,
			    "%s has %lld entries, the oldest from %llu s ago", name,
			    (long long)length,
			    (unsigned long long)(verdict->now_ms - oldest_ms) / 1000);
	json_array_append_new(list,
			      json_pack("{s:i,s:s,s:I,s:I,s:o}", "partition", (int)partition,
					"stream", name, "length", (json_int_t)length, "pending",
					(json_int_t)pending, "oldest_ms", view_ms(oldest_ms)));
	return true;
}

json_t *status_streams(struct redis *redis, unsigned partitions, struct verdict *verdict,
		       struct err *err)
{
	static const char *const names[] = { STREAM_RAW, STREAM_FINDINGS, STREAM_ACTIONS,
					     STREAM_CLOSURES, STREAM_ORDERS };
	json_t *list = json_array();

	for (unsigned partition = 0; partition < partitions; partition++) {
		for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
			if (add_stream(list, redis, partition, names[i], verdict, err))
				continue;
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

/* ---- deferred ---- */

struct reason {
	char *text;
	size_t count;
	uint64_t next_ms;
};

struct reasons {
	struct reason items[REASONS_MAX];
	size_t count;
	size_t others; /* entries whose reason found no room */
};

static void add_reason(struct reasons *reasons, const char *text, uint64_t due_ms)
{
	for (size_t i = 0; i < reasons->count; i++) {
		if (strcmp(reasons->items[i].text, text) == 0) {
			reasons->items[i].count++;
			return;
		}
	}
	if (reasons->count == REASONS_MAX)
		reasons->others++;
	else /* in the order of due times: the first one is the next */
		reasons->items[reasons->count++] = (struct reason){ xstrdup(text), 1, due_ms };
}

static bool read_deferred(struct redis *redis, unsigned partition, struct reasons *reasons,
			  uint64_t *next_ms, struct err *err)
{
	struct deferred *page = xcalloc(PAGE, sizeof *page);
	size_t count = PAGE, offset = 0;
	bool good = true;

	while (good && count == PAGE && offset < SAMPLE_MAX) {
		struct arena *arena = arena_new();

		good = deferred_list(redis, partition, offset, PAGE, arena, page, &count, err);
		for (size_t i = 0; good && i < count; i++) {
			add_reason(reasons, page[i].reason, page[i].due_ms);
			if (!*next_ms || page[i].due_ms < *next_ms)
				*next_ms = page[i].due_ms;
		}
		offset += PAGE;
		arena_free(arena);
	}
	free(page);
	return good;
}

static json_t *list_reasons(struct reasons *reasons)
{
	json_t *list = json_array();

	for (size_t i = 0; i < reasons->count; i++) {
		struct reason *reason = &reasons->items[i];
		json_array_append_new(list, json_pack("{s:o,s:I,s:o}", "reason",
						      view_text(reason->text), "count",
						      (json_int_t)reason->count, "next_ms",
						      view_ms(reason->next_ms)));
		free(reason->text);
	}
	if (reasons->others)
		json_array_append_new(list, json_pack("{s:s,s:I}", "reason", "others", "count",
						      (json_int_t)reasons->others));
	return list;
}

json_t *status_deferred(struct redis *redis, unsigned partitions, struct err *err)
{
	struct reasons reasons = { .count = 0 };
	size_t total = 0;
	uint64_t next_ms = 0;
	bool good = true;

	for (unsigned partition = 0; good && partition < partitions; partition++) {
		size_t count = 0;
		good = deferred_count(redis, partition, &count, err) &&
		       read_deferred(redis, partition, &reasons, &next_ms, err);
		total += count;
	}
	json_t *list = list_reasons(&reasons);
	if (good)
		return json_pack("{s:I,s:o,s:o}", "count", (json_int_t)total, "next_ms",
				 view_ms(next_ms), "reasons", list);
	json_decref(list);
	return NULL;
}

/* ---- dead ---- */

json_t *status_dead(struct redis *redis, unsigned partitions, struct verdict *verdict,
		    struct err *err)
{
	size_t total = 0;
	uint64_t oldest_ms = 0;

	for (unsigned partition = 0; partition < partitions; partition++) {
		struct arena *arena = arena_new();
		struct dead first;
		size_t count = 0, got = 0;
		bool good = dead_count(redis, partition, &count, err) &&
			    dead_list(redis, partition, "", 1, arena, &first, &got, err);
		uint64_t at_ms = good && got ? entry_id_ms(first.id) : 0;

		arena_free(arena);
		if (!good)
			return NULL;
		total += count;
		if (at_ms && (!oldest_ms || at_ms < oldest_ms))
			oldest_ms = at_ms;
	}
	if (total)
		verdict_add(verdict, HEALTH_BROKEN, "%zu dead %s: see tocsin dead list", total,
			    total == 1 ? "entry" : "entries");
	return json_pack("{s:I,s:o}", "count", (json_int_t)total, "oldest_ms",
			 view_ms(oldest_ms));
}
