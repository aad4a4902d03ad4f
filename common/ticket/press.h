#ifndef TICKET_PRESS_H
#define TICKET_PRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "ticket/template.h"
#include "vendor/servicenow.h"

struct arena;
struct customer;
struct facts;
struct incident;
struct jq_settings;
struct program_set;

/*
 * Makes tickets: the expressions of a template over an incident's facts, then what no template
 * decides (caller, company, keys, the suffix, bounds). A ticket is always made: a column whose
 * expression fails gets what the built-in template says, and the ticket tells so.
 *
 * One press for one thread. A child process is started only for expressions that need jq.
 */
struct ticket_press;

/* settings are borrowed; they may be NULL where no child is to be started. */
struct ticket_press *ticket_press_new(const struct jq_settings *settings);
void ticket_press_free(struct ticket_press *press); /* NULL is fine */

/* Takes over the templates of the set (names `template:<name>`) unless it has that version. One
 * that cannot be read, by a service older than setup, is left out and then missing. */
void ticket_press_load(struct ticket_press *press, const struct program_set *set,
		       uint64_t version);
/* The same from elsewhere; takes ownership. */
void ticket_press_use(struct ticket_press *press, struct templates *templates);

/* Never NULL: the built-in ones before anything was loaded. */
const struct templates *ticket_press_templates(const struct ticket_press *press);

enum { TICKET_COLUMNS = TEMPLATE_COLUMNS_MAX + 32 };

/* An expression that failed, or a template that is not there (column "template"). */
struct ticket_problem {
	const char *column, *template, *reason;
	bool left_out; /* the built-in template has no such column either */
};

/* One line for people, "template soc, u_x: error: ...; left out". */
const char *ticket_problem_text(const struct ticket_problem *problem, struct arena *arena);

struct ticket {
	const char *table;
	const char *template; /* the one that was used */
	struct servicenow_column columns[TICKET_COLUMNS];
	size_t count;
	unsigned impact, urgency; /* as they are in columns; 0: not sent */
	struct ticket_problem problems[TICKET_COLUMNS];
	size_t problem_count;
};

struct ticket_order {
	const struct facts *facts;
	const char *template; /* NULL: the source's own */
	const char *table;
	const char *cmdb_ci; /* NULL: not known */
};

void ticket_make(struct ticket_press *press, const struct ticket_order *order,
		 struct arena *arena, struct ticket *ret_ticket);

/* The note on the later findings that incident->writing holds, with its marker. problem->column
 * is NULL when there was none. */
const char *ticket_make_note(struct ticket_press *press, const struct incident *incident,
			     const struct customer *customer, struct arena *arena,
			     struct ticket_problem *ret_problem);

#endif
