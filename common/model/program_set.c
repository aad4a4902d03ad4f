#include "model/program_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

struct program_set {
	struct program_set_item *items; /* by name; the strings are owned */
	size_t count;
};

struct program_set *program_set_new(void)
{
	return xcalloc(1, sizeof(struct program_set));
}

static void item_done(struct program_set_item *item)
{
	free((char *)(uintptr_t)item->name);
	free((char *)(uintptr_t)item->text);
}

void program_set_free(struct program_set *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->count; i++)
		item_done(&set->items[i]);
	free(set->items);
	free(set);
}

/* Where name is, or belongs. */
static size_t place_of(const struct program_set *set, const char *name, bool *ret_found)
{
	size_t low = 0, high = set->count;

	*ret_found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(set->items[middle].name, name);

		*ret_found = *ret_found || order == 0;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool program_set_add(struct program_set *set, const char *name, const char *text, size_t size)
{
	bool found;
	size_t at = place_of(set, name, &found), length = strlen(name);
	struct program_set_item item = { xstrdup(name), xstrndup(text, size), size };

	if (length == 0 || length > PROGRAM_SET_NAME_MAX || size > PROGRAM_SET_TEXT_MAX ||
	    (!found && set->count == PROGRAM_SET_MAX)) {
		item_done(&item);
		return false;
	}
	if (found) {
		item_done(&set->items[at]);
	} else {
		set->items = xrealloc(set->items, (set->count + 1) * sizeof item);
		memmove(set->items + at + 1, set->items + at, (set->count - at) * sizeof item);
		set->count++;
	}
	set->items[at] = item;
	return true;
}

const struct program_set_item *program_set_find(const struct program_set *set, const char *name)
{
	bool found;
	size_t at = place_of(set, name, &found);

	return found ? &set->items[at] : NULL;
}

size_t program_set_count(const struct program_set *set)
{
	return set->count;
}

const struct program_set_item *program_set_at(const struct program_set *set, size_t index)
{
	return index < set->count ? &set->items[index] : NULL;
}
