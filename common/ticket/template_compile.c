/* Whether jq takes every expression of a template. */
#include "ticket/template.h"

#include <stdio.h>
#include <string.h>

#include "jq/jq.h"

/* jq counts lines within the expression: they become those of the file. */
static bool refuse(const struct template_part *part,
		   const struct template_expression *expression, const char *where,
		   struct err *err)
{
	const char *said = err->text,
		   *colon = strncmp(said, "jq:", 3) == 0 ? strchr(said + 3, ':') : NULL;
	unsigned line = 1, at = 0;
	char text[sizeof err->text];

	if (colon && sscanf(said + 3, "%u", &line) == 1 && line > 0)
		said = colon + 1 + strspn(colon + 1, " ");
	if (expression->line > 0)
		at = expression->line + line - 1;
	snprintf(text, sizeof text, "%s", said);
	err_fill(err, ERR_PERMANENT, "%s:%u: %s%s%s%s%s: %s", where, at,
		 part->source ? "sources." : "", part->source ? part->source : "",
		 part->source ? "." : "", expression == &part->later_note ? "" : "columns.",
		 expression->name, text);
	return false;
}

static bool compile(const struct template_part *part,
		    const struct template_expression *expression, const char *where,
		    struct jq *jq, struct err *err)
{
	int program = jq_add(jq, "jq", expression->text, NULL, err);

	jq_remove(jq, program);
	if (program >= 0)
		return true;
	return err->kind == ERR_PERMANENT ? refuse(part, expression, where, err) : false;
}

bool template_compile(const struct template *template, const char *where, struct jq *jq,
		      struct err *err)
{
	for (size_t i = 0; i < template->part_count; i++) {
		const struct template_part *part = &template->parts[i];

		for (size_t k = 0; k < part->count; k++) {
			if (!compile(part, &part->columns[k], where, jq, err))
				return false;
		}
		if (part->later_note.text && !compile(part, &part->later_note, where, jq, err))
			return false;
	}
	return true;
}
