/* tocsin status: one look at everything. */
#include "status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "bus/redis.h"
#include "bus/setup.h"
#include "cli.h"
#include "collectors.h"
#include "incident_search.h"
#include "model/customer.h"
#include "run.h"
#include "text.h"
#include "view.h"

enum { WHY_MAX = 20 };

void verdict_add(struct verdict *verdict, enum health health, const char *fmt, ...)
{
	char line[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof line, fmt, args);
	va_end(args);
	if (health > verdict->health)
		verdict->health = health;
	json_t *text = view_text(line);
	/* The worst is told first. */
	if (health == HEALTH_BROKEN)
		json_array_insert_new(verdict->why, 0, text);
	else
		json_array_append_new(verdict->why, text);
}

/* ---- for people ---- */

static void render_overall(struct buf *out, const struct screen *screen, const json_t *document)
{
	static const struct column column[] = { { "Tocsin", "health", CELL_STATE }, { 0 } };
	const json_t *why = json_object_get(document, "why"), *line;
	size_t i;

	record_render(out, screen, column, document);
	json_array_foreach(why, i, line)
	{
		if (i == WHY_MAX) {
			buf_addf(out, "  and %zu more\n", json_array_size(why) - i);
			break;
		}
		buf_adds(out, "  ");
		text_clean(out, json_string_value(line));
		buf_adds(out, "\n");
	}
}

static void render_queues(struct buf *out, const struct screen *screen, const json_t *document)
{
	static const struct column streams[] = {
		{ "STREAM", "stream" },
		{ "PARTITION", "partition", CELL_NUMBER },
		{ "LENGTH", "length", CELL_NUMBER },
		{ "PENDING", "pending", CELL_NUMBER },
		{ "OLDEST", "oldest_ms", CELL_AGE },
		{ 0 },
	};
	static const struct column reasons[] = {
		{ "PUT OFF", "count", CELL_NUMBER },
		{ "NEXT", "next_ms", CELL_AGE },
		{ "WHY", "reason", .flexible = true },
		{ 0 },
	};
	static const struct column dead[] = {
		{ "Incidents opening", "incidents.opening" },
		{ "Incidents open", "incidents.open" },
		{ "Incidents failed", "incidents.failed" },
		{ "Incidents in shadow", "incidents.shadow" },
		{ "Put off", "deferred.count" },
		{ "Dead", "dead.count" },
		{ "Oldest dead", "dead.oldest_ms", CELL_AGE },
		{ 0 },
	};
	const json_t *deferred = json_object_get(document, "deferred");

	buf_adds(out, "\n");
	table_render(out, screen, streams, json_object_get(document, "streams"));
	buf_adds(out, "\n");
	record_render(out, screen, dead, document);
	if (json_array_size(json_object_get(deferred, "reasons")) > 0) {
		buf_adds(out, "\n");
		table_render(out, screen, reasons, json_object_get(deferred, "reasons"));
	}
}

/* Accounts are shown only while something is the matter with them. */
static void render_accounts(struct buf *out, const struct screen *screen,
			    const json_t *document)
{
	static const struct column columns[] = {
		{ "ACCOUNT", "id" },
		{ "STATE", "state", CELL_STATE },
		{ "SINCE", "parked_ms", CELL_AGE },
		{ "NEXT TRY", "next_ms", CELL_AGE },
		{ "WHY", "reason", .flexible = true },
		{ 0 },
	};
	json_t *trouble = json_array(), *row;
	size_t i;

	json_array_foreach(json_object_get(document, "accounts"), i, row)
	{
		if (strcmp(json_string_value(json_object_get(row, "state")), "ok") != 0)
			json_array_append(trouble, row);
	}
	if (json_array_size(trouble) > 0) {
		buf_adds(out, "\n");
		table_render(out, screen, columns, trouble);
	}
	json_decref(trouble);
}

static void render_collectors(struct buf *out, const struct screen *screen,
			      const json_t *document)
{
	static const struct column columns[] = {
		{ "COLLECTOR", "collector" },
		{ "SOURCES", "sources", CELL_NUMBER },
		{ "PINNED TO CUSTOMERS", "customers", .flexible = true },
		{ "PINNED TO LABEL", "label" },
		{ 0 },
	};
	const json_t *rows = json_object_get(document, "collectors");

	if (json_array_size(rows) == 0)
		return;
	buf_adds(out, "\n");
	table_render(out, screen, columns, rows);
}

