/* Gauges of incidents that are not over, and of what they hold contained. */
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "bus/containment.h"
#include "bus/key.h"
#include "bus/redis.h"
#include "bus/reply.h"
#include "gauges.h"
#include "model/incident.h"

enum { PAGE = 500 };

static struct metric incidents = {
	.name = "tocsin_incidents",
	.kind = METRIC_GAUGE,
	.labels = "state",
	.help = "incidents that are not over, by state: opening, open, closing, held, failed, "
		"and those that only a customer in shadow mode has",
};

static struct metric contained_hosts = {
	.name = "tocsin_contained_hosts",
	.kind = METRIC_GAUGE,
	.help = "hosts that incidents hold contained now",
};

static struct metric contained_longest = {
	.name = "tocsin_contained_longest_seconds",
	.kind = METRIC_GAUGE,
	.help = "how long the one that is contained for longest has been so",
};

static struct metric approvals_pending = {
	.name = "tocsin_containment_approvals_pending",
	.kind = METRIC_GAUGE,
	.help = "containments that wait for a person",
};

static struct metric not_undone = {
	.name = "tocsin_containment_not_undone",
	.kind = METRIC_GAUGE,
	.help = "incidents whose hosts could not be let go: a person has to look",
};

struct metric *const gauges_incident_metrics[] = {
	&incidents, &contained_hosts, &contained_longest, &approvals_pending, &not_undone, NULL,
};

/* ---- by state ---- */

static const char *const states[] = {
	"opening", "open", "closing", "held", "failed", "shadow"
};

enum { STATES = sizeof states / sizeof states[0], SHADOW = STATES - 1 };

static void count_one(double *counts, const struct redis_reply *row)
{
	const char *state = reply_text(reply_at(row, 0));

	if (strcmp(reply_text(reply_at(row, 1)), "1") == 0 && strcmp(state, "closed") != 0)
		state = states[SHADOW];
	for (size_t i = 0; i < STATES; i++)
		counts[i] += strcmp(states[i], state) == 0;
}

static bool read_page(struct redis *redis, unsigned partition, const struct redis_reply *ids,
		      double *counts, struct err *err)
{
	size_t count = reply_count(ids);
	bool good = true;

	for (size_t i = 0; i < count; i++) {
		struct key key;

		key_format(&key, partition, "incident:%s", reply_text(reply_at(ids, i)));
		redis_append(redis, "HMGET %s state shadow", key.text);
	}
	for (size_t i = 0; i < count; i++) {
		struct redis_reply *row = redis_read(redis, good ? err : NULL);

		good = good && row;
		if (row)
			count_one(counts, row);
		reply_free(row);
	}
	return good;
}

static bool read_states(const struct gauges *gauges, unsigned partition, double *counts,
			struct err *err)
{
	struct key open;
	bool good = true;
	size_t found = PAGE;

	key_format(&open, partition, "open");
	for (size_t from = 0; good && found == PAGE; from += PAGE) {
		struct redis_reply *ids = redis_command(
		    gauges->redis, err, "ZRANGE %s %llu %llu", open.text,
		    (unsigned long long)from, (unsigned long long)from + PAGE - 1);

		found = reply_count(ids);
		good = ids && read_page(gauges->redis, partition, ids, counts, err);
		reply_free(ids);
	}
	return good;
}

/* ---- contained ---- */

struct contained {
	size_t hosts, approvals, stuck;
	uint64_t oldest_ms; /* 0: none */
};

static bool read_contained(const struct gauges *gauges, unsigned partition,
			   struct contained *sum, struct err *err)
{
	struct arena *arena = arena_new();
	struct containment_row *rows;
	size_t hosts = 0, approvals = 0, stuck = 0;
	bool good = containment_list_read(gauges->redis, partition, CONTAINMENT_APPROVALS,
					  arena, &rows, &approvals, err) &&
		    containment_list_read(gauges->redis, partition, CONTAINMENT_STUCK, arena,
					  &rows, &stuck, err) &&
		    containment_list_read(gauges->redis, partition, CONTAINMENT_HOSTS, arena,
					  &rows, &hosts, err);

	if (good && hosts > 0 && (!sum->oldest_ms || rows[0].time_ms < sum->oldest_ms))
		sum->oldest_ms = rows[0].time_ms;
	sum->hosts += hosts;
	sum->approvals += approvals;
	sum->stuck += stuck;
	arena_free(arena);
	return good;
}

bool gauges_read_incidents(const struct gauges *gauges, struct err *err)
{
	double counts[STATES] = { 0 };
	struct contained sum = { 0 };
	uint64_t now_ms = clock_wall_ms();
	bool good = true;

	for (unsigned i = 0; good && i < gauges->partitions; i++)
		good =
		    read_states(gauges, i, counts, err) && read_contained(gauges, i, &sum, err);
	if (!good)
		return false;
	for (size_t i = 0; i < STATES; i++)
		metric_set(&incidents, counts[i], states[i]);
	metric_set(&contained_hosts, (double)sum.hosts);
	metric_set(&contained_longest, sum.oldest_ms && sum.oldest_ms < now_ms
					   ? (double)(now_ms - sum.oldest_ms) / 1000
					   : 0);
	metric_set(&approvals_pending, (double)sum.approvals);
	metric_set(&not_undone, (double)sum.stuck);
	return true;
}
