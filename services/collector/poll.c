/*
 * One poll: read the cursor, read every page the vendor has from there, make each page durable
 * before the next is asked for, move the cursor last.
 */
#include "poll.h"

#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/backoff.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/trace.h"
#include "bus/key.h"
#include "bus/page.h"
#include "bus/redis.h"
#include "metrics.h"
#include "model/customer.h"
#include "source/cursor.h"
#include "source/events.h"
#include "source/source.h"

enum {
	PAGES_MAX = 20000,    /* ten million events: a vendor that never ends is broken */
	EMPTY_PAGES_MAX = 10, /* in a row, each naming a next one */
	RESUME_TRIES = 20,
	WAIT_MIN_MS = 1000,
};

/* One call of poll_source(). */
struct run {
	const struct poll *poll;
	struct poll_result *result;
	struct arena *arena;	  /* of the whole poll */
	struct arena *page_arena; /* of one page */
	struct key cursor_key;
	struct key raw_key;
	struct cursor cursor;
	struct vendor_session session;
	struct source_task task;
	struct buf token; /* of the page to be read next; empty: the first */
	const char *settings_print;
	uint64_t started_ms;   /* wall */
	uint64_t look_back_ms; /* of this poll */
	uint64_t newest_ms;
	uint64_t server_ms;
	size_t empty_pages;
	bool steady; /* polled shortly before: lateness of events is the vendor's, not ours */
};

const char *poll_outcome_name(enum poll_outcome outcome)
{
	static const char *const names[] = { "ok",   "failed", "refused", "stale",
					     "full", "redis",  "stopped" };

	return names[outcome];
}

/* A page token is only good for the query it came from. */
static const char *fingerprint(const struct run *run)
{
	const struct customer_source *settings = run->poll->settings;
	const struct account *account = run->poll->account;
	uint64_t hash = hash_add(HASH_START, account->id, strlen(account->id) + 1);

	if (account->url)
		hash = hash_add(hash, account->url, strlen(account->url) + 1);
	if (account->org_id)
		hash = hash_add(hash, account->org_id, strlen(account->org_id) + 1);
	if (account->client_id)
		hash = hash_add(hash, account->client_id, strlen(account->client_id) + 1);
	hash = hash_add(hash, &settings->default_types, sizeof(settings->default_types));
	hash = hash_add(hash, &settings->verdict, sizeof(settings->verdict));
	hash = hash_add(hash, &settings->retrospective, sizeof(settings->retrospective));
	hash = hash_add(hash, settings->event_types,
			settings->event_type_count * sizeof(*settings->event_types));
	return arena_printf(run->arena, "%016" PRIx64, hash);
}

/* From time to time as far back as allowed: what comes later than anything before is found, and
 * measured. */
static bool is_wide_due(const struct run *run)
{
	const struct poll *poll = run->poll;

	return poll->wide_interval_ms && run->cursor.wide_ms &&
	       run->started_ms >= run->cursor.wide_ms + poll->wide_interval_ms;
}

static void aim_anew(struct run *run)
{
	const struct customer_source *settings = run->poll->settings;
	struct cursor *cursor = &run->cursor;
	uint64_t most_ms = run->poll->look_back_max_ms;

	run->look_back_ms = cursor_look_back_ms(cursor, settings->look_back_ms, most_ms);
	cursor->look_back_ms = run->look_back_ms;
	if (is_wide_due(run) && most_ms > run->look_back_ms)
		run->look_back_ms = most_ms;
	run->task.start_ms = cursor_start_ms(cursor, run->started_ms, run->look_back_ms,
					     settings->first_look_back_ms);
	if (!cursor->high_water_ms)
		cursor->read_from_ms = run->task.start_ms;
}

