#ifndef CLI_GAUGES_H
#define CLI_GAUGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/metric.h"

struct redis;
struct roster;

/*
 * What is true of the whole installation and no single process knows: work left and how old it
 * is, accounts, sources, Redis itself. The keeper reads it and shows it as metrics.
 */
extern struct metric *const gauges_metrics[];

struct gauges {
	struct redis *redis; /* borrowed, like the next */
	struct roster *roster;
	unsigned partitions;
	uint64_t since_ms; /* wall clock, when the keeper started */
	bool customers;	   /* a series per customer; else the worst of all under "all" */
};

/* Reads everything once. What cannot be read keeps its last value. */
void gauges_read(const struct gauges *gauges);

#endif
