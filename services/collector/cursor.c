/* The cursor's arithmetic and its form in Redis. */
#include "cursor.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

static const struct {
	const char *name;
	size_t offset;
} numbers[] = {
	{ "high_water_ms", offsetof(struct cursor, high_water_ms) },
	{ "last_poll_ms", offsetof(struct cursor, last_poll_ms) },
	{ "last_ok_ms", offsetof(struct cursor, last_ok_ms) },
	{ "next_due_ms", offsetof(struct cursor, next_due_ms) },
	{ "polls", offsetof(struct cursor, polls) },
	{ "failures", offsetof(struct cursor, failures) },
	{ "events_seen", offsetof(struct cursor, events_seen) },
	{ "lateness_max_ms", offsetof(struct cursor, lateness_max_ms) },
	{ "lateness_p50_ms", offsetof(struct cursor, lateness_p50_ms) },
	{ "last_error_ms", offsetof(struct cursor, last_error_ms) },
	{ "resume_start_ms", offsetof(struct cursor, resume_start_ms) },
	{ "resume_newest_ms", offsetof(struct cursor, resume_newest_ms) },
	{ "resume_server_ms", offsetof(struct cursor, resume_server_ms) },
};

enum { NUMBERS = sizeof(numbers) / sizeof(numbers[0]) };

_Static_assert(NUMBERS + 3 <= CURSOR_FIELDS, "room for every field");

static uint64_t number_of(const struct field *fields, size_t count, const char *name)
{
	const struct field *field = field_find(fields, count, name);
	char *end = NULL;

	if (!field || field->size == 0 || field->size > 19 || field->value[0] < '0' ||
	    field->value[0] > '9')
		return 0;

	uint64_t value = strtoull(field->value, &end, 10);

	return end == field->value + field->size ? value : 0;
}

static const char *text_of(const struct field *fields, size_t count, const char *name,
			   struct arena *arena)
{
	const struct field *field = field_find(fields, count, name);

	return field ? arena_strdup(arena, field->value) : "";
}

void cursor_decode(struct cursor *ret_cursor, const struct field *fields, size_t count,
		   struct arena *arena)
{
	*ret_cursor = (struct cursor){ 0 };
	for (size_t i = 0; i < NUMBERS; i++) {
		uint64_t value = number_of(fields, count, numbers[i].name);

		memcpy((char *)ret_cursor + numbers[i].offset, &value, sizeof(value));
	}
	ret_cursor->last_error = text_of(fields, count, "last_error", arena);
	ret_cursor->resume = text_of(fields, count, "resume", arena);
	ret_cursor->resume_for = text_of(fields, count, "resume_for", arena);
}

size_t cursor_encode(const struct cursor *cursor, struct arena *arena, struct field *ret_fields)
{
	size_t count = 0;

	for (size_t i = 0; i < NUMBERS; i++) {
		uint64_t value = 0;

		if (numbers[i].offset == offsetof(struct cursor, events_seen))
			continue; /* counted by the commit itself */
		memcpy(&value, (const char *)cursor + numbers[i].offset, sizeof(value));
		ret_fields[count++] =
		    field_text(numbers[i].name, arena_printf(arena, "%" PRIu64, value));
	}
	ret_fields[count++] = field_text("last_error", cursor->last_error);
	ret_fields[count++] = field_text("resume", cursor->resume);
	ret_fields[count++] = field_text("resume_for", cursor->resume_for);
	return count;
}

uint64_t cursor_start_ms(const struct cursor *cursor, uint64_t now_ms, uint64_t look_back_ms,
			 uint64_t first_look_back_ms)
{
	uint64_t from = cursor->high_water_ms ? cursor->high_water_ms : now_ms;
	uint64_t back = cursor->high_water_ms ? look_back_ms : first_look_back_ms;

	return from > back ? from - back : 0;
}

uint64_t cursor_advance(uint64_t start_ms, uint64_t look_back_ms, uint64_t newest_ms,
			uint64_t server_ms)
{
	uint64_t mark = newest_ms < server_ms ? newest_ms : server_ms;
	uint64_t least =
	    start_ms + look_back_ms < server_ms ? start_ms + look_back_ms : server_ms;

	if (mark + CURSOR_QUIET_MS < server_ms)
		mark = server_ms - CURSOR_QUIET_MS;
	return mark > least ? mark : least;
}

/* The median by steps of a twentieth: up when the value is above it, down when below. Needs no
 * memory of values and forgets old habits of a vendor. */
void lateness_note(struct lateness *lateness, uint64_t late_ms)
{
	uint64_t step = lateness->p50_ms / 20 + 1;

	if (late_ms > lateness->max_ms)
		lateness->max_ms = late_ms;
	if (lateness->p50_ms == 0)
		lateness->p50_ms = late_ms;
	else if (late_ms > lateness->p50_ms)
		lateness->p50_ms += step;
	else if (late_ms < lateness->p50_ms)
		lateness->p50_ms -= step < lateness->p50_ms ? step : 0;
}
