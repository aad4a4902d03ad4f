#ifndef BUS_BUS_H
#define BUS_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/conf.h"
#include "base/err.h"

struct metric;
struct redis;
struct redis_settings;

/*
 * What every process knows about Redis and about time. The names are in bus_options; the rules
 * between them (bus_settings_check) keep duplicates out, see docs/architecture.
 */
struct bus_settings {
	char *redis_url;
	char *redis_user;
	char *redis_password;
	char *redis_ca_file;
	char *redis_certificate_file, *redis_key_file;
	uint64_t redis_timeout_ms;
	unsigned partitions;
	char *instance; /* part of consumer names; NULL: the host's name */

	uint64_t call_deadline_ms; /* of a vendor call, from its intent, slot wait included */
	uint64_t remote_max_ms;	   /* longest a vendor may still act on a request */
	uint64_t quarantine_margin_ms; /* slack on top of both */
	uint64_t quarantine_ms;	       /* from an intent until we may look and try again */
	uint64_t heartbeat_ms;
	uint64_t claim_idle_ms; /* an entry idle for so long may be taken over */
	uint64_t scan_ms; /* how often we look for such, and for deferred work that is due */
	uint64_t lease_ms, lease_renew_ms;
	uint64_t block_ms;   /* of a read */
	uint64_t give_up_ms; /* age at which what only ever failed is dead */
	uint64_t backoff_base_ms, backoff_cap_ms;
	uint64_t fate_ttl_ms;
	uint64_t stop_grace_ms; /* what is in hand at SIGTERM gets this long */
	uint64_t stuck_ms;	/* a thread without progress for so long fails liveness */
};

/* Rows for struct bus_settings, for conf_load(). */
extern const struct conf_option bus_options[];

/* Start refuses values that contradict each other; err names both settings. Also checks the
 * URL. */
bool bus_settings_check(const struct bus_settings *settings, struct err *err);

/* Rows to register, NULL-terminated. */
extern struct metric *const bus_metrics[];

/* The threads of this process that work on streams (bus/worker.h), and their keeper. */
struct bus;

/* settings is borrowed; service is the process's name ("incident"). No network yet. */
struct bus *bus_new(const struct bus_settings *settings, const char *service);
/* After bus_join(), or when bus_start() was never called. NULL is fine. */
void bus_free(struct bus *bus);

/* A connection of the caller's own with these settings, for the thread that calls; free it
 * before the bus. name ends up in CLIENT LIST as "tocsin-<service>-<name>". */
struct redis *bus_connection(const struct bus *bus, const char *name);
/* The same without a bus. *ret_settings must outlive the connection. */
void bus_redis_settings(const struct bus_settings *settings,
			struct redis_settings *ret_settings);

/* Starts the threads of every worker added and the keeper. */
bool bus_start(struct bus *bus, struct err *err);
/* Reading stops at once, from any thread, more than once if you like. */
void bus_stop(struct bus *bus);
/* Waits until every thread has settled what it had, or until the monotonic time given: what is
 * then still in hand is handed back (after its quarantine when a call may be under way), its
 * threads are told that they lost it, and the answer is false: end the process. */
bool bus_join(struct bus *bus, uint64_t until_mono_ms);

enum { BUS_TEXT_SIZE = 240 };

/* Ready: Redis answers every thread, and setup has done its work. ret_text says why not. */
bool bus_ready(struct bus *bus, char *ret_text);
/* Stuck: a thread made no progress for settings->stuck_ms. ret_text says which. */
bool bus_stuck(struct bus *bus, char *ret_text);

#endif
