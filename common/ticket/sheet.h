#ifndef TICKET_SHEET_H
#define TICKET_SHEET_H

#include <stdbool.h>
#include <stddef.h>

#include "model/customer.h"
#include "model/incident.h"

struct arena;
struct buf;
struct facts;

/*
 * What templates choose from: named texts, `.facts.<name>` in their expressions, and the
 * document {finding, incident, customer, facts} that their programs are run on. Secrets are in
 * neither.
 */
struct sheet_fact {
	const char *name;
	const char *value; /* NULL: not known, in the document null */
};

enum { SHEET_FACTS = 48 };

struct sheet {
	const struct facts *facts; /* NULL: of a later note */
	const struct incident *incident;
	const struct customer *customer;
	struct sheet_fact list[SHEET_FACTS];
	size_t count;
};

/* For a new ticket in that table; cmdb_ci may be NULL. */
void sheet_of_ticket(struct sheet *ret_sheet, const struct facts *facts, const char *table,
		     const char *cmdb_ci, struct arena *arena);
/* For the note on later findings that incident->writing holds. */
void sheet_of_note(struct sheet *ret_sheet, const struct incident *incident,
		   const struct customer *customer, struct arena *arena);

/* The names of the above, ended by NULL. */
extern const char *const sheet_ticket_names[];
extern const char *const sheet_note_names[];

/* False when there is no fact of that name; *ret_value may be NULL. */
bool sheet_find(const struct sheet *sheet, const char *name, const char **ret_value);
/* ServiceNow's standard table of priorities, 1 to 5. */
unsigned sheet_priority(const struct customer_priority *priority);

/* Appends the document. Whole numbers are as they are: the jq layer keeps them exact. */
void sheet_add_document(struct buf *out, const struct sheet *sheet);

#endif
