/* From claim to finish: what a thread does all day, and when a source is due again. */
#include "crew.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "bus/redis.h"
#include "metrics.h"
#include "model/customer.h"
#include "poll.h"
#include "pool.h"
#include "service/roster.h"
#include "service/service.h"
#include "source/source.h"

enum {
	STACK_BYTES =
	    1 << 20, /* jansson goes 2,048 levels deep; untouched pages cost nothing */
	CLAIM_WAIT_MS = 5000,
	SLOW_MS = 5000, /* a poll that took longer goes to the lane of suspects */
	/* Page by page, outside of that lane: when many sources begin to hang at once, each
	 * holds its thread so long and no longer; in its lane it has the whole deadline. */
	SOUND_DEADLINE_MS = 8000,
	BEHIND_MS = 1000,
	AGAIN_MIN_MS = 1000,
	AGAIN_MAX_MS = 5000,
	REDIS_HOLD_MS = 1000,
};

struct member {
	struct crew *crew;
	pthread_t thread;
	struct redis *redis;
	struct service_beat *beat;
};

struct crew {
	struct crew_settings set;
	struct member *members;
	unsigned started;
};

/* Between the pages of a poll. */
static bool go_on(void *opaque)
{
	struct member *member = opaque;

	service_beat(member->beat);
	return !service_stopping(member->crew->set.service);
}

static void count(const struct claim *claim, const struct poll_result *result,
		  uint64_t began_ms)
{
	const char *source = claim->task->source;
	const char *customer = metric_customer(claim->task->customer);
	uint64_t delay = began_ms > claim->due_ms ? began_ms - claim->due_ms : 0;
	uint64_t tenth = claim->interval_ms / 10;

	metric_add(&metric_polls, 1, source, poll_outcome_name(result->outcome));
	metric_observe(&metric_poll_seconds, (double)(clock_mono_ms() - began_ms) / 1000,
		       source);
	metric_add(&metric_events, (double)result->fresh, customer, source, "new");
	metric_add(&metric_events, (double)result->duplicate, customer, source, "duplicate");
	if (claim->excused)
		return;
	metric_observe(&metric_poll_delay, (double)delay / 1000, source);
	if (delay > (tenth > 1000 ? tenth : 1000))
		metric_add(&metric_polls_late, 1, source, claim->suspect ? "suspect" : "sound");
}

/* One line when a source starts or stops failing, not one per poll. */
static void explain(const struct poll_result *result, uint64_t failures_before)
{
	switch (result->outcome) {
	case POLL_OK:
		if (failures_before > 0)
			log_info("polling works again");
		if (result->fresh > 0)
			log_debug("%zu new events, %zu known", result->fresh,
				  result->duplicate);
		break;
	case POLL_FAILED:
		if (result->failures <= 1)
			log_warn("polling failed: %s", result->err.text);
		else
			log_debug("polling failed again: %s", result->err.text);
		break;
	case POLL_STALE:
		log_warn("another collector has this source: nothing was written");
		break;
	default:
		log_debug("%s: %s", poll_outcome_name(result->outcome), result->err.text);
		break;
	}
}

/* When (monotonic) the source is due again; 0: it is no longer ours. */
static uint64_t next_due(const struct crew *crew, const struct claim *claim,
			 const struct poll_result *result)
{
	uint64_t now = clock_mono_ms();
	uint64_t wait;

	switch (result->outcome) {
	case POLL_OK:
		pool_roomy(crew->set.pool, claim->task->partition);
		return result->behind ? now + BEHIND_MS
				      : pool_due(claim->interval_ms, claim->phase_ms);
	case POLL_FAILED:
	case POLL_REFUSED:
		return now + result->wait_ms;
	case POLL_FULL:
		wait = pool_full(crew->set.pool, claim->task->partition);
		if (wait > 0)
			log_warn("Redis takes no more events, polling waits %u s: %s",
				 (unsigned)(wait / 1000), result->err.text);
		return now + 1; /* when the partition may go on */
	case POLL_REDIS:
		/* The keeper says so, once; nobody else need try meanwhile. */
		pool_hold(crew->set.pool, claim->task->partition, now + REDIS_HOLD_MS);
		return now + 1;
	case POLL_STALE:
		return 0;
	default:
		return now + backoff_random(AGAIN_MIN_MS, AGAIN_MAX_MS);
	}
}

