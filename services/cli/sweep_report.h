#ifndef CLI_SWEEP_REPORT_H
#define CLI_SWEEP_REPORT_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "sweep.h"
#include "table.h"

/*
 * What collect, replay and audit tell: {since_ms, sources: [{customer, source, events, tally:
 * {word: n}, list: [...], unlisted, error}]}. Every event counts in its source's tally once;
 * the list holds the first of those worth a line.
 */
enum { SWEEP_LIST_DEFAULT = 200, SWEEP_LIST_MAX = 1000000 };

struct sweep_report {
	json_t *document;
	json_t *source; /* the one in hand */
	json_t *tally, *list;
	uint64_t limit; /* lines per source */
	bool failed;	/* a source could not be read to its end */
};

/* Reads --limit. */
bool sweep_report_init(struct sweep_report *ret_report, const struct sweep *sweep,
		       struct err *err);
void sweep_report_source(struct sweep_report *report, const struct sweep_target *target);
void sweep_report_count(struct sweep_report *report, const char *word, size_t count);
/* Takes row. */
void sweep_report_list(struct sweep_report *report, json_t *row);
/* Counts a row of forecast_event() by its outcome and lists it, with the vendor's time. Takes
 * it. */
void sweep_report_forecast(struct sweep_report *report, json_t *row, uint64_t time_ms);
/* The source in hand failed: what was counted so far stands. */
void sweep_report_error(struct sweep_report *report, const struct err *err);
/* How often that word was counted, over all sources. */
uint64_t sweep_report_total(const struct sweep_report *report, const char *word);

/* One line for each source, "acme umbrella: 12 events: 9 known, 3 opens", and its list as a
 * table. */
void sweep_report_render(struct buf *out, const struct screen *screen, const json_t *document,
			 const struct column *columns);

#endif
