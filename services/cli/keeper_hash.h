#ifndef CLI_KEEPER_HASH_H
#define CLI_KEEPER_HASH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "plan.h"

struct redis;

/* Hashes that setup keeps as the files say: fields, and "#version" beside them. */

/* ret_fields without "#version"; *ret_version is 0 when there is none. */
bool keeper_hash_read(struct redis *redis, const char *key, struct plan_fields *ret_fields,
		      uint64_t *ret_version, struct err *err);
/* In one step. *ret_done is false when the hash is not of the version seen any more. */
bool keeper_hash_write(struct redis *redis, const char *key, const struct plan_fields *set,
		       const struct plan_fields *remove, uint64_t seen, uint64_t version,
		       bool *ret_done, struct err *err);
/* False with err (transient) when the hash is not of this version. */
bool keeper_hash_check(struct redis *redis, const char *key, uint64_t version, struct err *err);

/* Makes the hash of the callback's credentials what tocsin:customers of this version says. */
bool keeper_apply_callback(struct redis *redis, uint64_t version, struct err *err);

#endif
