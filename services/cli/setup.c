/* tocsin setup, and setup --watch: the only service among the commands. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "bus/redis.h"
#include "bus/setup.h"
#include "cli.h"
#include "customer_leave.h"
#include "gauges.h"
#include "jq/jq.h"
#include "keeper.h"
#include "retention.h"
#include "rights.h"
#include "run.h"
#include "service/roster.h"
#include "service/service.h"

enum {
	LOOK_MS = 1000,		/* between looks at the files */
	CHECK_MS = 2000,	/* between looks at Redis */
	PRUNE_MS = 600 * 1000,	/* between clearing away consumers of processes long gone */
	IDLE_MS = 86400 * 1000, /* how long gone */
	STUCK_MS = 120 * 1000,
	WARN_MS = 86400 * 1000,		 /* between warnings of a certificate that ends */
	CERTIFICATE_LEFT_S = 30 * 86400, /* as do its alert, and prepare's renewal before */
};

/* ---- once ---- */

static void render(struct buf *out, const struct screen *screen, const json_t *document)
{
	(void)screen;
	buf_addf(out,
		 "%lld customers and %lld accounts, version %lld: %lld set, %lld removed.\n",
		 (long long)json_integer_value(json_object_get(document, "customers")),
		 (long long)json_integer_value(json_object_get(document, "accounts")),
		 (long long)json_integer_value(json_object_get(document, "version")),
		 (long long)json_integer_value(json_object_get(document, "set")),
		 (long long)json_integer_value(json_object_get(document, "removed")));
	if (json_is_true(json_object_get(document, "functions_loaded")))
		buf_adds(out, "Functions loaded.\n");
	if (json_integer_value(json_object_get(document, "new_generations")) > 0)
		buf_adds(out, "Redis was empty: streams made, a new generation begun.\n");
}

static json_t *report_rights(const struct rights *rights)
{
	static const char *const words[] = {
		[RIGHTS_GRANTED] = "granted",
		[RIGHTS_MISSING] = "missing",
		[RIGHTS_NO_USERS] = "not checked: Redis has none of our users",
		[RIGHTS_FORBIDDEN] = "not checked: this user may not run acl|dryrun",
	};
	json_t *missing = json_array();

	for (size_t i = 0; i < rights->missing && i < RIGHTS_NAMED; i++)
		json_array_append_new(missing, json_string(rights->named[i]));
	return json_pack("{s:s,s:I,s:o}", "rights", words[rights->answer], "checked",
			 (json_int_t)rights->checked, "missing", missing);
}

static json_t *report(const struct keeper_pass *pass, const struct rights *rights)
{
	json_t *problems = json_array();

	for (size_t i = 0; i < pass->plan.problem_count; i++)
		json_array_append_new(problems, json_pack("{s:s,s:s}", "file",
							  pass->plan.problems[i].where, "error",
							  pass->plan.problems[i].err.text));
	return json_pack("{s:b,s:i,s:I,s:I,s:I,s:I,s:I,s:o,s:o}", "functions_loaded",
			 pass->functions_loaded, "new_generations", (int)pass->new_generations,
			 "customers", (json_int_t)pass->plan.customers, "accounts",
			 (json_int_t)pass->plan.accounts, "version", (json_int_t)pass->version,
			 "set", (json_int_t)pass->set, "removed", (json_int_t)pass->removed,
			 "problems", problems, "rights", report_rights(rights));
}

static void warn_of(const struct cli *cli, const struct rights *rights)
{
	for (size_t i = 0; i < rights->missing && i < RIGHTS_NAMED; i++)
		cli_warn(cli, "%s: see deploy/redis/users.acl", rights->named[i]);
	if (rights->missing > RIGHTS_NAMED)
		cli_warn(cli, "and %zu rights more", rights->missing - RIGHTS_NAMED);
}

