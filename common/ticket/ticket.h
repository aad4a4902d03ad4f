#ifndef TICKET_TICKET_H
#define TICKET_TICKET_H

#include <stdbool.h>
#include <stddef.h>

#include "model/customer.h"
#include "model/finding.h"
#include "model/incident.h"

struct arena;
struct facts;
struct servicenow_column;

/*
 * What people read in ServiceNow: pure text, in the arena. Personal data stays in work notes,
 * which only those who work on the ticket see.
 */

/* ServiceNow cuts a short description at this many characters. */
enum { TICKET_SHORT_MAX = 160 };

/* "[Customer] - New Cisco Secure event [type] event for [device] @ [time]" */
const char *ticket_title(const struct facts *facts, struct arena *arena);
/* The same, then the customer's suffix, which is never cut: their closing rule looks for it. */
const char *ticket_short_description(const struct facts *facts, struct arena *arena);
const char *ticket_description(const struct facts *facts, struct arena *arena);
const char *ticket_first_note(const struct facts *facts, struct arena *arena);
/* Its first line, and nothing before it, is the URL that the ancestors' business rule posts. */
struct ticket_link {
	const char *token;	/* model/link.h, LINK_CLOSE; NULL: nothing is signed */
	const char *public_url; /* of the callback; NULL: not known */
};
const char *ticket_link_note(const struct incident *incident, const struct customer *customer,
			     const struct ticket_link *link, struct arena *arena);

/* One later finding as a line, and the note made of such lines. */
const char *ticket_finding_line(const struct finding *finding, const struct finding_view *view,
				struct arena *arena);
const char *ticket_later_note(const struct incident *incident, struct arena *arena);

/* By which a note is found again: "[tocsin:<id>:link]", "[tocsin:<id>:note:3]". */
const char *ticket_link_marker(const struct incident *incident, struct arena *arena);
const char *ticket_note_marker(const struct incident *incident, struct arena *arena);

struct customer_priority ticket_priority(const struct customer *customer, int severity_id);

/* Columns of a new ticket; cmdb_ci may be NULL. Returns how many of ret_columns were written.
 */
enum { TICKET_COLUMNS = 16 };
size_t ticket_columns(const struct facts *facts, const char *cmdb_ci, struct arena *arena,
		      struct servicenow_column *ret_columns);
/* Columns that take back a ticket which went to nobody: neutral, and no longer ours. */
size_t ticket_cancel_columns(const char *table, struct servicenow_column *ret_columns);

#endif
