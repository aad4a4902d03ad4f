#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/conf.h"
#include "base/err.h"
#include "base/metric.h"

#define SERVICE_VERSION "0.1.0"

/*
 * The life of a process: options, log, signals, health, metrics, stop. A main() starts it,
 * registers what must move and what must hold, runs its loops until service_stopping(), and
 * returns service_finish(). Everything but start and finish is safe from any thread.
 */
struct service;
struct http;

/* One table of options and the zeroed struct it fills; whoever owns the struct clears it with
 * conf_clear(). A list of parts ends with a zeroed one. */
struct service_part {
	const char *title; /* "Redis and times", for --help and the reference */
	const struct conf_option *table;
	void *config;
};

struct service_about {
	const char *name;		      /* "collector": the binary is tocsin-collector */
	const char *summary;		      /* one line for --help */
	struct metric *const *const *metrics; /* lists of rows, NULL-terminated; or NULL */
};

/* What all processes know of themselves. */
struct service_options {
	char *installation; /* <= 12 of a-z 0-9 -: part of every key outside */
	unsigned log_level;
	char *health_address;
	unsigned health_port; /* 0: no listener */
	bool metrics_customers;
};

/*
 * Reads the command line (--help, --version, and --print-options and --print-metrics, which
 * write the Markdown of the references, print and exit 0; --healthcheck asks the process that
 * runs with the same settings and exits 0 when it is ready) and the environment into the
 * process's own options and the parts, refuses TOCSIN_ variables that nobody knows, logs the
 * effective values, blocks SIGTERM, SIGINT and SIGHUP in all threads to come, ignores SIGPIPE,
 * forbids core dumps and opens the health port. NULL: already explained on stderr, exit with
 * EXIT_FAILURE. about and the tables are borrowed for the life of the process.
 */
struct service *service_start(int argc, char **argv, const struct service_about *about,
			      const struct service_part *parts);
/* Exit status: EXIT_SUCCESS when clean. After a signal the process ends here, or by itself
 * after 15 s whatever still hangs. */
int service_finish(struct service *service, bool clean);
/* The end of a start that cannot go on: explains err on stderr, finishes, EXIT_FAILURE. */
int service_fail(struct service *service, const struct err *err);

const struct service_options *service_options(const struct service *service);
/* Hands over the process's HTTP client, one at most: a signal stops it with this much grace,
 * service_finish() frees it. */
void service_keep_http(struct service *service, struct http *http, unsigned stop_grace_ms);

/* ---- stop ---- */

bool service_stopping(const struct service *service);
/* As if SIGTERM had come. */
void service_stop(struct service *service);
/* Called once, in the order of registration, from the thread that takes the signals; when the
 * process is stopping already, at once from this one. Must not block. */
void service_on_stop(struct service *service, void (*callback)(void *opaque), void *opaque);
/* Sleeps; false as soon as the process is to stop. */
bool service_wait_ms(struct service *service, uint64_t ms);

/* ---- health: /healthz, /readyz, /metrics on the internal port ---- */

enum { SERVICE_TEXT_SIZE = 240 };

/* True when all is well, otherwise ret_text (SERVICE_TEXT_SIZE bytes) says what is not. Called
 * from the health thread; must not block. */
typedef bool service_check(void *opaque, char *ret_text);

/* /readyz is 503 with the text until it holds: "redis", "roster"; and before there is any.
 * name is borrowed. */
void service_add_ready(struct service *service, const char *name, service_check *check,
		       void *opaque);
/* /healthz likewise: progress, not that a thread answers. */
void service_add_alive(struct service *service, const char *name, service_check *check,
		       void *opaque);

/* A loop's proof of progress: /healthz is 503 and names it when it was not stamped for
 * max_age_ms. name is copied. */
struct service_beat;
struct service_beat *service_beat_new(struct service *service, const char *name,
				      uint64_t max_age_ms);
void service_beat(struct service_beat *beat);
void service_beat_end(struct service_beat *beat); /* the loop is over; NULL is fine */

/* ---- for the client, which is no service ---- */

/* Rows of struct service_options. */
extern const struct conf_option service_option_table[];
/* a-z 0-9 -, as the help says. */
bool service_options_check(const struct service_options *options, struct err *err);
/* Every TOCSIN_ name that any process of ours knows: for conf_check_unknown(). */
extern const char *const service_known_names[];

#endif