/* Where to start: where a poll that broke off stopped, or the look-back behind the mark. */
static void aim(struct run *run)
{
	const struct customer_source *settings = run->poll->settings;
	struct cursor *cursor = &run->cursor;

	run->settings_print = fingerprint(run);
	run->steady = cursor->last_ok_ms && run->started_ms < cursor->last_ok_ms +
								  2 * settings->interval_ms +
								  settings->look_back_ms;
	if (*cursor->resume && strcmp(cursor->resume_for, run->settings_print) == 0) {
		buf_adds(&run->token, cursor->resume);
		run->task.start_ms = cursor->resume_start_ms;
		run->look_back_ms = cursor->high_water_ms > cursor->resume_start_ms
					? cursor->high_water_ms - cursor->resume_start_ms
					: settings->look_back_ms;
		run->newest_ms = cursor->resume_newest_ms;
		run->server_ms = cursor->resume_server_ms;
		run->steady = false;
		run->result->behind = true;
		return;
	}
	aim_anew(run);
}

/* What Redis's refusal means for a poll. */
static enum poll_outcome outcome_of_redis(const struct redis *redis)
{
	switch (redis_error(redis)) {
	case REDIS_STALE:
		return POLL_STALE;
	case REDIS_FULL:
	case REDIS_OOM:
		return POLL_FULL;
	default:
		return POLL_REDIS;
	}
}

/* A fate must outlive the time in which its event can be read again. */
static uint64_t fate_ttl(const struct run *run)
{
	const struct customer_source *settings = run->poll->settings;
	uint64_t back = settings->look_back_ms > settings->first_look_back_ms
			    ? settings->look_back_ms
			    : settings->first_look_back_ms;

	if (back < run->poll->look_back_max_ms)
		back = run->poll->look_back_max_ms;

	uint64_t least = back + 2 * (uint64_t)CURSOR_QUIET_MS;

	return least > run->poll->fate_ttl_ms ? least : run->poll->fate_ttl_ms;
}

/* Each new event begins a trace. */
static void tell(const struct events *events)
{
	for (size_t i = 0; i < events->count; i++) {
		const struct page_event *event = &events->items[i];

		if (!events->fresh[i])
			continue;
		trace_log(field_find(event->fields, event->field_count, "trace")->value);
		log_debug("event %s is queued",
			  field_find(event->fields, event->field_count, "event_id")->value);
	}
	trace_log(NULL);
}

/* Appends events; when last, sets the cursor in the same step as the final chunk. */
static bool commit(struct run *run, const struct events *events, bool last)
{
	struct field fields[CURSOR_FIELDS];
	struct cursor cursor = run->cursor;

	lateness_add(&cursor.lateness, run->poll->lateness, run->started_ms);

	const struct page page = {
		.events = events->items,
		.event_count = events->count,
		.last = last,
		.cursor = fields,
		.cursor_count = last ? cursor_encode(&cursor, run->page_arena, fields) : 0,
		.fresh_counter = CURSOR_COUNTER,
		.ret_fresh = events->fresh,
		.fate_ttl_ms = fate_ttl(run),
	};
	struct page_result added = { 0 };

	if (!page_commit(run->poll->redis, run->poll->lease, &run->cursor_key, &run->raw_key,
			 &page, &added, &run->result->err)) {
		run->result->outcome = outcome_of_redis(run->poll->redis);
		return false;
	}
	if (last) {
		run->cursor.lateness = cursor.lateness;
		*run->poll->lateness = (struct lateness){ 0 };
	}
	tell(events);
	run->result->fresh += added.fresh;
	run->result->duplicate += added.duplicate;
	return true;
}

static uint64_t retry_wait(const struct run *run, uint64_t retry_after_ms)
{
	const struct poll *poll = run->poll;
	unsigned attempt = run->cursor.failures < 20 ? (unsigned)run->cursor.failures : 20;
	uint64_t wait = backoff_ms(poll->retry_base_ms, poll->retry_cap_ms,
				   attempt > 0 ? attempt - 1 : 0, retry_after_ms);

	return wait > WAIT_MIN_MS ? wait : WAIT_MIN_MS;
}

