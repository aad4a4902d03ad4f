/* Any bytes as a pushed event, and as a text that observables are looked for in. */
#include "normalize/observables.h"
#include "normalize_record.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct observables_item items[8];
	struct arena *arena = arena_new();

	(void)observables_find((const char *)data, size, arena, items, 8);
	arena_free(arena);
	return normalize_record("generic", data, size);
}
