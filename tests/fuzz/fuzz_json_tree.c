/* Our reader of JSON beside jansson: what one accepts the other does, but for the bounds that
 * json_tree.h names, and both read the same. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "model/json_tree.h"
#include "model/json_writer.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* A NUL is where the two differ: jansson takes a bare one for the end, and refuses an escaped
 * one. */
static bool holds_nul(const unsigned char *data, size_t size)
{
	return memchr(data, '\0', size) || memmem(data, size, "\\u0000", 6);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct arena *arena = arena_new();
	struct err err = { 0 };
	json_error_t where;
	struct buf written;

	if (holds_nul(data, size)) {
		json_tree_parse((const char *)data, size, arena, &err);
		arena_free(arena);
		return 0;
	}
	struct json_node *ours = json_tree_parse((const char *)data, size, arena, &err);
	json_t *theirs = json_loadb((const char *)data, size, JSON_DECODE_ANY, &where);
	bool too_large = !theirs && json_error_code(&where) == json_error_numeric_overflow;
	bool bounded =
	    !ours && (strstr(err.text, "nested too deeply") || strstr(err.text, "too many"));

	if (!too_large && !bounded)
		must((ours != NULL) == (theirs != NULL));
	if (!ours)
		must(err.kind == ERR_PERMANENT && err.text[0] != '\0');
	if (ours && theirs) {
		buf_init(&written, 1 << 24);
		json_tree_write(&written, NULL, ours);
		must(buf_ok(&written));
		json_t *again = json_loadb(written.data, written.size,
					   JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &where);
		must(again && json_equal(again, theirs));
		json_decref(again);
		buf_done(&written);
	}
	json_decref(theirs);
	arena_free(arena);
	return 0;
}
