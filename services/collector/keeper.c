/* Customers, replicas and leases: see keeper.h. The list of sources is in book.c. */
#include "keeper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "book.h"
#include "bus/key.h"
#include "bus/lease.h"
#include "bus/redis.h"
#include "bus/setup.h"
#include "metrics.h"
#include "pool.h"
#include "service/roster.h"

enum {
	BATCH = 250,	   /* leases per round trip */
	SURPLUS_MAX = 500, /* given back per round, one by one */
	TICKS_PER_LEASE = 6,
	TICK_MAX_MS = 5000,
	HURRY_MS = 500, /* a tick while leases of one that is gone run out */
	SPREAD_MS = 20, /* between the first polls of sources taken at once: 50 a second */
};

struct keeper {
	struct keeper_settings set;
	char *announcement;
	struct key replicas_key; /* set of owners ever announced; dead ones are taken out */
	struct key replica_key;	 /* this one's announcement, with a TTL */
	struct book book;
	struct fleet fleet;
	uint64_t renewed_ms; /* monotonic */
	char generation[GENERATION_SIZE];
	uint64_t hurry_until_ms; /* monotonic */
	bool announced;
};

struct keeper *keeper_new(const struct keeper_settings *settings)
{
	struct keeper *keeper = xcalloc(1, sizeof(*keeper));

	keeper->set = *settings;
	keeper->announcement = pin_encode(&settings->pin);
	/* Replicas share all partitions, so they meet in the first one. */
	key_format(&keeper->replicas_key, 0, "collectors");
	key_format(&keeper->replica_key, 0, "collector:%s", settings->owner);
	book_init(&keeper->book, settings->pool, settings->partitions);
	return keeper;
}

static uint64_t usual_tick_ms(const struct keeper *keeper)
{
	uint64_t tick = keeper->set.lease_ms / TICKS_PER_LEASE;

	return tick < TICK_MAX_MS ? tick : TICK_MAX_MS;
}

uint64_t keeper_tick_ms(const struct keeper *keeper)
{
	uint64_t tick = usual_tick_ms(keeper);
	bool hurry = clock_mono_ms() < keeper->hurry_until_ms;

	return hurry && tick > HURRY_MS ? HURRY_MS : tick;
}

/* ---- who else is there ---- */

/* A replica counts as alive for half a lease after its last word: it is gone from the shares
 * before its leases run out. */
static bool announce(struct keeper *keeper, struct err *err)
{
	struct redis *redis = keeper->set.redis;

	if (!redis_run(redis, err, REDIS_ALWAYS "SET %s PX %llu", keeper->replica_key.text,
		       keeper->announcement, (unsigned long long)(keeper->set.lease_ms / 2)) ||
	    !redis_run(redis, err, REDIS_ALWAYS "SADD %s", keeper->replicas_key.text,
		       keeper->set.owner))
		return false;
	keeper->announced = true;
	return true;
}

static struct redis_reply *mget(struct redis *redis, const struct key *keys, size_t count,
				struct err *err)
{
	const char **argv = xcalloc(count + 1, sizeof(*argv));
	size_t *sizes = xcalloc(count + 1, sizeof(*sizes));

	argv[0] = "MGET";
	sizes[0] = strlen(argv[0]);
	for (size_t i = 0; i < count; i++) {
		argv[i + 1] = keys[i].text;
		sizes[i + 1] = strlen(keys[i].text);
	}

	struct redis_reply *reply = redis_command_argv(redis, (int)count + 1, argv, sizes, err);

	free(sizes);
	free(argv);
	return reply;
}

static void meet(struct keeper *keeper, const struct redis_reply *owners,
		 const struct redis_reply *announcements, size_t count)
{
	fleet_done(&keeper->fleet);
	fleet_add(&keeper->fleet, keeper->announcement, true);
	for (size_t i = 0; i < count; i++) {
		const char *owner = reply_text(reply_at(owners, i));
		const struct redis_reply *announcement = reply_at(announcements, i);

		if (strcmp(owner, keeper->set.owner) == 0)
			continue;
		if (reply_type(announcement) == REPLY_TEXT)
			fleet_add(&keeper->fleet, reply_text(announcement), false);
		else if (!redis_run(keeper->set.redis, NULL, "SREM %s %s",
				    keeper->replicas_key.text, owner))
			log_debug("cannot forget the collector %s yet", owner);
	}
}

