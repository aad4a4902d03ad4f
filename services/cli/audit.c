/* tocsin audit: every event of a vendor's window has a fate, or is told. */
#include "base/arena.h"
#include "bus/key.h"
#include "bus/page.h"
#include "forecast.h"
#include "model/raw.h"
#include "run.h"
#include "source/cursor.h"
#include "sweep_job.h"
#include "view.h"

static const char word_missing[] = "missing";

struct audit {
	struct sweep_job job; /* first: what visit gets is a pointer to it */
	struct cursor cursor; /* of the source in hand */
	bool repair;
};

static bool begin(struct sweep_job *job, const struct sweep_target *target, struct err *err)
{
	struct audit *audit = (struct audit *)job;
	struct arena *arena = arena_new();
	struct key key;

	cursor_key(&key, target->customer, target->settings);
	bool ok = cursor_load(job->sweep.redis, &key, arena, &audit->cursor, err);

	arena_free(arena); /* of the cursor's texts none is needed */
	return ok;
}

/* Why an event may be without a fate although nothing is wrong; NULL: it is missing. */
static const char *excuse(const struct audit *audit, const struct sweep_target *target,
			  uint64_t time_ms)
{
	const struct sweep *sweep = &audit->job.sweep;

	if (time_ms == 0)
		return NULL;
	if (time_ms + sweep->cli->bus.fate_ttl_ms < sweep->now_ms)
		return "older than kept";
	if (audit->cursor.read_from_ms && time_ms < audit->cursor.read_from_ms)
		return "before the first poll";
	/* Times are of whole seconds, and a vendor shows an event some time after it. */
	if (time_ms + target->settings->interval_ms > audit->cursor.last_ok_ms)
		return "not polled yet";
	return NULL;
}

static bool list(struct audit *audit, const struct source_event *event,
		 const struct events *events, size_t index, const char *state,
		 struct arena *arena, struct err *err)
{
	struct raw raw;

	if (!sweep_raw(events, index, &raw, err))
		return false;
	sweep_report_list(&audit->job.report,
			  json_pack("{s:o,s:o,s:o,s:s}", "event_id", view_text(raw.event_id),
				    "time_ms", view_ms(event->time_ms), "type",
				    view_text(forecast_type(audit->job.forecast, &raw, arena)),
				    "state", state));
	return true;
}

static bool visit(const struct sweep_target *target, const struct source_page *page,
		  const struct events *events, struct arena *arena, void *opaque,
		  struct err *err)
{
	struct audit *audit = opaque;
	struct sweep_job *job = opaque;
	const char **fates = arena_alloc(arena, (events->count + 1) * sizeof *fates);
	struct page_event *lost = arena_alloc(arena, (events->count + 1) * sizeof *lost);
	size_t count = 0, added = 0;

	if (!sweep_fates(&job->sweep, events, arena, fates, err))
		return false;
	for (size_t i = 0; i < events->count; i++) {
		const struct source_event *event = &page->events[i];
		const char *word = fates[i] ? sweep_fate_kind(fates[i], arena)
					    : excuse(audit, target, event->time_ms);

		if (word) {
			sweep_report_count(&job->report, word, 1);
			continue;
		}
		lost[count++] = events->items[i];
		if (!list(audit, event, events, i, audit->repair ? "taken in" : word_missing,
			  arena, err))
			return false;
	}
	if (audit->repair &&
	    !sweep_append(&job->sweep, target, lost, count, arena, &added, err))
		return false;
	sweep_report_count(&job->report, "repaired", added);
	sweep_report_count(&job->report, audit->repair ? "arrived meanwhile" : word_missing,
			   count - added);
	return true;
}

static void render(struct buf *out, const struct screen *screen, const json_t *document)
{
	static const struct column columns[] = {
		{ "TIME", "time_ms", CELL_TIME },
		{ "EVENT", "event_id" },
		{ "STATE", "state", CELL_STATE },
		{ "TYPE", "type", .flexible = true },
		{ 0 },
	};

	sweep_report_render(out, screen, document, columns);
	buf_adds(out, json_is_true(json_object_get(document, "ok"))
			  ? "Every event has a fate.\n"
			  : "Not every event has a fate, or could be asked for: see above; "
			    "--repair takes in what is missing.\n");
}

int run_audit(struct cli *cli)
{
	struct audit audit = { .repair = args_flag(&cli->args, "repair") };
	const struct sweep_plan plan = {
		.origin = ORIGIN_REPAIR,
		.writes = audit.repair,
		.visit = visit,
		.begin = begin,
		.render = render,
		.bad = word_missing,
	};

	return sweep_job_run(&audit.job, cli, &plan);
}
