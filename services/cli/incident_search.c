/* Which incidents there are: SCAN over every partition. */
#include "incident_search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "bus/key.h"
#include "bus/redis.h"
#include "incident_view.h"
#include "model/incident.h"

enum { SCAN_COUNT = 1000 };

struct found {
	uint64_t created_ms;
	unsigned partition;
	char id[INCIDENT_ID_SIZE];
	char state[16];
};

struct finds {
	struct found *items;
	size_t count, room;
};

static void add_found(struct finds *finds, struct found found)
{
	if (finds->count == finds->room) {
		finds->room = finds->room ? finds->room * 2 : 256;
		finds->items = xrealloc(finds->items, finds->room * sizeof *finds->items);
	}
	finds->items[finds->count++] = found;
}

static const char *row_state(const struct redis_reply *row)
{
	bool shadow = strcmp(reply_text(reply_at(row, 4)), "1") == 0;

	return shadow ? INCIDENT_SHADOW : reply_text(reply_at(row, 2));
}

/* Vendors write the same host as WS-1 and as ws-1.example.com. */
static bool is_host(const char *want, const char *host)
{
	size_t want_size = strcspn(want, "."), size = strcspn(host, ".");

	if (want[want_size] && host[size])
		return strcasecmp(want, host) == 0;
	return size == want_size && strncasecmp(want, host, size) == 0;
}

static bool wanted(const struct incident_filter *filter, const struct redis_reply *row)
{
	const struct {
		const char *want;
		size_t column;
	} tests[] = { { filter->customer, 1 }, { filter->number, 3 } };

	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
		if (tests[i].want &&
		    strcasecmp(tests[i].want, reply_text(reply_at(row, tests[i].column))) != 0)
			return false;
	}
	if (filter->host && !is_host(filter->host, reply_text(reply_at(row, 5))))
		return false;
	return !filter->state || strcasecmp(filter->state, row_state(row)) == 0;
}

/* One page of SCAN: the incidents among its keys are asked for in one round trip. */
static bool visit_page(struct redis *redis, unsigned partition, const struct redis_reply *keys,
		       const struct incident_filter *filter, struct finds *finds,
		       struct err *err)
{
	struct found *page = xcalloc(reply_count(keys) + 1, sizeof *page);
	size_t count = 0;
	bool good = true;

	for (size_t i = 0; i < reply_count(keys); i++) {
		const char *kind = key_kind(reply_text(reply_at(keys, i)));
		const char *id = strncmp(kind, "incident:", 9) == 0 ? kind + 9 : "";

		if (strlen(id) != INCIDENT_ID_SIZE - 1 || strchr(id, ':'))
			continue;
		page[count].partition = partition;
		snprintf(page[count].id, sizeof page[count].id, "%s", id);
		redis_append(redis,
			     "HMGET %s created_ms customer state servicenow.number shadow host",
			     reply_text(reply_at(keys, i)));
		count++;
	}
	for (size_t i = 0; i < count; i++) {
		struct redis_reply *row = redis_read(redis, good ? err : NULL);

		good = good && row;
		page[i].created_ms = (uint64_t)reply_integer(reply_at(row, 0));
		/* Gone since it was listed: every column is nil. */
		snprintf(page[i].state, sizeof page[i].state, "%s", row_state(row));
		if (page[i].state[0] && wanted(filter, row))
			add_found(finds, page[i]);
		reply_free(row);
	}
	free(page);
	return good;
}

static bool scan(struct redis *redis, unsigned partition, const struct incident_filter *filter,
		 struct finds *finds, struct err *err)
{
	struct key pattern;
	char cursor[32] = "0";
	bool good = true;

	key_format(&pattern, partition, "incident:%s", "????????????????");
	do {
		struct redis_reply *reply =
		    redis_command(redis, err, "SCAN %s MATCH %s COUNT %d TYPE hash", cursor,
				  pattern.text, (int)SCAN_COUNT);

		good = reply &&
		       visit_page(redis, partition, reply_at(reply, 1), filter, finds, err);
		snprintf(cursor, sizeof cursor, "%s", reply_text(reply_at(reply, 0)));
		reply_free(reply);
	} while (good && strcmp(cursor, "0") != 0);
	return good;
}

