#ifndef BASE_METRIC_H
#define BASE_METRIC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * The table of metrics, in Prometheus's terms. A metric is declared once as a static row and
 * registered by the service that owns it; the same rows render /metrics and the reference.
 * Counting is thread-safe. Label values are copied; at most METRIC_SERIES_MAX series per
 * metric, further ones are counted under the label value "other".
 */
enum { METRIC_SERIES_MAX = 2000 };
enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric {
	const char *name; /* tocsin_..., with unit suffix: _total, _seconds, _bytes */
	enum metric_kind kind;
	const char *help;
	const char *labels;   /* comma-separated label names, NULL for none; at most 4 */
	const double *bounds; /* histogram: ascending upper bounds, ended by 0 */
	struct metric_series *_Atomic series; /* private */
};

/* Rows are borrowed for the life of the process; the list ends with NULL. */
void metric_register(struct metric *const *rows);

/* As many label values as the row has label names (const char *); none for a row without. */
void metric_add(struct metric *metric, double value, ...);
void metric_set(struct metric *metric, double value, ...);
void metric_observe(struct metric *metric, double value, ...);
/* Series that were not set since the last sweep are no longer shown: what they were about is
 * gone. For a row of gauges that one thread reads over and over. */
void metric_sweep(struct metric *metric);

/* Whether customers have series of their own; else all are counted as one. Off at first. */
void metric_show_customers(bool shown);
/* The value of a label `customer`: the id given, or "all". */
const char *metric_customer(const char *id);

/* Text exposition format 0.0.4 of every registered row. */
void metric_render(struct buf *out);
/* Markdown rows of the reference. */
void metric_print_markdown(struct metric *const *rows, struct buf *out);

#endif
