/*
 * tocsin-incident: groups findings into incidents, opens them outside, and closes them.
 *
 *   findings ──▶ intake ───┐
 *   closures ──▶ closures ─┼▶ incident:<id> (hash, inbox) ──wake-up──▶ actions ──▶ act
 *          reconciler ─────┘
 *
 * intake.c and closures.c decide which incident it is about, fold*.c what it changes there,
 * saga*.c which step is next, act.c runs it, steps_*.c are the steps, tickets.c and bundle.c
 * their texts. The reconciler reads tickets and says what it sees like everybody else.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "act.h"
#include "app.h"
#include "base/clock.h"
#include "base/log.h"
#include "bus/bus.h"
#include "bus/worker.h"
#include "closures.h"
#include "intake.h"
#include "jq/jq.h"
#include "links.h"
#include "mailer.h"
#include "memo.h"
#include "model/customer.h"
#include "model/vault.h"
#include "reconciler.h"
#include "service/account_news.h"
#include "service/programs.h"
#include "service/roster.h"
#include "service/service.h"
#include "service/service_bus.h"
#include "tickets.h"
#include "vendor/session.h"
#include "vendor/settings.h"

struct config {
	unsigned threads;
	unsigned finding_threads;
	unsigned closure_threads;
	uint64_t contain_poll_ms;
	uint64_t release_wait_ms;
	uint64_t reconcile_ms;
	uint64_t reopen_window_ms;
	char *key_file;
};

#define FIELD(member) .offset = offsetof(struct config, member)

enum {
	HOUR_MS = 60 * 60 * 1000,
	HOSTS_REMEMBERED = 4096,
	ALARMS_REMEMBERED = 256,
	FINDING_BATCH = 32,
	/* Each keeps what is free in it: with 4 the process is 10 MB larger. */
	MALLOC_ARENAS = 2,
	JOIN_MS = 9000, /* of the 10 s a stop may take */
};

static const struct conf_option options[] = {
	{ "TOCSIN_INCIDENT_THREADS", CONF_UINT, FIELD(threads), "32", .min = 1, .max = 512,
	  .help = "incidents worked on at once, each waiting for one vendor" },
	{ "TOCSIN_FINDING_THREADS", CONF_UINT, FIELD(finding_threads), "2", .min = 1, .max = 32,
	  .help = "threads that group findings into incidents" },
	{ "TOCSIN_CLOSURE_THREADS", CONF_UINT, FIELD(closure_threads), "2", .min = 1, .max = 32,
	  .help = "threads that take what is said about closing to its incident" },
	{ "TOCSIN_CONTAIN_POLL", CONF_MILLIS, FIELD(contain_poll_ms), "5s", 10, 300000,
	  .help = "how soon a host is looked at after an act on it; later ones take longer" },
	{ "TOCSIN_RELEASE_WAIT", CONF_MILLIS, FIELD(release_wait_ms), "3s", .max = 300000,
	  .help =
	      "the least grace of tickets whose hosts are let go: all that end together are "
	      "counted before the first is" },
	{ "TOCSIN_RECONCILE_INTERVAL", CONF_MILLIS, FIELD(reconcile_ms), "2m", .min = 100,
	  .max = HOUR_MS, .help = "between two readings of all our tickets at an instance" },
	{ "TOCSIN_REOPEN_WINDOW", CONF_MILLIS, FIELD(reopen_window_ms), "24h",
	  .max = 30ULL * 24 * HOUR_MS,
	  .help =
	      "so long after its closing a ticket that is open again reopens its incident" },
	{ "TOCSIN_KEY_FILE", CONF_PATH, FIELD(key_file), "/etc/tocsin/master.key",
	  .help = "keys that open customers' sealed secrets" },
	{ 0 },
};

/* What the process is made of, in the order of making. */
struct incidents {
	struct config config;
	struct bus_settings times;
	struct vendor_settings vendor_settings;
	struct service *service;
	struct vault *vault;
	struct links links;
	struct jq_settings jq;
	struct mailer_settings mail_settings;
	struct mailer *mailer;
	struct app app;
	struct bus *bus;
	struct reconciler *reconciler;
};

static bool build(struct incidents *incidents, struct err *err)
{
	const struct config *config = &incidents->config;
	struct vendor_needs needs = {
		.settings = &incidents->vendor_settings,
		.threads = config->threads + config->closure_threads + 1,
		.deadline_ms = incidents->times.call_deadline_ms,
		.on_change = account_news,
		.opaque = &incidents->times,
	};

	if (!bus_settings_check(&incidents->times, err) ||
	    !mailer_settings_check(&incidents->mail_settings, err))
		return false;
	incidents->vault = vault_open(config->key_file, err);
	if (!incidents->vault ||
	    !links_open(&incidents->links, service_options(incidents->service)->installation,
			err))
		return false;
	needs.vault = incidents->vault;
	needs.http = vendor_http_new(&incidents->vendor_settings, err);
	if (!needs.http)
		return false;
	service_keep_http(incidents->service, needs.http,
			  (unsigned)incidents->times.stop_grace_ms);
	incidents->app = (struct app){
		.times = &incidents->times,
		.start_by_ms = incidents->vendor_settings.start_by_ms,
		.probe_interval_ms = incidents->vendor_settings.probe_interval_ms,
		.contain_poll_ms = config->contain_poll_ms,
		.release_wait_ms = config->release_wait_ms,
		.installation = service_options(incidents->service)->installation,
		.links = &incidents->links,
		.roster = roster_new(),
		.programs = programs_new(),
		.jq = &incidents->jq,
		.vendor = vendor_new(&needs),
		.hosts = memo_new(HOSTS_REMEMBERED, HOUR_MS / 6),
		.alarms = memo_new(ALARMS_REMEMBERED, HOUR_MS),
	};
	return true;
}

