/* tocsin containment list: which hosts are contained now, since when, for which incident. */
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "bus/containment.h"
#include "bus/redis.h"
#include "cli.h"
#include "containment_view.h"
#include "incident_view.h"
#include "model/customer.h"
#include "run.h"
#include "view.h"

/* ---- the document ---- */

/* The last error of an incident's release, or of its containment. */
static const char *error_of(const json_t *incident)
{
	const json_t *steps = json_object_get(incident, "steps"), *step;
	size_t i;

	json_array_foreach(steps, i, step)
	{
		const char *name = json_string_value(json_object_get(step, "step"));
		const char *status = json_string_value(json_object_get(step, "status"));

		if (name && status && strcmp(status, "failed") == 0 &&
		    (strncmp(name, "release.", 8) == 0 || strncmp(name, "contain.", 8) == 0))
			return json_string_value(json_object_get(step, "note"));
	}
	return NULL;
}

/* What the incident says of the host, for a row. */
static void describe(json_t *row, const json_t *incident)
{
	const json_t *ledger =
	    json_object_get(json_object_get(incident, "containment"), "ledger");
	const char *host =
	    json_string_value(json_object_get(json_array_get(ledger, 0), "host"));
	const char *error = error_of(incident);

	json_object_set_new(row, "host",
			    host ? json_string(host)
				 : json_incref(json_object_get(incident, "host")));
	json_object_set(row, "number", json_object_get(incident, "number"));
	json_object_set(row, "state", json_object_get(incident, "state"));
	if (error)
		json_object_set_new(row, "error", json_string(error));
}

static void add_policy(json_t *row, const struct directory *directory, const char *id,
		       uint64_t since_ms)
{
	const struct customer *customer = directory_customer(directory, id);

	if (!customer)
		return;
	json_object_set_new(row, "mode",
			    json_string(containment_mode_names[customer->containment.mode]));
	json_object_set_new(row, "until_ms",
			    view_ms(since_ms + customer->containment.maximum_time_ms));
}

static void add_once(json_t *list, json_t *text)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		if (json_equal(item, text))
			return;
	}
	json_array_append(list, text);
}

/* One host: who holds it, and what the first of them knows of it. */
static json_t *host_row(struct redis *redis, const struct directory *directory,
			unsigned partition, const struct containment_row *host, struct err *err)
{
	json_t *holders =
	    containment_holders(redis, partition, host->customer, host->what, err);
	json_t *row, *incidents = json_array(), *methods = json_array(), *holder;
	size_t i;

	if (!holders) {
		json_decref(incidents);
		json_decref(methods);
		return NULL;
	}
	row = json_pack("{s:s,s:s,s:o,s:o,s:o}", "customer", host->customer, "machine",
			host->what, "since_ms", view_ms(host->time_ms), "incidents", incidents,
			"methods", methods);
	json_array_foreach(holders, i, holder)
	{
		const char *id = json_string_value(json_object_get(holder, "incident"));
		bool found = false;
		json_t *view = incident_view(redis, partition, id, true, &found, err);

		add_once(incidents, json_object_get(holder, "incident"));
		add_once(methods, json_object_get(holder, "method"));
		if (view && (!json_object_get(row, "state") || error_of(view)))
			describe(row, view);
		json_decref(view);
	}
	json_decref(holders);
	add_policy(row, directory, host->customer, host->time_ms);
	return row;
}

static json_t *approval_row(struct redis *redis, unsigned partition,
			    const struct containment_row *approval, struct err *err)
{
	bool found = false;
	json_t *view = incident_view(redis, partition, approval->what, false, &found, err);
	const json_t *containment = json_object_get(view, "containment");
	json_t *row = json_pack(
	    "{s:s,s:s,s:O*,s:O*,s:O*,s:O*,s:o}", "customer", approval->customer, "incident",
	    approval->what, "host", json_object_get(view, "host"), "number",
	    json_object_get(view, "number"), "asked", json_object_get(containment, "asked"),
	    "asked_ms", json_object_get(containment, "asked_ms"), "expires_ms",
	    view_ms(approval->time_ms));

	json_decref(view);
	return row;
}

struct gather {
	struct redis *redis;
	const struct directory *directory;
	struct arena *arena;
	const char *customer; /* NULL: all */
	json_t *hosts, *approvals, *frozen;
};

