/*
 * normalize-one: what the normalizer makes of recorded events, without Redis.
 *
 *   normalize-one [--asked] [--source NAME] FILE...
 *
 * A file holds an event, a list of them, or the vendor's envelope {"data": [...]} or {"value":
 * [...]}. One JSON
 * line per event on stdout: file, index, outcome ("finding", "skipped", "refused"), and for a
 * finding its envelope and payload, else the reason. Exit status 1 when something was refused.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/conf.h"
#include "model/finding.h"
#include "model/json_tree.h"
#include "model/json_writer.h"
#include "model/raw.h"
#include "normalize/normalize.h"

enum { FILE_MAX_BYTES = 64 << 20, LINE_MAX_BYTES = 4 << 20 };

struct tool {
	const struct normalizer *normalizer;
	struct normalize_scratch *scratch;
	struct arena *arena;
	const char *asked;
	const char *source;
	bool refused;
};

/* The vendor's id, as the collector takes it, or a derived one. */
static const char *event_id(const struct tool *tool, const struct json_node *event,
			    const struct buf *payload)
{
	const struct json_node *id = json_tree_get(event, "id");
	char derived[33];
	struct err err;

	if (id && id->size > 0 && id->size <= RAW_EVENT_ID_MAX &&
	    (id->kind == JSON_NODE_NUMBER || id->kind == JSON_NODE_TEXT))
		return id->text;
	if (!raw_derive_id(payload->data, payload->size, 0, derived, &err))
		return "unknown";
	return arena_strdup(tool->arena, derived);
}

static void print_finding(struct buf *line, const struct finding *finding)
{
	json_put_string(line, "outcome", "finding");
	json_put_string(line, "uid", finding->uid);
	json_put_string(line, "group", finding->group);
	json_put_int(line, "severity_id", finding->severity_id);
	json_put_int(line, "time_ms", (int64_t)finding->time_ms);
	json_put_raw(line, "finding", finding->payload, finding->payload_size);
}

static void print_event(struct tool *tool, const char *file, size_t index,
			const struct json_node *event)
{
	struct buf payload, line;
	struct finding finding;
	struct err err = { 0 };
	const char *skip;

	buf_init(&payload, LINE_MAX_BYTES);
	buf_init(&line, LINE_MAX_BYTES);
	json_tree_write(&payload, NULL, event);
	const struct raw raw = {
		.customer = "sample",
		.source = tool->source,
		.event_id = event_id(tool, event, &payload),
		.observed_ms = 1700000000000,
		.trace = "",
		.asked = tool->asked,
		.payload = payload.data,
		.payload_size = payload.size,
	};
	json_begin(&line, NULL, '{');
	json_put_string(&line, "file", file);
	json_put_int(&line, "index", (int64_t)index);
	json_put_string(&line, "event_id", raw.event_id);
	switch (normalize(tool->normalizer, &raw, tool->scratch, tool->arena, &finding, &skip,
			  &err)) {
	case NORMALIZE_FINDING:
		print_finding(&line, &finding);
		break;
	case NORMALIZE_SKIP:
		json_put_string(&line, "outcome", "skipped");
		json_put_string(&line, "reason", skip);
		break;
	case NORMALIZE_REFUSE:
		json_put_string(&line, "outcome", "refused");
		json_put_string(&line, "reason", err.text);
		tool->refused = true;
		break;
	}
	json_end(&line, '}');
	puts(buf_text(&line));
	buf_done(&line);
	buf_done(&payload);
}

static bool print_file(struct tool *tool, const char *file)
{
	struct err err = { 0 };
	struct arena *arena = arena_new();
	char *text = conf_read_file(file, FILE_MAX_BYTES, &err);
	struct json_node *root = text ? json_tree_parse(text, strlen(text), arena, &err) : NULL;
	const struct json_node *list = root;
	size_t index = 0;

	if (root && json_tree_get(root, "data"))
		list = json_tree_get(root, "data");
	else if (root && json_tree_get(root, "value"))
		list = json_tree_get(root, "value");
	if (!root)
		fprintf(stderr, "%s: %s\n", file, err.text);
	else if (list->kind != JSON_NODE_ARRAY)
		print_event(tool, file, 0, list);
	else
		for (const struct json_node *event = list->first; event; event = event->next) {
			print_event(tool, file, index++, event);
			arena_reset(tool->arena);
		}
	free(text);
	arena_free(arena);
	return root != NULL;
}

int main(int argc, char **argv)
{
	struct err err = { 0 };
	struct normalizer *normalizer = normalizer_new(NORMALIZE_GROUPING, &err);
	struct tool tool = { .normalizer = normalizer,
			     .asked = "",
			     .source = "secure_endpoint" };
	bool read = true;
	int first = 1;

	if (argc > 1 && strcmp(argv[1], "--asked") == 0) {
		tool.asked = "1";
		first++;
	}
	if (argc > first + 1 && strcmp(argv[first], "--source") == 0) {
		tool.source = argv[first + 1];
		first += 2;
	}
	if (argc <= first) {
		fprintf(stderr, "usage: normalize-one [--asked] [--source NAME] FILE...\n");
		return EXIT_FAILURE;
	}
	tool.scratch = normalize_scratch_new();
	tool.arena = arena_new();
	for (int i = first; i < argc; i++)
		read = print_file(&tool, argv[i]) && read;
	arena_free(tool.arena);
	normalize_scratch_free(tool.scratch);
	normalizer_free(normalizer);
	return read && !tool.refused ? EXIT_SUCCESS : EXIT_FAILURE;
}
