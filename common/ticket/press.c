/* From a template's expressions to a ticket's columns, and what no template decides. */
#include "ticket/press.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "model/program_set.h"
#include "ticket/column.h"
#include "ticket/expression.h"
#include "ticket/facts.h"
#include "ticket/sheet.h"
#include "ticket/ticket.h"
#include "vendor/servicenow_table.h"

enum { KEY_SIZE = 160 };

static const char set_prefix[] = "template:";

struct ticket_press {
	struct expressions *expressions;
	struct templates *templates;
	uint64_t version; /* of the set they are from */
};

struct ticket_press *ticket_press_new(const struct jq_settings *settings)
{
	struct ticket_press *press = xcalloc(1, sizeof *press);

	press->expressions = expressions_new(settings);
	press->templates = templates_new();
	return press;
}

void ticket_press_free(struct ticket_press *press)
{
	if (!press)
		return;
	expressions_free(press->expressions);
	templates_free(press->templates);
	free(press);
}

void ticket_press_use(struct ticket_press *press, struct templates *templates)
{
	expressions_forget(press->expressions);
	templates_free(press->templates);
	press->templates = templates;
}

void ticket_press_load(struct ticket_press *press, const struct program_set *set,
		       uint64_t version)
{
	struct templates *templates;

	if (version == press->version)
		return;
	templates = templates_new();
	for (size_t i = 0; i < program_set_count(set); i++) {
		const struct program_set_item *item = program_set_at(set, i);
		const char *name = item->name + strlen(set_prefix);
		struct template *template;

		if (strncmp(item->name, set_prefix, strlen(set_prefix)) != 0)
			continue;
		template = template_decode(name, item->text, item->size, item->name, NULL);
		if (template)
			templates_add(templates, template);
	}
	ticket_press_use(press, templates);
	press->version = version;
}

const struct templates *ticket_press_templates(const struct ticket_press *press)
{
	return press->templates;
}

/* ---- a ticket ---- */

/* A ticket in the making. */
struct making {
	const struct ticket_order *order;
	struct arena *arena;
	struct sheet sheet;
	struct template_plan plan;
	struct template_plan builtin; /* of the source: what counts when an expression fails */
	struct ticket *ticket;
};

const char *ticket_problem_text(const struct ticket_problem *problem, struct arena *arena)
{
	return arena_printf(arena, "template %s, %s: %s; %s", problem->template,
			    problem->column, problem->reason,
			    problem->left_out ? "left out" : "the built-in one was used");
}

static void add_problem(struct ticket *ticket, const struct ticket_problem *problem)
{
	if (ticket->problem_count < TICKET_COLUMNS)
		ticket->problems[ticket->problem_count++] = *problem;
}

static void add_column(struct ticket *ticket, const char *name, const char *value)
{
	if (value && ticket->count < TICKET_COLUMNS)
		ticket->columns[ticket->count++] =
		    (struct servicenow_column){ name, value, column_kind(name) };
}

static const char *builtin_value(const struct making *making, const char *name)
{
	const char *value = NULL;

	for (size_t i = 0; i < making->builtin.count; i++) {
		if (strcmp(making->builtin.columns[i].name, name) == 0 &&
		    !expression_native(making->builtin.columns[i].text, &making->sheet,
				       making->arena, &value))
			value = NULL;
	}
	return value;
}

/* A column as it is sent: made to fit, or the built-in template's. */
static void take_column(struct making *making, const struct template_line *line,
			const struct expression_result *result)
{
	const struct customer *customer = making->order->facts->customer;
	const char *reason = result->reason;
	const char *value = NULL;

	if (!reason)
		value = column_fit(line->name, result->value, customer, making->arena, &reason);
	if (reason) {
		const char *builtin = builtin_value(making, line->name), *ignored;
		const struct ticket_problem problem = { line->name, line->from, reason,
							!builtin };

		add_problem(making->ticket, &problem);
		value = column_fit(line->name, builtin, customer, making->arena, &ignored);
	}
	add_column(making->ticket, line->name, value);
}

static const char *column_value(const struct ticket *ticket, const char *name)
{
	for (size_t i = 0; i < ticket->count; i++) {
		if (strcmp(ticket->columns[i].name, name) == 0)
			return ticket->columns[i].value;
	}
	return NULL;
}

