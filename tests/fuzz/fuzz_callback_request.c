/*
 * Any bytes as a pushed request: three lines (webhook-id, webhook-timestamp,
 * webhook-signature), then the body, which is split into events.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "callback/events.h"
#include "model/json_tree.h"
#include "model/signature.h"

enum { EVENTS_MAX = 50 };

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

/* A line of the text, which is cut off it. */
static char *take_line(char **rest)
{
	char *line = *rest, *end = strchr(line, '\n');

	if (end)
		*end = '\0';
	*rest = end ? end + 1 : line + strlen(line);
	return line;
}

static void expect(bool holds)
{
	if (!holds)
		abort();
}

/* Nobody knows the key: no signature is ever right. */
static void check_signature(char *text, size_t size)
{
	static struct signature_keys keys;
	char *rest = text;
	struct signature_request request = { .now_ms = 1795287914000 };

	if (keys.count == 0)
		signature_keys_dummy(&keys);
	request.id = take_line(&rest);
	request.timestamp = take_line(&rest);
	request.signatures = take_line(&rest);
	request.body = rest;
	request.body_size = size - (size_t)(rest - text);
	expect(!signature_valid(&request, &keys));

	struct signature_keys more = { 0 };
	(void)signature_keys_add(&more, request.id);
	signature_keys_wipe(&more);
}

/* What was taken is JSON objects, one after the other, inside the body. */
static void check_events(const char *body, size_t size)
{
	struct arena *arena = arena_new(), *scratch = arena_new();
	struct err err = { 0 };
	struct events events;
	const char *end = body;

	if (events_split(body, size, EVENTS_MAX, "a.id", arena, &events, &err)) {
		expect(events.count >= 1 && events.count <= EVENTS_MAX);
		for (size_t i = 0; i < events.count; i++) {
			const struct events_item *item = &events.items[i];
			const struct json_node *tree =
			    json_tree_parse(item->text, item->size, scratch, NULL);
			expect(item->text >= end && item->text + item->size <= body + size);
			expect(tree && tree->kind == JSON_NODE_OBJECT);
			expect(!item->id || (item->id[0] != '\0' && strlen(item->id) <= 128));
			end = item->text + item->size;
		}
	} else {
		expect(err.kind == ERR_PERMANENT && err.text[0] != '\0');
	}
	arena_free(scratch);
	arena_free(arena);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	char *text = xcalloc(1, size + 1);

	if (size > 0)
		memcpy(text, data, size);
	check_events(text, size);
	const char *body = text;
	for (unsigned lines = 0; lines < 3 && *body; body++)
		lines += *body == '\n';
	check_events(body, size - (size_t)(body - text));
	check_signature(text, size);
	free(text);
	return 0;
}
