/* Bounds of columns: ServiceNow cuts or empties what does not fit, and answers 200. */
#include "ticket/column.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "ticket/prose.h"
#include "ticket/ticket.h"

enum {
	NOTE_CHARS = 16000,
	LINE_CHARS = 4000,
	DESCRIPTION_CHARS = 4000,
	CHOICE_CHARS = 40,
};

/* Those that a template may set and that are more than text. */
static const char *const references[] = {
	"cmdb_ci",	    "assigned_to", "location",	    "business_service",
	"service_offering", "company",	   "caller_id",	    "caller",
	"assignment_group", "sys_domain",  "affected_user", "opened_for"
};

enum servicenow_column_kind column_kind(const char *name)
{
	for (size_t i = 0; i < sizeof references / sizeof references[0]; i++) {
		if (strcmp(references[i], name) == 0)
			return SERVICENOW_REFERENCE;
	}
	return strcmp(name, "work_notes") == 0 || strcmp(name, "comments") == 0
		   ? SERVICENOW_JOURNAL
		   : SERVICENOW_TEXT;
}

const char *column_text(const json_t *value, struct arena *arena)
{
	const char *text = json_string_value(value);
	char *plain;

	if (text)
		return arena_strdup(arena, text);
	if (!json_is_number(value) && !json_is_boolean(value))
		return NULL;
	plain = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
	text = arena_strdup(arena, plain);
	free(plain);
	return text;
}

static const char *fit_level(const char *value, unsigned most, struct arena *arena,
			     const char **ret_reason)
{
	char *end;
	double level = strtod(value, &end);

	if (*value && *end == '\0' && level >= 1 && level <= most &&
	    level == (double)(unsigned)level)
		return arena_printf(arena, "%u", (unsigned)level);
	*ret_reason =
	    arena_printf(arena, "\"%s\" is not 1 to %u", prose_line(arena, value, 20), most);
	return NULL;
}

const char *column_fit(const char *name, const char *value, const struct customer *customer,
		       struct arena *arena, const char **ret_reason)
{
	bool is_short = strcmp(name, "short_description") == 0;
	const char *text;

	*ret_reason = NULL;
	if (is_short && (!value || !*prose_line(arena, value, 2))) {
		*ret_reason = "it gave nothing";
		return NULL;
	}
	if (!value)
		return NULL;
	if (is_short)
		return ticket_with_suffix(customer, value, arena);
	if (strcmp(name, "impact") == 0 || strcmp(name, "urgency") == 0)
		return fit_level(value, 3, arena, ret_reason);
	if (strcmp(name, "priority") == 0)
		return fit_level(value, 5, arena, ret_reason);
	if (strcmp(name, "category") == 0 || strcmp(name, "subcategory") == 0)
		text = prose_line(arena, value, CHOICE_CHARS);
	else if (column_kind(name) == SERVICENOW_JOURNAL)
		text = prose_lines(arena, value, NOTE_CHARS);
	else if (strcmp(name, "description") == 0)
		text = prose_lines(arena, value, DESCRIPTION_CHARS);
	else
		text = prose_lines(arena, value, LINE_CHARS);
	return *text ? text : NULL;
}

const char *column_note(const char *text, const char *tail, struct arena *arena)
{
	size_t taken = prose_length(tail);
	const char *said =
	    prose_lines(arena, text, taken < NOTE_CHARS ? NOTE_CHARS - taken : 0);

	while (!*said && *tail == '\n')
		tail++;
	return arena_printf(arena, "%s%s", said, tail);
}
