#include "model/json_writer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/json_bytes.h"
#include "model/json_tree.h"

/* Nearly always true: the buffers here are used again and again. Then what is added needs no
 * call. room counts the NUL, so this never passes the maximum. */
static inline bool has_room(const struct buf *out, size_t size)
{
	return out->room > out->size && out->room - out->size > size && !out->overflow;
}

static inline void add(struct buf *out, const char *data, size_t size)
{
	if (!has_room(out, size)) {
		buf_add(out, data, size);
		return;
	}
	memcpy(out->data + out->size, data, size);
	out->size += size;
	out->data[out->size] = '\0';
}

/* Bytes that stand for themselves inside a string. */
static bool is_plain(unsigned char byte)
{
	return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

/* The inside of a string: most need no escape at all, buf_add_json() knows the others. */
static void add_text(struct buf *out, const char *text, size_t size)
{
	size_t run = 0;

	while (size - run >= 8 && json_eight_plain(text + run))
		run += 8;
	while (run < size && is_plain((unsigned char)text[run]))
		run++;
	add(out, text, run);
	if (run < size)
		buf_add_json(out, text + run, size - run);
}

/* Nothing was added since the text, object or array was begun: no value ends in an opening
 * bracket, so the last byte tells. */
static bool at_opening(const struct buf *out, size_t begun)
{
	return out->size <= begun || out->data[out->size - 1] == '{' ||
	       out->data[out->size - 1] == '[';
}

/* The comma, unless this is the first in its place, and the name. after: what follows the name,
 * at most one byte. */
static void start_with(struct buf *out, const char *name, const char *after)
{
	size_t name_size = name ? strlen(name) : 0;
	bool comma = !at_opening(out, 0);

	if (!has_room(out, name_size + 5)) {
		buf_adds(out, comma ? "," : "");
		if (name)
			buf_addf(out, "\"%s\":", name);
		buf_adds(out, after);
		return;
	}
	char *at = out->data + out->size;
	if (comma)
		*at++ = ',';
	if (name) {
		*at++ = '"';
		memcpy(at, name, name_size);
		at += name_size;
		*at++ = '"';
		*at++ = ':';
	}
	if (after[0])
		*at++ = after[0];
	*at = '\0';
	out->size = (size_t)(at - out->data);
}

static void start(struct buf *out, const char *name)
{
	start_with(out, name, "");
}

void json_rewind(struct buf *out, size_t begun)
{
	out->overflow = false;
	out->size = begun;
	if (out->data)
		out->data[begun] = '\0';
}

size_t json_begin(struct buf *out, const char *name, char bracket)
{
	size_t begun = out->size;

	start_with(out, name, (const char[]){ bracket, '\0' });
	return begun;
}

void json_end(struct buf *out, char bracket)
{
	add(out, &bracket, 1);
}

bool json_end_unless_empty(struct buf *out, size_t begun, char bracket)
{
	if (at_opening(out, begun)) {
		json_rewind(out, begun);
		return false;
	}
	json_end(out, bracket);
	return true;
}

void json_put_text(struct buf *out, const char *name, const char *text, size_t size)
{
	if (size == 0)
		return;
	start_with(out, name, "\"");
	add_text(out, text, size);
	add(out, "\"", 1);
}

void json_put_string(struct buf *out, const char *name, const char *text)
{
	if (text)
		json_put_text(out, name, text, strlen(text));
}

void json_put_int(struct buf *out, const char *name, int64_t number)
{
	char digits[24];
	char *at = digits + sizeof digits;
	uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

	do {
		*--at = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (number < 0)
		*--at = '-';
	json_put_raw(out, name, at, (size_t)(digits + sizeof digits - at));
}

void json_put_bool(struct buf *out, const char *name, bool truth)
{
	if (truth)
		json_put_raw(out, name, "true", 4);
	else
		json_put_raw(out, name, "false", 5);
}

void json_put_raw(struct buf *out, const char *name, const char *json, size_t size)
{
	start(out, name);
	add(out, json, size);
}

/* ---- trees ---- */

/* A member's name comes from outside: any length, to be escaped. */
static void start_node(struct buf *out, const char *name, const struct json_node *node)
{
	start(out, name);
	if (name || !node->name)
		return;
	add(out, "\"", 1);
	add_text(out, node->name, node->name_size);
	add(out, "\":", 2);
}

/* Whether every reader takes it: what fits neither 64 bits nor a double is an error to some and
 * another number to others. */
static bool is_portable(const struct json_node *node)
{
	int64_t number;

	if (node->text[strspn(node->text, "-0123456789")] == '\0')
		return json_tree_int(node, &number);
	return isfinite(strtod(node->text, NULL)) != 0;
}

static void write_scalar(struct buf *out, const struct json_node *node)
{
	if (node->kind == JSON_NODE_NULL) {
		add(out, "null", 4);
	} else if (node->kind == JSON_NODE_BOOL) {
		add(out, node->truth ? "true" : "false", node->truth ? 4 : 5);
	} else if (node->kind == JSON_NODE_NUMBER && is_portable(node)) {
		add(out, node->text, node->size);
	} else {
		add(out, "\"", 1);
		add_text(out, node->text, node->size);
		add(out, "\"", 1);
	}
}

/* Depth is bounded by the parser. */
static void write_node(struct buf *out, const char *name, const struct json_node *node,
		       bool only_rest)
{
	bool is_object = node->kind == JSON_NODE_OBJECT;
	size_t begun = out->size;

	if (only_rest && node->used)
		return;
	start_node(out, name, node);
	if (!is_object && node->kind != JSON_NODE_ARRAY) {
		write_scalar(out, node);
		return;
	}
	add(out, is_object ? "{" : "[", 1);
	for (const struct json_node *child = node->first; child; child = child->next)
		write_node(out, NULL, child, only_rest);
	if (only_rest && node->first)
		json_end_unless_empty(out, begun, is_object ? '}' : ']');
	else
		json_end(out, is_object ? '}' : ']');
}

void json_tree_write(struct buf *out, const char *name, const struct json_node *node)
{
	write_node(out, name, node, false);
}

void json_tree_write_rest(struct buf *out, const char *name, const struct json_node *node)
{
	write_node(out, name, node, true);
}
