/* tocsin template test: the ticket that an event would open. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/conf.h"
#include "cli.h"
#include "jq/jq.h"
#include "model/customer.h"
#include "model/incident.h"
#include "run.h"
#include "source_run.h"
#include "store.h"
#include "template_event.h"
#include "template_files.h"
#include "text.h"
#include "ticket/facts.h"
#include "ticket/press.h"
#include "ticket/template.h"
#include "ticket/ticket.h"
#include "view.h"

enum { EVENT_FILE_MAX = 8 << 20 };

/* Everything that one trial needs. */
struct trial {
	struct cli *cli;
	struct arena *arena;
	struct jq *jq;
	struct source_run *run;
	struct template_files files;
	struct customer *customer;
	char *event;
	const char *template; /* NULL: the customer's, else the source's own */
	struct finding finding;
	struct incident incident;
	struct facts *facts;
};

/* For those who want to see a template before there is a customer. */
static const char example[] =
    "{\"id\":\"example\",\"name\":\"Example Corporation\",\"servicenow\":{"
    "\"account\":\"example\",\"caller_id\":\"00000000000000000000000000000001\","
    "\"company\":\"00000000000000000000000000000002\","
    "\"assignment_group\":\"00000000000000000000000000000003\"}}";

static bool find_customer(struct trial *trial, struct err *err)
{
	const char *id = args_value(&trial->cli->args, "customer");
	const struct store_file *file;
	struct store store;

	if (!id) {
		trial->customer = customer_decode(example, strlen(example), "example", err);
		return trial->customer != NULL;
	}
	if (!store_load(&store, trial->cli->settings.config_dir, err))
		return false;
	file = store_find(&store, STORE_CUSTOMER, id);
	if (!file)
		err_fill(err, ERR_PERMANENT, "there is no customer %s", id);
	else if (file->err.kind != ERR_NONE)
		*err = file->err;
	else
		trial->customer =
		    customer_decode(file->text, strlen(file->text), file->where, err);
	store_done(&store);
	return trial->customer != NULL;
}

static bool is_path(const char *name)
{
	size_t size = strlen(name);

	return strchr(name, '/') || (size > 5 && strcmp(name + size - 5, ".json") == 0);
}

static bool find_template(struct trial *trial, struct err *err)
{
	const char *name = args_value(&trial->cli->args, "template");

	trial->template = trial->customer->servicenow.template;
	if (!name)
		return true;
	trial->template = name;
	if (is_path(name))
		return template_files_add(&trial->files, name, trial->jq, &trial->template,
					  err);
	if (templates_find(trial->files.templates, name))
		return true;
	return err_set(err, ERR_PERMANENT, "there is no template %s", name);
}

/* The incident that this event would open now. */
static void make_incident(struct trial *trial)
{
	const struct finding *finding = &trial->finding;
	const struct incident_item item = { .op = ITEM_FINDING, .finding = *finding };
	char *id = arena_alloc(trial->arena, INCIDENT_ID_SIZE);

	incident_id(trial->customer->id, finding->group, finding->uid, id);
	trial->incident = (struct incident){
		.id = id,
		.customer = trial->customer->id,
		.group = finding->group,
		.uid = finding->uid,
		.event_id = finding->event_id,
		.source = finding->source,
		.template = trial->template,
		.event_ms = finding->time_ms,
		.observed_ms = finding->time_ms,
		.findings = 1,
		.severity_id = finding->severity_id,
		.opening = incident_item_encode(&item, trial->arena),
		.sys_id = "00000000000000000000000000000000",
	};
}

static bool prepare(struct trial *trial, struct err *err)
{
	const char *path = args_operand(&trial->cli->args, 0);

	trial->event = conf_read_file(path, EVENT_FILE_MAX, err);
	trial->run = source_run_new(trial->cli, err);
	if (!trial->event || !trial->run || !find_customer(trial, err) ||
	    !template_files_load(&trial->files, trial->cli->settings.config_dir, trial->jq,
				 err) ||
	    !find_template(trial, err))
		return false;

	const struct template_event event = {
		.text = trial->event,
		.size = strlen(trial->event),
		.customer = trial->customer->id,
		.source = args_value(&trial->cli->args, "source"),
		.run = trial->run,
	};

	if (!template_event_read(&event, trial->arena, &trial->finding, err)) {
		err_prefix(err, "%s", path);
		return false;
	}
	make_incident(trial);
	trial->facts = arena_alloc(trial->arena, sizeof *trial->facts);
	return facts_read(trial->facts, &trial->incident, trial->customer, NULL,
			  trial->cli->service.installation, trial->arena, err);
}

