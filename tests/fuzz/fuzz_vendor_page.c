/* A page of events: whatever JSON a parser accepts, the slices are exactly its items; and what
 * no parser accepts never makes us read beyond it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "vendor/secure_endpoint_call.h"

static void check(const struct secure_endpoint_page *page, const json_t *root, const char *body,
		  size_t size)
{
	const json_t *data = json_object_get(root, "data");

	if (json_array_size(data) != page->count)
		abort();
	for (size_t i = 0; i < page->count; i++) {
		const struct secure_endpoint_event *event = &page->events[i];

		if (event->json < body || event->json + event->size > body + size)
			abort();
		json_t *alone = json_loadb(event->json, event->size, JSON_DECODE_ANY, NULL);

		if (!alone || !json_equal(alone, json_array_get(data, i)))
			abort();
		json_decref(alone);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	char *body = malloc(size + 1); /* exactly as large: a sanitizer sees one byte too far */
	struct secure_endpoint_page page;

	memcpy(body, data, size);
	body[size] = '\0';
	json_t *root = body_parse(body, size);
	bool read = secure_endpoint_page_read(body, size, arena, &page);

	/* Keys may be spelt with escapes, which slices do not look into. */
	if (root && !memchr(body, '\\', size)) {
		bool whole = json_is_array(json_object_get(root, "data")) &&
			     json_is_object(json_object_get(root, "metadata"));

		if (read != whole)
			abort();
		if (read)
			check(&page, root, body, size);
	}
	json_decref(root);
	free(body);
	arena_free(arena);
	return 0;
}