static bool wanted(const struct gather *gather, const char *customer)
{
	return !gather->customer || strcmp(gather->customer, customer) == 0;
}

static bool gather_partition(struct gather *gather, unsigned partition, struct err *err)
{
	struct containment_row *rows;
	size_t count;

	if (!containment_list_read(gather->redis, partition, CONTAINMENT_HOSTS, gather->arena,
				   &rows, &count, err))
		return false;
	for (size_t i = 0; i < count; i++) {
		json_t *row =
		    wanted(gather, rows[i].customer)
			? host_row(gather->redis, gather->directory, partition, &rows[i], err)
			: NULL;

		if (row)
			json_array_append_new(gather->hosts, row);
		else if (wanted(gather, rows[i].customer))
			return false;
	}
	if (!containment_list_read(gather->redis, partition, CONTAINMENT_APPROVALS,
				   gather->arena, &rows, &count, err))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (wanted(gather, rows[i].customer))
			json_array_append_new(
			    gather->approvals,
			    approval_row(gather->redis, partition, &rows[i], err));
	}
	return true;
}

/* ---- for people ---- */

static void render(struct buf *out, const struct screen *screen, const json_t *document)
{
	static const struct column hosts[] = {
		{ "HOST", "host", .flexible = true },
		{ "CUSTOMER", "customer" },
		{ "SINCE", "since_ms", CELL_AGE },
		{ "HOW", "methods" },
		{ "INCIDENT", "incidents" },
		{ "TICKET", "number" },
		{ "STATE", "state", CELL_STATE },
		{ "MODE", "mode" },
		{ "ENDS", "until_ms", CELL_AGE },
		{ "ERROR", "error", .flexible = true },
		{ 0 },
	};
	static const struct column approvals[] = {
		{ "HOST", "host", .flexible = true }, { "CUSTOMER", "customer" },
		{ "INCIDENT", "incident" },	      { "TICKET", "number" },
		{ "ASKED", "asked_ms", CELL_AGE },    { "EXPIRES", "expires_ms", CELL_AGE },
		{ "WHY", "asked", .flexible = true }, { 0 },
	};
	static const struct column frozen[] = {
		{ "FROZEN", "what" },
		{ "CUSTOMER", "customer" },
		{ "SINCE", "since_ms", CELL_AGE },
		{ "BY", "who", .flexible = true },
		{ 0 },
	};
	const json_t *list = json_object_get(document, "hosts");

	if (json_array_size(list) > 0)
		table_render(out, screen, hosts, list);
	else
		buf_adds(out, "No host is contained.\n");
	list = json_object_get(document, "approvals");
	if (json_array_size(list) > 0) {
		buf_adds(out, "\nWaiting for approval (tocsin containment approve INCIDENT)\n");
		table_render(out, screen, approvals, list);
	}
	list = json_object_get(document, "frozen");
	if (json_array_size(list) > 0) {
		buf_adds(out, "\n");
		table_render(out, screen, frozen, list);
	}
}

int run_containment_list(struct cli *cli)
{
	struct err err = { 0 };
	struct redis *redis = cli_redis(cli, &err);
	struct directory *directory = redis ? cli_directory(cli, redis, &err) : NULL;
	struct gather gather = {
		.redis = redis,
		.directory = directory,
		.arena = arena_new(),
		.customer = args_value(&cli->args, "customer"),
		.hosts = json_array(),
		.approvals = json_array(),
	};
	bool good = directory != NULL;

	for (unsigned i = 0; good && i < cli->bus.partitions; i++)
		good = gather_partition(&gather, i, &err);
	if (good && json_array_size(gather.hosts) + json_array_size(gather.approvals) == 0)
		good = cli_customer_known(redis, gather.customer, &err);
	gather.frozen = good ? containment_frozen(redis, gather.arena, &err) : NULL;
	directory_free(directory);
	arena_free(gather.arena);
	json_t *document = json_pack("{s:o,s:o,s:o*}", "hosts", gather.hosts, "approvals",
				     gather.approvals, "frozen", gather.frozen);

	if (good && gather.frozen)
		return cli_print(cli, document, render, EXIT_OK);
	json_decref(document);
	return cli_fail(cli, err.kind == ERR_PERMANENT ? EXIT_NOT_FOUND : EXIT_UNREACHABLE,
			&err);
}
