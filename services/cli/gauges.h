#ifndef CLI_GAUGES_H
#define CLI_GAUGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/metric.h"

struct err;
struct redis;
struct roster;

/*
 * What is true of the whole installation and no single process knows: work left and how old it
 * is, accounts, sources, Redis itself. The keeper reads it and shows it as metrics.
 */
extern struct metric *const gauges_metrics[], *const gauges_incident_metrics[];

struct gauges {
	struct redis *redis; /* borrowed, like the next */
	struct roster *roster;
	unsigned partitions;
	uint64_t since_ms; /* wall clock, when the keeper started */
	bool customers; /* a series per customer; else, and when there are too many, the worst
			 * of all under "all" */
};

/* Reads everything once. What cannot be read keeps its last value. */
void gauges_read(const struct gauges *gauges);
/* The part of it that is about incidents and contained hosts. */
bool gauges_read_incidents(const struct gauges *gauges, struct err *err);

#endif