static int run_once(struct cli *cli)
{
	struct keeper_pass pass;
	struct err err = { 0 };
	struct redis *redis = cli_redis(cli, &err);

	if (!redis)
		return cli_fail(cli, EXIT_UNREACHABLE, &err);
	const struct keeper_settings settings = { cli->settings.config_dir, cli->bus.partitions,
						  &cli->jq };
	if (!keeper_apply(redis, &settings, &pass, &err))
		return cli_fail(cli, err.kind == ERR_TRANSIENT ? EXIT_UNREACHABLE : EXIT_FAILED,
				&err);
	for (size_t i = 0; i < pass.plan.problem_count; i++)
		cli_warn(cli, "%s", pass.plan.problems[i].err.text);
	struct rights rights;
	bool asked = rights_check(redis, &rights, &err);

	if (!asked) {
		keeper_pass_done(&pass);
		return cli_fail(cli, EXIT_UNREACHABLE, &err);
	}
	if (rights.answer == RIGHTS_MISSING)
		warn_of(cli, &rights);
	bool healthy = pass.plan.problem_count == 0 && rights.answer != RIGHTS_MISSING;
	int code =
	    cli_print(cli, report(&pass, &rights), render, healthy ? EXIT_OK : EXIT_UNHEALTHY);
	keeper_pass_done(&pass);
	return code;
}

/* ---- for as long as it takes ---- */

static struct metric customers_gauge = {
	.name = "tocsin_setup_customers",
	.kind = METRIC_GAUGE,
	.help = "customers applied to Redis",
};
static struct metric problems_gauge = {
	.name = "tocsin_setup_bad_files",
	.kind = METRIC_GAUGE,
	.help = "files of customers and accounts that are wrong and were not applied",
};
static struct metric rights_gauge = {
	.name = "tocsin_setup_missing_rights",
	.kind = METRIC_GAUGE,
	.help = "rights that Redis's users need and do not have; setup's log names them",
};
static struct metric passes_total = {
	.name = "tocsin_setup_passes_total",
	.kind = METRIC_COUNTER,
	.help = "times that functions, streams and customers were applied, by why",
	.labels = "why",
};
static struct metric *const setup_metrics[] = { &customers_gauge, &problems_gauge,
						&rights_gauge, &passes_total, NULL };
static struct metric *const *const metrics[] = { setup_metrics, gauges_metrics,
						 gauges_incident_metrics, retention_metrics,
						 NULL };

struct watch_settings {
	uint64_t gauges_ms;
};

static const struct conf_option watch_options[] = {
	{ "TOCSIN_METRICS_INTERVAL", CONF_MILLIS, offsetof(struct watch_settings, gauges_ms),
	  "10s", .min = 100, .max = 600000,
	  .help = "how often the installation's gauges are read" },
	{ 0 },
};

struct watch {
	struct cli_settings settings;
	struct bus_settings bus;
	struct jq_settings jq;
	struct watch_settings own;
	struct retention_settings keep;
	struct retention retention;
	struct purge purge;
	struct roster *roster;
	struct service *service;
	pthread_mutex_t lock; /* of the two below, which the health thread reads */
	bool applied;
	char why[SERVICE_TEXT_SIZE];
	struct service_beat *beat;
	struct redis *redis;
	struct keeper_pass pass; /* the last that succeeded */
	bool has_pass;
	uint64_t stamp;
	char *said; /* the problems that were logged last */
	uint64_t checked_ms, pruned_ms, gauged_ms, warned_ms;
	uint64_t started_ms; /* wall clock */
};

static void set_applied(struct watch *watch, bool applied, const char *why)
{
	pthread_mutex_lock(&watch->lock);
	watch->applied = applied;
	snprintf(watch->why, sizeof watch->why, "%s", why);
	pthread_mutex_unlock(&watch->lock);
}

static bool is_applied(void *opaque, char *ret_text)
{
	struct watch *watch = opaque;

	pthread_mutex_lock(&watch->lock);
	bool applied = watch->applied;
	memcpy(ret_text, watch->why, sizeof watch->why);
	pthread_mutex_unlock(&watch->lock);
	return applied;
}

/* Each state of the files is complained about once, however often it is applied. */
static void log_problems(struct watch *watch)
{
	const struct plan *plan = &watch->pass.plan;
	struct buf all;

	buf_init(&all, 1 << 20);
	for (size_t i = 0; i < plan->problem_count; i++)
		buf_addf(&all, "%s\n", plan->problems[i].err.text);
	if (!watch->said || strcmp(watch->said, buf_text(&all)) != 0) {
		for (size_t i = 0; i < plan->problem_count; i++)
			log_error("%s: left as it was", plan->problems[i].err.text);
		if (plan->problem_count == 0 && watch->said && watch->said[0])
			log_info("all files are right again");
		free(watch->said);
		watch->said = buf_take(&all, NULL);
	}
	buf_done(&all);
}

static void log_failure(struct watch *watch, const struct err *err)
{
	set_applied(watch, false, err->text);
	if (!watch->said || strcmp(watch->said, err->text) != 0) {
		log_warn("cannot apply: %s", err->text);
		free(watch->said);
		watch->said = xstrdup(err->text);
	}
}

