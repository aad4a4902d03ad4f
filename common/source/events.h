#ifndef SOURCE_EVENTS_H
#define SOURCE_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/origin.h"

struct arena;
struct customer;
struct customer_source;
struct page_event;
struct source_page;

/* What is older than this when it is read was not read in time: CATCHUP instead of POLL. */
enum { EVENTS_LIVE_MS = 30 * 60 * 1000 };

/* A driver's page as entries of the stream `raw`, with the fate key of each. In arena, like the
 * page itself, which must outlive it. */
struct events {
	struct page_event *items;
	bool *fresh; /* filled by the commit: which were new */
	size_t count;
	uint64_t observed_ms;
};

void events_build(struct events *ret_events, const struct customer *customer,
		  const struct customer_source *settings, const struct source_page *page,
		  enum origin origin, struct arena *arena);

#endif
