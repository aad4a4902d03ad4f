/* tocsin replay: what got no ticket, taken through once more. */
#include "base/arena.h"
#include "bus/key.h"
#include "bus/page.h"
#include "forecast.h"
#include "model/raw.h"
#include "replay_pushed.h"
#include "run.h"
#include "sweep_job.h"

/* The fates of a page's events; those that stay as they are have been counted. NULL with err.
 */
static const char **look_at(struct sweep_job *job, const struct events *events,
			    struct arena *arena, struct err *err)
{
	const char **fates = arena_alloc(arena, (events->count + 1) * sizeof *fates);

	if (!sweep_fates(&job->sweep, events, arena, fates, err))
		return NULL;
	for (size_t i = 0; i < events->count; i++) {
		if (!replay_may_change(fates[i]))
			sweep_report_count(&job->report, sweep_fate_kind(fates[i], arena), 1);
	}
	return fates;
}

static bool foretell(const struct sweep_target *target, const struct source_page *page,
		     const struct events *events, struct arena *arena, void *opaque,
		     struct err *err)
{
	struct sweep_job *job = opaque;
	const char **fates = look_at(job, events, arena, err);

	for (size_t i = 0; fates && i < events->count; i++) {
		struct raw raw;
		json_t *row = NULL;

		if (!replay_may_change(fates[i]))
			continue;
		if (sweep_raw(events, i, &raw, err))
			row = forecast_event(job->forecast, target->customer, &raw, NULL, arena,
					     err);
		if (!row)
			return false;
		json_object_set_new(row, "fate", json_string(fates[i]));
		sweep_report_forecast(&job->report, row, page->events[i].time_ms);
	}
	return fates != NULL;
}

static bool take_through(const struct sweep_target *target, const struct source_page *page,
			 const struct events *events, struct arena *arena, void *opaque,
			 struct err *err)
{
	struct sweep_job *job = opaque;
	struct again_item *items = arena_alloc(arena, (events->count + 1) * sizeof *items);
	const char **fates = look_at(job, events, arena, err);
	size_t count = 0, taken;
	struct key raw;

	(void)page;
	key_format(&raw, target->customer->partition, "%s", STREAM_RAW);
	for (size_t i = 0; fates && i < events->count; i++) {
		if (replay_may_change(fates[i]))
			items[count++] = (struct again_item){ events->items[i], fates[i] };
	}
	if (!fates || !page_append_again(job->sweep.redis, &raw, items, count,
					 sweep_fate_ttl(&job->sweep), &taken, err))
		return false;
	sweep_report_count(&job->report, "taken through", taken);
	sweep_report_count(&job->report, "changed meanwhile", count - taken);
	return true;
}

static void render(struct buf *out, const struct screen *screen, const json_t *document)
{
	sweep_report_render(out, screen, document, sweep_columns);
}

int run_replay(struct cli *cli)
{
	bool dry = args_flag(&cli->args, "dry-run") || args_value(&cli->args, "rules");
	struct sweep_job job = { 0 };
	const struct sweep_plan plan = {
		.origin = ORIGIN_REPLAY,
		.writes = !dry,
		.visit = dry ? foretell : take_through,
		.read_pushed = dry ? replay_pushed_dry : replay_pushed_wet,
		.render = render,
	};

	if (!args_value(&cli->args, "since"))
		return cli_failf(cli, EXIT_USAGE, "--since is missing");
	return sweep_job_run(&job, cli, &plan);
}
