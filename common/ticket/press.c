/*
 * From a template's expressions to columns. All those of one template that need jq are one
 * program, run once per ticket:
 *
 *   {"0":(try [limit(2;(EXPRESSION))] catch {"e":...}),"1":...}
 *
 * so that an error of one is its own; one that loops or eats memory takes the others with it,
 * and then each is run alone.
 */
#include "ticket/press.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "jq/jq.h"
#include "model/program_set.h"
#include "ticket/column.h"
#include "ticket/facts.h"
#include "ticket/sheet.h"
#include "ticket/ticket.h"
#include "vendor/servicenow_table.h"

enum {
	PROGRAMS = 64, /* kept compiled; more begin anew */
	DOCUMENT_MAX = 2 << 20,
	KEY_SIZE = 160,
};

static const char set_prefix[] = "template:";

struct program {
	char key[KEY_SIZE]; /* "<template> <source> <what>" */
	int number;
};

struct ticket_press {
	const struct jq_settings *settings;
	struct jq *jq; /* NULL until it is needed */
	struct templates *templates;
	uint64_t version; /* of the set they are from */
	struct program programs[PROGRAMS];
	size_t count;
};

struct ticket_press *ticket_press_new(const struct jq_settings *settings)
{
	struct ticket_press *press = xcalloc(1, sizeof *press);

	press->settings = settings;
	press->templates = templates_new();
	return press;
}

/* The child is kept; what it has compiled goes. */
static void forget_programs(struct ticket_press *press)
{
	for (size_t i = 0; i < press->count; i++)
		jq_remove(press->jq, press->programs[i].number);
	press->count = 0;
}

void ticket_press_free(struct ticket_press *press)
{
	if (!press)
		return;
	jq_free(press->jq);
	templates_free(press->templates);
	free(press);
}

void ticket_press_use(struct ticket_press *press, struct templates *templates)
{
	forget_programs(press);
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

/* ---- without a child ---- */

/* `.facts.<name>` and JSON scalars. False: it takes jq. *ret_value NULL: not sent. */
static bool native_value(const char *text, const struct sheet *sheet, struct arena *arena,
			 const char **ret_value)
{
	static const char prefix[] = ".facts.";
	json_t *constant;

	if (strncmp(text, prefix, strlen(prefix)) == 0)
		return sheet_find(sheet, text + strlen(prefix), ret_value);
	constant = json_loads(text, JSON_DECODE_ANY, NULL);
	if (!constant || json_is_object(constant) || json_is_array(constant)) {
		json_decref(constant);
		return false;
	}
	*ret_value = column_text(constant, arena);
	json_decref(constant);
	return true;
}

/* ---- with one ---- */

/* What an expression came to. */
struct outcome {
	const char *value;  /* NULL: not sent */
	const char *reason; /* NULL: it worked */
	bool open;	    /* not known yet */
};

struct run {
	struct ticket_press *press;
	const struct template_line *lines;
	size_t count;
	const char *document;
	size_t document_size;
	struct arena *arena;
	struct outcome *outcomes; /* one for each line */
};

static void add_program(struct buf *out, const struct run *run)
{
	const char *before = "{";

	for (size_t i = 0; i < run->count; i++) {
		if (!run->outcomes[i].open)
			continue;
		/* The line feed ends a comment on the last line. */
		buf_addf(out,
			 "%s\"%zu\":(try [limit(2;(%s\n))] catch {\"e\":(if type==\"string\" "
			 "then . else tojson end)})",
			 before, i, run->lines[i].text);
		before = ",\n";
	}
	buf_adds(out, "}");
}

static struct jq *child_of(struct ticket_press *press)
{
	if (!press->jq && press->settings)
		press->jq = jq_new(press->settings);
	return press->jq;
}

/* Compiled before, or now; -1 with err. */
static int program_of(const struct run *run, const char *key, struct err *err)
{
	struct ticket_press *press = run->press;
	struct buf text;

	for (size_t i = 0; i < press->count; i++) {
		if (strcmp(press->programs[i].key, key) == 0)
			return press->programs[i].number;
	}
	if (!child_of(press)) {
		err_fill(err, ERR_TRANSIENT, "jq is not run here");
		return -1;
	}
	if (press->count == PROGRAMS)
		forget_programs(press);
	buf_init(&text, JQ_PROGRAM_BYTES);
	add_program(&text, run);

	struct program *program = &press->programs[press->count];

	program->number = jq_add(press->jq, "template", buf_text(&text), NULL, err);
	buf_done(&text);
	if (program->number < 0)
		return -1;
	snprintf(program->key, sizeof program->key, "%s", key);
	press->count++;
	return program->number;
}

/* One expression's results: [value], [] or [value, value]; or {"e": message}. */
static void take_results(struct outcome *outcome, const json_t *results, struct arena *arena)
{
	const char *message = json_string_value(json_object_get(results, "e"));
	const json_t *value = json_array_get(results, 0);

	outcome->open = false;
	if (message)
		outcome->reason = arena_printf(arena, "error: %.200s", message);
	else if (json_array_size(results) == 0)
		outcome->reason = "it gave nothing";
	else if (json_array_size(results) > 1)
		outcome->reason = "it gave more than one value";
	else if (json_is_object(value) || json_is_array(value))
		outcome->reason = "it gave a list or an object, wanted text or a number";
	else
		outcome->value = column_text(value, arena);
}

static bool take_all(const struct run *run, const struct jq_result *result)
{
	json_t *all = result->outcome == JQ_RESULT
			  ? json_loadb(result->text, result->size, 0, NULL)
			  : NULL;
	char name[24];

	for (size_t i = 0; all && i < run->count; i++) {
		const json_t *results;

		if (!run->outcomes[i].open)
			continue;
		snprintf(name, sizeof name, "%zu", i);
		results = json_object_get(all, name);
		if (results)
			take_results(&run->outcomes[i], results, run->arena);
	}
	json_decref(all);
	return all != NULL;
}

static void run_program(const struct run *run, int program, struct jq_result *ret_result,
			struct err *err)
{
	const struct jq_input input = { .value = { run->document, run->document_size } };

	if (!jq_run(run->press->jq, program, &input, 1, ret_result, err))
		*ret_result = (struct jq_result){ .outcome = JQ_DIED, .text = err->text };
}

/* After one of them has ended the child. */
static void run_alone(const struct run *run, size_t i)
{
	struct outcome *outcome = &run->outcomes[i];
	struct err err = { 0 };
	struct jq_result result;
	int program =
	    jq_add(run->press->jq, run->lines[i].name, run->lines[i].text, NULL, &err);

	outcome->open = false;
	if (program < 0) {
		outcome->reason = arena_strdup(run->arena, err.text);
		return;
	}
	run_program(run, program, &result, &err);

	json_t *value = result.outcome == JQ_RESULT
			    ? json_loadb(result.text, result.size, JSON_DECODE_ANY, NULL)
			    : NULL;
	json_t *results = value ? json_pack("[o]", value) : NULL;

	if (results)
		take_results(outcome, results, run->arena);
	else
		outcome->reason =
		    arena_printf(run->arena, "%s: %.200s", jq_outcome_name(result.outcome),
				 result.outcome == JQ_RESULT ? "not text" : result.text);
	json_decref(results);
	jq_remove(run->press->jq, program);
}

/* Those that are still open. */
static void run_jq(const struct run *run, const char *key)
{
	struct err err = { 0 };
	struct jq_result result;
	int program = program_of(run, key, &err);

	if (program >= 0) {
		run_program(run, program, &result, &err);
		if (take_all(run, &result))
			return;
	}
	for (size_t i = 0; i < run->count; i++) {
		if (!run->outcomes[i].open)
			continue;
		if (run->press->jq && err.kind != ERR_TRANSIENT) {
			run_alone(run, i);
			continue;
		}
		run->outcomes[i].open = false;
		run->outcomes[i].reason = arena_strdup(run->arena, err.text);
	}
}

/* Every expression, by whichever way. key names the program that they make together. */
static void run_lines(struct run *run, const struct sheet *sheet, const char *key)
{
	struct buf document;
	bool open = false;

	for (size_t i = 0; i < run->count; i++) {
		struct outcome *outcome = &run->outcomes[i];

		outcome->open =
		    !native_value(run->lines[i].text, sheet, run->arena, &outcome->value);
		open |= outcome->open;
	}
	if (!open)
		return;
	buf_init(&document, DOCUMENT_MAX);
	sheet_add_document(&document, sheet);
	run->document = buf_text(&document);
	run->document_size = document.size;
	run_jq(run, key);
	buf_done(&document);
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
		    !native_value(making->builtin.columns[i].text, &making->sheet,
				  making->arena, &value))
			value = NULL;
	}
	return value;
}

