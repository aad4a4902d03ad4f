/* Threads that make many requests durable at once. */
#include "committer.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/trace.h"
#include "bus/redis.h"
#include "bus/setup.h"
#include "problem.h"
#include "service/service.h"

enum {
	WAIT_MS = 5000,	 /* a commit waits so long for a Redis that does not answer */
	PAUSE_MS = 50,	 /* between attempts */
	LOOK_MS = 1000,	 /* between looks at Redis while nothing is to do */
	RETRY_MS = 5000, /* what a sender is told */
	STUCK_MS = 60000,
	GROUP_COMMITS = 256,
	/* While Redis works on one group, the next one is gathered, sent, and answered. */
	WORKERS = 2,
};

static const double group_bounds[] = { 1, 2, 4, 8, 16, 32, 64, 128, 0 };
static const double second_bounds[] = { 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
					0.25,  0.5,    1,     2.5,  5,	   0 };

static struct metric commits_total = {
	.name = "tocsin_callback_commits_total",
	.kind = METRIC_COUNTER,
	.help = "requests appended: durable, full (Redis takes no more), unavailable",
	.labels = "result",
};
static struct metric group_requests = {
	.name = "tocsin_callback_group_requests",
	.kind = METRIC_HISTOGRAM,
	.help = "requests that shared one append",
	.bounds = group_bounds,
};
static struct metric append_seconds = {
	.name = "tocsin_callback_append_seconds",
	.kind = METRIC_HISTOGRAM,
	.help = "of one append, until it was durable",
	.bounds = second_bounds,
};
struct metric *const committer_metrics[] = { &commits_total, &group_requests, &append_seconds,
					     NULL };

struct worker {
	struct committer *committer;
	struct redis *redis;
	struct service_beat *beat;
	pthread_t thread;
	bool started;
};

struct committer {
	uint64_t fate_ttl_ms;
	unsigned partitions;
	struct redis_settings redis_settings;
	struct worker workers[WORKERS];

	pthread_mutex_t lock; /* of the rest */
	pthread_cond_t changed;
	struct commit *first, **last;
	bool ending;
	uint64_t failing_since_ms; /* 0: the last attempt went well */
	char why[SERVICE_TEXT_SIZE];
};

/* ---- commits ---- */

struct commit *commit_new(struct httpd_exchange *exchange, unsigned partition,
			  const char *stream, size_t item_count)
{
	struct arena *arena = arena_new();
	struct commit *commit = arena_alloc(arena, sizeof *commit);

	commit->exchange = exchange;
	commit->arena = arena;
	commit->items = arena_alloc(arena, item_count * sizeof *commit->items);
	commit->answers = arena_alloc(arena, item_count * sizeof *commit->answers);
	commit->item_count = item_count;
	commit->end = commit_answer;
	key_format(&commit->stream, partition, "%s", stream);
	return commit;
}

void commit_free(struct commit *commit)
{
	arena_free(commit->arena);
}

const char *commit_trace(struct commit *commit)
{
	char *trace = arena_alloc(commit->arena, TRACE_ROOM);

	trace_child(httpd_header(commit->exchange, "traceparent"), trace);
	return trace;
}

static void answer_durable(struct commit *commit)
{
	size_t accepted = 0, conflicts = 0;
	char body[80];

	for (size_t i = 0; i < commit->item_count; i++) {
		accepted += commit->answers[i] == APPEND_ADDED;
		conflicts += commit->answers[i] == APPEND_CONFLICT;
	}
	if (conflicts > 0) {
		problem_answer(commit->exchange, PROBLEM_CONFLICT, NULL);
		return;
	}
	int size = snprintf(body, sizeof body, "{\"accepted\":%zu,\"duplicate\":%zu}\n",
			    accepted, commit->item_count - accepted);
	httpd_answer(commit->exchange, 202, "application/json", body, (size_t)size);
}

void commit_answer(struct commit *commit, enum commit_result result)
{
	switch (result) {
	case COMMIT_DURABLE:
		answer_durable(commit);
		break;
	case COMMIT_FULL:
		problem_answer_later(commit->exchange, PROBLEM_FULL, NULL, RETRY_MS);
		break;
	case COMMIT_UNAVAILABLE:
		problem_answer_later(commit->exchange, PROBLEM_UNAVAILABLE, NULL, RETRY_MS);
		break;
	}
}

static void end(struct commit *commit, enum commit_result result)
{
	static const char *const names[] = { "durable", "full", "unavailable" };
	struct httpd_exchange *exchange = commit->exchange;

	for (size_t i = 0; i < commit->item_count; i++) {
		const struct page_event *event = &commit->items[i].event;
		const struct field *trace =
		    field_find(event->fields, event->field_count, "trace");

		trace_log(trace ? trace->value : NULL);
		log_debug("for %s: %s", commit->stream.text, names[result]);
	}
	commit->end(commit, result);
	trace_log(NULL);
	metric_add(&commits_total, 1, names[result]);
	commit_free(commit);
	httpd_complete(exchange);
}

