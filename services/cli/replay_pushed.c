/* Replay of what was pushed, from the findings that are kept of late. */
#include "replay_pushed.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "bus/entry.h"
#include "bus/key.h"
#include "bus/page.h"
#include "bus/redis.h"
#include "forecast.h"
#include "model/finding.h"
#include "model/policy.h"
#include "sweep_job.h"

enum { PAGE = 64 };

bool replay_may_change(const char *fate)
{
	static const char *const kinds[] = { "suppressed:", "skipped:", "recorded" };

	for (size_t i = 0; fate && i < sizeof kinds / sizeof kinds[0]; i++) {
		if (strncmp(fate, kinds[i], strlen(kinds[i])) == 0)
			return true;
	}
	return false;
}

/* One kept finding of the source in hand. */
struct kept {
	struct sweep_job *job;
	const struct sweep_target *target;
	struct arena *arena;
	json_t *seen; /* event ids: one that was replayed before is kept twice */
	struct finding finding;
	struct key fate_key;
	const char *fate; /* NULL: forgotten */
	bool dry;
};

static bool read_fate(struct kept *kept, struct err *err)
{
	const struct finding *finding = &kept->finding;

	key_fate(&kept->fate_key, kept->target->customer->partition, finding->customer,
		 finding->source, finding->event_id);
	struct redis_reply *reply =
	    redis_command(kept->job->sweep.redis, err, "GET %s", kept->fate_key.text);

	kept->fate = reply_type(reply) == REPLY_TEXT
			 ? arena_strdup(kept->arena, reply_text(reply))
			 : NULL;
	reply_free(reply);
	return reply != NULL;
}

/* Back to the incident service, if nobody has decided about it meanwhile. */
static bool take_through(struct kept *kept, struct err *err)
{
	struct field *fields = arena_alloc(kept->arena, FINDING_FIELDS * sizeof *fields);
	struct again_item item = { .event = { .fate_key = kept->fate_key.text,
					      .fields = fields },
				   .fate = kept->fate };
	struct key findings;
	size_t taken;

	kept->finding.origin = ORIGIN_REPLAY;
	item.event.field_count = finding_encode(&kept->finding, kept->arena, fields);
	key_format(&findings, kept->target->customer->partition, "%s", STREAM_FINDINGS);
	if (!page_append_again(kept->job->sweep.redis, &findings, &item, 1,
			       sweep_fate_ttl(&kept->job->sweep), &taken, err))
		return false;
	sweep_report_count(&kept->job->report, taken ? "taken through" : "changed meanwhile",
			   1);
	return true;
}

static bool decide(struct kept *kept, struct err *err)
{
	struct sweep_report *report = &kept->job->report;
	const struct policy *policy;
	json_t *row;

	if (!read_fate(kept, err))
		return false;
	if (!replay_may_change(kept->fate)) {
		sweep_report_count(report, sweep_fate_kind(kept->fate, kept->arena), 1);
		return true;
	}
	row = forecast_finding(kept->job->forecast, kept->target->customer, &kept->finding,
			       &policy, kept->arena, err);
	if (!row)
		return false;
	if (!kept->dry && !policy->suppress) {
		json_decref(row);
		return take_through(kept, err);
	}
	json_object_set_new(row, "fate", json_string(kept->fate));
	sweep_report_forecast(report, row, kept->finding.time_ms);
	return true;
}

static bool is_ours(struct kept *kept, const struct entry *entry)
{
	if (!finding_decode(&kept->finding, entry->fields, entry->field_count, NULL) ||
	    strcmp(kept->finding.customer, kept->target->customer->id) != 0 ||
	    strcmp(kept->finding.source, kept->target->name) != 0 ||
	    json_object_get(kept->seen, kept->finding.event_id))
		return false;
	json_object_set_new(kept->seen, kept->finding.event_id, json_true());
	return true;
}

/* One page from *from on, which moves behind it. *ret_count: how many entries it had. */
static bool read_page(struct kept *kept, char *from, size_t room, size_t *ret_count,
		      struct err *err)
{
	struct entry entries[PAGE];
	struct key key;
	size_t gone = 0;
	bool ok;

	key_format(&key, kept->target->customer->partition, STREAM_RECENT);
	struct redis_reply *reply = redis_command(
	    kept->job->sweep.redis, err, "XRANGE %s %s + COUNT %d", key.text, from, (int)PAGE);

	ok = reply != NULL;
	*ret_count = entry_decode(reply, kept->arena, entries, PAGE, &gone);
	for (size_t i = 0; ok && i < *ret_count; i++) {
		if (is_ours(kept, &entries[i]))
			ok = decide(kept, err);
	}
	if (*ret_count > 0)
		snprintf(from, room, "(%s", entries[*ret_count - 1].id);
	reply_free(reply);
	return ok;
}

static bool read_kept(struct sweep_job *job, const struct sweep_target *target, bool dry,
		      struct err *err)
{
	struct kept kept = { .job = job, .target = target, .dry = dry, .seen = json_object() };
	char from[64];
	size_t count = PAGE;
	bool ok = true;

	snprintf(from, sizeof from, "%" PRIu64, job->sweep.since_ms);
	while (ok && count == PAGE) {
		kept.arena = arena_new();
		ok = read_page(&kept, from, sizeof from, &count, err);
		arena_free(kept.arena);
	}
	json_decref(kept.seen);
	return ok;
}

bool replay_pushed_dry(struct sweep_job *job, const struct sweep_target *target,
		       struct err *err)
{
	return read_kept(job, target, true, err);
}

bool replay_pushed_wet(struct sweep_job *job, const struct sweep_target *target,
		       struct err *err)
{
	return read_kept(job, target, false, err);
}
