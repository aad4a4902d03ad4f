/*
 * generate: events at a given rate. Of Secure Endpoint they are stories: a story is what one
 * thing that happened looks like in the event list: a detection and, with the same
 * detection_id, what became of the file; or a single event. Of other vendors it is what the job
 * brings along.
 */
#include "generate.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "feed.h"
#include "secure_endpoint.h"
#include "story.h"
#include "timer.h"

enum { TICK_MS = 20, BURST_MAX = 2000 };

struct job {
	struct job *next;
	struct generator *generator;
	struct account *account;
	uint64_t id;
	double rate;	/* events a second; 0: as fast as can be */
	uint64_t total; /* 0: no end */
	uint64_t made;
	uint64_t started_ms; /* monotonic */
	struct story_maker maker;
	json_t *records; /* templates, of other vendors; NULL: stories */
	bool over;
};

struct generator {
	pthread_mutex_t lock;
	struct registry *registry;
	struct timer *timer;
	struct job *job;
	uint64_t last_id;
};

struct generator *generator_new(struct registry *registry, struct timer *timer)
{
	struct generator *generator = xcalloc(1, sizeof(*generator));

	pthread_mutex_init(&generator->lock, NULL);
	generator->registry = registry;
	generator->timer = timer;
	return generator;
}

void generator_free(struct generator *generator)
{
	if (!generator)
		return;
	for (struct job *job = generator->job, *next; job; job = next) {
		next = job->next;
		json_decref(job->records);
		free(job);
	}
	pthread_mutex_destroy(&generator->lock);
	free(generator);
}

void generator_stop(struct generator *generator)
{
	pthread_mutex_lock(&generator->lock);
	for (struct job *job = generator->job; job; job = job->next)
		job->over = true;
	pthread_mutex_unlock(&generator->lock);
}

/* How many events should have been made by now. */
static uint64_t due(const struct job *job)
{
	double elapsed_s = (double)(clock_mono_ms() - job->started_ms) / 1000;
	uint64_t count = job->rate > 0 ? (uint64_t)(elapsed_s * job->rate) + 1 : UINT64_MAX;

	if (job->total && count > job->total)
		count = job->total;
	return count > job->made + BURST_MAX ? job->made + BURST_MAX : count;
}

static void make_due(struct job *job)
{
	uint64_t wanted = due(job);

	while (job->records && job->made < wanted)
		job->over =
		    !feed_add(job->account, job->records, job->made++, NULL) || job->over;
	while (job->made < wanted) {
		json_t *computer = story_computer(&job->maker, job->account);
		uint64_t left = job->total ? job->total - job->made : UINT64_MAX;
		json_t *events = story_make(&job->maker, computer, left);

		job->made += json_array_size(events);
		secure_endpoint_add_events(job->account, events, NULL);
		json_decref(events);
		json_decref(computer);
	}
}

static void tick(void *opaque)
{
	struct job *job = opaque;

	pthread_mutex_lock(&job->generator->lock);
	if (!job->over)
		make_due(job);
	if (job->total && job->made >= job->total)
		job->over = true;
	bool over = job->over;

	pthread_mutex_unlock(&job->generator->lock);
	if (!over)
		timer_add(job->generator->timer, TICK_MS, tick, job);
}

static struct account *account_of(struct generator *generator, const json_t *spec,
				  struct err *err)
{
	const char *name = json_string_value(json_object_get(spec, "account"));
	const char *vendor_name = json_string_value(json_object_get(spec, "vendor"));
	const struct vendor *vendor = vendor_name
					  ? registry_vendor(generator->registry, vendor_name)
					  : &secure_endpoint_vendor;
	struct account *account =
	    name && vendor ? registry_find(generator->registry, vendor, name) : NULL;

	if (!account)
		err_fill(err, ERR_PERMANENT, "account: the vendor has no such customer");
	return account;
}

/* What a job of another vendor than Secure Endpoint must bring along. */
static bool take_records(struct job *job, const json_t *spec, struct err *err)
{
	json_t *records = json_object_get(spec, "records");

	if (job->account->vendor == &secure_endpoint_vendor)
		return true;
	if (strcmp(job->account->vendor->name, "defender") != 0 &&
	    !job->account->vendor->add_events)
		return err_set(err, ERR_PERMANENT, "vendor: has no events");
	if (json_array_size(records) == 0)
		return err_set(err, ERR_PERMANENT, "records: must be a list of them");
	job->records = json_incref(records);
	return true;
}

uint64_t generator_add(struct generator *generator, const json_t *spec, struct err *err)
{
	struct account *account = account_of(generator, spec, err);
	json_t *rate = json_object_get(spec, "rate");
	uint64_t total = 0;

	if (!account || !setting_number(spec, "total", &total, err))
		return 0;
	if (rate && (!json_is_number(rate) || json_number_value(rate) < 0)) {
		err_fill(err, ERR_PERMANENT, "rate: must be events a second");
		return 0;
	}
	struct job *job = xcalloc(1, sizeof(*job));

	job->generator = generator;
	job->account = account;
	job->rate = rate ? json_number_value(rate) : 1;
	job->total = total;
	job->started_ms = clock_mono_ms();
	if (!take_records(job, spec, err) || !story_maker_init(&job->maker, spec, err) ||
	    (job->rate <= 0 && total == 0)) {
		if (job->rate <= 0 && total == 0)
			err_fill(err, ERR_PERMANENT, "total: needed when rate is 0");
		json_decref(job->records);
		free(job);
		return 0;
	}
	pthread_mutex_lock(&generator->lock);
	uint64_t id = job->id = ++generator->last_id;

	job->next = generator->job;
	generator->job = job;
	pthread_mutex_unlock(&generator->lock);
	timer_add(generator->timer, 0, tick, job);
	return id;
}

json_t *generator_list(struct generator *generator)
{
	json_t *rows = json_array();

	pthread_mutex_lock(&generator->lock);
	for (struct job *job = generator->job; job; job = job->next)
		json_array_append_new(
		    rows, json_pack("{s:I, s:s, s:f, s:I, s:I, s:b}", "id", (json_int_t)job->id,
				    "account", job->account->name, "rate", job->rate, "total",
				    (json_int_t)job->total, "made", (json_int_t)job->made,
				    "over", (int)job->over));
	pthread_mutex_unlock(&generator->lock);
	return json_pack("{s:o}", "jobs", rows);
}
