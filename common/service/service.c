#include "service/service.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "net/http.h"
#include "service/service_health.h"

enum {
	PARTS_MAX = 16,
	STOP_LIMIT_S = 15,
	SETTLE_S = 10, /* then everything is up */
	STACK_BYTES = 128 * 1024,
};

struct stop_callback {
	struct stop_callback *next;
	void (*callback)(void *opaque);
	void *opaque;
};

struct service {
	const struct service_about *about;
	struct service_options options;
	struct service_part parts[PARTS_MAX + 1]; /* ours first */
	struct service_health *health;

	pthread_t signals;
	bool signals_started;
	_Atomic bool stopping, finished;
	pthread_mutex_t lock; /* of the rest */
	pthread_cond_t stop;
	bool callbacks_ran;
	struct stop_callback *callbacks;
	struct http *http;
	unsigned http_grace_ms;
};

static struct metric build_info = {
	.name = "tocsin_build_info",
	.kind = METRIC_GAUGE,
	.help = "1; the labels say what is running",
	.labels = "service,version,installation",
};
static struct metric *const own_metrics[] = { &build_info, NULL };

/* ---- options ---- */

static void gather_parts(struct service *service, const struct service_part *parts)
{
	struct service_part *at = service->parts;

	*at++ = (struct service_part){ "Process", service_option_table, &service->options };
	while (parts && parts->table && at < service->parts + PARTS_MAX)
		*at++ = *parts++;
}

static void print_help(const struct service *service)
{
	printf("tocsin-%s: %s\n\nusage: tocsin-%s [--help | --version | --healthcheck | "
	       "--print-options | --print-metrics]\n\nSettings are environment variables.\n",
	       service->about->name, service->about->summary, service->about->name);
	for (const struct service_part *part = service->parts; part->table; part++) {
		printf("\n%s\n", part->title);
		conf_print_help(part->table, stdout);
	}
}

static void print_options(const struct service *service)
{
	for (const struct service_part *part = service->parts; part->table; part++) {
		printf("%s### %s\n\n| name | value | default | meaning |\n|---|---|---|---|\n",
		       part == service->parts ? "" : "\n", part->title);
		conf_print_markdown(part->table, stdout);
	}
}

static void print_metrics(const struct service *service)
{
	struct buf text;

	buf_init(&text, 1 << 20);
	buf_adds(&text, "| name | kind | labels | meaning |\n|---|---|---|---|\n");
	metric_print_markdown(own_metrics, &text);
	metric_print_markdown(service_process_metrics, &text);
	for (struct metric *const *const *rows = service->about->metrics; rows && *rows; rows++)
		metric_print_markdown(*rows, &text);
	fputs(buf_text(&text), stdout);
	buf_done(&text);
}

/* Every option but a refused one ends the process here. */
static bool read_arguments(const struct service *service, int argc, char **argv,
			   struct err *err)
{
	const char *word = argc > 1 ? argv[1] : NULL;

