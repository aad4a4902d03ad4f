#ifndef INCIDENT_MEMO_H
#define INCIDENT_MEMO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

/* What this process learned and need not ask again for a while: a small table of texts that
 * forgets by age, and by accident when two names share a place. Thread-safe. */
struct memo;

struct memo *memo_new(size_t places, uint64_t ttl_ms);
void memo_free(struct memo *memo); /* NULL is fine */

/* The value is copied into arena; NULL when nothing is remembered. */
const char *memo_get(struct memo *memo, const char *name, struct arena *arena);
void memo_set(struct memo *memo, const char *name, const char *value);
/* True when it was not there and now is. */
bool memo_add(struct memo *memo, const char *name);

#endif