/* Fills poll with what the directory knows. False: the customer or its source is gone, the
 * keeper will notice. */
static bool look_up(struct poll *poll, const struct directory *directory,
		    const struct task *task)
{
	poll->customer = directory_customer(directory, task->customer);
	poll->settings = poll->customer ? customer_source(poll->customer, task->source) : NULL;
	poll->account =
	    poll->settings ? directory_account(directory, poll->settings->account) : NULL;
	poll->driver = source_find(task->source);
	return poll->account && poll->driver && poll->account->kind == poll->driver->account &&
	       poll->customer->partition == task->partition;
}

static void poll_claimed(struct member *member, struct claim *claim)
{
	const struct crew_settings *set = &member->crew->set;
	uint64_t began = clock_mono_ms();
	struct poll_result result = { .outcome = POLL_REDIS };
	const struct directory *directory = roster_get(set->roster, member->redis, &result.err);
	struct poll poll = {
		.redis = member->redis,
		.vendor = set->vendor,
		.lease = &claim->lease,
		.fate_ttl_ms = set->fate_ttl_ms,
		.retry_base_ms = set->retry_base_ms,
		.retry_cap_ms = set->retry_cap_ms,
		.look_back_max_ms = set->look_back_max_ms,
		.wide_interval_ms = set->wide_interval_ms,
		.page_deadline_ms = claim->suspect || set->deadline_ms < SOUND_DEADLINE_MS
					? 0
					: SOUND_DEADLINE_MS,
		.lateness = &claim->task->lateness,
		.go_on = go_on,
		.opaque = member,
	};
	uint64_t failures = claim->task->failures;

	if (directory && look_up(&poll, directory, claim->task))
		poll_source(&poll, &result);
	else if (directory)
		result.outcome = POLL_STOPPED; /* taken out just now: the keeper will see */
	explain(&result, failures);
	if (result.outcome == POLL_OK || result.outcome == POLL_FAILED)
		claim->task->failures = result.failures;
	count(claim, &result, began);
	roster_put(set->roster, directory);
	pool_finish(set->pool, claim, next_due(member->crew, claim, &result),
		    result.outcome == POLL_FAILED || clock_mono_ms() - began > SLOW_MS);
}

static void *member_main(void *opaque)
{
	struct member *member = opaque;
	const struct crew_settings *set = &member->crew->set;

	while (!service_stopping(set->service)) {
		struct claim claim;

		service_beat(member->beat);
		if (!pool_claim(set->pool, CLAIM_WAIT_MS, &claim))
			continue;
		log_context("customer", claim.task->customer);
		log_context("source", claim.task->source);
		poll_claimed(member, &claim);
		log_context_clear();
	}
	service_beat_end(member->beat);
	return NULL;
}

static bool start_member(struct crew *crew, struct err *err)
{
	struct member *member = &crew->members[crew->started];
	pthread_attr_t attributes;
	char name[32];

	snprintf(name, sizeof(name), "poller-%u", crew->started);
	member->crew = crew;
	member->redis = redis_new(crew->set.redis, name);
	member->beat = service_beat_new(crew->set.service, name, crew->set.stuck_ms);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);

	int failure = pthread_create(&member->thread, &attributes, member_main, member);

	pthread_attr_destroy(&attributes);
	if (failure) {
		service_beat_end(member->beat);
		redis_free(member->redis);
		return err_set(err, ERR_PERMANENT, "cannot start thread %s: %s", name,
			       strerror(failure));
	}
	crew->started++;
	return true;
}

struct crew *crew_start(const struct crew_settings *settings, struct err *err)
{
	struct crew *crew = xcalloc(1, sizeof(*crew));

	crew->set = *settings;
	crew->members = xcalloc(settings->threads, sizeof(*crew->members));
	for (unsigned i = 0; i < settings->threads; i++) {
		if (start_member(crew, err))
			continue;
		pool_stop(settings->pool);
		service_stop(settings->service);
		crew_join(crew);
		return NULL;
	}
	return crew;
}

void crew_join(struct crew *crew)
{
	if (!crew)
		return;
	for (unsigned i = 0; i < crew->started; i++) {
		pthread_join(crew->members[i].thread, NULL);
		redis_free(crew->members[i].redis);
	}
	free(crew->members);
	free(crew);
}
