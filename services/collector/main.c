/*
 * tocsin-collector: polls every customer's sources and appends what is new to the stream raw.
 *
 *   customers --> [keeper] --leases--> [pool] --what is due--> [crew] --> vendor's pages -->
 * raw ^                        |                 `--> cursor
 *                                         `------ due again -------'
 *
 * main.c       the process; its own thread makes the keeper's rounds
 * keeper.c     what this replica polls: leases up to its share; book.c lists all sources,
 *              fleet.c tells the shares
 * pool.c       who is next: a thread that is free, a source that is due; schedule.c is its heap
 * crew.c       the threads; poll.c is one poll, from cursor to cursor
 * metrics.c    what is counted
 *
 * What vendors answer is in common/source and common/vendor.
 */
#include <malloc.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/log.h"
#include "bus/bus.h"
#include "bus/redis.h"
#include "crew.h"
#include "keeper.h"
#include "metrics.h"
#include "model/customer.h"
#include "model/vault.h"
#include "pool.h"
#include "service/account_news.h"
#include "service/roster.h"
#include "service/service.h"
#include "vendor/session.h"
#include "vendor/settings.h"

struct config {
	unsigned threads;
	char *customers;
	char *label;
	char *key_file;
	unsigned raw_limit;
	uint64_t retry_base_ms;
	uint64_t retry_cap_ms;
	uint64_t look_back_max_ms;
	uint64_t wide_interval_ms;
};

#define FIELD(member) .offset = offsetof(struct config, member)

enum { MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS, MALLOC_ARENAS = 2 };

static const struct conf_option options[] = {
	{ "TOCSIN_COLLECTOR_THREADS", CONF_UINT, FIELD(threads), "64", .min = 1, .max = 256,
	  .help = "sources polled at once: polls a second times seconds a vendor takes, and "
		  "room for those that hang" },
	{ "TOCSIN_CUSTOMERS", CONF_STRING, FIELD(customers),
	  .help = "comma-separated ids: poll only these; collectors that are not pinned leave "
		  "them alone while this one lives" },
	{ "TOCSIN_COLLECTOR_LABEL", CONF_STRING, FIELD(label),
	  .help = "poll only customers of this label; with TOCSIN_CUSTOMERS, those as well" },
	{ "TOCSIN_KEY_FILE", CONF_PATH, FIELD(key_file), "/etc/tocsin/master.key",
	  .help = "keys that open customers' sealed secrets" },
	{ "TOCSIN_RAW_LIMIT", CONF_UINT, FIELD(raw_limit), "200000",
	  .help = "polling waits while the stream raw holds this many entries; 0: no limit" },
	{ "TOCSIN_POLL_RETRY_MIN", CONF_MILLIS, FIELD(retry_base_ms), "10s", .min = 100,
	  .max = HOUR_MS, .help = "wait after a failed poll, doubled each time, with jitter" },
	{ "TOCSIN_POLL_RETRY_MAX", CONF_MILLIS, FIELD(retry_cap_ms), "5m", .min = 100,
	  .max = HOUR_MS, .help = "longest such wait, unless the vendor asks for more" },
	{ "TOCSIN_LOOK_BACK_MAX", CONF_MILLIS, FIELD(look_back_max_ms), "24h",
	  .max = 604800000, /* 7 d */
	  .help = "a source whose events come late is read with a look-back of twice the "
		  "lateness of 99 of 100 events, up to this; 0: only as configured" },
	{ "TOCSIN_WIDE_POLL_INTERVAL", CONF_MILLIS, FIELD(wide_interval_ms), "6h",
	  .help = "every so often a poll looks back as far as TOCSIN_LOOK_BACK_MAX, for what "
		  "came later than anything before; 0: never" },
	{ 0 },
};

/* What a collector is made of, in the order of making. */
struct collector {
	struct config config;
	struct bus_settings bus;
	struct vendor_settings vendor_settings;
	struct service *service;
	struct redis_settings redis_settings;
	struct pin pin;
	struct vault *vault;
	struct vendor *vendor;
	struct roster *roster;
	struct pool pool;
	struct redis *redis; /* of the keeper, which runs in the main thread */
	struct keeper *keeper;
	struct crew *crew;
	char owner[100];
	/* Whether the last round of the keeper worked, for /readyz. */
	pthread_mutex_t ready_lock;
	bool ready;
	char not_ready[SERVICE_TEXT_SIZE];
};

static bool check_ready(void *opaque, char *ret_text)
{
	struct collector *collector = opaque;

	pthread_mutex_lock(&collector->ready_lock);

	bool ready = collector->ready;

	snprintf(ret_text, SERVICE_TEXT_SIZE, "%s", collector->not_ready);
	pthread_mutex_unlock(&collector->ready_lock);
	return ready;
}

static void set_ready(struct collector *collector, bool ready, const char *text)
{
	pthread_mutex_lock(&collector->ready_lock);
	if (ready && !collector->ready)
		log_info("ready: polling as %s", collector->owner);
	else if (!ready && (collector->ready || !collector->not_ready[0]))
		log_warn("not ready: %s", text);
	collector->ready = ready;
	snprintf(collector->not_ready, sizeof(collector->not_ready), "%s", text);
	pthread_mutex_unlock(&collector->ready_lock);
}

static void stop_pool(void *opaque)
{
	struct collector *collector = opaque;

	pool_stop(&collector->pool);
}

/* Unique among all replicas that ever were, so that a lease's token names one life of one. */
static void name_owner(struct collector *collector)
{
	char host[64] = "";

	if (gethostname(host, sizeof(host) - 1) != 0)
		snprintf(host, sizeof(host), "collector");
	snprintf(collector->owner, sizeof(collector->owner), "%s-%08x",
		 collector->bus.instance ? collector->bus.instance : host,
		 (unsigned)randombytes_random());
}

