/* Gauges of the whole installation, for Prometheus. */
#include "gauges.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "bus/dead.h"
#include "bus/deferred.h"
#include "bus/gate.h"
#include "bus/key.h"
#include "bus/redis.h"
#include "bus/reply.h"
#include "collectors.h"
#include "model/customer.h"
#include "service/roster.h"
#include "source/cursor.h"
#include "status.h"

static struct metric work_left = {
	.name = "tocsin_work_left",
	.kind = METRIC_GAUGE,
	.labels = "stream",
	.help = "entries of a stream that are not settled yet",
};

static struct metric work_oldest = {
	.name = "tocsin_work_oldest_seconds",
	.kind = METRIC_GAUGE,
	.labels = "stream",
	.help = "age of the oldest of them; 0 when there is none",
};

static struct metric deferred_gauge = {
	.name = "tocsin_work_deferred",
	.kind = METRIC_GAUGE,
	.help = "work that was put off",
};

static struct metric dead_gauge = {
	.name = "tocsin_dead",
	.kind = METRIC_GAUGE,
	.help = "entries that wait for a person: tocsin dead list",
};

static struct metric account_parked = {
	.name = "tocsin_account_parked",
	.kind = METRIC_GAUGE,
	.labels = "account,kind",
	.help = "1: its work waits until a probe works, or an operator resumes it",
};

static struct metric account_failing = {
	.name = "tocsin_account_failing",
	.kind = METRIC_GAUGE,
	.labels = "account,kind",
	.help = "1: its calls fail, it is left alone for a while",
};

static struct metric account_budget = {
	.name = "tocsin_account_budget_calls",
	.kind = METRIC_GAUGE,
	.labels = "account,kind",
	.help = "calls left of the budget at this moment; it grows back over the hour",
};

static struct metric account_expiry = {
	.name = "tocsin_credential_expiry_timestamp_seconds",
	.kind = METRIC_GAUGE,
	.labels = "account,kind",
	.help = "when the account's credential expires, where its file says so",
};

static struct metric account_canary = {
	.name = "tocsin_canary_timestamp_seconds",
	.kind = METRIC_GAUGE,
	.labels = "account",
	.help =
	    "when a canary (`tocsin canary`) last came back from its instance, or first went",
};

static struct metric accounts_linked = {
	.name = "tocsin_callback_accounts",
	.kind = METRIC_GAUGE,
	.help = "ServiceNow accounts whose instance is to call us",
};

static struct metric source_events = {
	.name = "tocsin_source_events_total",
	.kind = METRIC_COUNTER,
	.labels = "customer,source",
	.help = "new events of a source since it was first polled, by any collector",
};

static struct metric source_age = {
	.name = "tocsin_source_age_seconds",
	.kind = METRIC_GAUGE,
	.labels = "customer,source",
	.help = "since the last poll that worked; of one that never did, since setup started",
};

static struct metric source_failures = {
	.name = "tocsin_source_failures",
	.kind = METRIC_GAUGE,
	.labels = "customer,source",
	.help = "polls that failed in a row",
};

static struct metric source_late = {
	.name = "tocsin_source_lateness_seconds",
	.kind = METRIC_GAUGE,
	.labels = "customer,source",
	.help = "vendor's time of an event to our first sight of it, 99 % are below",
};

static struct metric customers_pinned = {
	.name = "tocsin_customers_pinned",
	.kind = METRIC_GAUGE,
	.help = "customers with a live collector of their own: TOCSIN_CUSTOMERS, "
		"TOCSIN_COLLECTOR_LABEL",
};

static struct metric redis_memory = {
	.name = "tocsin_redis_memory_bytes",
	.kind = METRIC_GAUGE,
	.help = "memory that Redis uses",
};

static struct metric redis_limit = {
	.name = "tocsin_redis_memory_limit_bytes",
	.kind = METRIC_GAUGE,
	.help = "maxmemory; producers slow down from 80 % of it",
};

static struct metric redis_rewrite = {
	.name = "tocsin_redis_rewrite_failed",
	.kind = METRIC_GAUGE,
	.help = "1 while the last rewriting of the append-only file has failed: it grows",
};

static struct metric redis_trip = {
	.name = "tocsin_redis_round_trip_seconds",
	.kind = METRIC_GAUGE,
	.help = "one command and its answer",
};

static struct metric redis_certificate = {
	.name = "tocsin_redis_certificate_expiry_timestamp_seconds",
	.kind = METRIC_GAUGE,
	.help = "when the certificate of Redis ends; no series without TLS",
};

static struct metric read_at = {
	.name = "tocsin_gauges_read_timestamp_seconds",
	.kind = METRIC_GAUGE,
	.help = "when these were last read",
};

