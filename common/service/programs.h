#ifndef SERVICE_PROGRAMS_H
#define SERVICE_PROGRAMS_H

#include <stdint.h>

#include "base/err.h"
#include "model/program_set.h"

struct redis;

/*
 * What operators wrote for this process: the hash `tocsin:programs` as setup last checked and
 * published it, in editions (service/editions.h). Thread-safe.
 *
 * Texts were checked before they were published. Each thread makes of them what it needs when
 * the version is another than it has.
 */
struct programs;

struct programs *programs_new(void);
void programs_free(struct programs *programs); /* nobody may hold a set any more */

/* Refreshes when it is time, on the caller's connection. NULL with err (transient) when setup
 * has published nothing yet: then nothing is known, not even that there are no programs. Give
 * it back with programs_put(). */
const struct program_set *programs_get(struct programs *programs, struct redis *redis,
				       uint64_t *ret_version, struct err *err);
void programs_put(struct programs *programs, const struct program_set *set);
/* Something is missing that may have been published since: the next programs_get() asks. */
void programs_look_again(struct programs *programs);

#endif
