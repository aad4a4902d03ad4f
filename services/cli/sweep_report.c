/* What collect, replay and audit tell. */
#include "sweep_report.h"

#include <inttypes.h>
#include <string.h>

#include "cli.h"
#include "view.h"

bool sweep_report_init(struct sweep_report *ret_report, const struct sweep *sweep,
		       struct err *err)
{
	*ret_report = (struct sweep_report){ 0 };
	if (!args_number(&sweep->cli->args, "limit", 0, SWEEP_LIST_MAX, SWEEP_LIST_DEFAULT,
			 &ret_report->limit, err))
		return false;
	ret_report->document =
	    json_pack("{s:o,s:[]}", "since_ms", view_ms(sweep->since_ms), "sources");
	return true;
}

void sweep_report_source(struct sweep_report *report, const struct sweep_target *target)
{
	report->source = json_pack("{s:s,s:s,s:i,s:{},s:[],s:i,s:n}", "customer",
				   target->customer->id, "source", target->name, "events", 0,
				   "tally", "list", "unlisted", 0, "error");
	report->tally = json_object_get(report->source, "tally");
	report->list = json_object_get(report->source, "list");
	json_array_append_new(json_object_get(report->document, "sources"), report->source);
}

static void add(json_t *object, const char *name, size_t count)
{
	json_int_t before = json_integer_value(json_object_get(object, name));

	json_object_set_new(object, name, json_integer(before + (json_int_t)count));
}

void sweep_report_count(struct sweep_report *report, const char *word, size_t count)
{
	if (count == 0)
		return;
	add(report->tally, word, count);
	add(report->source, "events", count);
}

void sweep_report_list(struct sweep_report *report, json_t *row)
{
	if (json_array_size(report->list) < report->limit) {
		json_array_append_new(report->list, row);
		return;
	}
	add(report->source, "unlisted", 1);
	json_decref(row);
}

void sweep_report_forecast(struct sweep_report *report, json_t *row, uint64_t time_ms)
{
	if (!json_object_get(row, "time_ms"))
		json_object_set_new(row, "time_ms", view_ms(time_ms));
	sweep_report_count(report, json_string_value(json_object_get(row, "outcome")), 1);
	sweep_report_list(report, row);
}

void sweep_report_error(struct sweep_report *report, const struct err *err)
{
	json_object_set_new(report->source, "error", view_text(err->text));
	report->failed = true;
}

uint64_t sweep_report_total(const struct sweep_report *report, const char *word)
{
	const json_t *source;
	uint64_t total = 0;
	size_t i;

	json_array_foreach(json_object_get(report->document, "sources"), i, source)
	{
		const json_t *tally = json_object_get(source, "tally");

		total += (uint64_t)json_integer_value(json_object_get(tally, word));
	}
	return total;
}

/* ---- for people ---- */

static void render_tally(struct buf *out, json_t *tally)
{
	const char *word, *between = ": ";
	json_t *count;

	json_object_foreach(tally, word, count)
	{
		buf_addf(out, "%s%" JSON_INTEGER_FORMAT " %s", between,
			 json_integer_value(count), word);
		between = ", ";
	}
	buf_adds(out, "\n");
}

void sweep_report_render(struct buf *out, const struct screen *screen, const json_t *document,
			 const struct column *columns)
{
	const json_t *source;
	size_t i;

	json_array_foreach(json_object_get(document, "sources"), i, source)
	{
		const json_t *list = json_object_get(source, "list");
		const char *error = json_string_value(json_object_get(source, "error"));
		json_int_t unlisted = json_integer_value(json_object_get(source, "unlisted"));

		buf_addf(out, "%s%s %s: %" JSON_INTEGER_FORMAT " events", i > 0 ? "\n" : "",
			 json_string_value(json_object_get(source, "customer")),
			 json_string_value(json_object_get(source, "source")),
			 json_integer_value(json_object_get(source, "events")));
		render_tally(out, json_object_get(source, "tally"));
		if (error)
			buf_addf(out, "  not read to the end: %s\n", error);
		if (json_array_size(list) > 0)
			table_render(out, screen, columns, list);
		if (unlisted > 0)
			buf_addf(out, "and %" JSON_INTEGER_FORMAT " more: see --limit\n",
				 unlisted);
	}
}
