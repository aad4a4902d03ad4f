/* tocsin incident list, incident show. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "cli.h"
#include "incident_search.h"
#include "incident_view.h"
#include "model/incident.h"
#include "run.h"
#include "text.h"

enum { LIST_MAX = 10000 };

static void render_list(struct buf *out, const struct screen *screen, const json_t *document)
{
	static const struct column columns[] = {
		{ "ID", "id" },
		{ "STATE", "state", CELL_STATE },
		{ "CUSTOMER", "customer" },
		{ "SEVERITY", "severity" },
		{ "TICKET", "number" },
		{ "OPENED", "opened_ms", CELL_AGE },
		{ "FINDINGS", "findings", CELL_NUMBER },
		{ "HOST", "host", .flexible = true },
		{ "TITLE", "title", .flexible = true },
		{ 0 },
	};
	const json_t *list = json_object_get(document, "incidents");
	json_int_t total = json_integer_value(json_object_get(document, "count"));

	if (json_array_size(list) == 0) {
		buf_adds(out, "No incidents.\n");
		return;
	}
	table_render(out, screen, columns, list);
	if ((json_int_t)json_array_size(list) < total)
		buf_addf(out, "%lld in all: --limit shows more.\n", (long long)total);
}

static bool is_state(const char *state)
{
	for (enum incident_state s = INCIDENT_OPENING; s <= INCIDENT_FAILED; s++) {
		if (strcmp(state, incident_state_name(s)) == 0)
			return true;
	}
	return strcmp(state, "shadow") == 0;
}

int run_incident_list(struct cli *cli)
{
	struct err err = { 0 };
	struct incident_filter filter = { .customer = args_value(&cli->args, "customer"),
					  .state = args_value(&cli->args, "state"),
					  .host = args_value(&cli->args, "host") };
	uint64_t limit;
	size_t total;

	if (!args_number(&cli->args, "limit", 1, LIST_MAX, 50, &limit, &err))
		return cli_fail(cli, EXIT_USAGE, &err);
	if (filter.state && !is_state(filter.state))
		return cli_failf(cli, EXIT_USAGE,
				 "--state %s: must be opening, open, closing, closed, held, "
				 "failed or shadow",
				 filter.state);
	filter.limit = (size_t)limit;
	struct redis *redis = cli_redis(cli, &err);
	json_t *list =
	    redis ? incident_search(redis, cli->bus.partitions, &filter, &total, &err) : NULL;
	/* One that was removed may still have some. */
	if (list && total == 0 && !cli_customer_known(redis, filter.customer, &err)) {
		json_decref(list);
		list = NULL;
	}
	if (!list)
		return cli_fail(
		    cli, err.kind == ERR_PERMANENT ? EXIT_NOT_FOUND : EXIT_UNREACHABLE, &err);
	return cli_print(cli,
			 json_pack("{s:I,s:o}", "count", (json_int_t)total, "incidents", list),
			 render_list, EXIT_OK);
}

/* ---- show ---- */

static void render_timeline(struct buf *out, const json_t *lines)
{
	const json_t *line;
	size_t i;

	buf_adds(out, "\nTimeline\n");
	json_array_foreach(lines, i, line)
	{
		buf_adds(out, "  ");
		text_clean(out, json_is_string(line) ? json_string_value(line) : "?");
		buf_adds(out, "\n");
	}
}

/* Almost no incident ever needs these, and no closing is worth telling before it begins. */
static bool is_idle(const json_t *step)
{
	const char *name = json_string_value(json_object_get(step, "step"));

	return strcmp(json_string_value(json_object_get(step, "status")), "new") == 0 &&
	       (strcmp(name, "servicenow.cancel") == 0 ||
		strcmp(name, "servicenow.note") == 0 ||
		strcmp(json_string_value(json_object_get(step, "phase")), "opening") != 0);
}

static void render_findings(struct buf *out, const struct screen *screen, const json_t *list)
{
	static const struct column columns[] = {
		{ "FINDING", "time_ms", CELL_TIME },
		{ "EVENT", "event_id" },
		{ "TITLE", "title", .flexible = true },
		{ 0 },
	};

	if (json_array_size(list) == 0)
		return;
	buf_adds(out, "\n");
	table_render(out, screen, columns, list);
}

static void render_show(struct buf *out, const struct screen *screen, const json_t *document)
{
	static const struct column columns[] = {
		{ "Incident", "id" },
		{ "Title", "title" },
		{ "State", "state", CELL_STATE },
		{ "Why", "reason" },
		{ "Closed by", "closed_by" },
		{ "Verdict", "verdict" },
		{ "Their words", "closing_note" },
		{ "Shadow", "shadow" },
		{ "Customer", "customer" },
		{ "Host", "host" },
		{ "Severity", "severity" },
		{ "Findings", "findings" },
		{ "Event", "event_ms", CELL_TIME },
		{ "First seen", "observed_ms", CELL_TIME },
		{ "Opened", "opened_ms", CELL_TIME },
		{ "Changed", "changed_ms", CELL_AGE },
		{ "Previous", "previous" },
		{ 0 },
	};
	static const struct column links[] = {
		{ "Ticket", "number" },
		{ "Ticket page", "ticket_url" },
		{ "Ticket known", "ticket_ms", CELL_TIME },
		{ "Threat Response", "ctim_id" },
		{ "Notes", "notes" },
		{ "Findings waiting", "notes_waiting" },
		{ "Next wake-up", "wake_ms", CELL_AGE },
		{ 0 },
	};
	const json_t *steps = json_object_get(document, "steps"), *step;
	size_t i;

	record_render(out, screen, columns, document);
	buf_adds(out, "\n");
	record_render(out, screen, links, document);
	buf_adds(out, "\nSteps\n");
	json_array_foreach(steps, i, step)
	{
		if (is_idle(step))
			continue;
		char *words = incident_step_words(step, screen->now_ms);
		buf_adds(out, "  ");
		text_clean(out, words);
		buf_adds(out, "\n");
		free(words);
	}
	render_timeline(out, json_object_get(document, "timeline"));
	render_findings(out, screen, json_object_get(document, "entries"));
}

int run_incident_show(struct cli *cli)
{
	const char *wanted = args_operand(&cli->args, 0);
	struct err err = { 0 };
	struct redis *redis = cli_redis(cli, &err);
	json_t *view = NULL;

	if (redis)
		view = incident_find(redis, cli->bus.partitions, wanted, &err);
	if (view)
		return cli_print(cli, view, render_show, EXIT_OK);
	if (err.kind != ERR_NONE)
		return cli_fail(cli, err.kind == ERR_PERMANENT ? EXIT_FAILED : EXIT_UNREACHABLE,
				&err);
	return cli_failf(cli, EXIT_NOT_FOUND,
			 "there is no incident %s: closed ones are kept for a while only, see "
			 "tocsin incident list",
			 wanted);
}
