#ifndef INCIDENT_CLOSURES_H
#define INCIDENT_CLOSURES_H

#include <stddef.h>

struct entry;
struct outcome;
struct worker_thread;

/* Handlers of the streams `closures`, what is said from outside, and `orders`, what operators
 * say: each finds the incident that an entry is about and puts it into its inbox; state: struct
 * app. */
void closures_handle(struct worker_thread *self, const struct entry *entries,
		     struct outcome *outcomes, size_t count);
void orders_handle(struct worker_thread *self, const struct entry *entries,
		   struct outcome *outcomes, size_t count);

#endif