static void render_text(struct buf *out, const char *text)
{
	for (const char *end; *text; text = *end ? end + 1 : end) {
		end = strchrnul(text, '\n');

		char *line = xstrndup(text, (size_t)(end - text));

		buf_adds(out, "    ");
		text_clean(out, line);
		buf_adds(out, "\n");
		free(line);
	}
}

static void render_pairs(struct buf *out, const json_t *list)
{
	size_t i;
	json_t *item;

	json_array_foreach(list, i, item)
	{
		const char *value = json_string_value(json_object_get(item, "value"));

		buf_addf(out, "%s\n", json_string_value(json_object_get(item, "name")));
		render_text(out, value ? value : "");
	}
}

static void render_test(struct buf *out, const struct screen *screen, const json_t *document)
{
	size_t i;
	json_t *item;

	(void)screen;
	buf_addf(out, "Ticket in %s, template %s\n\n",
		 json_string_value(json_object_get(document, "table")),
		 json_string_value(json_object_get(document, "template")));
	render_pairs(out, json_object_get(document, "columns"));
	buf_adds(out, "\n");
	render_pairs(out, json_object_get(document, "notes"));
	json_array_foreach(json_object_get(document, "problems"), i, item)
	{
		buf_adds(out, i == 0 ? "\nProblems\n" : "");
		render_text(out, json_string_value(item));
	}
}

static json_t *pair(const char *name, const char *value)
{
	return json_pack("{s:s,s:o}", "name", name, "value", view_text(value));
}

static void add_problem(json_t *problems, const struct ticket_problem *problem,
			struct arena *arena)
{
	if (problem->column)
		json_array_append_new(problems, view_text(ticket_problem_text(problem, arena)));
}

static json_t *make_document(struct trial *trial)
{
	struct ticket_press *press = ticket_press_new(&trial->cli->jq);
	struct template_plan *plan = arena_alloc(trial->arena, sizeof *plan);
	struct ticket *ticket = arena_alloc(trial->arena, sizeof *ticket);
	json_t *columns = json_array(), *notes = json_array(), *problems = json_array();
	struct incident *incident = &trial->incident;
	const struct ticket_link link = { 0 };
	struct ticket_problem problem;
	const char *note;
	bool missing;

	ticket_press_use(press, trial->files.templates);
	trial->files.templates = NULL;
	templates_plan(ticket_press_templates(press), trial->template, trial->finding.source,
		       plan, &missing);

	const struct ticket_order order = {
		.facts = trial->facts,
		.template = trial->template,
		.table = plan->table ? plan->table : trial->customer->servicenow.table,
	};

	ticket_make(press, &order, trial->arena, ticket);
	for (size_t i = 0; i < ticket->count; i++)
		json_array_append_new(columns,
				      pair(ticket->columns[i].name, ticket->columns[i].value));
	for (size_t i = 0; i < ticket->problem_count; i++)
		add_problem(problems, &ticket->problems[i], trial->arena);
	json_array_append_new(
	    notes, pair("second note",
			ticket_link_note(incident, trial->customer, &link, trial->arena)));
	/* As if the same came once more. */
	incident->writing = ticket_finding_line(trial->customer, &trial->finding,
						&trial->facts->view, trial->arena);
	incident->writing_count = 1;
	incident->notes = 1;
	incident->note_ms = trial->finding.time_ms;
	note = ticket_make_note(press, incident, trial->customer, trial->arena, &problem);
	add_problem(problems, &problem, trial->arena);
	json_array_append_new(notes, pair("note on later events", note));

	json_t *document = json_pack("{s:s,s:s,s:s,s:s,s:o,s:o,s:o}", "customer",
				     trial->customer->id, "source", trial->finding.source,
				     "table", ticket->table, "template", ticket->template,
				     "columns", columns, "notes", notes, "problems", problems);

	ticket_press_free(press);
	return document;
}

int run_template_test(struct cli *cli)
{
	struct trial *trial = xcalloc(1, sizeof *trial);
	struct err err = { 0 };
	int code;

	trial->cli = cli;
	trial->arena = arena_new();
	trial->jq = jq_new(&cli->jq);
	if (prepare(trial, &err)) {
		json_t *document = make_document(trial);
		bool bad = json_array_size(json_object_get(document, "problems")) > 0;

		code = cli_print(cli, document, render_test, bad ? EXIT_UNHEALTHY : EXIT_OK);
	} else {
		code = cli_fail(cli, EXIT_FAILED, &err);
	}
	template_files_done(&trial->files);
	customer_free(trial->customer);
	free(trial->event);
	jq_free(trial->jq);
	source_run_free(trial->run);
	arena_free(trial->arena);
	free(trial);
	return code;
}