/* Services whose rights are not whole start, and fail when they first need what is missing. */
static void check_rights(struct watch *watch)
{
	struct rights rights;
	struct err err = { 0 };

	if (!rights_check(watch->redis, &rights, &err))
		return; /* the next pass asks again */
	metric_set(&rights_gauge, (double)rights.missing);
	switch (rights.answer) {
	case RIGHTS_GRANTED:
		log_info("Redis grants its users the %zu rights that they need",
			 rights.checked);
		break;
	case RIGHTS_MISSING:
		for (size_t i = 0; i < rights.missing && i < RIGHTS_NAMED; i++)
			log_error("%s: see deploy/redis/users.acl", rights.named[i]);
		if (rights.missing > RIGHTS_NAMED)
			log_error("and %zu rights more", rights.missing - RIGHTS_NAMED);
		break;
	case RIGHTS_NO_USERS:
		log_info("Redis has none of our users: rights are not checked");
		break;
	case RIGHTS_FORBIDDEN:
		log_warn("this user of Redis may not run acl|dryrun: rights are not checked");
		break;
	}
}

/* stamp was taken before the files are read: what changes meanwhile is seen next time. */
static void apply(struct watch *watch, const char *why, uint64_t stamp)
{
	struct keeper_pass pass;
	struct err err = { 0 };

	const struct keeper_settings settings = { watch->settings.config_dir,
						  watch->bus.partitions, &watch->jq };
	if (!keeper_apply(watch->redis, &settings, &pass, &err)) {
		log_failure(watch, &err);
		return;
	}
	keeper_pass_done(&watch->pass);
	watch->pass = pass;
	watch->has_pass = true;
	watch->stamp = stamp;
	metric_add(&passes_total, 1, why);
	metric_set(&customers_gauge, (double)pass.plan.customers);
	metric_set(&problems_gauge, (double)pass.plan.problem_count);
	if (pass.programs_set || pass.programs_removed)
		log_info("programs: %zu set, %zu removed", pass.programs_set,
			 pass.programs_removed);
	if (pass.functions_loaded || pass.new_generations || pass.set || pass.removed)
		log_info("applied (%s): %zu customers, %zu accounts; %zu set, %zu removed%s%s",
			 why, pass.plan.customers, pass.plan.accounts, pass.set, pass.removed,
			 pass.functions_loaded ? "; functions loaded" : "",
			 pass.new_generations ? "; new generation" : "");
	if (pass.plan.customers == 0 && (pass.set || pass.removed || !watch->said))
		log_warn("no customers in %s yet: add one with `tocsin customer add`",
			 watch->settings.config_dir);
	log_problems(watch);
	if (strcmp(why, "files") != 0)
		check_rights(watch);
	set_applied(watch, true, "");
}

/* Redis has all of it, perhaps after a while without. */
static void log_recovery(struct watch *watch)
{
	if (!watch->applied)
		log_info("Redis is as it should be again");
	set_applied(watch, true, "");
}

static void prune(struct watch *watch)
{
	for (unsigned partition = 0; partition < watch->bus.partitions; partition++) {
		size_t removed = 0;
		if (setup_prune_consumers(watch->redis, partition, IDLE_MS, &removed, NULL) &&
		    removed > 0)
			log_info("cleared away %zu consumers idle for a day", removed);
	}
}

/* Says so once a day. */
static void check_certificate(struct watch *watch)
{
	int64_t until_s = redis_certificate_until_s(watch->redis);
	int64_t left_s = until_s - (int64_t)(clock_wall_ms() / 1000);
	uint64_t now_ms = clock_mono_ms();

	if (!until_s || left_s > CERTIFICATE_LEFT_S ||
	    (watch->warned_ms && now_ms - watch->warned_ms < WARN_MS))
		return;
	watch->warned_ms = now_ms;
	log_warn("the certificate of Redis ends in %lld days: renew it, see "
		 "docs/operations.md",
		 (long long)(left_s / 86400));
}

static void retain(struct watch *watch)
{
	struct err err = { 0 };

	if (!retention_step(&watch->retention, watch->redis, &err))
		log_warn("incidents that are over stay for now: %s", err.text);
	if (!purge_step(&watch->purge, watch->redis, &err))
		log_warn("a removed customer is not erased yet: %s", err.text);
}