static bool look_around(struct keeper *keeper, struct err *err)
{
	struct redis_reply *owners =
	    redis_command(keeper->set.redis, err, "SMEMBERS %s", keeper->replicas_key.text);

	if (!owners)
		return false;

	size_t count = reply_count(owners) < FLEET_MAX ? reply_count(owners) : FLEET_MAX;
	struct key *keys = xcalloc(count + 1, sizeof(*keys));

	for (size_t i = 0; i < count; i++)
		key_format(&keys[i], 0, "collector:%.200s", reply_text(reply_at(owners, i)));

	struct redis_reply *announcements =
	    count > 0 ? mget(keeper->set.redis, keys, count, err) : NULL;
	bool fine = count == 0 || announcements;
	size_t before = keeper->fleet.count;

	if (fine)
		meet(keeper, owners, announcements, count);
	/* It stopped announcing itself half a lease ago at the most: its leases end within one.
	 */
	if (fine && keeper->fleet.count < before)
		keeper->hurry_until_ms = clock_mono_ms() + keeper->set.lease_ms;
	if (fine && keeper->fleet.count != before)
		log_info("%zu collectors share the sources", keeper->fleet.count);
	metric_set(&metric_replicas, (double)keeper->fleet.count);
	free(keys);
	reply_free(announcements);
	reply_free(owners);
	return fine;
}

/* ---- leases ---- */

static bool renew_batch(struct keeper *keeper, struct task *const *tasks, size_t count,
			struct err *err)
{
	struct lease *copies = xcalloc(count, sizeof(*copies));
	struct lease **list = xcalloc(count, sizeof(struct lease *));

	for (size_t i = 0; i < count; i++) {
		list[i] = &copies[i];
		pool_holds(keeper->set.pool, tasks[i], &copies[i]);
	}

	bool fine = lease_renew_all(keeper->set.redis, list, count, keeper->set.lease_ms, err);

	for (size_t i = 0; i < count; i++) {
		if (!copies[i].token[0])
			log_warn("lost the lease of %s %s", tasks[i]->customer,
				 tasks[i]->source);
		pool_renew(keeper->set.pool, tasks[i], &copies[i]);
	}
	free(list);
	free(copies);
	return fine;
}

/* When it is time. Called between the steps of slow work too: renewing must not wait for it. */
static bool renew(struct keeper *keeper, struct err *err)
{
	uint64_t now = clock_mono_ms();
	struct task *batch[BATCH];
	size_t count = 0;

	if (now < keeper->renewed_ms + keeper->set.renew_ms)
		return true;
	for (size_t i = 0; i < keeper->book.count; i++) {
		struct task *task = keeper->book.tasks[i];

		if (pool_holds(keeper->set.pool, task, NULL))
			batch[count++] = task;
		if (count < BATCH)
			continue;
		if (!renew_batch(keeper, batch, count, err))
			return false;
		count = 0;
	}
	if (count > 0 && !renew_batch(keeper, batch, count, err))
		return false;
	keeper->renewed_ms = now;
	return true;
}

static bool give_back(struct keeper *keeper, struct task *task, struct err *err)
{
	struct lease lease;

	pool_holds(keeper->set.pool, task, &lease);
	if (!pool_withdraw(keeper->set.pool, task))
		return true; /* being polled: next round */
	return lease_release(keeper->set.redis, &lease, err);
}

/* How many sources this replica should hold; marks those it may. */
static size_t reckon(struct keeper *keeper, const struct directory *directory)
{
	struct fleet_share share = { 0 };
	size_t active = 0;

	for (size_t i = 0; i < keeper->book.count; i++) {
		struct task *task = keeper->book.tasks[i];
		const struct customer *customer = directory_customer(directory, task->customer);
		size_t sharers = 0;

		if (task->wanted && customer) {
			sharers = fleet_sharers(&keeper->fleet, customer);
			active++;
		}
		task->mine = sharers > 0;
		fleet_share_add(&share, sharers);
	}
	metric_set(&metric_sources, (double)active);
	return fleet_share_target(&share);
}

