#include "value.h"

#include <stdlib.h>

#include "base/arena.h"
#include "model/json_tree.h"

/* As deep as JSON_TREE_DEPTH_MAX at most. */
static jv value_of(const struct json_node *node)
{
	jv value;

	switch (node->kind) {
	case JSON_NODE_NULL:
		break;
	case JSON_NODE_BOOL:
		return jv_bool(node->truth);
	case JSON_NODE_NUMBER:
		return jv_number(strtod(node->text, NULL));
	case JSON_NODE_TEXT:
		return jv_string_sized(node->text, (int)node->size);
	case JSON_NODE_ARRAY:
		value = jv_array_sized((int)node->size);
		for (node = node->first; node; node = node->next)
			value = jv_array_append(value, value_of(node));
		return value;
	case JSON_NODE_OBJECT:
		value = jv_object();
		for (node = node->first; node; node = node->next)
			value = jv_object_set(value,
					      jv_string_sized(node->name, (int)node->name_size),
					      value_of(node));
		return value;
	}
	return jv_null();
}

jv value_parse(const char *text, size_t size, struct arena *arena)
{
	struct err err = { 0 };

	arena_reset(arena);
	const struct json_node *root = json_tree_parse(text, size, arena, &err);
	return root ? value_of(root) : jv_invalid_with_msg(jv_string(err.text));
}
