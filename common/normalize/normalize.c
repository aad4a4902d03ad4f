/*
 * What all sources have in common: finding the mapper, reading the record, grouping, and the
 * envelope. A new source is one row in `sources` and one map_<source>.c.
 */
#include "normalize/normalize.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "model/json_tree.h"

#include "normalize/map_program.h"
#include "normalize/mapper.h"
#include "normalize/text.h"

static const struct {
	const char *name;
	mapper *map;
} sources[] = {
	{ "secure_endpoint", map_secure_endpoint },
	{ "defender", map_defender },
	{ "umbrella", map_umbrella },
	{ "generic", map_generic },
};

enum { PATHS_MAX = 16, STEPS_MAX = 8 };

/* One step down: a member, or an item when name is NULL. */
struct step {
	char *name;
	size_t item;
};

struct path {
	char *text; /* as the operator wrote it */
	struct step steps[STEPS_MAX];
	size_t step_count;
};

struct normalizer {
	struct path paths[PATHS_MAX];
	size_t path_count;
};

struct normalize_scratch {
	struct arena *arena;
	struct buf out;
};

/* ---- grouping ---- */

static bool add_step(struct path *path, const char *name, size_t size, size_t item)
{
	if (path->step_count == STEPS_MAX)
		return false;
	path->steps[path->step_count++] =
	    (struct step){ .name = name ? xstrndup(name, size) : NULL, .item = item };
	return true;
}

/* "file.identity.sha256", "identities[0].label" */
static bool parse_path(struct path *path)
{
	const char *at = path->text;

	do {
		size_t size = strcspn(at, ".[");
		if (size == 0 || !add_step(path, at, size, 0))
			return false;
		at += size;
		while (*at == '[') {
			char *end;
			size_t digits = strspn(at + 1, "0123456789");
			unsigned long item = strtoul(at + 1, &end, 10);
			if (digits == 0 || digits > 6 || *end != ']' ||
			    !add_step(path, NULL, 0, item))
				return false;
			at = end + 1;
		}
		if (*at == '\0')
			return true;
	} while (*at++ == '.');
	return false;
}

struct normalizer *normalizer_new(const char *grouping, struct err *err)
{
	struct normalizer *normalizer = xcalloc(1, sizeof *normalizer);
	const char *wrong = NULL;

	for (const char *at = grouping; !wrong;) {
		at += strspn(at, " ");
		size_t size = strcspn(at, ", ");
		if (normalizer->path_count == PATHS_MAX) {
			wrong = "more than 16 paths";
			break;
		}
		struct path *path = &normalizer->paths[normalizer->path_count++];
		path->text = xstrndup(at, size);
		if (!parse_path(path))
			wrong =
			    "a path must be like file.identity.sha256 or identities[0].label";
		at += size;
		at += strspn(at, " ");
		if (*at == '\0')
			break;
		if (*at++ != ',')
			wrong = "paths must be separated by commas";
	}
	if (!wrong)
		return normalizer;
	err_fill(err, ERR_PERMANENT, "TOCSIN_GROUPING: %s", wrong);
	normalizer_free(normalizer);
	return NULL;
}

void normalizer_free(struct normalizer *normalizer)
{
	if (!normalizer)
		return;
	for (size_t i = 0; i < normalizer->path_count; i++) {
		free(normalizer->paths[i].text);
		for (size_t k = 0; k < normalizer->paths[i].step_count; k++)
			free(normalizer->paths[i].steps[k].name);
	}
	free(normalizer);
}

static const struct json_node *follow(const struct json_node *node, const struct path *path)
{
	for (size_t i = 0; node && i < path->step_count; i++) {
		const struct step *step = &path->steps[i];
		size_t left = step->item;
		if (step->name) {
			node = json_tree_get(node, step->name);
			continue;
		}
		node = node->kind == JSON_NODE_ARRAY ? node->first : NULL;
		while (node && left-- > 0)
			node = node->next;
	}
	return node;
}

/* Without any of the paths the mapper's word counts, else an event is on its own. The path is
 * part of the digest, so that a correlation id never meets a hash that looks the same; so is
 * the host: what strikes two computers is two incidents. */
static void find_group(const struct normalizer *normalizer, const struct raw *raw,
		       const struct json_node *record, const struct ocsf_finding *mapped,
		       char *ret_group)
{
	const char *host = mapped->device_uid ? mapped->device_uid
			   : mapped->hostname ? mapped->hostname
					      : mapped->place;
	const char *parts[] = { raw->customer, raw->source,   host ? host : "",
				"event_id",    raw->event_id, NULL };

	if (mapped->group_value) {
		parts[3] = mapped->group_name;
		parts[4] = mapped->group_value;
	}
	for (size_t i = 0; i < normalizer->path_count; i++) {
		const struct path *path = &normalizer->paths[i];
		const struct json_node *node = follow(record, path);
		if (!node || node->size == 0 ||
		    (node->kind != JSON_NODE_TEXT && node->kind != JSON_NODE_NUMBER))
			continue;
		parts[3] = path->text;
		parts[4] = node->text;
		break;
	}
	finding_digest(parts, ret_group);
}

/* ---- one event ---- */

struct normalize_scratch *normalize_scratch_new(void)
{
	struct normalize_scratch *scratch = xcalloc(1, sizeof *scratch);

	scratch->arena = arena_new();
	buf_init(&scratch->out, FINDING_PAYLOAD_MAX);
	return scratch;
}

