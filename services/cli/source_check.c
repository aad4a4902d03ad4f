/* tocsin source check: a source's jq program, before it is put into force. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/conf.h"
#include "cli.h"
#include "jq/jq.h"
#include "model/json_tree.h"
#include "model/json_writer.h"
#include "model/raw.h"
#include "run.h"
#include "source_run.h"
#include "view.h"

enum { EVENTS_FILE_MAX = 64 << 20 };

struct check {
	struct cli *cli;
	struct source_run *run;
	struct arena *arena;
	const char *source;
	json_t *events;
	size_t refused;
};

/* "sources/wazuh.jq" is "wazuh". */
static const char *source_name(const char *path, struct arena *arena)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	return arena_strndup(arena, name, strcspn(name, "."));
}

static const char *event_id(const struct json_node *event, const struct buf *payload,
			    struct arena *arena)
{
	const struct json_node *id = json_tree_get(event, "id");
	char derived[33];

	if (id && id->text && id->size > 0 && id->size <= RAW_EVENT_ID_MAX)
		return id->text;
	return raw_derive_id(payload->data, payload->size, 0, derived, NULL)
		   ? arena_strdup(arena, derived)
		   : "unknown";
}

static void add_event(struct check *check, const struct json_node *event)
{
	struct buf payload;
	struct finding finding;
	struct err err = { 0 };
	const char *skip = NULL;
	json_t *row;

	buf_init(&payload, RAW_PAYLOAD_MAX);
	json_tree_write(&payload, NULL, event);
	const struct raw raw = {
		.customer = "example",
		.source = check->source,
		.event_id = event_id(event, &payload, check->arena),
		.observed_ms = clock_wall_ms(),
		.trace = "",
		.asked = "",
		.payload = buf_text(&payload),
		.payload_size = payload.size,
	};
	switch (source_run_event(check->run, &raw, check->arena, &finding, &skip, &err)) {
	case NORMALIZE_FINDING:
		row = json_pack("{s:o,s:o}", "event_id", view_text(raw.event_id), "finding",
				json_loadb(finding.payload, finding.payload_size, 0, NULL));
		break;
	case NORMALIZE_SKIP:
		row = json_pack("{s:o,s:o}", "event_id", view_text(raw.event_id), "skipped",
				view_text(skip));
		break;
	default:
		row = json_pack("{s:o,s:o}", "event_id", view_text(raw.event_id), "refused",
				view_text(err.text));
		check->refused++;
	}
	json_array_append_new(check->events, row);
	buf_done(&payload);
}

/* One event, a list of them, or one in each line. */
static bool read_events(struct check *check, const char *path, struct err *err)
{
	char *text = conf_read_file(path, EVENTS_FILE_MAX, err);
	size_t size = text ? strlen(text) : 0;

	if (!text)
		return false;
	const struct json_node *root = json_tree_parse(text, size, check->arena, NULL);
	if (root && root->kind == JSON_NODE_ARRAY) {
		for (const struct json_node *event = root->first; event; event = event->next)
			add_event(check, event);
	} else if (root) {
		add_event(check, root);
	}
	for (char *line = root ? NULL : text; line && *line;) {
		size_t length = strcspn(line, "\n");
		root = json_tree_parse(line, length, check->arena, err);
		if (!root) {
			err_prefix(err, "%s", path);
			free(text);
			return false;
		}
		add_event(check, root);
		line += length + (line[length] == '\n');
	}
	free(text);
	return true;
}

static void render(struct buf *out, const struct screen *screen, const json_t *document)
{
	const json_t *events = json_object_get(document, "events"), *event;
	size_t i;

	(void)screen;
	buf_addf(out, "%s compiles.\n", json_string_value(json_object_get(document, "file")));
	json_array_foreach(events, i, event)
	{
		const json_t *finding = json_object_get(event, "finding");
		char *text = finding ? json_dumps(finding, JSON_INDENT(2)) : NULL;
		const char *skipped = json_string_value(json_object_get(event, "skipped"));
		const char *refused = json_string_value(json_object_get(event, "refused"));

		buf_addf(out, "\n%s%s%s\n",
			 json_string_value(json_object_get(event, "event_id")),
			 skipped   ? ": skipped: "
			 : refused ? ": dead: "
				   : ":",
			 skipped   ? skipped
			 : refused ? refused
				   : "");
		if (text)
			buf_addf(out, "%s\n", text);
		free(text);
	}
}

int run_source_check(struct cli *cli)
{
	const char *path = args_operand(&cli->args, 0), *events = args_operand(&cli->args, 1);
	struct err err = { 0 };
	struct check check = { .cli = cli,
			       .run = source_run_new(cli, &err),
			       .arena = arena_new(),
			       .events = json_array() };
	int code;

	check.source = source_name(path, check.arena);
	if (!check.run || !source_run_use(check.run, path, &err) ||
	    (events && !read_events(&check, events, &err))) {
		code = cli_fail(cli, EXIT_FAILED, &err);
	} else {
		json_t *document = json_pack("{s:s,s:s,s:O}", "file", path, "source",
					     check.source, "events", check.events);
		code = cli_print(cli, document, render,
				 check.refused > 0 ? EXIT_UNHEALTHY : EXIT_OK);
	}
	json_decref(check.events);
	arena_free(check.arena);
	source_run_free(check.run);
	return code;
}
