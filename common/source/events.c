/* From what a driver read to what the stream holds. */
#include "source/events.h"

#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/trace.h"
#include "bus/page.h"
#include "model/customer.h"
#include "model/raw.h"
#include "source/source.h"

enum { DERIVED_SIZE = 33 };

/* The ids derived on this page. Equal records get ordinals 0, 1, ... so that both count, yet a
 * record that moved to the next page while paging keeps its id. */
struct derived {
	const char **ids;
	size_t count;
};

static bool is_known(const struct derived *derived, const char *id)
{
	for (size_t i = 0; i < derived->count; i++) {
		if (strcmp(derived->ids[i], id) == 0)
			return true;
	}
	return false;
}

static const char *derive_id(struct derived *derived, const struct source_event *event,
			     struct arena *arena)
{
	char *id = arena_alloc(arena, DERIVED_SIZE);
	unsigned ordinal = 0;

	do {
		if (!raw_derive_id(event->payload, event->size, ordinal++, id, NULL))
			return arena_printf(arena, "bytes-%016" PRIx64,
					    hash_add(HASH_START, event->payload, event->size));
	} while (is_known(derived, id));
	derived->ids[derived->count++] = id;
	return id;
}

static struct page_event encode(const struct raw *raw, unsigned partition, struct arena *arena)
{
	struct field *fields = arena_alloc(arena, RAW_FIELDS * sizeof(*fields));
	struct key fate;

	key_fate(&fate, partition, raw->customer, raw->source, raw->event_id);
	return (struct page_event){
		.fate_key = arena_strdup(arena, fate.text),
		.fields = fields,
		.field_count = raw_encode(raw, arena, fields),
	};
}

static enum origin origin_of(const struct source_event *event, uint64_t now_ms,
			     enum origin origin)
{
	bool old = event->time_ms && event->time_ms + EVENTS_LIVE_MS < now_ms;

	return origin == ORIGIN_POLL && old ? ORIGIN_CATCHUP : origin;
}

void events_build(struct events *ret_events, const struct customer *customer,
		  const struct customer_source *settings, const struct source_page *page,
		  enum origin origin, struct arena *arena)
{
	struct derived derived = {
		.ids = arena_alloc(arena, (page->count + 1) * sizeof(*derived.ids)),
	};

	*ret_events = (struct events){
		.items = arena_alloc(arena, (page->count + 1) * sizeof(*ret_events->items)),
		.fresh = arena_alloc(arena, page->count + 1),
		.count = page->count,
		.observed_ms = clock_wall_ms(),
	};
	for (size_t i = 0; i < page->count; i++) {
		const struct source_event *event = &page->events[i];
		char *trace = arena_alloc(arena, TRACE_ROOM);
		struct raw raw = {
			.customer = customer->id,
			.source = settings->name,
			.event_id = event->id,
			.observed_ms = ret_events->observed_ms,
			.asked = settings->event_type_count > 0 ? "1" : "",
			.trace = trace,
			.origin = origin_of(event, ret_events->observed_ms, origin),
			.payload = event->payload,
			.payload_size = event->size,
		};

		trace_new(trace);
		if (!*event->id || strlen(event->id) > RAW_EVENT_ID_MAX)
			raw.event_id = derive_id(&derived, event, arena);
		if (raw.payload_size > RAW_PAYLOAD_MAX) {
			/* What is left is not JSON: the normalizer buries it with its reason,
			 * so that it has a fate and somebody looks. */
			trace_log(trace);
			log_warn("event %s has %zu bytes, cut to %d", raw.event_id, event->size,
				 RAW_PAYLOAD_MAX);
			trace_log(NULL);
			raw.payload_size = RAW_PAYLOAD_MAX;
		}
		ret_events->items[i] = encode(&raw, customer->partition, arena);
	}
}
