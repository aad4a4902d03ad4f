#ifndef INCIDENT_TICKETS_H
#define INCIDENT_TICKETS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "ticket/press.h"

struct customer;
struct incident;
struct turn;
struct worker_thread;

/* Templates at work: which one an incident's ticket has, in which table, and what it says. */

/* Of worker_spec: each thread has a press of its own. */
bool tickets_open(struct worker_thread *self, void **ret_local, struct err *err);
void tickets_close(void *local);

/* The thread's press, with the templates as setup last published them; *ret_known false: it has
 * published none, not even that there are none. */
struct ticket_press *tickets_refresh(struct worker_thread *self, bool *ret_known);

/* Decides template and table, from the rules' route, the template and the customer's file. For
 * an incident whose ticket is not made yet. */
void tickets_plan(struct turn *turn);

/* Where its ticket is, or is to be: what was planned, or of older versions the customer's; NULL
 * when that has none. */
const char *tickets_table(const struct incident *incident, const struct customer *customer);

/* NULL with err: transient when a template is asked for and none are published yet, permanent
 * when the opening finding is not readable. */
const struct ticket *tickets_make(struct turn *turn, struct err *err);
/* The note on later findings. NULL with err (transient) as above. */
const char *tickets_note(struct turn *turn, struct ticket_problem *ret_problem,
			 struct err *err);

/* Expressions that failed: on the timeline, and counted. */
void tickets_tell(struct turn *turn, const struct ticket_problem *problems, size_t count);

#endif
