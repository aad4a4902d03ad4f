/* The incidents that the reconciler looks after, out of Redis and back with a hint. */
#include "watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/trace.h"
#include "bus/closing.h"
#include "bus/redis.h"
#include "model/closure.h"
#include "model/customer.h"
#include "tickets.h"

enum { PAGE = 200 };

/* What a turn is not needed for. */
static const char *const names[] = {
	"id",
	"customer",
	"group",
	"state",
	"shadow",
	"servicenow.account",
	"servicenow.table",
	"servicenow.sys_id",
	"servicenow.number",
	"threat_response.account",
	"threat_response.id",
	"threat_response.merged",
	"closed_ms",
	"closing.since_ms",
	"closing.hint_ms",
	"closing.release",
	"closing.survivor",
	"closing.seen",
	"closing.past_ms",
	"adopted",
};

enum { NAMES = sizeof names / sizeof names[0] };

static void append_read(const struct watch *watch, const char *id)
{
	const char *argv[NAMES + 2] = { "HMGET" };
	struct key key;

	key_format(&key, watch->partition, "incident:%s", id);
	argv[1] = key.text;
	for (size_t i = 0; i < NAMES; i++)
		argv[i + 2] = names[i];
	redis_append_argv(watch->redis, NAMES + 2, argv, NULL);
}

/* False: there is none any more, or it cannot be read. */
static bool decode(const struct watch *watch, const struct redis_reply *row,
		   struct incident *ret)
{
	struct field fields[NAMES];
	size_t count = 0;

	for (size_t i = 0; i < NAMES && i < reply_count(row); i++) {
		const struct redis_reply *value = reply_at(row, i);

		if (reply_size(value) > 0)
			fields[count++] =
			    field_text(names[i], arena_strdup(watch->arena, reply_text(value)));
	}
	return incident_decode(ret, fields, count, NULL);
}

/* ---- all of them ---- */

/* Something may still be said about it, or has to be waited for. */
static bool is_watched(const struct watch *watch, const struct incident *incident)
{
	if (incident->shadow)
		return false;
	return incident->state != INCIDENT_CLOSED ||
	       incident->closed_ms + watch->watch_ms > watch->now_ms;
}

static unsigned char table_of(struct watch *watch, const struct incident *incident,
			      const struct customer *customer)
{
	const char *name = tickets_table(incident, customer);
	unsigned char place = 0;

	if (!name)
		return 0;
	while (place < WATCH_TABLES - 1 && watch->tables[place] &&
	       strcmp(watch->tables[place], name) != 0)
		place++;
	if (!watch->tables[place])
		watch->tables[place] = xstrdup(name);
	return place;
}

static void add_row(struct watch *watch, const struct incident *incident)
{
	const struct customer *customer =
	    directory_customer(watch->directory, incident->customer);
	struct watch_row *row = &watch->rows[watch->count];

	if (!customer || customer->mode != CUSTOMER_LIVE)
		return;
	*row = (struct watch_row){ .table = table_of(watch, incident, customer) };
	snprintf(row->id, sizeof row->id, "%s", incident->id);
	if (incident->servicenow_account && incident->sys_id)
		row->servicenow =
		    directory_account(watch->directory, incident->servicenow_account);
	if (customer->closing.threat_response && incident->threat_response_account &&
	    incident->ctim_id && incident->state == INCIDENT_OPEN)
		row->threat_response =
		    directory_account(watch->directory, incident->threat_response_account);
	watch->count++;
}

/* The ids of one page of the set: those that are watched are kept. */
static bool read_page(struct watch *watch, const struct redis_reply *ids, size_t *ret_forgotten,
		      struct err *err)
{
	const char *forgotten[PAGE];
	size_t count = reply_count(ids) < PAGE ? reply_count(ids) : PAGE;
	struct key open;
	bool ok = true;

	*ret_forgotten = 0;
	key_format(&open, watch->partition, KEY_OPEN);
	for (size_t i = 0; i < count; i++)
		append_read(watch, reply_text(reply_at(ids, i)));
	for (size_t i = 0; i < count; i++) {
		struct redis_reply *row = redis_read(watch->redis, ok ? err : NULL);
		struct incident incident;

		ok = ok && row;
		if (row && decode(watch, row, &incident) && is_watched(watch, &incident))
			add_row(watch, &incident);
		else if (row)
			forgotten[(*ret_forgotten)++] = reply_text(reply_at(ids, i));
		reply_free(row);
	}
	for (size_t i = 0; ok && i < *ret_forgotten; i++)
		ok = redis_run(watch->redis, err, "ZREM %s %s", open.text, forgotten[i]);
	arena_reset(watch->arena);
	return ok;
}