struct metric *const gauges_metrics[] = {
	&work_left,	   &work_oldest,
	&deferred_gauge,   &dead_gauge,
	&account_parked,   &account_failing,
	&account_budget,   &account_expiry,
	&account_canary,   &accounts_linked,
	&customers_pinned, &source_events,
	&source_age,	   &source_failures,
	&source_late,	   &redis_memory,
	&redis_limit,	   &redis_rewrite,
	&redis_trip,	   &redis_certificate,
	&read_at,	   NULL,
};

/* What these tell of may go: accounts, customers, sources, TLS. */
static struct metric *const passing[] = {
	&account_parked,
	&account_failing,
	&account_budget,
	&account_expiry,
	&account_canary,
	&source_events,
	&source_age,
	&source_failures,
	&source_late,
	&redis_certificate,
	NULL,
};

static double member(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}

/* ---- work ---- */

struct stream_sum {
	const char *name;
	double left, oldest_s;
};

static void add_stream(struct stream_sum *sums, size_t count, const json_t *row, double now_ms)
{
	const char *name = json_string_value(json_object_get(row, "stream"));
	double oldest_ms = member(row, "oldest_ms");
	double age_s = oldest_ms > 0 && now_ms > oldest_ms ? (now_ms - oldest_ms) / 1000 : 0;

	for (size_t i = 0; name && i < count; i++) {
		if (strcmp(sums[i].name, name) != 0)
			continue;
		sums[i].left += member(row, "length");
		if (age_s > sums[i].oldest_s)
			sums[i].oldest_s = age_s;
	}
}

static bool read_streams(const struct gauges *gauges, struct verdict *verdict, struct err *err)
{
	struct stream_sum sums[] = { { STREAM_RAW, 0, 0 },
				     { STREAM_FINDINGS, 0, 0 },
				     { STREAM_ACTIONS, 0, 0 },
				     { STREAM_CLOSURES, 0, 0 },
				     { STREAM_ORDERS, 0, 0 } };
	const size_t count = sizeof(sums) / sizeof(sums[0]);
	json_t *rows = status_streams(gauges->redis, gauges->partitions, verdict, err), *row;
	size_t i;

	json_array_foreach(rows, i, row) add_stream(sums, count, row, (double)verdict->now_ms);
	for (i = 0; rows && i < count; i++) {
		metric_set(&work_left, sums[i].left, sums[i].name);
		metric_set(&work_oldest, sums[i].oldest_s, sums[i].name);
	}
	json_decref(rows);
	return rows != NULL;
}

static bool read_sets(const struct gauges *gauges, struct err *err)
{
	double deferred = 0, dead = 0;

	for (unsigned i = 0; i < gauges->partitions; i++) {
		size_t put_off, buried;

		if (!deferred_count(gauges->redis, i, &put_off, err) ||
		    !dead_count(gauges->redis, i, &buried, err))
			return false;
		deferred += (double)put_off;
		dead += (double)buried;
	}
	metric_set(&deferred_gauge, deferred);
	metric_set(&dead_gauge, dead);
	return true;
}

/* ---- accounts and sources ---- */

static void show_account(const struct account *account, const struct gate_state *state)
{
	const char *kind = account_kind_name(account->kind);

	metric_set(&account_parked, state->parked, account->id, kind);
	metric_set(&account_failing, state->breaker_until_ms != 0, account->id, kind);
	if (account->calls_per_hour > 0)
		metric_set(&account_budget, state->known ? state->tokens : account->burst,
			   account->id, kind);
	if (account->expires_ms)
		metric_set(&account_expiry, (double)account->expires_ms / 1000, account->id,
			   kind);
	if (state->canary_ms)
		metric_set(&account_canary, (double)state->canary_ms / 1000, account->id);
}

static bool read_accounts(const struct gauges *gauges, const struct directory *directory,
			  struct err *err)
{
	unsigned linked = 0;

	for (size_t i = 0; i < directory_account_count(directory); i++) {
		const struct account *account = directory_account_at(directory, i);
		struct gate_state state = { 0 };

		if (!gate_read(gauges->redis, account->id, &state, err))
			return false;
		show_account(account, &state);
		linked += account->callback.instance_name != NULL;
	}
	metric_set(&accounts_linked, linked);
	return true;
}

/* The worst of each source over all customers. */
struct worst {
	const char *source;
	double age_s, failures, late_s, events;
};

static void show_source(const char *customer, const struct worst *worst)
{
	metric_set(&source_events, worst->events, customer, worst->source);
	metric_set(&source_age, worst->age_s, customer, worst->source);
	metric_set(&source_failures, worst->failures, customer, worst->source);
	metric_set(&source_late, worst->late_s, customer, worst->source);
}

static void add_worst(struct worst *worst, const struct worst *one)
{
	worst->source = one->source;
	worst->events += one->events;
	worst->age_s = one->age_s > worst->age_s ? one->age_s : worst->age_s;
	worst->failures = one->failures > worst->failures ? one->failures : worst->failures;
	worst->late_s = one->late_s > worst->late_s ? one->late_s : worst->late_s;
}

