/* Any JSON, before and after its large numbers became texts: the same values otherwise, and
 * every number that is left is one that a double holds, or was never whole. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "jq/number.h"
#include "model/json_tree.h"

static bool is_whole(const char *text)
{
	return strspn(text, "-0123456789") == strlen(text);
}

/* By another way than the code's: long double holds 64 bits. */
static bool is_exact(const char *text)
{
	long double value = strtold(text, NULL);

	return value >= -9007199254740992.0L && value <= 9007199254740992.0L;
}

static void compare(const struct json_node *before, const struct json_node *after)
{
	bool became_text = before->kind == JSON_NODE_NUMBER && after->kind == JSON_NODE_TEXT;

	if (became_text != (before->kind == JSON_NODE_NUMBER && is_whole(before->text) &&
			    !is_exact(before->text)))
		abort();
	if (!became_text && before->kind != after->kind)
		abort();
	if (before->kind == JSON_NODE_NUMBER || before->kind == JSON_NODE_TEXT) {
		if (before->size != after->size ||
		    memcmp(before->text, after->text, before->size) != 0)
			abort();
		return;
	}
	if (before->kind != JSON_NODE_ARRAY && before->kind != JSON_NODE_OBJECT)
		return;
	before = before->first;
	after = after->first;
	for (; before && after; before = before->next, after = after->next) {
		if (before->name && strcmp(before->name, after->name) != 0)
			abort();
		compare(before, after);
	}
	if (before || after)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct buf out;

	buf_init(&out, 3 * size + 64);
	number_add_exact(&out, (const char *)data, size);
	if (!buf_ok(&out))
		abort();
	const struct json_node *before = json_tree_parse((const char *)data, size, arena, NULL);
	if (before) {
		const struct json_node *after =
		    json_tree_parse(buf_text(&out), out.size, arena, NULL);
		if (!after)
			abort();
		compare(before, after);
	}
	buf_done(&out);
	arena_free(arena);
	return 0;
}