/* Writes down that and why the poll ended early; what cannot be written now is said by the log
 * and tried again with the next poll. */
static void record_break(struct run *run)
{
	struct poll_result *result = run->result;
	struct cursor *cursor = &run->cursor;
	const struct events none = { 0 };
	const struct err why = result->err;
	enum poll_outcome outcome = result->outcome;
	uint64_t now = clock_wall_ms();

	cursor->next_due_ms = result->wait_ms ? now + result->wait_ms : 0;
	cursor->last_error_ms = now;
	cursor->last_error = arena_strdup(run->arena, why.text);
	if (result->pages > 0 && run->token.size > 0 && run->token.size <= SOURCE_TOKEN_MAX) {
		cursor->resume = buf_text(&run->token);
		cursor->resume_for = run->settings_print;
		cursor->resume_start_ms = run->task.start_ms;
		cursor->resume_newest_ms = run->newest_ms;
		cursor->resume_server_ms = run->server_ms;
	} else if (outcome == POLL_FAILED &&
		   (why.kind == ERR_PERMANENT || cursor->failures % RESUME_TRIES == 0)) {
		/* Perhaps it is the token that the vendor does not understand, or chokes on. */
		cursor->resume = "";
	}
	arena_reset(run->page_arena);
	if (!commit(run, &none, true)) {
		if (result->outcome != POLL_STALE)
			log_debug("cannot record a failed poll: %s", result->err.text);
		if (result->outcome == POLL_REDIS)
			result->outcome = outcome;
	}
	result->err = why;
}

static void refused(struct run *run)
{
	struct poll_result *result = run->result;
	uint64_t wait = run->session.wait_ms;
	bool brief = run->session.refusal == VENDOR_SHARE ||
		     run->session.refusal == VENDOR_SLOTS ||
		     run->session.refusal == VENDOR_LATE;

	result->outcome = POLL_REFUSED;
	result->refusal = run->session.refusal;
	if (wait > run->poll->retry_cap_ms)
		wait = run->poll->retry_cap_ms; /* an operator may resume it before that */
	result->wait_ms = wait > WAIT_MIN_MS ? wait : backoff_random(WAIT_MIN_MS, 5000);
	if (!brief || result->pages > 0)
		record_break(run);
}

static void failed(struct run *run)
{
	struct poll_result *result = run->result;

	if (result->err.kind == ERR_STOPPING) {
		result->outcome = POLL_STOPPED;
		if (result->pages > 0)
			record_break(run);
		return;
	}
	if (run->session.refusal != VENDOR_ATTEMPTED) {
		refused(run);
		return;
	}
	run->cursor.failures++;
	result->outcome = POLL_FAILED;
	result->wait_ms = retry_wait(run, result->err.retry_after_ms);
	record_break(run);
}

static void note_lateness(struct run *run, const struct source_page *page,
			  const struct events *events)
{
	const struct customer_source *settings = run->poll->settings;

	for (size_t i = 0; run->steady && i < page->count; i++) {
		uint64_t time = page->events[i].time_ms;

		if (!events->fresh[i] || time == 0)
			continue;

		uint64_t late = events->observed_ms > time ? events->observed_ms - time : 0;

		lateness_note(run->poll->lateness, late);
		metric_observe(&metric_event_lateness, (double)late / 1000, settings->name);
		if (late > run->cursor.look_back_ms + settings->interval_ms)
			metric_add(&metric_events_late, 1, settings->name);
	}
}

/* The cursor of a poll that read everything. */
static void succeed(struct run *run)
{
	struct cursor *cursor = &run->cursor;

	if (!cursor->wide_ms || run->look_back_ms >= run->poll->look_back_max_ms)
		cursor->wide_ms = run->started_ms;
	cursor->high_water_ms = cursor_advance(run->task.start_ms, run->look_back_ms,
					       run->newest_ms, run->server_ms);
	cursor->last_ok_ms = run->started_ms;
	cursor->failures = 0;
	cursor->next_due_ms = 0;
	cursor->resume = "";
	cursor->resume_for = "";
	cursor->resume_start_ms = 0;
	cursor->resume_newest_ms = 0;
	cursor->resume_server_ms = 0;
}