static bool prepare(struct collector *collector, struct err *err)
{
	const struct config *config = &collector->config;

	if (sodium_init() < 0)
		return err_set(err, ERR_PERMANENT, "libsodium does not start");
	if (!bus_settings_check(&collector->bus, err) ||
	    !pin_init(&collector->pin, config->customers, config->label, err))
		return false;
	if (config->retry_base_ms > config->retry_cap_ms)
		return err_set(err, ERR_PERMANENT,
			       "TOCSIN_POLL_RETRY_MIN is above TOCSIN_POLL_RETRY_MAX");
	name_owner(collector);
	bus_redis_settings(&collector->bus, &collector->redis_settings);
	collector->vault = vault_open(config->key_file, err);
	return collector->vault != NULL;
}

static bool build(struct collector *collector, struct err *err)
{
	const struct config *config = &collector->config;
	const struct vendor_needs needs = {
		.http = vendor_http_new(&collector->vendor_settings, err),
		.vault = collector->vault,
		.settings = &collector->vendor_settings,
		.threads = config->threads,
		.deadline_ms = collector->bus.call_deadline_ms,
		.on_change = account_news,
		.opaque = &collector->bus,
	};

	if (!needs.http)
		return false;
	service_keep_http(collector->service, needs.http,
			  (unsigned)collector->bus.stop_grace_ms);
	collector->vendor = vendor_new(&needs);
	collector->roster = roster_new();
	collector->redis = redis_new(&collector->redis_settings, "keeper");

	const struct keeper_settings keeping = {
		.redis = collector->redis,
		.roster = collector->roster,
		.pool = &collector->pool,
		.owner = collector->owner,
		.pin = collector->pin,
		.partitions = collector->bus.partitions,
		.lease_ms = collector->bus.lease_ms,
		.renew_ms = collector->bus.lease_renew_ms,
		.raw_limit = config->raw_limit,
	};
	const struct crew_settings crewing = {
		.service = collector->service,
		.redis = &collector->redis_settings,
		.roster = collector->roster,
		.vendor = collector->vendor,
		.pool = &collector->pool,
		.threads = config->threads,
		.fate_ttl_ms = collector->bus.fate_ttl_ms,
		.retry_base_ms = config->retry_base_ms,
		.retry_cap_ms = config->retry_cap_ms,
		.look_back_max_ms = config->look_back_max_ms,
		.wide_interval_ms = config->wide_interval_ms,
		.deadline_ms = collector->bus.call_deadline_ms,
		.stuck_ms = collector->bus.stuck_ms,
	};

	collector->keeper = keeper_new(&keeping);
	service_add_ready(collector->service, "keeper", check_ready, collector);
	service_on_stop(collector->service, stop_pool, collector);
	collector->crew = crew_start(&crewing, err);
	return collector->crew != NULL;
}

/* The keeper's rounds, until the process is to stop. */
static void keep(struct collector *collector)
{
	struct service_beat *beat =
	    service_beat_new(collector->service, "keeper", collector->bus.stuck_ms);

	for (;;) {
		struct err err = { 0 };
		bool fine = keeper_tick(collector->keeper, &err);
		uint64_t tick = keeper_tick_ms(collector->keeper);

		set_ready(collector, fine, fine ? "" : err.text);
		service_beat(beat);
		if (!service_wait_ms(collector->service,
				     fine ? tick : backoff_random(tick / 4, tick)))
			break;
	}
	service_beat_end(beat);
}

static void take_down(struct collector *collector)
{
	crew_join(collector->crew);
	keeper_free(collector->keeper);
	redis_free(collector->redis);
	roster_free(collector->roster);
	vendor_free(collector->vendor);
	vault_free(collector->vault);
	pin_done(&collector->pin);
}

static struct metric *const *const metrics[] = {
	collector_metrics,
	bus_metrics,
	vendor_metrics,
	NULL,
};

static const struct service_about about = {
	.name = "collector",
	.summary = "polls customers' security products and queues what is new",
	.metrics = metrics,
};

static int run(struct collector *collector, int argc, char **argv)
{
	const struct service_part parts[] = {
		{ "Redis and times", bus_options, &collector->bus },
		{ "Vendors", vendor_options, &collector->vendor_settings },
		{ "Collector", options, &collector->config },
		{ 0 },
	};
	struct err err = { 0 };

	collector->service = service_start(argc, argv, &about, parts);
	if (!collector->service)
		return EXIT_FAILURE;
	if (!prepare(collector, &err)) {
		take_down(collector);
		return service_fail(collector->service, &err);
	}
	pool_init(&collector->pool, collector->config.threads, collector->bus.partitions);

	bool fine = build(collector, &err);

	if (fine)
		keep(collector);
	take_down(collector);

	int status = fine ? service_finish(collector->service, true)
			  : service_fail(collector->service, &err);

	pool_done(&collector->pool);
	return status;
}

int main(int argc, char **argv)
{
	struct collector collector = { .ready_lock = PTHREAD_MUTEX_INITIALIZER };

	/* Many threads that each parse a page now and then: few heaps, and what was big goes
	 * back to the system. */
	mallopt(M_ARENA_MAX, MALLOC_ARENAS);
	mallopt(M_MMAP_THRESHOLD, 256 * 1024);

	int status = run(&collector, argc, argv);

	conf_clear(options, &collector.config);
	conf_clear(vendor_options, &collector.vendor_settings);
	conf_clear(bus_options, &collector.bus);
	return status;
}
