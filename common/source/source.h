#ifndef SOURCE_SOURCE_H
#define SOURCE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/customer.h"

struct arena;
struct vendor_session;

/*
 * A vendor API that can be polled. To add one: write source_<name>.c, export one const struct
 * of this type, add it to the list in sources.c. docs/adding-a-source.md walks through it.
 *
 * A driver never touches Redis and keeps nothing between calls: it turns (settings, where to
 * start, page token) into (events, next page token). The collector makes each page durable
 * before it asks for the next one, and moves the cursor together with the last, so a crash
 * repeats pages but never skips one; what was seen before is told by customer, source and event
 * id. Order within a poll does not matter. Drivers run on many threads at once.
 */
struct source_task {
	const struct customer_source *settings;
	struct vendor_session *session; /* of an account of the driver's kind */
	uint64_t start_ms;		/* events of this time and later */
};

/* Strings are in the arena of the call. */
struct source_event {
	const char *id;	     /* the vendor's, exactly; "" when it gave none: one is derived */
	uint64_t time_ms;    /* the vendor's time of the event, 0 when unknown */
	const char *payload; /* the vendor's JSON of this one event, byte for byte */
	size_t size;
};

struct source_page {
	struct source_event *events;
	size_t count;
	const char *next;   /* token of the next page, at most SOURCE_TOKEN_MAX; NULL: last */
	uint64_t server_ms; /* the vendor's clock, 0 when it did not say */
};

enum { SOURCE_TOKEN_MAX = 8192 };

struct source_driver {
	const char *name;	   /* as in the customer's file: sources.<name> */
	const char *summary;	   /* one line for people */
	enum account_kind account; /* whose credentials it needs */

	/* One page; token is NULL for the first one. A token also works in a later process as
	 * long as settings and start_ms are the same. A refusal by the session is passed on. */
	bool (*page)(const struct source_task *task, const char *token, struct arena *arena,
		     struct source_page *ret_page, struct err *err);
};

/* NULL when no driver has that name. */
const struct source_driver *source_find(const char *name);
/* NULL past the last one. */
const struct source_driver *source_at(size_t index);

#endif