static void add_workers(struct incidents *incidents)
{
	const struct config *config = &incidents->config;

	incidents->bus = bus_new(&incidents->times, "incident");
	for (unsigned i = 0; i < incidents->times.partitions; i++) {
		const struct worker_spec findings = {
			.stream = STREAM_FINDINGS,
			.output = STREAM_ACTIONS,
			.partition = i,
			.threads = config->finding_threads,
			.batch = FINDING_BATCH,
			.handle = intake_handle,
			.state = &incidents->app,
			.fate = intake_fate,
		};
		const struct worker_spec actions = {
			.stream = STREAM_ACTIONS,
			.partition = i,
			.threads = config->threads,
			.batch = 1,
			.handle = act_handle,
			.state = &incidents->app,
			.open = tickets_open,
			.close = tickets_close,
		};

		const struct worker_spec closures = {
			.stream = STREAM_CLOSURES,
			.output = STREAM_ACTIONS,
			.partition = i,
			.threads = config->closure_threads,
			.batch = 1,
			.handle = closures_handle,
			.state = &incidents->app,
		};

		struct worker_spec orders = closures;

		orders.stream = STREAM_ORDERS;
		orders.threads = 1;
		orders.handle = orders_handle;
		worker_add(incidents->bus, &findings);
		worker_add(incidents->bus, &closures);
		worker_add(incidents->bus, &orders);
		worker_add(incidents->bus, &actions);
	}
}

static void take_down(struct incidents *incidents)
{
	bus_free(incidents->bus);
	vendor_free(incidents->app.vendor);
	roster_free(incidents->app.roster);
	programs_free(incidents->app.programs);
	memo_free(incidents->app.hosts);
	memo_free(incidents->app.alarms);
	links_close(&incidents->links);
	vault_free(incidents->vault);
}

/* Until the process is told to stop. True when everything in hand was settled. */
static bool work(struct incidents *incidents, struct err *err)
{
	struct reconciler_settings reconciler = {
		.app = &incidents->app,
		.service = incidents->service,
		.interval_ms = incidents->config.reconcile_ms,
		.watch_ms = incidents->config.reopen_window_ms,
	};

	app_expect();
	add_workers(incidents);
	reconciler.bus = incidents->bus;
	service_keep_bus(incidents->service, incidents->bus);
	incidents->mailer = mailer_start(&incidents->app, &incidents->mail_settings, err);
	if (!incidents->mailer || !bus_start(incidents->bus, err))
		return false;
	incidents->reconciler = reconciler_start(&reconciler, err);
	if (!incidents->reconciler) {
		bus_stop(incidents->bus);
		bus_join(incidents->bus, clock_mono_ms() + JOIN_MS);
		return false;
	}
	while (service_wait_ms(incidents->service, HOUR_MS))
		;

	uint64_t end = clock_mono_ms() + JOIN_MS;

	if (bus_join(incidents->bus, end) && reconciler_join(incidents->reconciler, end) &&
	    mailer_stop(incidents->mailer, end - clock_mono_ms()))
		return true;
	return err_set(err, ERR_STOPPING, "work in hand was handed back");
}

static struct metric *const *const metrics[] = {
	app_metrics, mailer_metrics, bus_metrics, vendor_metrics, NULL,
};

static const struct service_about about = {
	.name = "incident",
	.summary =
	    "groups findings into incidents, opens and closes them in ServiceNow and Threat "
	    "Response",
	.metrics = metrics,
};

static int run(struct incidents *incidents, int argc, char **argv)
{
	const struct service_part parts[] = {
		{ "Redis and times", bus_options, &incidents->times },
		{ "Vendors", vendor_options, &incidents->vendor_settings },
		{ "Incident", options, &incidents->config },
		{ "Links", links_options, &incidents->links },
		{ "Templates", jq_options, &incidents->jq },
		{ "Mail", mailer_options, &incidents->mail_settings },
		{ 0 },
	};
	struct err err = { 0 };

	incidents->service = service_start(argc, argv, &about, parts);
	if (!incidents->service)
		return EXIT_FAILURE;

	bool fine = build(incidents, &err) && work(incidents, &err);

	if (err.kind == ERR_STOPPING) {
		/* Threads are still in calls: nothing may be freed under them. */
		log_warn("%s", err.text);
		exit(service_finish(incidents->service, true));
	}
	take_down(incidents);
	return fine ? service_finish(incidents->service, true)
		    : service_fail(incidents->service, &err);
}

int main(int argc, char **argv)
{
	struct incidents incidents = { 0 };

	mallopt(M_ARENA_MAX, MALLOC_ARENAS);

	int status = run(&incidents, argc, argv);

	conf_clear(options, &incidents.config);
	conf_clear(links_options, &incidents.links);
	conf_clear(jq_options, &incidents.jq);
	conf_clear(mailer_options, &incidents.mail_settings);
	conf_clear(vendor_options, &incidents.vendor_settings);
	conf_clear(bus_options, &incidents.times);
	return status;
}
