#ifndef SERVICE_ROSTER_H
#define SERVICE_ROSTER_H

#include <stdint.h>

#include "base/err.h"
#include "model/customer.h"

struct redis;

/*
 * The customers and accounts of this process: the hash `tocsin:customers` as setup last applied
 * it, in editions (service/editions.h). Thread-safe.
 */
struct roster;

struct roster *roster_new(void);
void roster_free(struct roster *roster); /* nobody may hold a directory any more */

/* Refreshes when it is time, on the caller's connection. NULL with err (transient) when nothing
 * was ever loaded. Give it back with roster_put(). */
const struct directory *roster_get(struct roster *roster, struct redis *redis, struct err *err);
void roster_put(struct roster *roster, const struct directory *directory);

/* The "#version" of a directory in hand. */
uint64_t roster_version(struct roster *roster, const struct directory *directory);

#endif
