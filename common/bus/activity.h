#ifndef BUS_ACTIVITY_H
#define BUS_ACTIVITY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/field.h"

struct redis;

/* A line for the live feed: the only stream that is trimmed, and the only write whose failure
 * nobody has to act on. */
bool activity_add(struct redis *redis, unsigned partition, const struct field *fields,
		  size_t count, struct err *err);

#endif
