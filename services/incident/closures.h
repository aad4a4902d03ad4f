#ifndef INCIDENT_CLOSURES_H
#define INCIDENT_CLOSURES_H

#include <stddef.h>

struct entry;
struct outcome;
struct worker_thread;

/* Handler of the stream `closures`: finds the incident that each is about and puts it into its
 * inbox; state: struct app. */
void closures_handle(struct worker_thread *self, const struct entry *entries,
		     struct outcome *outcomes, size_t count);

#endif
