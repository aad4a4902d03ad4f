/* The set of templates, and what they come to for one source. */
#include "ticket/template.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "common/ticket/default.json.h"
#include "common/ticket/defender.json.h"

/* The built-in ones come first, and stay: a file of the same name goes before it and extends
 * it. */
struct templates {
	struct template **items;
	size_t count;
};

static const struct {
	const char *name, *text;
} builtins[] = {
	{ "default", default_json },
	{ "defender", defender_json },
};

enum { BUILTINS = sizeof builtins / sizeof builtins[0] };

const char *template_builtin(const char *name)
{
	for (size_t i = 0; i < BUILTINS; i++) {
		if (strcmp(builtins[i].name, name) == 0)
			return builtins[i].text;
	}
	return NULL;
}

static void expression_clear(struct template_expression *expression)
{
	free(expression->name);
	free(expression->text);
}

void template_free(struct template *template)
{
	if (!template)
		return;
	for (size_t i = 0; i < template->part_count; i++) {
		struct template_part *part = &template->parts[i];

		for (size_t k = 0; k < part->count; k++)
			expression_clear(&part->columns[k]);
		expression_clear(&part->later_note);
		free(part->columns);
		free(part->source);
	}
	free(template->parts);
	free(template->name);
	free(template->extends);
	free(template->table);
	free(template);
}

/* ---- the set ---- */

struct templates *templates_new(void)
{
	struct templates *templates = xcalloc(1, sizeof *templates);

	templates->items = xcalloc(BUILTINS, sizeof *templates->items);
	for (; templates->count < BUILTINS; templates->count++) {
		const char *name = builtins[templates->count].name;
		const char *text = builtins[templates->count].text;

		templates->items[templates->count] =
		    template_decode(name, text, strlen(text), name, NULL);
	}
	return templates;
}

void templates_free(struct templates *templates)
{
	if (!templates)
		return;
	for (size_t i = 0; i < templates->count; i++)
		template_free(templates->items[i]);
	free(templates->items);
	free(templates);
}

void templates_add(struct templates *templates, struct template *template)
{
	for (size_t i = BUILTINS; i < templates->count; i++) {
		if (strcmp(templates->items[i]->name, template->name) != 0)
			continue;
		template_free(templates->items[i]);
		templates->items[i] = template;
		return;
	}
	templates->items =
	    xrealloc(templates->items, (templates->count + 1) * sizeof *templates->items);
	templates->items[templates->count++] = template;
}

const struct template *templates_find(const struct templates *templates, const char *name)
{
	for (size_t i = templates->count; name && i > 0; i--) {
		if (strcmp(templates->items[i - 1]->name, name) == 0)
			return templates->items[i - 1];
	}
	return NULL;
}

/* ---- what it comes to ---- */

/* Of each source its own one, when there is one of that name. */
static const char *own_name(const char *source)
{
	return source && template_builtin(source) ? source : "default";
}

static const struct template *parent_of(const struct templates *templates,
					const struct template *template, const char *source)
{
	if (template->extends)
		return templates_find(templates, template->extends);
	for (size_t i = 0; i < BUILTINS; i++) {
		if (template == templates->items[i])
			return NULL;
		if (strcmp(template->name, templates->items[i]->name) == 0)
			return templates->items[i];
	}
	return templates_find(templates, own_name(source));
}

static struct template_line line_of(const struct template *template,
				    const struct template_expression *expression)
{
	return (struct template_line){ expression->name, expression->text, template->name,
				       expression->line };
}

/* What was said first counts. */
static void plan_part(struct template_plan *plan, const struct template *template,
		      const struct template_part *part)
{
	enum { ROOM = sizeof plan->columns / sizeof plan->columns[0] };

	for (size_t i = 0; i < part->count; i++) {
		size_t k = 0;

		while (k < plan->count &&
		       strcmp(plan->columns[k].name, part->columns[i].name) != 0)
			k++;
		if (k == plan->count && plan->count < ROOM)
			plan->columns[plan->count++] = line_of(template, &part->columns[i]);
	}
	if (!plan->later_note.text && part->later_note.text)
		plan->later_note = line_of(template, &part->later_note);
}

void templates_plan(const struct templates *templates, const char *name, const char *source,
		    struct template_plan *ret_plan, bool *ret_missing)
{
	const struct template *template = templates_find(templates, name);

	*ret_missing = name && !template;
	if (!template)
		template = templates_find(templates, own_name(source));
	*ret_plan = (struct template_plan){ .name = template->name };
	for (int depth = 0; template && depth <= TEMPLATE_DEPTH_MAX; depth++) {
		for (size_t i = 0; i < template->part_count; i++) {
			const struct template_part *part = &template->parts[i];

			if (!part->source || (source && strcmp(part->source, source) == 0))
				plan_part(ret_plan, template, part);
		}
		if (!ret_plan->table)
			ret_plan->table = template->table;
		template = parent_of(templates, template, source);
	}
}

void templates_plan_builtin(const struct templates *templates, const char *source,
			    struct template_plan *ret_plan)
{
	const char *name = own_name(source);

	*ret_plan = (struct template_plan){ .name = name };
	while (name) {
		size_t i = 0;

		while (i + 1 < BUILTINS && strcmp(templates->items[i]->name, name) != 0)
			i++;
		const struct template *template = templates->items[i];

		for (size_t k = 0; k < template->part_count; k++)
			plan_part(ret_plan, template, &template->parts[k]);
		name = template->extends;
	}
}

static bool check_chain(const struct templates *templates, const struct template *template,
			const char *source, struct err *err)
{
	for (int depth = 0; template; depth++) {
		const char *extends = template->extends;

		if (depth > TEMPLATE_DEPTH_MAX)
			return err_set(err, ERR_PERMANENT,
				       "extends: it extends itself, or more than %d extend "
				       "each other",
				       TEMPLATE_DEPTH_MAX);
		if (extends && !templates_find(templates, extends))
			return err_set(err, ERR_PERMANENT, "extends: there is no template %s",
				       extends);
		template = parent_of(templates, template, source);
	}
	return true;
}

bool templates_check(const struct templates *templates, const char *name, struct err *err)
{
	const struct template *template = templates_find(templates, name);
	struct template_plan *plan;
	bool missing, fits;

	if (!check_chain(templates, template, "default", err) ||
	    !check_chain(templates, template, "defender", err))
		return false;
	plan = xcalloc(1, sizeof *plan);
	templates_plan(templates, name, "defender", plan, &missing);
	fits = plan->count <= TEMPLATE_COLUMNS_MAX;
	free(plan);
	if (fits)
		return true;
	return err_set(err, ERR_PERMANENT,
		       "columns: more than %d, together with what it extends",
		       TEMPLATE_COLUMNS_MAX);
}
