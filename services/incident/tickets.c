/* Templates at work. */
#include "tickets.h"

#include <stdlib.h>

#include "app.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/metric.h"
#include "bus/worker.h"
#include "service/programs.h"
#include "turn.h"

bool tickets_open(struct worker_thread *self, void **ret_local, struct err *err)
{
	const struct app *app = worker_state(self);

	(void)err;
	*ret_local = ticket_press_new(app->jq);
	return true;
}

void tickets_close(void *local)
{
	ticket_press_free(local);
}

struct ticket_press *tickets_refresh(struct worker_thread *self, bool *ret_known)
{
	const struct app *app = worker_state(self);
	struct ticket_press *press = worker_local(self);
	const struct program_set *set;
	uint64_t version;
	struct err ignored;

	set = programs_get(app->programs, worker_redis(self), &version, &ignored);
	if (set) {
		ticket_press_load(press, set, version);
		programs_put(app->programs, set);
	}
	*ret_known = set != NULL;
	return press;
}

/* When nothing is known of templates, that matters only to those who named one. */
static bool are_known(const struct turn *turn, struct err *err)
{
	if (turn->templates_known || !turn->incident.template)
		return true;
	return err_set(err, ERR_TRANSIENT, "setup has not published the templates yet");
}

const char *tickets_table(const struct incident *incident, const struct customer *customer)
{
	return incident->ticket_table ? incident->ticket_table : customer->servicenow.table;
}

void tickets_plan(struct turn *turn)
{
	const struct customer_servicenow *servicenow = &turn->customer->servicenow;
	struct incident *incident = &turn->incident;
	struct template_plan *plan = xcalloc(1, sizeof(*plan));
	bool missing;

	incident->template = servicenow->template;
	incident->ticket_table = servicenow->table;
	templates_plan(ticket_press_templates(turn->press), incident->template,
		       incident->source, plan, &missing);
	if (plan->table)
		incident->ticket_table = arena_strdup(turn->arena, plan->table);
	if (turn->decided.route.table)
		incident->ticket_table = turn->decided.route.table;
	free(plan);
}

const struct ticket *tickets_make(struct turn *turn, struct err *err)
{
	const struct facts *facts = are_known(turn, err) ? turn_facts(turn, err) : NULL;
	struct ticket_order order = {
		.facts = facts,
		.template = turn->incident.template,
		.table = turn_table(turn),
		.cmdb_ci = turn->cmdb_ci,
	};
	struct ticket *ticket;

	if (!facts)
		return NULL;
	ticket = arena_alloc(turn->arena, sizeof(*ticket));
	ticket_make(turn->press, &order, turn->arena, ticket);
	return ticket;
}

const char *tickets_note(struct turn *turn, struct ticket_problem *ret_problem, struct err *err)
{
	*ret_problem = (struct ticket_problem){ 0 };
	if (!are_known(turn, err))
		return NULL;
	return ticket_make_note(turn->press, &turn->incident, turn->customer, turn->arena,
				ret_problem);
}

void tickets_tell(struct turn *turn, const struct ticket_problem *problems, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!problems[i].column)
			continue;
		turn_tell(turn, "ticket", ticket_problem_text(&problems[i], turn->arena));
		metric_add(&app_template_failures, 1, problems[i].template);
	}
}