static void look_at(struct run *run, const struct source_page *page)
{
	for (size_t i = 0; i < page->count; i++) {
		if (page->events[i].time_ms > run->newest_ms)
			run->newest_ms = page->events[i].time_ms;
	}
	if (!run->server_ms)
		run->server_ms = page->server_ms ? page->server_ms : run->started_ms;
	run->empty_pages = page->count > 0 ? 0 : run->empty_pages + 1;
}

/* Reads and stores one page. False when the poll is over, well or not. */
static bool turn_page(struct run *run)
{
	const struct poll *poll = run->poll;
	struct poll_result *result = run->result;
	struct source_page page = { 0 };
	struct events events = { 0 };

	arena_reset(run->page_arena);
	if (poll->page_deadline_ms)
		run->session.deadline_ms = clock_mono_ms() + poll->page_deadline_ms;
	if (!poll->driver->page(&run->task, run->token.size > 0 ? run->token.data : NULL,
				run->page_arena, &page, &result->err)) {
		failed(run);
		return false;
	}
	look_at(run, &page);
	events_build(&events, poll->customer, poll->settings, &page,
		     run->cursor.high_water_ms ? ORIGIN_POLL : ORIGIN_FIRST, run->page_arena);
	if (!page.next)
		succeed(run);
	if (!commit(run, &events, !page.next))
		return false;
	result->pages++;
	note_lateness(run, &page, &events);
	if (!page.next)
		return false;
	buf_reset(&run->token);
	buf_adds(&run->token, page.next);
	if (result->pages >= PAGES_MAX || run->empty_pages >= EMPTY_PAGES_MAX ||
	    !buf_ok(&run->token)) {
		err_fill(&result->err, ERR_TRANSIENT,
			 "the vendor's pages do not end (%zu read, %zu empty ones last)",
			 result->pages, run->empty_pages);
		buf_reset(&run->token);
		failed(run);
		return false;
	}
	return true;
}

static void run_pages(struct run *run)
{
	const struct poll *poll = run->poll;
	struct poll_result *result = run->result;

	if (!cursor_load(poll->redis, &run->cursor_key, run->arena, &run->cursor,
			 &result->err)) {
		result->outcome = outcome_of_redis(poll->redis);
		return;
	}
	run->cursor.polls++;
	run->cursor.last_poll_ms = run->started_ms;
	aim(run);
	do {
		if (poll->go_on && !poll->go_on(poll->opaque)) {
			err_fill(&result->err, ERR_STOPPING, "stopping");
			failed(run);
			break;
		}
	} while (turn_page(run));
	result->failures = run->cursor.failures;
}

void poll_source(const struct poll *poll, struct poll_result *ret_result)
{
	struct run run = {
		.poll = poll,
		.result = ret_result,
		.arena = arena_new(),
		.page_arena = arena_new(),
		.session = { .vendor = poll->vendor,
			     .redis = poll->redis,
			     .account = poll->account,
			     .class = VENDOR_POLLING },
		.started_ms = clock_wall_ms(),
	};

	*ret_result = (struct poll_result){ .outcome = POLL_OK };
	run.task = (struct source_task){ .settings = poll->settings, .session = &run.session };
	buf_init(&run.token, SOURCE_TOKEN_MAX);
	cursor_key(&run.cursor_key, poll->customer, poll->settings);
	key_format(&run.raw_key, poll->customer->partition, "%s", STREAM_RAW);
	run_pages(&run);
	buf_done(&run.token);
	arena_free(run.page_arena);
	arena_free(run.arena);
}
