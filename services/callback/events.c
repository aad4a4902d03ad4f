/* Finding the events in what was pushed. */
#include "events.h"

#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/control.h"
#include "model/json_bytes.h"
#include "model/json_tree.h"
#include "model/raw.h"

enum { FIRST_ROOM = 16 };

/* A walk through the body. */
struct cursor {
	const char *at, *end;
};

/* Passes over JSON's blanks. True when a line end was among them. */
static bool skip_blank(struct cursor *cursor)
{
	bool line = false;

	while (cursor->at < cursor->end && strchr(" \t\r\n", *cursor->at) && *cursor->at) {
		line |= *cursor->at == '\n';
		cursor->at++;
	}
	return line;
}

/* Past the string that begins at the cursor; false when it does not end. */
static bool skip_string(struct cursor *cursor)
{
	const char *at = cursor->at + 1;

	while (at < cursor->end && *at != '"') {
		if (cursor->end - at >= 8 && json_eight_plain(at))
			at += 8;
		else
			at += *at == '\\' ? 2 : 1;
	}
	if (at >= cursor->end)
		return false;
	cursor->at = at + 1;
	return true;
}

/* Past the object that begins at the cursor. Only brackets and strings are looked at: what is
 * in them is for the parser. */
static bool skip_object(struct cursor *cursor)
{
	size_t depth = 0;

	while (cursor->at < cursor->end) {
		char c = *cursor->at;

		if (c == '"') {
			if (!skip_string(cursor))
				return false;
			continue;
		}
		cursor->at++;
		if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && --depth == 0)
			return true;
	}
	return false;
}

struct splitter {
	struct arena *arena;
	struct arena *scratch; /* of one event's tree */
	size_t max, room;
	const char *id_path;
	struct events events;
};

/* ---- one event ---- */

/* The text or number at the path, if it can be an event's id. */
static const char *find_id(struct splitter *splitter, const struct json_node *node)
{
	char *path = arena_strdup(splitter->scratch, splitter->id_path), *rest = path;

	for (const char *name; node && (name = strsep(&rest, "."));)
		node = json_tree_get(node, name);
	if (!node || (node->kind != JSON_NODE_TEXT && node->kind != JSON_NODE_NUMBER) ||
	    node->size == 0 || node->size > RAW_EVENT_ID_MAX)
		return NULL;
	for (size_t i = 0; i < node->size; i++) {
		if (is_control(node->text[i]))
			return NULL;
	}
	return arena_strndup(splitter->arena, node->text, node->size);
}

static bool add_event(struct splitter *splitter, const char *text, size_t size, struct err *err)
{
	struct events *events = &splitter->events;

	if (events->count == splitter->max)
		return err_set(err, ERR_PERMANENT, "more than %zu events in one request",
			       splitter->max);
	if (size > RAW_PAYLOAD_MAX)
		return err_set(err, ERR_PERMANENT, "event %zu is larger than %d bytes",
			       events->count + 1, RAW_PAYLOAD_MAX);
	if (events->count == splitter->room) {
		size_t room = splitter->room ? splitter->room * 2 : FIRST_ROOM;
		struct events_item *items = arena_alloc(splitter->arena, room * sizeof *items);
		if (events->count > 0)
			memcpy(items, events->items, events->count * sizeof *items);
		events->items = items;
		splitter->room = room;
	}
	arena_reset(splitter->scratch);
	const struct json_node *tree = json_tree_parse(text, size, splitter->scratch, err);
	if (!tree) {
		err_prefix(err, "event %zu", events->count + 1);
		return false;
	}
	events->items[events->count++] =
	    (struct events_item){ text, size,
				  splitter->id_path ? find_id(splitter, tree) : NULL };
	return true;
}

static bool take_object(struct splitter *splitter, struct cursor *cursor, struct err *err)
{
	const char *start = cursor->at;

	if (start == cursor->end || *start != '{')
		return err_set(err, ERR_PERMANENT, "event %zu is not a JSON object",
			       splitter->events.count + 1);
	if (!skip_object(cursor))
		return err_set(err, ERR_PERMANENT, "event %zu does not end",
			       splitter->events.count + 1);
	return add_event(splitter, start, (size_t)(cursor->at - start), err);
}

/* ---- bodies ---- */

static bool split_array(struct splitter *splitter, struct cursor *cursor, struct err *err)
{
	cursor->at++;
	do {
		skip_blank(cursor);
		if (!take_object(splitter, cursor, err))
			return false;
		skip_blank(cursor);
	} while (cursor->at < cursor->end && *cursor->at++ == ',');
	if (cursor->at[-1] != ']')
		return err_set(err, ERR_PERMANENT, "the array is broken after event %zu",
			       splitter->events.count);
	skip_blank(cursor);
	return cursor->at == cursor->end ||
	       err_set(err, ERR_PERMANENT, "something follows the array");
}

static bool split_lines(struct splitter *splitter, struct cursor *cursor, struct err *err)
{
	bool line = true;

	while (cursor->at < cursor->end) {
		if (!line)
			return err_set(err, ERR_PERMANENT,
				       "something follows event %zu on its line",
				       splitter->events.count);
		if (!take_object(splitter, cursor, err))
			return false;
		line = skip_blank(cursor);
	}
	return true;
}

bool events_split(const char *body, size_t size, size_t max, const char *id_path,
		  struct arena *arena, struct events *ret_events, struct err *err)
{
	struct cursor cursor = { body, body + size };
	struct splitter splitter = {
		.arena = arena, .scratch = arena_new(), .max = max, .id_path = id_path
	};

	skip_blank(&cursor);
	bool split = cursor.at < cursor.end || err_set(err, ERR_PERMANENT, "there is no event");
	if (split)
		split = *cursor.at == '[' ? split_array(&splitter, &cursor, err)
					  : split_lines(&splitter, &cursor, err);
	arena_free(splitter.scratch);
	*ret_events = splitter.events;
	return split;
}
