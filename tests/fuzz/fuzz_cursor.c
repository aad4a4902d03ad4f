/* The cursor of a source as anybody could have left it in Redis: the input is the names and
 * values of its fields in turn, one a line. What is read must be written and read again as the
 * same. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "source/cursor.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

enum { FIELDS_MAX = 24 };

static void must(bool holds)
{
	if (!holds)
		abort();
}

static size_t split(struct arena *arena, const char *text, struct field *ret_fields)
{
	size_t count = 0;

	while (*text && count < FIELDS_MAX) {
		size_t name = strcspn(text, "\n");
		const char *value = text[name] ? text + name + 1 : text + name;
		size_t size = strcspn(value, "\n");

		ret_fields[count++] = (struct field){ arena_strndup(arena, text, name),
						      arena_strndup(arena, value, size), size };
		text = value[size] ? value + size + 1 : value + size;
	}
	return count;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct arena *arena = arena_new();
	struct field fields[FIELDS_MAX], written[CURSOR_FIELDS];
	size_t count = split(arena, arena_strndup(arena, (const char *)data, size), fields);
	struct cursor cursor, again;
	struct lateness more = { 0 };

	cursor_decode(&cursor, fields, count, arena);
	cursor.events_seen = 0; /* written by nobody but the commit */
	cursor_decode(&again, written, cursor_encode(&cursor, arena, written), arena);
	must(memcmp(&again.lateness, &cursor.lateness, sizeof again.lateness) == 0);
	must(again.high_water_ms == cursor.high_water_ms && again.wide_ms == cursor.wide_ms);
	must(strcmp(again.resume, cursor.resume) == 0);
	must(lateness_quantile_ms(&cursor.lateness, 990) <= lateness_max_ms(&cursor.lateness));
	must(cursor_look_back_ms(&cursor, 1000, 5000) <= 5000);
	must(cursor_start_ms(&cursor, 1u << 30, 1000, 2000) <= cursor.high_water_ms ||
	     !cursor.high_water_ms);
	lateness_note(&more, cursor.high_water_ms);
	lateness_add(&cursor.lateness, &more, cursor.last_poll_ms);
	arena_free(arena);
	return 0;
}
