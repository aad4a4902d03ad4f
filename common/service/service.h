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

struct service_about {
	const char *name; /* "collector"; the binary is tocsin-collector */
	const char *summary;
	struct metric *const *metrics; /* rows this process owns, NULL-terminated; or NULL */
};

/* The options that all processes share. */
struct service_options {
	char *redis_url, *redis_user, *redis_password;
	char *installation; /* <= 12 of a-z 0-9 -; part of every key outside */
	unsigned partitions;
	unsigned log_level;
	char *health_address;
	unsigned health_port; /* 0: no listener */
	char *proxy, *proxy_auth, *ca_file;
	unsigned http_in_flight;
	uint64_t connect_timeout_ms;
};

/*
 * Reads the command line (--help, --version and --print-options, a Markdown reference, print
 * and exit 0) and the environment into the shared options and config (zeroed by the caller,
 * who clears it with conf_clear), logs the effective values, blocks SIGTERM, SIGINT and SIGHUP
 * for all threads to come, ignores SIGPIPE, forbids core dumps and opens the health port. NULL:
 * already explained on stderr, exit with EXIT_FAILURE.
 */
struct service *service_start(int argc, char **argv, const struct service_about *about,
			      const struct conf_option *table, void *config);
/* Explains on stderr, ends the process's life as service_finish does, returns EXIT_FAILURE. */
int service_fail(struct service *service, const struct err *err);
/* Exit status: EXIT_SUCCESS when clean. After a signal the process ends here or by itself after
 * 15 s, whatever still hangs. */
int service_finish(struct service *service, bool clean);

const struct service_options *service_options(const struct service *service);
/* The process's HTTP client with its proxy and CA settings; stopped by the first signal with
 * 8 s of grace, freed by service_finish. NULL with err: the CA file cannot be read. */
struct http *service_http(struct service *service, struct err *err);

/* ---- stop ---- */

bool service_stopping(const struct service *service);
/* As if SIGTERM had come. */
void service_stop(struct service *service);
/* Called once, from the signal thread, in the order of registration; at once when stopping
 * already. Must not block. */
void service_on_stop(struct service *service, void (*callback)(void *opaque), void *opaque);
/* Sleeps; false as soon as the process is to stop. */
bool service_wait_ms(struct service *service, uint64_t ms);

/* ---- health ---- */

/* A loop's proof of progress: /healthz is 503 and names it when it has not been stamped for
 * max_age_ms. name is copied. */
struct service_beat;
struct service_beat *service_beat_new(struct service *service, const char *name,
				      uint64_t max_age_ms);
void service_beat(struct service_beat *beat);
void service_beat_end(struct service_beat *beat); /* the loop is over; NULL is fine */

/* Something /readyz needs ("redis", "functions"): 503 with the text until it holds. It does not
 * hold at first. name is copied. */
struct service_condition;
struct service_condition *service_condition_new(struct service *service, const char *name);
void service_condition_set(struct service_condition *condition, bool holds, const char *text);

/* ---- for tools that are not services ---- */

/* Rows of struct service_options. */
const struct conf_option *service_option_table(void);
/* Every TOCSIN_ name that any process knows, NULL-terminated: see conf_check_unknown(). */
const char *const *service_known_names(void);

#endif