void normalize_scratch_free(struct normalize_scratch *scratch)
{
	if (!scratch)
		return;
	arena_free(scratch->arena);
	buf_done(&scratch->out);
	free(scratch);
}

static mapper *find_mapper(const char *source)
{
	for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
		if (strcmp(sources[i].name, source) == 0)
			return sources[i].map;
	}
	return NULL;
}

/* One that is too long to be part of a key is none. */
static const char *subject_of(const struct ocsf_finding *mapped, struct arena *arena)
{
	bool fits = mapped->subject && strlen(mapped->subject) <= RAW_EVENT_ID_MAX;

	return fits ? arena_strdup(arena, mapped->subject) : "";
}

static void fill_envelope(const struct raw *raw, const struct ocsf_finding *mapped,
			  const struct buf *payload, const char *group, struct arena *arena,
			  struct finding *ret_finding)
{
	char *copy = arena_alloc(arena, payload->size + 1);

	memcpy(copy, payload->data, payload->size);
	*ret_finding = (struct finding){
		.customer = raw->customer,
		.source = raw->source,
		.event_id = raw->event_id,
		.uid = text_join(arena, raw->source, ":", raw->event_id),
		.group = arena_strdup(arena, group),
		.subject = subject_of(mapped, arena),
		.severity_id = mapped->severity_id,
		.time_ms = mapped->time_ms,
		.observed_ms = raw->observed_ms,
		.origin = raw->origin,
		.trace = raw->trace,
		.payload = copy,
		.payload_size = payload->size,
	};
}

bool normalize_knows(const char *source)
{
	return find_mapper(source) != NULL;
}

/* Scratch emptied, and the event read into it. */
static struct json_node *read_record(const struct raw *raw, struct normalize_scratch *scratch,
				     struct err *err)
{
	arena_reset(scratch->arena);
	buf_reset(&scratch->out);
	struct json_node *record =
	    json_tree_parse(raw->payload, raw->payload_size, scratch->arena, err);
	if (record && record->kind != JSON_NODE_OBJECT) {
		err_fill(err, ERR_PERMANENT, "the event is not a JSON object");
		return NULL;
	}
	return record;
}

static enum normalize_verdict refuse_size(struct err *err)
{
	err_fill(err, ERR_PERMANENT, "the finding would be larger than %d bytes",
		 FINDING_PAYLOAD_MAX);
	return NORMALIZE_REFUSE;
}

enum normalize_verdict normalize(const struct normalizer *normalizer, const struct raw *raw,
				 struct normalize_scratch *scratch, struct arena *arena,
				 struct finding *ret_finding, const char **ret_skip,
				 struct err *err)
{
	struct ocsf_finding mapped = { 0 };
	mapper *map = find_mapper(raw->source);
	char group[17];

	*ret_skip = NULL;
	if (!map) {
		err_fill(err, ERR_PERMANENT, "no mapping for source %s", raw->source);
		return NORMALIZE_REFUSE;
	}
	struct json_node *record = read_record(raw, scratch, err);
	if (!record)
		return NORMALIZE_REFUSE;
	const char *skip = map(raw, record, scratch->arena, &mapped);
	if (skip) {
		*ret_skip = arena_strdup(arena, skip);
		return NORMALIZE_SKIP;
	}
	find_group(normalizer, raw, record, &mapped, group);
	if (!ocsf_finding_write(&mapped, scratch->arena, &scratch->out))
		return refuse_size(err);
	fill_envelope(raw, &mapped, &scratch->out, group, arena, ret_finding);
	return NORMALIZE_FINDING;
}

/* null, or a text that says why. */
static bool is_skip(const struct json_node *result, struct arena *arena, const char **ret_skip)
{
	if (result->kind == JSON_NODE_TEXT && result->size > 0)
		*ret_skip = arena_printf(arena, "%.200s", result->text);
	else if (result->kind == JSON_NODE_NULL)
		*ret_skip = "by the source's program";
	return *ret_skip != NULL;
}

enum normalize_verdict normalize_mapped(const struct normalizer *normalizer,
					const struct raw *raw,
					const struct normalize_result *result,
					struct normalize_scratch *scratch, struct arena *arena,
					struct finding *ret_finding, const char **ret_skip,
					struct err *err)
{
	struct ocsf_finding mapped = { 0 };
	char group[17];
	bool written;

	*ret_skip = NULL;
	struct json_node *record = read_record(raw, scratch, err);
	struct json_node *object =
	    record ? json_tree_parse(result->text, result->size, scratch->arena, err) : NULL;
	if (!object)
		return NORMALIZE_REFUSE;
	if (is_skip(object, arena, ret_skip))
		return NORMALIZE_SKIP;
	if (object->kind != JSON_NODE_OBJECT) {
		err_fill(err, ERR_PERMANENT, "the program returned neither an object nor null");
		return NORMALIZE_REFUSE;
	}
	if (json_tree_get(object, "class_uid")) {
		if (!full_finding_write(raw, object, &scratch->out, &mapped, err))
			return NORMALIZE_REFUSE;
		written = buf_ok(&scratch->out);
	} else {
		if (!map_program(raw, object, record, scratch->arena, &mapped, err))
			return NORMALIZE_REFUSE;
		written = ocsf_finding_write(&mapped, scratch->arena, &scratch->out);
	}
	if (!written)
		return refuse_size(err);
	/* The operator's paths are into the records of vendors that they know. */
	find_group(normalizer, raw, NULL, &mapped, group);
	fill_envelope(raw, &mapped, &scratch->out, group, arena, ret_finding);
	return NORMALIZE_FINDING;
}
