#ifndef CLI_CONTAINMENT_VIEW_H
#define CLI_CONTAINMENT_VIEW_H

#include <jansson.h>

#include "base/err.h"

struct arena;
struct redis;

/* Array of {method, incident}: who holds the host. NULL with err. */
json_t *containment_holders(struct redis *redis, unsigned partition, const char *customer,
			    const char *machine, struct err *err);
/* Array of {what, customer, since_ms, who}: what is frozen. NULL with err. */
json_t *containment_frozen(struct redis *redis, struct arena *arena, struct err *err);

#endif
