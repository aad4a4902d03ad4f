/* Bytes as Redis would send them, through the parser and everything that reads replies. Besides
 * memory: what is decoded never exceeds the room given, and texts end where they say. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "bus/entry.h"
#include "bus/redis.h"

enum { ROOM = 8 };

static void must(bool holds)
{
	if (!holds)
		abort();
}

static size_t walk(const struct redis_reply *reply, unsigned depth)
{
	int64_t number = 0;
	size_t seen = 1;
	must(depth < 16);
	must(reply_text(reply)[reply_size(reply)] == '\0');
	if (reply_number(reply, &number))
		must(number == reply_integer(reply));
	must(reply_at(reply, reply_count(reply)) == NULL);
	reply_find(reply, "payload");
	for (size_t i = 0; i < reply_count(reply); i++)
		seen += walk(reply_at(reply, i), depth + 1);
	return seen;
}

static void read_entries(const struct redis_reply *reply, struct arena *arena)
{
	struct entry entries[ROOM];
	size_t gone = 0;
	size_t count = entry_decode(reply, arena, entries, ROOM, &gone);
	must(count <= ROOM && count + gone <= reply_count(reply));
	for (size_t i = 0; i < count; i++) {
		must(entries[i].id[0] != '\0');
		for (size_t f = 0; f < entries[i].field_count; f++) {
			const struct field *field = &entries[i].fields[f];
			must(field->value[field->size] == '\0');
			must(strcmp(field->name, "first") != 0 &&
			     strcmp(field->name, "attempt") != 0);
		}
		const char *payload = entry_text(&entries[i], "payload");
		must(!payload || strlen(payload) < (size_t)1 << 20);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err;
	struct redis_reply *reply = reply_parse((const char *)data, size);
	if (reply_type(reply) == REPLY_ERROR)
		redis_error_classify(reply_text(reply));
	walk(reply, 0);
	struct arena *arena = arena_new();
	read_entries(reply, arena);
	read_entries(reply_at(reply_at(reply, 0), 1), arena);
	arena_free(arena);
	reply = redis_expect_list(reply, 5, &err);
	reply_free(reply);
	return 0;
}
