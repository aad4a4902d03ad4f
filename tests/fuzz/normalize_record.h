#ifndef FUZZ_NORMALIZE_RECORD_H
#define FUZZ_NORMALIZE_RECORD_H

/* A vendor's record, any bytes: a finding that is JSON, has what OCSF requires and stays within
 * its bound, or a reason. The same twice. Include once, in the target itself. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "normalize/normalize.h"

static void must(bool holds)
{
	if (!holds)
		abort();
}

static bool has(const json_t *object, const char *name)
{
	return json_object_get(object, name) != NULL;
}

/* No null and no empty text outside what is kept as it came. */
static void check_values(const json_t *value)
{
	const char *name;
	json_t *child;
	size_t i;

	must(!json_is_null(value));
	must(!json_is_string(value) || json_string_length(value) > 0);
	json_array_foreach(value, i, child) check_values(child);
	json_object_foreach((json_t *)value, name, child)
	{
		if (strcmp(name, "unmapped") != 0 && strcmp(name, "data") != 0)
			check_values(child);
	}
}

static void check_finding(const struct finding *finding)
{
	json_t *event =
	    json_loadb(finding->payload, finding->payload_size, JSON_REJECT_DUPLICATES, NULL);

	must(event != NULL);
	must(finding->payload_size <= FINDING_PAYLOAD_MAX);
	must(strlen(finding->group) == 16);
	must(json_number_value(json_object_get(event, "class_uid")) == 2004);
	must(json_number_value(json_object_get(event, "time")) == (double)finding->time_ms);
	must(has(event, "activity_id") && has(event, "severity_id") && has(event, "type_uid"));
	must(has(json_object_get(event, "finding_info"), "uid"));
	must(has(json_object_get(event, "finding_info"), "title"));
	must(has(json_object_get(event, "metadata"), "product"));
	check_values(event);
	json_decref(event);
}

static void check_view(const struct finding *finding, struct arena *arena)
{
	struct finding_view view;
	struct err err = { 0 };

	must(finding_view(&view, finding->payload, finding->payload_size, arena, &err));
}

static int normalize_record(const char *source, const unsigned char *data, size_t size)
{
	static struct normalizer *normalizer;
	static struct normalize_scratch *scratch;
	struct arena *arena = arena_new();
	struct finding first = { 0 }, second = { 0 };
	struct err err = { 0 };
	const char *skip;

	if (!normalizer) {
		normalizer = normalizer_new(NORMALIZE_GROUPING, &err);
		scratch = normalize_scratch_new();
	}
	/* The first byte decides whether its type was asked for. */
	const struct raw raw = {
		.customer = "acme",
		.source = source,
		.event_id = "42",
		.observed_ms = 1763749000000,
		.trace = "",
		.asked = size > 0 && data[0] == 'a' ? "1" : "",
		.payload = size > 0 ? (const char *)data + 1 : "",
		.payload_size = size > 0 ? size - 1 : 0,
	};
	enum normalize_verdict verdict =
	    normalize(normalizer, &raw, scratch, arena, &first, &skip, &err);
	switch (verdict) {
	case NORMALIZE_FINDING:
		check_finding(&first);
		check_view(&first, arena);
		must(normalize(normalizer, &raw, scratch, arena, &second, &skip, &err) ==
		     verdict);
		must(first.payload_size == second.payload_size);
		must(memcmp(first.payload, second.payload, first.payload_size) == 0);
		break;
	case NORMALIZE_SKIP:
		must(skip && skip[0] != '\0');
		must(raw.asked[0] == '\0');
		break;
	case NORMALIZE_REFUSE:
		must(err.kind == ERR_PERMANENT && err.text[0] != '\0');
		break;
	}
	arena_free(arena);
	return 0;
}

#endif