static void render(struct buf *out, const struct screen *screen, const json_t *document)
{
	static const struct column sources[] = {
		{ "CUSTOMER", "customer" },
		{ "SOURCE", "source" },
		{ "MODE", "mode", CELL_STATE },
		{ "STATE", "state", CELL_STATE },
		{ "LAST POLL", "last_poll_ms", CELL_AGE },
		{ "NEXT", "next_ms", CELL_AGE },
		{ "EVENTS", "events", CELL_NUMBER },
		{ "LATENESS", "lateness_p99_ms", CELL_SPAN },
		{ "LATEST", "lateness_max_ms", CELL_SPAN },
		{ "LOOK-BACK", "look_back_ms", CELL_SPAN },
		{ "LAST ERROR", "last_error", .flexible = true },
		{ 0 },
	};

	render_overall(out, screen, document);
	render_queues(out, screen, document);
	render_accounts(out, screen, document);
	render_collectors(out, screen, document);
	buf_adds(out, "\n");
	if (json_array_size(json_object_get(document, "sources")) > 0)
		table_render(out, screen, sources, json_object_get(document, "sources"));
	else
		buf_adds(out, "No customer is polled yet.\n");
}

/* ---- gathering ---- */

static void check_setup(struct redis *redis, unsigned partitions, struct verdict *verdict)
{
	for (unsigned partition = 0; partition < partitions; partition++) {
		struct err err = { 0 };

		if (setup_check(redis, partition, NULL, &err))
			continue;
		verdict_add(verdict, HEALTH_BROKEN, "%s: run tocsin setup", err.text);
		return;
	}
}

/* Puts part under name; false when there is none. */
static bool put(json_t *document, const char *name, json_t *part)
{
	return part && json_object_set_new(document, name, part) == 0;
}

static json_t *count_incidents(struct redis *redis, unsigned partitions,
			       struct verdict *verdict, struct err *err)
{
	static const char *const bad[] = { "failed", "held" };
	json_t *tally = incident_tally(redis, partitions, err);

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		json_int_t count = json_integer_value(json_object_get(tally, bad[i]));
		if (count > 0)
			verdict_add(verdict, HEALTH_BROKEN,
				    "%lld %s incident%s: see tocsin incident list --state %s",
				    (long long)count, bad[i], count == 1 ? "" : "s", bad[i]);
	}
	return tally;
}

static bool gather_sources(struct redis *redis, const struct directory *directory,
			   json_t *document, struct verdict *verdict, struct err *err)
{
	struct collectors collectors;
	bool fine = put(document, "sources", status_sources(redis, directory, verdict, err)) &&
		    collectors_read(&collectors, redis, err);

	if (!fine)
		return false;
	fine = put(document, "collectors",
		   status_collectors(&collectors, directory,
				     json_object_get(document, "sources"), verdict));
	collectors_done(&collectors);
	return fine;
}

static bool gather(struct cli *cli, struct redis *redis, const struct directory *directory,
		   json_t *document, struct verdict *verdict, struct err *err)
{
	unsigned partitions = cli->bus.partitions;

	check_setup(redis, partitions, verdict);
	/* Without streams there is nothing to count. */
	if (verdict->health == HEALTH_BROKEN)
		return put(document, "redis", json_object()) &&
		       put(document, "streams", json_array()) &&
		       put(document, "deferred",
			   json_pack("{s:i,s:[]}", "count", 0, "reasons")) &&
		       put(document, "dead", json_pack("{s:i}", "count", 0)) &&
		       put(document, "incidents", json_object()) &&
		       put(document, "accounts", json_array()) &&
		       put(document, "collectors", json_array()) &&
		       put(document, "sources", json_array());
	return put(document, "redis", status_redis(redis, verdict, err)) &&
	       put(document, "streams", status_streams(redis, partitions, verdict, err)) &&
	       put(document, "deferred", status_deferred(redis, partitions, err)) &&
	       put(document, "dead", status_dead(redis, partitions, verdict, err)) &&
	       put(document, "incidents", count_incidents(redis, partitions, verdict, err)) &&
	       put(document, "accounts", status_accounts(redis, directory, verdict, err)) &&
	       gather_sources(redis, directory, document, verdict, err);
}

int run_status(struct cli *cli)
{
	static const char *const names[] = {
		[HEALTH_OK] = "ok", [HEALTH_BEHIND] = "behind", [HEALTH_BROKEN] = "broken"
	};
	struct err err = { 0 };
	struct redis *redis = cli_redis(cli, &err);
	struct directory *directory = redis ? cli_directory(cli, redis, &err) : NULL;
	struct verdict verdict = { .why = json_array(), .now_ms = cli->screen.now_ms };
	json_t *document = json_object();

	if (!directory || !gather(cli, redis, directory, document, &verdict, &err)) {
		directory_free(directory);
		json_decref(document);
		json_decref(verdict.why);
		return cli_fail(cli, EXIT_UNREACHABLE, &err);
	}
	directory_free(directory);
	json_object_set_new(document, "health", json_string(names[verdict.health]));
	json_object_set_new(document, "why", verdict.why);
	return cli_print(cli, document, render,
			 verdict.health == HEALTH_BROKEN ? EXIT_UNHEALTHY : EXIT_OK);
}
