/* Entries of the streams `raw` and `findings` as anybody could append them: the input is
 * fields, a name and a value each, separated by bytes of 0xff and 0xfe. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "model/finding.h"
#include "model/raw.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

enum { FIELDS_MAX = 16 };

static void must(bool holds)
{
	if (!holds)
		abort();
}

static const char *piece(struct arena *arena, const unsigned char *start,
			 const unsigned char *end)
{
	char *copy = arena_alloc(arena, (size_t)(end - start) + 1);

	if (end > start)
		memcpy(copy, start, (size_t)(end - start));
	return copy;
}

static size_t split(struct arena *arena, const unsigned char *at, size_t size,
		    struct field *ret_fields)
{
	const unsigned char *end = at + size;
	size_t count = 0;

	while (at < end && count < FIELDS_MAX) {
		const unsigned char *stop = memchr(at, 0xff, (size_t)(end - at));
		if (!stop)
			stop = end;
		const unsigned char *middle = memchr(at, 0xfe, (size_t)(stop - at));
		if (!middle)
			middle = stop;
		const unsigned char *value = middle < stop ? middle + 1 : stop;
		ret_fields[count++] = (struct field){ .name = piece(arena, at, middle),
						      .value = piece(arena, value, stop),
						      .size = (size_t)(stop - value) };
		at = stop < end ? stop + 1 : end;
	}
	return count;
}

static void try_finding(struct arena *arena, const struct field *fields, size_t count)
{
	struct field again[FINDING_FIELDS];
	struct finding finding, back;
	struct finding_view view;
	struct err err = { 0 };

	if (!finding_decode(&finding, fields, count, &err)) {
		must(err.kind == ERR_PERMANENT && err.text[0] != '\0');
		return;
	}
	must(finding.payload_size <= FINDING_PAYLOAD_MAX && strlen(finding.group) == 16);
	must(finding_decode(&back, again, finding_encode(&finding, arena, again), &err));
	must(strcmp(back.uid, finding.uid) == 0 && back.time_ms == finding.time_ms);
	if (!finding_view(&view, finding.payload, finding.payload_size, arena, &err))
		must(err.kind == ERR_PERMANENT && err.text[0] != '\0');
	else
		must(view.observable_count <= FINDING_OBSERVABLES_MAX &&
		     view.target_count <= FINDING_OBSERVABLES_MAX);
}

static void try_raw(struct arena *arena, const struct field *fields, size_t count)
{
	struct field again[RAW_FIELDS];
	struct raw raw, back;
	struct err err = { 0 };
	char id[33];

	if (!raw_decode(&raw, fields, count, &err)) {
		must(err.kind == ERR_PERMANENT && err.text[0] != '\0');
		return;
	}
	must(strlen(raw.customer) <= 24 && strlen(raw.event_id) <= RAW_EVENT_ID_MAX);
	must(raw_decode(&back, again, raw_encode(&raw, arena, again), &err));
	must(back.observed_ms == raw.observed_ms && strcmp(back.trace, raw.trace) == 0);
	if (raw_derive_id(raw.payload, raw.payload_size, 0, id, &err))
		must(strlen(id) == 32);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct arena *arena = arena_new();
	struct field fields[FIELDS_MAX];
	size_t count = split(arena, data, size, fields);

	try_finding(arena, fields, count);
	try_raw(arena, fields, count);
	/* The payload alone as well: few inputs get every field right. */
	struct finding_view view;
	struct err err = { 0 };
	(void)finding_view(&view, (const char *)data, size, arena, &err);
	arena_free(arena);
	return 0;
}
