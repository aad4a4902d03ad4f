#ifndef CALLBACK_EVENTS_H
#define CALLBACK_EVENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct arena;

/* The events of a pushed body: where each begins and ends, untouched. */
struct events_item {
	const char *text; /* borrowed from the body; not NUL-terminated */
	size_t size;
	const char *id; /* what stands at the path, in the arena; NULL: nothing usable */
};

struct events {
	struct events_item *items; /* in the arena */
	size_t count;
};

/* body is one JSON object, an array of objects, or objects each on lines of their own (NDJSON;
 * blank lines are passed over). Each is checked whole. At most max of them. id_path: members'
 * names with dots, or NULL. False with err (permanent) that says which event is wrong. */
bool events_split(const char *body, size_t size, size_t max, const char *id_path,
		  struct arena *arena, struct events *ret_events, struct err *err);

#endif
