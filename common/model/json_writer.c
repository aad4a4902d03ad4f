#include "model/json_writer.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/json_tree.h"

enum { NAME_MAX_BYTES = 64 };

/* The comma, unless this is the first thing in its object, array or text, and the name. No
 * value ends in an opening bracket, so the last byte tells. */
static void start(struct buf *out, const char *name)
{
	char head[NAME_MAX_BYTES + 4];
	size_t size = 0;
	char last = out->size > 0 ? out->data[out->size - 1] : '[';

	if (last != '{' && last != '[')
		head[size++] = ',';
	if (name) {
		size_t name_size = strlen(name);
		assert(name_size <= NAME_MAX_BYTES);
		head[size++] = '"';
		memcpy(head + size, name, name_size);
		size += name_size;
		head[size++] = '"';
		head[size++] = ':';
	}
	buf_add(out, head, size);
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

	start(out, name);
	buf_add(out, &bracket, 1);
	return begun;
}

void json_end(struct buf *out, char bracket)
{
	buf_add(out, &bracket, 1);
}

bool json_end_unless_empty(struct buf *out, size_t begun, char bracket)
{
	char last = out->size > begun ? out->data[out->size - 1] : '{';

	if (last == '{' || last == '[') {
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
	start(out, name);
	buf_add(out, "\"", 1);
	buf_add_json(out, text, size);
	buf_add(out, "\"", 1);
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
	buf_add(out, json, size);
}

/* ---- trees ---- */

/* A member's name comes from outside: any length, to be escaped. */
static void start_node(struct buf *out, const char *name, const struct json_node *node)
{
	start(out, name);
	if (name || !node->name)
		return;
	buf_add(out, "\"", 1);
	buf_add_json(out, node->name, node->name_size);
	buf_add(out, "\":", 2);
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
		buf_add(out, "null", 4);
	} else if (node->kind == JSON_NODE_BOOL) {
		buf_adds(out, node->truth ? "true" : "false");
	} else if (node->kind == JSON_NODE_NUMBER && is_portable(node)) {
		buf_add(out, node->text, node->size);
	} else {
		buf_add(out, "\"", 1);
		buf_add_json(out, node->text, node->size);
		buf_add(out, "\"", 1);
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
	buf_add(out, is_object ? "{" : "[", 1);
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
