/* The cursor's arithmetic and its form in Redis. */
#include "source/cursor.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "bus/key.h"
#include "bus/redis.h"
#include "model/customer.h"

static const struct {
	const char *name;
	size_t offset;
} numbers[] = {
	{ "high_water_ms", offsetof(struct cursor, high_water_ms) },
	{ "read_from_ms", offsetof(struct cursor, read_from_ms) },
	{ "last_poll_ms", offsetof(struct cursor, last_poll_ms) },
	{ "last_ok_ms", offsetof(struct cursor, last_ok_ms) },
	{ "next_due_ms", offsetof(struct cursor, next_due_ms) },
	{ "polls", offsetof(struct cursor, polls) },
	{ "failures", offsetof(struct cursor, failures) },
	{ "events_seen", offsetof(struct cursor, events_seen) },
	{ "look_back_ms", offsetof(struct cursor, look_back_ms) },
	{ "wide_ms", offsetof(struct cursor, wide_ms) },
	{ "last_error_ms", offsetof(struct cursor, last_error_ms) },
	{ "resume_start_ms", offsetof(struct cursor, resume_start_ms) },
	{ "resume_newest_ms", offsetof(struct cursor, resume_newest_ms) },
	{ "resume_server_ms", offsetof(struct cursor, resume_server_ms) },
};

enum { NUMBERS = sizeof(numbers) / sizeof(numbers[0]) };

_Static_assert(NUMBERS + 4 <= CURSOR_FIELDS, "room for every field");

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
	lateness_decode(&ret_cursor->lateness, text_of(fields, count, "lateness", arena));
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
	ret_fields[count++] = field_text("lateness", lateness_encode(&cursor->lateness, arena));
	ret_fields[count++] = field_text("last_error", cursor->last_error);
	ret_fields[count++] = field_text("resume", cursor->resume);
	ret_fields[count++] = field_text("resume_for", cursor->resume_for);
	return count;
}

void cursor_key(struct key *ret_key, const struct customer *customer,
		const struct customer_source *source)
{
	key_format(ret_key, customer->partition, "cursor:%s:%s", customer->id, source->name);
}

bool cursor_load(struct redis *redis, const struct key *key, struct arena *arena,
		 struct cursor *ret_cursor, struct err *err)
{
	struct redis_reply *reply = redis_command(redis, err, "HGETALL %s", key->text);

	if (!reply)
		return false;

	size_t count = reply_count(reply) / 2;
	struct field *fields = arena_alloc(arena, (count + 1) * sizeof(*fields));

	for (size_t i = 0; i < count; i++) {
		const struct redis_reply *value = reply_at(reply, 2 * i + 1);

		fields[i] = (struct field){ reply_text(reply_at(reply, 2 * i)),
					    reply_text(value), reply_size(value) };
	}
	cursor_decode(ret_cursor, fields, count, arena);
	reply_free(reply);
	return true;
}

uint64_t cursor_look_back_ms(const struct cursor *cursor, uint64_t configured_ms,
			     uint64_t most_ms)
{
	uint64_t wanted_ms = 2 * lateness_quantile_ms(&cursor->lateness, 990);

	if (wanted_ms > most_ms)
		wanted_ms = most_ms;
	return wanted_ms > configured_ms ? wanted_ms : configured_ms;
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