/* What no template decides. */
static void add_fixed(struct making *making)
{
	const struct facts *facts = making->order->facts;
	const struct customer_servicenow *settings = &facts->customer->servicenow;
	const struct servicenow_table *table = servicenow_table(making->order->table);
	struct ticket *ticket = making->ticket;
	const char *impact = column_value(ticket, "impact");
	const char *urgency = column_value(ticket, "urgency");

	ticket->impact = impact ? (unsigned)strtoul(impact, NULL, 10) : 0;
	ticket->urgency = urgency ? (unsigned)strtoul(urgency, NULL, 10) : 0;
	if (table->sets_priority && !column_value(ticket, "priority") && impact && urgency) {
		const struct customer_priority priority = { ticket->impact, ticket->urgency };

		add_column(ticket, "priority",
			   arena_printf(making->arena, "%u", sheet_priority(&priority)));
	}
	if (table->caller)
		add_column(ticket, table->caller, settings->caller_id);
	add_column(ticket, "company", settings->company);
	add_column(ticket, "assignment_group", settings->assignment_group);
	add_column(ticket, "sys_domain", settings->domain);
	add_column(ticket, "correlation_id", facts->key);
	add_column(ticket, "correlation_display", "Tocsin");
}

/* The first note always tells the event's id, by which it is found again, and what went wrong.
 */
static void finish_note(struct making *making)
{
	struct ticket *ticket = making->ticket;
	const struct facts *facts = making->order->facts;
	const char *said = column_value(ticket, "work_notes");
	const char *id = arena_printf(making->arena, "Event id: %s", facts->finding.event_id);
	const char *tail = "", *note;

	for (size_t i = 0; i < ticket->problem_count; i++) {
		tail = arena_printf(making->arena, "%s\n%s", tail,
				    ticket_problem_text(&ticket->problems[i], making->arena));
	}
	if (!said || !strstr(said, id))
		tail = arena_printf(making->arena, "%s\n%s\nTocsin incident: %s", tail, id,
				    facts->incident->id);
	note = column_note(said, tail, making->arena);
	for (size_t i = 0; i < ticket->count; i++) {
		if (strcmp(ticket->columns[i].name, "work_notes") == 0) {
			ticket->columns[i].value = note;
			return;
		}
	}
	add_column(ticket, "work_notes", note);
}

void ticket_make(struct ticket_press *press, const struct ticket_order *order,
		 struct arena *arena, struct ticket *ret_ticket)
{
	/* Not in the arena, where it would stay while the vendor is waited for. */
	struct making *making = xcalloc(1, sizeof *making);
	const char *source = order->facts->finding.source;
	const struct ticket_problem absent = { "template", order->template,
					       "there is none of that name" };
	struct expression_result *results;
	char key[KEY_SIZE];
	bool missing;

	*ret_ticket = (struct ticket){ .table = order->table };
	*making = (struct making){ .order = order, .arena = arena, .ticket = ret_ticket };
	sheet_of_ticket(&making->sheet, order->facts, order->table, order->cmdb_ci, arena);
	templates_plan(press->templates, order->template, source, &making->plan, &missing);
	templates_plan_builtin(press->templates, source, &making->builtin);
	ret_ticket->template = making->plan.name;
	if (missing)
		add_problem(ret_ticket, &absent);

	snprintf(key, sizeof key, "%s %s ticket", making->plan.name, source);
	results = arena_alloc(arena, sizeof *results * (making->plan.count + 1));
	expressions_run(press->expressions, key, making->plan.columns, making->plan.count,
			&making->sheet, arena, results);
	for (size_t i = 0; i < making->plan.count; i++)
		take_column(making, &making->plan.columns[i], &results[i]);
	add_fixed(making);
	finish_note(making);
	free(making);
}

/* ---- a later note ---- */

const char *ticket_make_note(struct ticket_press *press, const struct incident *incident,
			     const struct customer *customer, struct arena *arena,
			     struct ticket_problem *ret_problem)
{
	struct template_plan *plan = arena_alloc(arena, sizeof *plan);
	struct sheet *sheet = arena_alloc(arena, sizeof *sheet);
	const char *source = incident->source ? incident->source : "";
	struct expression_result result;
	char key[KEY_SIZE];
	bool missing;

	*ret_problem = (struct ticket_problem){ 0 };
	sheet_of_note(sheet, incident, customer, arena);
	templates_plan(press->templates, incident->template, source, plan, &missing);

	snprintf(key, sizeof key, "%s %s note", plan->name, source);
	expressions_run(press->expressions, key, &plan->later_note, 1, sheet, arena, &result);
	if (!result.reason && (!result.value || !*result.value))
		result.reason = "it gave nothing";
	if (result.reason) {
		*ret_problem = (struct ticket_problem){ "later_note", plan->later_note.from,
							result.reason, false };
		result.value = ticket_later_text(incident, arena);
	}
	return column_note(result.value,
			   arena_printf(arena, "\n%s", ticket_note_marker(incident, arena)),
			   arena);
}
