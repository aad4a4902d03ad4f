/* tocsin collect: a vendor's window taken in once, or what would come of it. */
#include "base/arena.h"
#include "bus/key.h"
#include "bus/page.h"
#include "forecast.h"
#include "model/raw.h"
#include "run.h"
#include "sweep_job.h"

static bool foretell(const struct sweep_target *target, const struct source_page *page,
		     const struct events *events, struct arena *arena, void *opaque,
		     struct err *err)
{
	struct sweep_job *job = opaque;
	const char **fates = arena_alloc(arena, (events->count + 1) * sizeof *fates);

	if (!sweep_fates(&job->sweep, events, arena, fates, err))
		return false;
	for (size_t i = 0; i < events->count; i++) {
		struct raw raw;
		json_t *row = NULL;

		if (sweep_raw(events, i, &raw, err))
			row = forecast_event(job->forecast, target->customer, &raw, fates[i],
					     arena, err);
		if (!row)
			return false;
		sweep_report_forecast(&job->report, row, page->events[i].time_ms);
	}
	return true;
}

static bool take_in(const struct sweep_target *target, const struct source_page *page,
		    const struct events *events, struct arena *arena, void *opaque,
		    struct err *err)
{
	struct sweep_job *job = opaque;
	size_t added;

	(void)page;
	if (!sweep_append(&job->sweep, target, events->items, events->count, arena, &added,
			  err))
		return false;
	sweep_report_count(&job->report, "taken in", added);
	sweep_report_count(&job->report, "known", events->count - added);
	return true;
}

static void render(struct buf *out, const struct screen *screen, const json_t *document)
{
	sweep_report_render(out, screen, document, sweep_columns);
}

int run_collect(struct cli *cli)
{
	bool dry = args_flag(&cli->args, "dry-run");
	struct sweep_job job = { 0 };
	const struct sweep_plan plan = {
		.origin = ORIGIN_CATCHUP,
		.writes = !dry,
		.visit = dry ? foretell : take_in,
		.render = render,
	};

	if (!args_flag(&cli->args, "once"))
		return cli_failf(cli, EXIT_USAGE,
				 "only --once: polling again and again is tocsin-collector's");
	if (!args_value(&cli->args, "customer"))
		return cli_failf(cli, EXIT_USAGE, "--customer is missing");
	return sweep_job_run(&job, cli, &plan);
}