static void look(struct watch *watch)
{
	uint64_t stamp = keeper_stamp(watch->settings.config_dir);
	uint64_t now_ms = clock_mono_ms();
	struct err err = { 0 };

	if (!watch->has_pass) {
		apply(watch, "start", stamp);
	} else if (stamp != watch->stamp) {
		apply(watch, "files", stamp);
	} else if (now_ms - watch->checked_ms >= CHECK_MS) {
		watch->checked_ms = now_ms;
		if (!keeper_check(watch->redis, &watch->pass, watch->bus.partitions, &err))
			apply(watch, "redis", stamp);
		else
			log_recovery(watch);
	}
	if (watch->has_pass && now_ms - watch->pruned_ms >= PRUNE_MS) {
		watch->pruned_ms = now_ms;
		prune(watch);
	}
	if (watch->has_pass && now_ms - watch->gauged_ms >= watch->own.gauges_ms) {
		const struct gauges gauges = {
			.redis = watch->redis,
			.roster = watch->roster,
			.partitions = watch->bus.partitions,
			.since_ms = watch->started_ms,
			.customers = service_options(watch->service)->metrics_customers,
		};

		watch->gauged_ms = now_ms;
		gauges_read(&gauges);
		check_certificate(watch);
	}
	if (watch->has_pass)
		retain(watch);
}

static int watch_until_stopped(struct watch *watch)
{
	struct redis_settings redis_settings;
	struct err err = { 0 };

	if (!bus_settings_check(&watch->bus, &err) ||
	    !retention_check(&watch->keep, &watch->bus, &err))
		return service_fail(watch->service, &err);
	bus_redis_settings(&watch->bus, &redis_settings);
	watch->redis = redis_new(&redis_settings, "tocsin-setup");
	watch->roster = roster_new();
	set_applied(watch, false, "not applied yet");
	service_add_ready(watch->service, "setup", is_applied, watch);
	watch->beat = service_beat_new(watch->service, "watch", STUCK_MS);
	watch->pruned_ms = clock_mono_ms();
	watch->started_ms = clock_wall_ms();
	watch->purge = (struct purge){ .config_dir = watch->settings.config_dir,
				       .partitions = watch->bus.partitions };
	watch->retention =
	    (struct retention){ .settings = &watch->keep, .partitions = watch->bus.partitions };
	do {
		look(watch);
		service_beat(watch->beat);
	} while (service_wait_ms(watch->service, LOOK_MS));
	service_beat_end(watch->beat);
	roster_free(watch->roster);
	redis_free(watch->redis);
	keeper_pass_done(&watch->pass);
	free(watch->said);
	return service_finish(watch->service, true);
}

/* argument: what service_start() is to print instead; NULL to run. */
static int run_watch(struct cli *cli, char *argument)
{
	struct watch watch = { .lock = PTHREAD_MUTEX_INITIALIZER };
	const struct service_about about = {
		.name = "setup",
		.summary = "keeps Redis as the files say",
		.metrics = metrics,
	};
	const struct service_part parts[] = {
		{ "Files", cli_options, &watch.settings },
		{ "Redis and times", bus_options, &watch.bus },
		{ "Programs", jq_options, &watch.jq },
		{ "Metrics", watch_options, &watch.own },
		{ "Retention", retention_options, &watch.keep },
		{ 0 },
	};
	char *argv[] = { cli->argv[0], argument, NULL };

	watch.service = service_start(argument ? 2 : 1, argv, &about, parts);
	if (!watch.service)
		return EXIT_FAILED;
	int code = watch_until_stopped(&watch);
	conf_clear(cli_options, &watch.settings);
	conf_clear(bus_options, &watch.bus);
	conf_clear(jq_options, &watch.jq);
	conf_clear(watch_options, &watch.own);
	conf_clear(retention_options, &watch.keep);
	return code;
}

int run_setup(struct cli *cli)
{
	static char print_options[] = "--print-options", print_metrics[] = "--print-metrics",
		    healthcheck[] = "--healthcheck";

	if (args_flag(&cli->args, "print-options"))
		return run_watch(cli, print_options);
	if (args_flag(&cli->args, "print-metrics"))
		return run_watch(cli, print_metrics);
	if (args_flag(&cli->args, "healthcheck"))
		return run_watch(cli, healthcheck);
	if (!args_flag(&cli->args, "watch"))
		return run_once(cli);
	if (cli->json)
		return cli_failf(
		    cli, EXIT_USAGE,
		    "--watch has no end to print a document at: it logs JSON lines "
		    "on stderr");
	return run_watch(cli, NULL);
}