static void end_all(struct commit *list, enum commit_result result)
{
	while (list) {
		struct commit *next = list->next;
		end(list, result);
		list = next;
	}
}

/* ---- the thread ---- */

static void wait_ms(struct committer *committer, uint64_t ms)
{
	struct timespec until = clock_mono_after(ms);

	pthread_cond_timedwait(&committer->changed, &committer->lock, &until);
}

/* The first commit and those behind it that go to the same stream, as many as one call takes;
 * under the lock. */
static struct commit *take_group(struct committer *committer)
{
	struct append_room room = { 0 };
	struct commit *group = NULL, **group_end = &group, **at = &committer->first;
	size_t count = 0;

	while (*at && count < GROUP_COMMITS) {
		struct commit *commit = *at;
		bool fits = !group || strcmp(commit->stream.text, group->stream.text) == 0;

		for (size_t i = 0; fits && i < commit->item_count; i++)
			fits = append_room_take(&room, &commit->items[i]) || count == 0;
		if (!fits && strcmp(commit->stream.text, group->stream.text) == 0)
			break;
		if (!fits) {
			at = &commit->next;
			continue;
		}
		*at = commit->next;
		commit->next = NULL;
		*group_end = commit;
		group_end = &commit->next;
		count++;
	}
	if (!*at)
		committer->last = at;
	return group;
}

static void set_state(struct committer *committer, const char *why)
{
	bool news;

	pthread_mutex_lock(&committer->lock);
	news = (committer->failing_since_ms != 0) != (*why != '\0');
	if (!*why)
		committer->failing_since_ms = 0;
	else if (committer->failing_since_ms == 0)
		committer->failing_since_ms = clock_mono_ms();
	snprintf(committer->why, sizeof committer->why, "%s", why);
	pthread_mutex_unlock(&committer->lock);
	if (news && *why)
		log_warn("nothing can be stored: %s", why);
	else if (news)
		log_info("requests are stored again");
}

/* One call for all of the group; the answers are given out to its commits. */
static bool append(const struct worker *worker, struct commit *group, struct err *err)
{
	uint64_t started_ms = clock_mono_ms();
	size_t count = 0, commits = 0, at = 0;

	for (struct commit *commit = group; commit; commit = commit->next, commits++)
		count += commit->item_count;
	struct append_item *items = xcalloc(count, sizeof *items);
	enum append_answer *answers = xcalloc(count, sizeof *answers);
	for (struct commit *commit = group; commit; commit = commit->next) {
		memcpy(items + at, commit->items, commit->item_count * sizeof *items);
		at += commit->item_count;
	}
	bool appended = page_append(worker->redis, &group->stream, items, count,
				    worker->committer->fate_ttl_ms, answers, err);
	at = 0;
	for (struct commit *commit = group; appended && commit; commit = commit->next) {
		memcpy(commit->answers, answers + at, commit->item_count * sizeof *answers);
		at += commit->item_count;
	}
	free(items);
	free(answers);
	metric_observe(&group_requests, (double)commits);
	metric_observe(&append_seconds, (double)(clock_mono_ms() - started_ms) / 1000);
	return appended;
}

/* Whether it may go well when tried again in a moment. */
static bool worth_waiting(enum redis_error error)
{
	return error != REDIS_REFUSED && redis_error_row(error)->action != REDIS_ALARM;
}

/* Takes out of the group those whose time is up, and ends them. */
static struct commit *drop_late(struct commit *group, bool all)
{
	uint64_t now = clock_mono_ms();
	struct commit *late = NULL, **at = &group;

	while (*at) {
		struct commit *commit = *at;
		if (!all && now < commit->deadline_ms) {
			at = &commit->next;
			continue;
		}
		*at = commit->next;
		commit->next = late;
		late = commit;
	}
	end_all(late, COMMIT_UNAVAILABLE);
	return group;
}

static void commit_group(struct worker *worker, struct commit *group)
{
	struct committer *committer = worker->committer;
	struct err err = { 0 };

	while (group) {
		if (append(worker, group, &err)) {
			set_state(committer, "");
			end_all(group, COMMIT_DURABLE);
			return;
		}
		enum redis_error error = redis_error(worker->redis);
		set_state(committer, err.text);
		if (error == REDIS_FULL || error == REDIS_OOM) {
			end_all(group, COMMIT_FULL);
			return;
		}
		service_beat(worker->beat);
		pthread_mutex_lock(&committer->lock);
		bool ending = committer->ending;
		if (!ending)
			wait_ms(committer, PAUSE_MS);
		pthread_mutex_unlock(&committer->lock);
		group = drop_late(group, ending || !worth_waiting(error));
	}
}

