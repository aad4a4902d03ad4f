#ifndef CLI_RETENTION_H
#define CLI_RETENTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/conf.h"
#include "base/err.h"
#include "base/metric.h"

struct bus_settings;
struct redis;

/*
 * What is over does not stay in Redis for ever: incidents that have been closed, or were opened
 * in shadow mode, and unchanged for so long are exported and forgotten. The keeper does it: it
 * talks to nobody outside, and there is one of it. Two of them at once export a line twice.
 */
struct retention_settings {
	uint64_t keep_ms; /* 0: for ever */
	uint64_t interval_ms;
	char *folder; /* NULL: no export, a line in the log each */
};
extern const struct conf_option retention_options[];
extern struct metric *const retention_metrics[];

/* A fate that outlives its incident would lead nowhere. */
bool retention_check(const struct retention_settings *settings, const struct bus_settings *bus,
		     struct err *err);

/* Zeroed to begin with. */
struct retention {
	const struct retention_settings *settings;
	unsigned partitions;
	unsigned partition; /* where the round is */
	char cursor[24];    /* of SCAN; "": between two rounds */
	uint64_t began_ms;
	uint64_t forgotten; /* in this round */
};

/* A page of the keys; does nothing between two rounds. */
bool retention_step(struct retention *retention, struct redis *redis, struct err *err);

#endif
