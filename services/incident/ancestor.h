#ifndef INCIDENT_ANCESTOR_H
#define INCIDENT_ANCESTOR_H

#include <stdbool.h>

#include "base/err.h"

struct closure;
struct entry;
struct outcome;
struct worker_thread;

/*
 * A ticket that the ancestors opened before the migration, and its incident in Threat Response:
 * verified on both sides, it becomes an incident of ours which then closes like all others. The
 * ticket must be at the instance that the caller proved to be, of a company that is a
 * customer's, over, and name the incident in its notes; the incident must be open and have the
 * ticket's title, or refer to it. What is not so is refused, with the reason in the log.
 */
bool ancestor_adopt(struct worker_thread *self, const struct entry *entry,
		    const struct closure *closure, struct outcome *outcome, struct err *err);

#endif