	if (!word)
		return true;
	if (argc > 2 || strncmp(word, "--", 2) != 0)
		return err_set(err, ERR_PERMANENT, "unexpected argument %.60s: see --help",
			       argv[argc - 1]);
	if (strcmp(word, "--help") == 0)
		print_help(service);
	else if (strcmp(word, "--version") == 0)
		printf("tocsin-%s %s\n", service->about->name, SERVICE_VERSION);
	else if (strcmp(word, "--print-options") == 0)
		print_options(service);
	else if (strcmp(word, "--print-metrics") == 0)
		print_metrics(service);
	else if (strcmp(word, "--healthcheck") != 0)
		return err_set(err, ERR_PERMANENT, "unknown option %.60s: see --help", word);
	else if (!service_probe(err))
		return false;
	exit(fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

static void mask_secrets(const struct service_part *part)
{
	for (const struct conf_option *row = part->table; row->name; row++) {
		if (row->flags & CONF_SECRET) {
			char *const *text = (void *)((char *)part->config + row->offset);
			log_mask(*text);
		}
	}
}

static bool read_environment(struct service *service, struct err *err)
{
	const struct conf_option *tables[PARTS_MAX + 1] = { NULL };

	for (size_t i = 0; service->parts[i].table; i++)
		tables[i] = service->parts[i].table;
	if (!conf_check_unknown(tables, service_known_names, err))
		return false;
	for (const struct service_part *part = service->parts; part->table; part++) {
		if (!conf_load(part->table, part->config, err))
			return false;
		mask_secrets(part);
	}
	return service_options_check(&service->options, err);
}

static void add_setting(const char *name, const char *value, void *opaque)
{
	struct buf *line = opaque;

	buf_addf(line, "%s%s=%s", line->size > 0 ? ", " : "", name, value);
}

static void log_settings(const struct service *service)
{
	log_info("starting tocsin-%s %s", service->about->name, SERVICE_VERSION);
	for (const struct service_part *part = service->parts; part->table; part++) {
		struct buf line;
		buf_init(&line, 1 << 16);
		conf_dump(part->table, part->config, add_setting, &line);
		log_info("settings: %s", buf_text(&line));
		buf_done(&line);
	}
}

/* ---- the process ---- */

/* Memory of ours holds secrets: no core file and no debugger without privilege. */
static void harden(void)
{
	const struct rlimit none = { 0, 0 };

	signal(SIGPIPE, SIG_IGN);
	setrlimit(RLIMIT_CORE, &none);
#ifndef __SANITIZE_ADDRESS__ /* the leak check attaches as a debugger does */
	prctl(PR_SET_DUMPABLE, 0);
#endif
}

static void stop_signals(sigset_t *ret_set)
{
	sigemptyset(ret_set);
	sigaddset(ret_set, SIGTERM);
	sigaddset(ret_set, SIGINT);
	sigaddset(ret_set, SIGHUP);
	sigaddset(ret_set, SIGUSR1); /* from our own threads: look at the flags */
}

static void begin_stop(struct service *service)
{
	pthread_mutex_lock(&service->lock);
	service->stopping = true;
	pthread_cond_broadcast(&service->stop);
	service->callbacks_ran = true;
	struct stop_callback *callback = service->callbacks;
	struct http *http = service->http;
	pthread_mutex_unlock(&service->lock);

	/* The list only grew until callbacks_ran was set, and nobody frees it before the end.
	 */
	for (; callback; callback = callback->next)
		callback->callback(callback->opaque);
	if (http)
		http_stop(http, service->http_grace_ms);
}

/* Waits for the end of a stop; ends the process itself when that takes too long. */
static void guard_stop(const struct service *service, const sigset_t *set)
{
	uint64_t deadline = clock_mono_ms() + STOP_LIMIT_S * UINT64_C(1000);

	while (!service->finished) {
		uint64_t now = clock_mono_ms();
		if (now >= deadline) {
			log_error("not stopped within %d s: ending as after a crash",
				  STOP_LIMIT_S);
			_exit(EXIT_FAILURE);
		}
		const struct timespec left = { .tv_sec =
						   (time_t)((deadline - now) / 1000 + 1) };
		sigtimedwait(set, NULL, &left);
	}
}

static void *take_signals(void *opaque)
{
	struct service *service = opaque;
	sigset_t set;
	int number;

	stop_signals(&set);
	if (sigtimedwait(&set, NULL, &(struct timespec){ .tv_sec = SETTLE_S }) < 0) {
		memory_settle();
		while (sigwait(&set, &number) != 0)
			;
	}
	if (service->finished)
		return NULL;
	log_info("stopping");
	begin_stop(service);
	guard_stop(service, &set);
	return NULL;
}

static bool start_signals(struct service *service, struct err *err)
{
	pthread_attr_t attributes;
	sigset_t set;

	stop_signals(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	int failed = pthread_create(&service->signals, &attributes, take_signals, service);
	pthread_attr_destroy(&attributes);
	if (failed)
		return err_set(err, ERR_TRANSIENT, "cannot start a thread: %s",
			       strerror(failed));
	service->signals_started = true;
	return true;
}

static bool is_stopping(void *opaque)
{
	return service_stopping(opaque);
}

static bool open_health(struct service *service, struct err *err)
{
	const struct service_options *options = &service->options;

	service->health = service_health_new(is_stopping, service);
	service_process_register();
	metric_register(own_metrics);
	metric_set(&build_info, 1, service->about->name, SERVICE_VERSION,
		   options->installation);
	for (struct metric *const *const *rows = service->about->metrics; rows && *rows; rows++)
		metric_register(*rows);
	return options->health_port == 0 ||
	       service_health_listen(service->health, options->health_address,
				     options->health_port, err);
}

static struct service *service_new(const struct service_about *about,
				   const struct service_part *parts)
{
	struct service *service = xcalloc(1, sizeof *service);
	pthread_condattr_t monotonic;

	service->about = about;
	pthread_mutex_init(&service->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&service->stop, &monotonic);
	pthread_condattr_destroy(&monotonic);
	gather_parts(service, parts);
	return service;
}

static void service_free(struct service *service)
{
	if (service->signals_started) {
		service->finished = true;
		pthread_kill(service->signals, SIGUSR1);
		pthread_join(service->signals, NULL);
	}
	service_health_free(service->health);
	http_free(service->http);
	while (service->callbacks) {
		struct stop_callback *next = service->callbacks->next;
		free(service->callbacks);
		service->callbacks = next;
	}
	conf_clear(service_option_table, &service->options);
	pthread_cond_destroy(&service->stop);
	pthread_mutex_destroy(&service->lock);
	free(service);
}

struct service *service_start(int argc, char **argv, const struct service_about *about,
			      const struct service_part *parts)
{
	struct service *service = service_new(about, parts);
	struct err err = { 0 };

	harden();
	bool good =
	    read_arguments(service, argc, argv, &err) && read_environment(service, &err);
	if (good) {
		log_setup(about->name, service->options.log_level);
		metric_show_customers(service->options.metrics_customers);
		log_settings(service);
		good = start_signals(service, &err) && open_health(service, &err);
	}
	if (good)
		return service;
	service_fail(service, &err);
	return NULL;
}

int service_finish(struct service *service, bool clean)
{
	log_info("%s", clean ? "stopped" : "stopped with work left for others");
	service_free(service);
	return clean ? EXIT_SUCCESS : EXIT_FAILURE;
}

int service_fail(struct service *service, const struct err *err)
{
	fprintf(stderr, "tocsin-%s: %s\n", service->about->name, err->text);
	service_free(service);
	return EXIT_FAILURE;
}

const struct service_options *service_options(const struct service *service)
{
	return &service->options;
}

void service_keep_http(struct service *service, struct http *http, unsigned stop_grace_ms)
{
	pthread_mutex_lock(&service->lock);
	service->http = http;
	service->http_grace_ms = stop_grace_ms;
	bool late = service->callbacks_ran;
	pthread_mutex_unlock(&service->lock);
	if (late)
		http_stop(http, stop_grace_ms);
}

/* ---- stop ---- */

bool service_stopping(const struct service *service)
{
	return service->stopping;
}

void service_stop(struct service *service)
{
	pthread_kill(service->signals, SIGUSR1);
}

void service_on_stop(struct service *service, void (*callback)(void *opaque), void *opaque)
{
	struct stop_callback *added = xcalloc(1, sizeof *added);

	*added = (struct stop_callback){ .callback = callback, .opaque = opaque };
	pthread_mutex_lock(&service->lock);
	bool late = service->callbacks_ran;
	if (!late) {
		struct stop_callback **end = &service->callbacks;
		while (*end)
			end = &(*end)->next;
		*end = added;
	}
	pthread_mutex_unlock(&service->lock);
	if (!late)
		return;
	free(added);
	callback(opaque);
}

bool service_wait_ms(struct service *service, uint64_t ms)
{
	struct timespec until = clock_mono_after(ms);

	pthread_mutex_lock(&service->lock);
	while (!service->stopping &&
	       pthread_cond_timedwait(&service->stop, &service->lock, &until) == 0)
		;
	bool stopping = service->stopping;
	pthread_mutex_unlock(&service->lock);
	return !stopping;
}

/* ---- health ---- */

void service_add_ready(struct service *service, const char *name, service_check *check,
		       void *opaque)
{
	service_health_add(service->health, false, name, check, opaque);
}

void service_add_alive(struct service *service, const char *name, service_check *check,
		       void *opaque)
{
	service_health_add(service->health, true, name, check, opaque);
}

struct service_beat *service_beat_new(struct service *service, const char *name,
				      uint64_t max_age_ms)
{
	return service_health_beat(service->health, name, max_age_ms);
}