/* Gives back what is not ours to poll, and what is above the target. */
static bool shed(struct keeper *keeper, size_t target, struct err *err)
{
	struct book *book = &keeper->book;
	size_t held = book_held(book);
	size_t given = 0;

	for (size_t i = 0; i < book->count && given < SURPLUS_MAX; i++) {
		struct task *task = book->tasks[i];

		if (!pool_holds(keeper->set.pool, task, NULL) || (task->mine && held <= target))
			continue;
		if (!renew(keeper, err) || !give_back(keeper, task, err))
			return false;
		held--;
		given++;
	}
	if (given > 0)
		log_info("gave back %zu sources, %zu left", given, book_held(book));
	return true;
}

/* Keeps those of the tasks that nobody holds, by looking only. Tasks of one call are of one
 * partition, so that their keys share a slot. */
static bool keep_free(struct keeper *keeper, struct task **tasks, size_t *count,
		      struct err *err)
{
	struct key *keys = xcalloc(*count, sizeof(*keys));
	size_t kept = 0;

	for (size_t i = 0; i < *count; i++)
		keys[i] = tasks[i]->lease.key;

	struct redis_reply *tokens = mget(keeper->set.redis, keys, *count, err);

	free(keys);
	if (!tokens)
		return false;
	for (size_t i = 0; i < *count; i++) {
		if (reply_type(reply_at(tokens, i)) == REPLY_NIL)
			tasks[kept++] = tasks[i];
	}
	*count = kept;
	reply_free(tokens);
	return true;
}

/* The next poll of a source just taken: on its usual instant, or soon when that passed while
 * nobody had it; not all that were taken together at the same moment. */
static uint64_t first_due(const struct task *task, uint64_t last_poll_ms, size_t taken)
{
	uint64_t wall = clock_wall_ms();
	uint64_t spread =
	    taken * SPREAD_MS < task->interval_ms ? taken * SPREAD_MS : task->interval_ms;

	uint64_t due = schedule_resume(wall, last_poll_ms, task->interval_ms, task->phase_ms);

	return clock_mono_ms() + (due > wall ? due - wall : backoff_random(0, spread));
}

static bool grant(struct keeper *keeper, struct task *const *tasks, const struct lease *leases,
		  size_t count, size_t taken, struct err *err)
{
	struct redis *redis = keeper->set.redis;
	bool fine = true;

	for (size_t i = 0; i < count; i++) {
		struct key cursor;

		key_format(&cursor, tasks[i]->partition, "cursor:%s:%s", tasks[i]->customer,
			   tasks[i]->source);
		redis_append(redis, "HGET %s last_poll_ms", cursor.text);
	}
	for (size_t i = 0; i < count; i++) {
		struct redis_reply *last = redis_read(redis, fine ? err : NULL);

		fine = fine && last;
		if (leases[i].token[0]) {
			uint64_t last_ms = (uint64_t)reply_integer(last);

			pool_grant(keeper->set.pool, tasks[i], &leases[i],
				   first_due(tasks[i], last_ms, taken));
		}
		reply_free(last);
	}
	return fine;
}

/* Takes what is free of count candidates; what another replica was faster with stays out. */
static bool take_batch(struct keeper *keeper, struct task *const *tasks, size_t count,
		       size_t wanted, struct err *err)
{
	struct lease *leases = xcalloc(count, sizeof(*leases));
	struct lease **list = xcalloc(count, sizeof(struct lease *));

	for (size_t i = 0; i < count; i++) {
		pool_holds(keeper->set.pool, tasks[i], &leases[i]);
		leases[i].token[0] = '\0';
		list[i] = &leases[i];
	}

	bool fine = lease_take_all(keeper->set.redis, list, count, keeper->set.owner,
				   keeper->set.lease_ms, err) &&
		    grant(keeper, tasks, leases, count, wanted, err);

	free(list);
	free(leases);
	return fine;
}

