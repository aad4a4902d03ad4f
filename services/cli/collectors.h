#ifndef CLI_COLLECTORS_H
#define CLI_COLLECTORS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "model/pin.h"

struct customer;
struct directory;
struct redis;
struct verdict;

/* The collectors that are alive, as they announce themselves, and whom each polls. */
struct collector_seen {
	char *name;
	struct pin pin;
};

struct collectors {
	struct collector_seen *items;
	size_t count;
};

/* False when Redis does not answer; ret_collectors is then empty. */
bool collectors_read(struct collectors *ret_collectors, struct redis *redis, struct err *err);
void collectors_done(struct collectors *collectors); /* zeroed is fine */

/* How many customers of those that are polled have a live collector of their own. */
size_t collectors_pinned(const struct collectors *collectors,
			 const struct directory *directory);

/* For tocsin status: [{collector, customers, label, sources}]. sources is status_sources()'s
 * answer, whose rows say which collector has them. Says in verdict what nobody polls, and who
 * is pinned to nothing. */
json_t *status_collectors(const struct collectors *collectors,
			  const struct directory *directory, const json_t *sources,
			  struct verdict *verdict);

#endif
