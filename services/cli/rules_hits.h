#ifndef CLI_RULES_HITS_H
#define CLI_RULES_HITS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

struct program_set_item;
struct redis;

/* What the normalizers have counted, of all partitions together: {name: {matches, last_ms,
 * errors, error, left_out, since_ms}}; times are null when there are none. NULL with err. */
json_t *rules_hits_read(struct redis *redis, unsigned partitions, struct err *err);

/* For setup, after it has published rules (NULL: there are none): counts of rules that are gone
 * go as well, new ones are seen from now on, and what was left out has its chance again. */
bool rules_hits_keep(struct redis *redis, unsigned partitions,
		     const struct program_set_item *rules, bool changed, struct err *err);

#endif
