/* Bodies of requests from outside: forms, and what a ServiceNow instance says of a ticket. What
 * is read is bounded text; what is refused is refused in one line. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "callback/hint.h"
#include "callback/urlform.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void try_form(struct arena *arena, const char *text, size_t size)
{
	struct urlform form;

	if (!urlform_parse(&form, text, size, arena))
		return;
	must(form.count <= URLFORM_FIELDS_MAX);
	for (size_t i = 0; i < form.count; i++) {
		must(urlform_value(&form, form.fields[i].name) == form.fields[i].value);
		must(strlen(form.fields[i].name) + strlen(form.fields[i].value) <= size);
	}
}

static void try_hint(struct arena *arena, const char *text, size_t size)
{
	struct err err = { 0 };
	struct hint_key key;
	struct hint hint;

	if (!hint_parse(&hint, text, size, arena, &err)) {
		must(err.kind == ERR_PERMANENT && err.text[0] && !strchr(err.text, '\n'));
		return;
	}
	must(strlen(hint.sys_id) == 32 && *hint.instance_name && strlen(hint.number) <= 200);
	(void)hint_op(&hint);
	if (hint_key_parse(&key, hint.key, "main") && !key.test)
		must(*key.customer && strlen(key.incident) == 16);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct arena *arena = arena_new();

	try_form(arena, (const char *)data, size);
	try_hint(arena, (const char *)data, size);
	arena_free(arena);
	return 0;
}