static int newest_first(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->created_ms != y->created_ms)
		return x->created_ms < y->created_ms ? 1 : -1;
	return strcmp(x->id, y->id);
}

/* SCAN may show a key twice. */
static void sort_and_unite(struct finds *finds)
{
	size_t kept = 0;

	if (finds->count > 1)
		qsort(finds->items, finds->count, sizeof *finds->items, newest_first);
	for (size_t i = 0; i < finds->count; i++) {
		if (kept > 0 && strcmp(finds->items[kept - 1].id, finds->items[i].id) == 0)
			continue;
		finds->items[kept++] = finds->items[i];
	}
	finds->count = kept;
}

json_t *incident_search(struct redis *redis, unsigned partitions,
			const struct incident_filter *filter, size_t *ret_total,
			struct err *err)
{
	struct finds finds = { 0 };
	json_t *list = json_array();
	bool good = true;

	for (unsigned partition = 0; good && partition < partitions; partition++)
		good = scan(redis, partition, filter, &finds, err);
	sort_and_unite(&finds);
	*ret_total = finds.count;
	for (size_t i = 0; good && i < finds.count && i < filter->limit; i++) {
		struct err why = { 0 };
		bool found;
		json_t *view = incident_view(redis, finds.items[i].partition, finds.items[i].id,
					     false, &found, &why);

		if (view)
			json_array_append_new(list, view);
		else if (why.kind == ERR_PERMANENT)
			json_array_append_new(list, json_pack("{s:s,s:s,s:s}", "id",
							      finds.items[i].id, "state",
							      "broken", "title", why.text));
		else if (why.kind != ERR_NONE)
			good = err_set(err, why.kind, "%s", why.text);
	}
	free(finds.items);
	if (good)
		return list;
	json_decref(list);
	return NULL;
}

json_t *incident_tally(struct redis *redis, unsigned partitions, struct err *err)
{
	const struct incident_filter everything = { 0 };
	struct finds finds = { 0 };
	json_t *tally = json_object();
	bool good = true;

	for (enum incident_state s = INCIDENT_OPENING; s <= INCIDENT_FAILED; s++)
		json_object_set_new(tally, incident_state_name(s), json_integer(0));
	json_object_set_new(tally, INCIDENT_SHADOW, json_integer(0));
	for (unsigned partition = 0; good && partition < partitions; partition++)
		good = scan(redis, partition, &everything, &finds, err);
	sort_and_unite(&finds);
	for (size_t i = 0; i < finds.count; i++) {
		json_t *count = json_object_get(tally, finds.items[i].state);
		if (count)
			json_integer_set(count, json_integer_value(count) + 1);
	}
	free(finds.items);
	if (good)
		return tally;
	json_decref(tally);
	return NULL;
}

/* ---- by name ---- */

static bool is_id(const char *text)
{
	return strlen(text) == INCIDENT_ID_SIZE - 1 &&
	       text[strspn(text, "0123456789abcdef")] == '\0';
}

/* By its id in any partition; NULL without err when there is none. */
static json_t *find_by_id(struct redis *redis, unsigned partitions, const char *id,
			  struct err *err)
{
	json_t *view = NULL;
	bool found = false;

	for (unsigned p = 0; !found && p < partitions; p++) {
		view = incident_view(redis, p, id, true, &found, err);
		if (err->kind != ERR_NONE)
			return NULL;
	}
	return view;
}

static json_t *find_by_number(struct redis *redis, unsigned partitions, const char *number,
			      struct err *err)
{
	const struct incident_filter filter = { .number = number, .limit = 2 };
	size_t total = 0;
	json_t *list = incident_search(redis, partitions, &filter, &total, err);
	const char *id = json_string_value(json_object_get(json_array_get(list, 0), "id"));
	json_t *view = NULL;

	if (total > 1)
		err_fill(err, ERR_PERMANENT,
			 "%zu incidents have the ticket %s, of different instances: give the "
			 "id, see tocsin incident list",
			 total, number);
	else if (id)
		view = find_by_id(redis, partitions, id, err);
	json_decref(list);
	return view;
}

json_t *incident_find(struct redis *redis, unsigned partitions, const char *name,
		      struct err *err)
{
	return is_id(name) ? find_by_id(redis, partitions, name, err)
			   : find_by_number(redis, partitions, name, err);
}