static bool take(struct keeper *keeper, size_t wanted, struct err *err)
{
	struct book *book = &keeper->book;
	size_t start = book->count > 0 ? backoff_random(0, book->count - 1) : 0;
	size_t before = book_held(book);
	size_t goal = before + wanted;
	bool fine = true;

	/* Each replica starts somewhere else: they meet less often at the same lease. */
	for (size_t i = 0; fine && i < book->count && book_held(book) < goal;) {
		struct task *batch[BATCH];
		size_t room = goal - book_held(book);
		size_t count = 0;

		for (; i < book->count && count < BATCH; i++) {
			struct task *task = book->tasks[(start + i) % book->count];

			if (count > 0 && task->partition != batch[0]->partition)
				break;
			if (task->mine && !pool_holds(keeper->set.pool, task, NULL))
				batch[count++] = task;
		}
		if (count == 0)
			continue;
		fine = renew(keeper, err) && keep_free(keeper, batch, &count, err);
		if (count > room)
			count = room;
		if (fine && count > 0)
			fine = take_batch(keeper, batch, count, wanted, err);
	}
	if (book_held(book) > before)
		log_info("took %zu sources, %zu in hand", book_held(book) - before,
			 book_held(book));
	return fine;
}

static bool balance(struct keeper *keeper, const struct directory *directory, struct err *err)
{
	size_t target = reckon(keeper, directory);

	if (!shed(keeper, target, err))
		return false;

	size_t held = book_held(&keeper->book);
	bool fine = held >= target || take(keeper, target - held, err);

	metric_set(&metric_leases, (double)book_held(&keeper->book));
	book_sweep(&keeper->book);
	return fine;
}

/* ---- the pipeline behind ---- */

static bool watch_partition(struct keeper *keeper, unsigned partition, struct err *err)
{
	struct pool *pool = keeper->set.pool;
	struct key raw;
	char name[16];

	key_format(&raw, partition, "%s", STREAM_RAW);
	snprintf(name, sizeof(name), "%u", partition);

	struct redis_reply *left = redis_command(keeper->set.redis, err, "XLEN %s", raw.text);

	if (!left)
		return false;
	if (keeper->set.raw_limit && (uint64_t)reply_integer(left) >= keeper->set.raw_limit)
		pool_hold(pool, partition, clock_mono_ms() + 2 * usual_tick_ms(keeper));
	reply_free(left);
	metric_set(&metric_paused, pool_is_held(pool, partition), name);
	return true;
}

static bool watch_backlog(struct keeper *keeper, struct err *err)
{
	for (unsigned i = 0; i < keeper->set.partitions; i++) {
		if (!watch_partition(keeper, i, err))
			return false;
	}
	return true;
}

static bool check_setup(struct keeper *keeper, struct err *err)
{
	char generation[GENERATION_SIZE] = "";

	for (unsigned i = 0; i < keeper->set.partitions; i++) {
		if (!setup_check(keeper->set.redis, i, i == 0 ? generation : NULL, err))
			return false;
	}
	if (keeper->generation[0] && strcmp(keeper->generation, generation) != 0)
		log_warn("Redis has lost its data: every source starts with its first look "
			 "back");
	memcpy(keeper->generation, generation, sizeof(generation));
	return true;
}

bool keeper_tick(struct keeper *keeper, struct err *err)
{
	/* Renewing comes first: it is what others wait for when it does not happen. */
	if (!renew(keeper, err) || !check_setup(keeper, err))
		return false;

	const struct directory *directory =
	    roster_get(keeper->set.roster, keeper->set.redis, err);

	if (!directory)
		return false;
	book_follow(&keeper->book, directory, roster_version(keeper->set.roster, directory));

	bool fine = announce(keeper, err) && look_around(keeper, err) &&
		    watch_backlog(keeper, err) && balance(keeper, directory, err);

	roster_put(keeper->set.roster, directory);
	return fine;
}

void keeper_free(struct keeper *keeper)
{
	struct err err = { 0 };

	if (!keeper)
		return;

	bool fine = keeper->announced;

	for (size_t i = 0; fine && i < keeper->book.count; i++) {
		struct task *task = keeper->book.tasks[i];

		if (pool_holds(keeper->set.pool, task, NULL))
			fine = give_back(keeper, task, &err);
	}
	if (fine)
		fine = redis_run(keeper->set.redis, &err, "DEL %s", keeper->replica_key.text) &&
		       redis_run(keeper->set.redis, &err, "SREM %s %s",
				 keeper->replicas_key.text, keeper->set.owner);
	if (keeper->announced && !fine)
		log_warn("the leases run out by themselves: %s", err.text);
	fleet_done(&keeper->fleet);
	book_done(&keeper->book);
	free(keeper->announcement);
	free(keeper);
}