/* One question is about tickets of one table. */
static int by_table(const void *a, const void *b)
{
	const struct watch_row *first = a, *second = b;

	return first->table != second->table ? first->table - second->table
					     : strcmp(first->id, second->id);
}

bool watch_read(struct watch *watch, struct err *err)
{
	struct redis_reply *reply;
	struct key open;
	size_t room, offset = 0;
	bool ok = true;

	key_format(&open, watch->partition, KEY_OPEN);
	reply = redis_command(watch->redis, err, "ZCARD %s", open.text);
	if (!reply)
		return false;
	room = (size_t)reply_integer(reply);
	reply_free(reply);
	watch->rows = xcalloc(room + PAGE, sizeof *watch->rows);
	watch->count = 0;
	while (ok && watch->count < room) {
		size_t forgotten = 0, found;

		reply = redis_command(watch->redis, err, "ZRANGE %s %llu %llu", open.text,
				      (unsigned long long)offset,
				      (unsigned long long)offset + PAGE - 1);
		found = reply_count(reply);
		ok = reply && read_page(watch, reply, &forgotten, err);
		offset += found - forgotten;
		reply_free(reply);
		if (found < PAGE)
			break;
	}
	qsort(watch->rows, watch->count, sizeof *watch->rows, by_table);
	return ok;
}

void watch_done(struct watch *watch)
{
	for (size_t i = 0; i < WATCH_TABLES; i++) {
		free(watch->tables[i]);
		watch->tables[i] = NULL;
	}
	free(watch->rows);
	watch->rows = NULL;
	watch->count = 0;
}

/* ---- some of them ---- */

bool watch_load(const struct watch *watch, const struct watch_row *const *rows, size_t count,
		struct incident **ret_incidents, size_t *ret_count, struct err *err)
{
	struct incident *incidents = arena_alloc(watch->arena, (count + 1) * sizeof *incidents);
	bool ok = true;

	*ret_incidents = incidents;
	*ret_count = 0;
	for (size_t i = 0; i < count; i++)
		append_read(watch, rows[i]->id);
	for (size_t i = 0; i < count; i++) {
		struct redis_reply *row = redis_read(watch->redis, ok ? err : NULL);

		ok = ok && row;
		if (row && decode(watch, row, &incidents[*ret_count]))
			(*ret_count)++;
		reply_free(row);
	}
	return ok;
}

/* ---- what is said of them ---- */

static bool push(const struct watch *watch, const struct incident *incident,
		 const struct closure *closure, struct err *err)
{
	const struct incident_item item = { .op = ITEM_CLOSURE, .closure = *closure };
	const struct closing_item taken = {
		.incident = incident->id,
		.item = incident_item_encode(&item, watch->arena),
	};
	enum closing_take ignored;

	trace_log(incident->trace);
	log_debug("incident %s: %s by %s: %s", incident->id, closure_op_name(closure->op),
		  closure_via_name(closure->via), closure->note ? closure->note : "");
	trace_log(NULL);
	return closing_take(watch->redis, NULL, watch->partition, &taken, &ignored, err);
}

bool watch_hint(const struct watch *watch, const struct incident *incident, enum closure_op op,
		const char *note, struct err *err)
{
	const struct closure closure = {
		.op = op,
		.via = CLOSURE_RECONCILER,
		.incident = incident->id,
		.actor = "reconciler",
		.note = note,
		.received_ms = watch->now_ms,
		.trace = incident->trace,
	};

	return push(watch, incident, &closure, err);
}

bool watch_merged(const struct watch *watch, const struct incident *incident, const char *when,
		  struct err *err)
{
	const struct closure closure = {
		.op = CLOSURE_MERGED,
		.via = CLOSURE_THREAT_RESPONSE,
		.incident = incident->id,
		.note = when,
		.received_ms = watch->now_ms,
	};

	return push(watch, incident, &closure, err);
}

bool watch_order(const struct watch *watch, const struct incident *incident,
		 enum closure_verdict verdict, struct err *err)
{
	const struct closure closure = {
		.op = CLOSURE_VERDICT,
		.via = CLOSURE_THREAT_RESPONSE,
		.incident = incident->id,
		.verdict = verdict,
		.actor = "an analyst in Threat Response",
		.received_ms = watch->now_ms,
		.trace = incident->trace,
	};

	return push(watch, incident, &closure, err);
}
