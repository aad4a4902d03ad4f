#ifndef COLLECTOR_POLL_H
#define COLLECTOR_POLL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "vendor/session.h"

struct account;
struct customer;
struct customer_source;
struct lateness;
struct lease;
struct redis;
struct source_driver;

/*
 * One poll of one source, from cursor to cursor. Knows nothing of schedules and threads: the
 * caller holds the source's lease and says when to give up. Everything that was read is durable
 * when a poll ends, however it ends; only a poll that succeeded moves the high-water mark.
 */
struct poll {
	struct redis *redis; /* of the calling thread; this and all that follow are borrowed */
	struct vendor *vendor;
	const struct lease *lease;
	const struct customer *customer;
	const struct customer_source *settings;
	const struct account *account;
	const struct source_driver *driver;
	uint64_t fate_ttl_ms;
	uint64_t retry_base_ms, retry_cap_ms; /* of the waits after failures */
	uint64_t page_deadline_ms;	      /* for one page; 0: the vendor's default */
	uint64_t
	    look_back_max_ms; /* how far lateness may stretch the look-back; 0: not at all */
	uint64_t wide_interval_ms; /* how often a poll looks back that far anyway; 0: never */
	struct lateness *lateness; /* of events after the last write of the cursor */
	/* Called before each page: progress; false ends the poll. NULL is fine. */
	bool (*go_on)(void *opaque);
	void *opaque;
};

enum poll_outcome {
	POLL_OK,
	POLL_FAILED,  /* by the vendor, or by what it sent */
	POLL_REFUSED, /* by the account's gate: nothing was sent (or no more) */
	POLL_STALE,   /* the lease is no longer ours: nothing was written */
	POLL_FULL,    /* Redis takes no more events for now */
	POLL_REDIS,   /* Redis failed otherwise */
	POLL_STOPPED,
};

struct poll_result {
	enum poll_outcome outcome;
	struct err err;
	enum vendor_refusal refusal;
	uint64_t wait_ms; /* after which to come again, 0: on schedule */
	size_t pages;
	size_t fresh, duplicate; /* events */
	uint64_t failures;	 /* in a row, of the vendor; 0 after success */
	bool behind;		 /* finished a poll begun earlier: poll again at once */
};

void poll_source(const struct poll *poll, struct poll_result *ret_result);

const char *poll_outcome_name(enum poll_outcome outcome);

#endif