/* While nothing is to do: is Redis there, and what we need in it? */
static void look(struct worker *worker)
{
	struct committer *committer = worker->committer;
	struct err err = { 0 };
	bool good = true;

	for (unsigned i = 0; good && i < committer->partitions; i++)
		good = setup_check(worker->redis, i, NULL, &err);
	set_state(committer, good ? "" : err.text);
}

static void *run(void *opaque)
{
	struct worker *worker = opaque;
	struct committer *committer = worker->committer;
	uint64_t looked_ms = 0;

	pthread_mutex_lock(&committer->lock);
	for (;;) {
		struct commit *group = take_group(committer);
		if (!group && committer->ending)
			break;
		service_beat(worker->beat);
		uint64_t now_ms = clock_mono_ms();
		bool idle = !group && (looked_ms == 0 || now_ms - looked_ms >= LOOK_MS);
		if (!group && !idle) {
			wait_ms(committer, LOOK_MS);
			continue;
		}
		pthread_mutex_unlock(&committer->lock);
		if (idle)
			look(worker);
		else
			commit_group(worker, group);
		looked_ms = clock_mono_ms();
		pthread_mutex_lock(&committer->lock);
	}
	pthread_mutex_unlock(&committer->lock);
	return NULL;
}

/* ---- for others ---- */

enum httpd_outcome committer_submit(struct committer *committer, struct commit *commit)
{
	uint64_t now_ms = clock_mono_ms();

	commit->deadline_ms = now_ms + WAIT_MS;
	pthread_mutex_lock(&committer->lock);
	/* When Redis is known to be away, nobody needs to wait to hear so. */
	bool hopeless = committer->ending || (committer->failing_since_ms != 0 &&
					      now_ms - committer->failing_since_ms > WAIT_MS);
	if (!hopeless) {
		*committer->last = commit;
		committer->last = &commit->next;
		pthread_cond_signal(&committer->changed);
	}
	pthread_mutex_unlock(&committer->lock);
	if (!hopeless)
		return HTTPD_PENDING;
	commit->end(commit, COMMIT_UNAVAILABLE);
	metric_add(&commits_total, 1, "unavailable");
	commit_free(commit);
	return HTTPD_DONE;
}

bool committer_ready(void *opaque, char *ret_text)
{
	struct committer *committer = opaque;

	pthread_mutex_lock(&committer->lock);
	bool ready = committer->why[0] == '\0';
	memcpy(ret_text, committer->why, sizeof committer->why);
	pthread_mutex_unlock(&committer->lock);
	return ready;
}

static bool start(struct committer *committer, struct worker *worker, struct service *service)
{
	worker->committer = committer;
	worker->redis = redis_new(&committer->redis_settings, "tocsin-callback-committer");
	worker->beat = service_beat_new(service, "committer", STUCK_MS);
	worker->started = pthread_create(&worker->thread, NULL, run, worker) == 0;
	return worker->started;
}

struct committer *committer_new(const struct bus_settings *settings, struct service *service,
				struct err *err)
{
	struct committer *committer = xcalloc(1, sizeof *committer);
	pthread_condattr_t monotonic;

	committer->fate_ttl_ms = settings->fate_ttl_ms;
	committer->partitions = settings->partitions;
	committer->last = &committer->first;
	snprintf(committer->why, sizeof committer->why, "not connected yet");
	pthread_mutex_init(&committer->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&committer->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	bus_redis_settings(settings, &committer->redis_settings);
	bool started = true;
	for (unsigned i = 0; started && i < WORKERS; i++)
		started = start(committer, &committer->workers[i], service);
	if (started)
		return committer;
	err_fill(err, ERR_TRANSIENT, "cannot start a thread");
	committer_stop(committer);
	committer_free(committer);
	return NULL;
}

void committer_stop(struct committer *committer)
{
	pthread_mutex_lock(&committer->lock);
	committer->ending = true;
	pthread_cond_broadcast(&committer->changed);
	pthread_mutex_unlock(&committer->lock);
	for (unsigned i = 0; i < WORKERS; i++) {
		struct worker *worker = &committer->workers[i];
		if (worker->started)
			pthread_join(worker->thread, NULL);
		worker->started = false;
		service_beat_end(worker->beat);
		worker->beat = NULL;
	}
}

void committer_free(struct committer *committer)
{
	if (!committer)
		return;
	for (unsigned i = 0; i < WORKERS; i++)
		redis_free(committer->workers[i].redis);
	pthread_cond_destroy(&committer->changed);
	pthread_mutex_destroy(&committer->lock);
	free(committer);
}
