/* Which columns and table a customer's templates come to. */
#include "template_use.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "model/customer.h"

bool template_use_has(const struct template_use *use, const char *column)
{
	for (size_t i = 0; i < use->count; i++) {
		if (strcmp(use->names[i], column) == 0)
			return true;
	}
	return false;
}

static void add_source(struct template_use *use, const struct templates *templates,
		       const struct customer *customer, const char *source)
{
	struct template_plan *plan = xcalloc(1, sizeof *plan);
	bool missing;

	templates_plan(templates, customer->servicenow.template, source, plan, &missing);
	if (plan->table)
		use->table = plan->table;
	for (size_t i = 0; i < plan->count; i++) {
		const struct template_line *line = &plan->columns[i];

		if (strcmp(line->text, "null") == 0 || template_use_has(use, line->name) ||
		    use->count == sizeof use->names / sizeof use->names[0])
			continue;
		use->own[use->count] = !template_builtin(line->from);
		use->names[use->count++] = line->name;
	}
	free(plan);
}

void template_use_read(struct template_use *ret_use, const struct templates *templates,
		       const struct customer *customer)
{
	*ret_use = (struct template_use){ .table = customer->servicenow.table };
	for (size_t i = 0; i < customer->source_count; i++)
		add_source(ret_use, templates, customer, customer->sources[i].name);
	if (customer->source_count == 0)
		add_source(ret_use, templates, customer, NULL);
}
