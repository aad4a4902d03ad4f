#ifndef BUS_SETUP_H
#define BUS_SETUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct redis;

/* Version of the function library this build carries; it only grows. */
enum { FUNCTIONS_VERSION = 7 };

enum { GENERATION_SIZE = 33 };

/* For the admin (`tocsin setup`). Loads the library when the server has none or an older one; a
 * newer one stays, it knows all that we call. */
bool setup_functions(struct redis *redis, bool *ret_loaded, struct err *err);

/* Makes the streams and groups (at 0) that are missing, and the partition's generation.
 * *ret_new_generation: the data set is new or was lost, everything derived must be applied
 * again. */
bool setup_partition(struct redis *redis, unsigned partition, bool *ret_new_generation,
		     struct err *err);

/* Removes consumers that have nothing pending and were idle for idle_ms. */
bool setup_prune_consumers(struct redis *redis, unsigned partition, uint64_t idle_ms,
			   size_t *ret_removed, struct err *err);

/* For services: functions present and not older than this build's, generation present. False
 * with what is missing in err. ret_generation holds GENERATION_SIZE bytes (NULL is fine). A
 * generation other than last time means that Redis lost its data in between. */
bool setup_check(struct redis *redis, unsigned partition, char *ret_generation,
		 struct err *err);

#endif