static bool read_source(const struct gauges *gauges, const struct customer *customer,
			const struct customer_source *source, struct worst *ret_one,
			struct err *err)
{
	struct arena *arena = arena_new();
	struct cursor progress;
	struct key key;
	uint64_t now_ms = clock_wall_ms();

	cursor_key(&key, customer, source);
	bool ok = cursor_load(gauges->redis, &key, arena, &progress, err);

	if (ok) {
		/* What was never read has waited for as long as we look, at the least. */
		uint64_t since_ms =
		    progress.last_ok_ms ? progress.last_ok_ms : gauges->since_ms;

		*ret_one = (struct worst){
			.source = source->name,
			.age_s = since_ms < now_ms ? (double)(now_ms - since_ms) / 1000 : 0,
			.failures = (double)progress.failures,
			.late_s = (double)lateness_quantile_ms(&progress.lateness, 990) / 1000,
			.events = (double)progress.events_seen,
		};
	}
	arena_free(arena);
	return ok;
}

enum { KINDS_MAX = 64 };

static struct worst *worst_of(struct worst *all, size_t *count, const char *source)
{
	for (size_t i = 0; i < *count; i++) {
		if (strcmp(all[i].source, source) == 0)
			return &all[i];
	}
	return *count < KINDS_MAX ? &all[(*count)++] : &all[KINDS_MAX - 1];
}

/* What no table of metrics has room for is shown as one. */
static bool tells_customers(const struct gauges *gauges, const struct directory *directory)
{
	size_t count = 0;

	for (size_t i = 0; i < directory_count(directory); i++)
		count += directory_at(directory, i)->source_count;
	return gauges->customers && count <= METRIC_SERIES_MAX;
}

static bool read_sources(const struct gauges *gauges, const struct directory *directory,
			 struct err *err)
{
	struct worst all[KINDS_MAX] = { 0 };
	bool each = tells_customers(gauges, directory);
	size_t count = 0;

	for (size_t i = 0; i < directory_count(directory); i++) {
		const struct customer *customer = directory_at(directory, i);

		for (size_t k = 0;
		     customer->mode != CUSTOMER_PAUSED && k < customer->source_count; k++) {
			struct worst one;

			if (!read_source(gauges, customer, &customer->sources[k], &one, err))
				return false;
			if (each)
				show_source(customer->id, &one);
			add_worst(worst_of(all, &count, one.source), &one);
		}
	}
	for (size_t i = 0; i < count && !each; i++)
		show_source("all", &all[i]);
	return true;
}

/* ---- Redis ---- */

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool read_redis(const struct gauges *gauges, struct verdict *verdict, struct err *err)
{
	double begin_s = seconds();

	if (!redis_run(gauges->redis, err, "TIME"))
		return false;
	metric_set(&redis_trip, seconds() - begin_s);
	if (redis_certificate_until_s(gauges->redis))
		metric_set(&redis_certificate,
			   (double)redis_certificate_until_s(gauges->redis));

	json_t *found = status_redis(gauges->redis, verdict, err);

	if (!found)
		return false;
	metric_set(&redis_memory, json_number_value(json_object_get(found, "memory_bytes")));
	metric_set(&redis_limit, json_number_value(json_object_get(found, "limit_bytes")));
	metric_set(&redis_rewrite, json_is_true(json_object_get(found, "rewrite_failed")));
	json_decref(found);
	return true;
}

static bool read_collectors(const struct gauges *gauges, const struct directory *directory,
			    struct err *err)
{
	struct collectors collectors;

	if (!collectors_read(&collectors, gauges->redis, err))
		return false;
	metric_set(&customers_pinned, (double)collectors_pinned(&collectors, directory));
	collectors_done(&collectors);
	return true;
}

void gauges_read(const struct gauges *gauges)
{
	struct verdict verdict = { .why = json_array(), .now_ms = clock_wall_ms() };
	struct err err = { 0 };
	const struct directory *directory = NULL;

	if (read_redis(gauges, &verdict, &err) && read_streams(gauges, &verdict, &err) &&
	    read_sets(gauges, &err) && gauges_read_incidents(gauges, &err) &&
	    (directory = roster_get(gauges->roster, gauges->redis, &err)) &&
	    read_collectors(gauges, directory, &err) &&
	    read_accounts(gauges, directory, &err) && read_sources(gauges, directory, &err)) {
		for (size_t i = 0; passing[i]; i++)
			metric_sweep(passing[i]);
		metric_set(&read_at, (double)clock_wall_ms() / 1000);
	} else {
		log_debug("gauges: %s", err.text);
	}
	if (directory)
		roster_put(gauges->roster, directory);
	json_decref(verdict.why);
}
