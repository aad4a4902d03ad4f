#ifndef SOURCE_EVENTS_H
#define SOURCE_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct customer;
struct customer_source;
struct page_event;
struct source_page;

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
		  struct arena *arena);

#endif
