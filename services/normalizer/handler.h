#ifndef NORMALIZER_HANDLER_H
#define NORMALIZER_HANDLER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct entry;
struct jq_settings;
struct key;
struct metric;
struct normalizer;
struct outcome;
struct programs;
struct worker_thread;

/*
 * From stream to stream: what the worker (bus/worker.h) calls for a batch of raw entries. Its
 * state is a struct handler_shared, its local what one thread has of its own.
 *
 * A finding is published and leaves the event's fate "queued"; what is none gets the fate
 * "skipped:<why>"; what cannot be read is buried with the reason. Only an event whose source is
 * a jq program is ever put off: while the programs, or the process that runs them, cannot be
 * had.
 */
struct handler_shared {
	const struct normalizer *normalizer;
	struct programs *programs;
	const struct jq_settings *jq;
};

void handler_handle(struct worker_thread *self, const struct entry *entries,
		    struct outcome *outcomes, size_t count);
bool handler_open(struct worker_thread *self, void **ret_local, struct err *err);
void handler_close(void *opaque);
/* The fate's key of an entry that the worker itself has to bury. */
bool handler_fate(const struct entry *entry, unsigned partition, struct key *ret_key);

extern struct metric *const handler_metrics[];

#endif
