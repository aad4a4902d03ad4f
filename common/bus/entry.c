/* Stream entries out of replies. */
#include "bus/entry.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "bus/reply.h"

enum { ATTEMPT_MAX = 1000000, ID_SIZE_MAX = 48 };

uint64_t entry_id_ms(const char *id)
{
	size_t digits = strspn(id, "0123456789");
	if (digits == 0 || digits > 15 || id[digits] != '-')
		return 0;
	return strtoull(id, NULL, 10);
}

const char *entry_text(const struct entry *entry, const char *name)
{
	const struct field *field = field_find(entry->fields, entry->field_count, name);
	if (!field || strlen(field->value) != field->size)
		return NULL;
	return field->value;
}

/* "<ms>-<sequence>", and nothing after it. */
static bool id_valid(const struct redis_reply *id)
{
	const char *text = reply_text(id);
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || text[digits] != '-')
		return false;
	size_t more = strspn(text + digits + 1, "0123456789");
	return more > 0 && digits + 1 + more == reply_size(id) && reply_size(id) < ID_SIZE_MAX;
}

/* The bus's own fields; anybody may append to a stream, so they are believed within bounds. */
static bool own_field(struct entry *entry, const char *name, const struct redis_reply *value)
{
	int64_t number = 0;
	bool valid = reply_number(value, &number) && number >= 0;
	if (strcmp(name, "first") == 0) {
		entry->woken = true;
		if (valid && (uint64_t)number <= entry_id_ms(entry->id))
			entry->first_ms = (uint64_t)number;
		return true;
	}
	if (strcmp(name, "attempt") == 0) {
		if (valid && number <= ATTEMPT_MAX)
			entry->attempt = (unsigned)number;
		return true;
	}
	return false;
}

static bool decode_one(const struct redis_reply *row, struct arena *arena, struct entry *entry)
{
	const struct redis_reply *list = reply_at(row, 1);
	size_t count = reply_count(list);
	if (!id_valid(reply_at(row, 0)) || count == 0 || count % 2 != 0)
		return false;
	struct field *fields = arena_alloc(arena, count / 2 * sizeof(*fields));
	*entry = (struct entry){ .id = reply_text(reply_at(row, 0)),
				 .fields = fields,
				 .deliveries = 1 };
	entry->first_ms = entry_id_ms(entry->id);
	for (size_t i = 0; i < count; i += 2) {
		const char *name = reply_text(reply_at(list, i));
		const struct redis_reply *value = reply_at(list, i + 1);
		if (own_field(entry, name, value))
			continue;
		fields[entry->field_count++] = (struct field){ .name = name,
							       .value = reply_text(value),
							       .size = reply_size(value) };
	}
	return true;
}

size_t entry_decode(const struct redis_reply *reply, struct arena *arena,
		    struct entry *ret_entries, size_t room, size_t *ret_gone)
{
	size_t count = 0;
	size_t gone = 0;
	for (size_t i = 0; i < reply_count(reply) && count < room; i++) {
		if (decode_one(reply_at(reply, i), arena, &ret_entries[count]))
			count++;
		else
			gone++;
	}
	if (ret_gone)
		*ret_gone = gone;
	return count;
}