/* A column as it is sent: made to fit, or the built-in template's. */
static void take_column(struct making *making, const struct template_line *line,
			const struct outcome *outcome)
{
	const struct customer *customer = making->order->facts->customer;
	const char *reason = outcome->reason;
	const char *value = NULL;

	if (!reason)
		value =
		    column_fit(line->name, outcome->value, customer, making->arena, &reason);
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
	struct making *making = arena_alloc(arena, sizeof *making);
	const char *source = order->facts->finding.source;
	const struct ticket_problem absent = { "template", order->template,
					       "there is none of that name" };
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

	struct run run = {
		.press = press,
		.lines = making->plan.columns,
		.count = making->plan.count,
		.arena = arena,
		.outcomes =
		    arena_alloc(arena, sizeof(struct outcome) * (making->plan.count + 1)),
	};

	snprintf(key, sizeof key, "%s %s ticket", making->plan.name, source);
	run_lines(&run, &making->sheet, key);
	for (size_t i = 0; i < making->plan.count; i++)
		take_column(making, &making->plan.columns[i], &run.outcomes[i]);
	add_fixed(making);
	finish_note(making);
}

/* ---- a later note ---- */

const char *ticket_make_note(struct ticket_press *press, const struct incident *incident,
			     const struct customer *customer, struct arena *arena,
			     struct ticket_problem *ret_problem)
{
	struct template_plan *plan = arena_alloc(arena, sizeof *plan);
	struct sheet *sheet = arena_alloc(arena, sizeof *sheet);
	const char *source = incident->source ? incident->source : "";
	struct outcome outcome = { 0 };
	char key[KEY_SIZE];
	bool missing;

	*ret_problem = (struct ticket_problem){ 0 };
	sheet_of_note(sheet, incident, customer, arena);
	templates_plan(press->templates, incident->template, source, plan, &missing);

	struct run run = { .press = press,
			   .lines = &plan->later_note,
			   .count = 1,
			   .arena = arena,
			   .outcomes = &outcome };

	snprintf(key, sizeof key, "%s %s note", plan->name, source);
	run_lines(&run, sheet, key);
	if (!outcome.reason && (!outcome.value || !*outcome.value))
		outcome.reason = "it gave nothing";
	if (outcome.reason) {
		*ret_problem = (struct ticket_problem){ "later_note", plan->later_note.from,
							outcome.reason, false };
		outcome.value = ticket_later_text(incident, arena);
	}
	return column_note(outcome.value,
			   arena_printf(arena, "\n%s", ticket_note_marker(incident, arena)),
			   arena);
}
