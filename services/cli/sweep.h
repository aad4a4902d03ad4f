#ifndef CLI_SWEEP_H
#define CLI_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/customer.h"
#include "model/origin.h"
#include "source/events.h"
#include "source/source.h"

struct arena;
struct cli;
struct page_event;
struct raw;
struct redis;
struct vendor;

/*
 * Windows of the vendors read once more, by the drivers that the collector polls with and
 * within the same budgets: for collect, replay and audit.
 */
struct sweep {
	struct cli *cli;
	struct redis *redis;
	struct vendor *vendor;
	struct directory *directory;
	uint64_t now_ms; /* wall, when it began */
	uint64_t since_ms;
	bool all_types; /* no filter by type or category */
};

/* One source of one customer. */
struct sweep_target {
	const struct customer *customer;
	const char *name;
	const struct customer_source
	    *settings; /* NULL, like the next two: it is pushed to us */
	const struct account *account;
	const struct source_driver *driver;
};

/* One page, as entries of `raw`: page->events[i] became events->items[i]. Both live in arena,
 * until the next page. False with err ends the reading. */
typedef bool sweep_page(const struct sweep_target *target, const struct source_page *page,
			const struct events *events, struct arena *arena, void *opaque,
			struct err *err);

/* Reads --customer, --source, --since (a time or a span, default 24h) and --all-types. On
 * failure the exit code is in *ret_code. */
bool sweep_init(struct sweep *ret_sweep, struct cli *cli, int *ret_code, struct err *err);
void sweep_done(struct sweep *sweep); /* zeroed is fine */

/* The targets that the options name, in a list of the caller's, with those that are pushed to
 * us if that is asked for; NULL with err (permanent) when there is no such customer or source.
 */
struct sweep_target *sweep_targets(const struct sweep *sweep, bool pushed, size_t *ret_count,
				   struct err *err);

/* Reads a target's window to its end. Where the vendor or the account's budget asks for a pause
 * it is made, and told on stderr. */
bool sweep_read(const struct sweep *sweep, const struct sweep_target *target,
		enum origin origin, sweep_page *visit, void *opaque, struct err *err);

/* The fates of a page's events in texts of arena, NULL where there is none. */
bool sweep_fates(const struct sweep *sweep, const struct events *events, struct arena *arena,
		 const char **ret_fates, struct err *err);

/* The entry of an event, decoded. */
bool sweep_raw(const struct events *events, size_t index, struct raw *ret_raw, struct err *err);

/* The first word of a fate, "incident"; "without fate" for NULL. */
const char *sweep_fate_kind(const char *fate, struct arena *arena);

/* Takes in what has no fate, in one step with its fate; *ret_added: how many had none. */
bool sweep_append(const struct sweep *sweep, const struct sweep_target *target,
		  const struct page_event *items, size_t count, struct arena *arena,
		  size_t *ret_added, struct err *err);

/* How long a fate must be kept so that the window can be read again. */
uint64_t sweep_fate_ttl(const struct sweep *sweep);
/* Events whose fates may have expired must not be taken in: they would be new. */
bool sweep_may_write(const struct sweep *sweep, struct err *err);

#endif
