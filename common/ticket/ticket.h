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
 * which only those who work on the ticket see. Of these texts templates choose (press.h).
 */

/* ServiceNow cuts a short description at this many characters. */
enum { TICKET_SHORT_MAX = 160 };

/* "[Customer] - New Cisco Secure event [type] event for [device] @ [time]" */
const char *ticket_title(const struct facts *facts, struct arena *arena);
/* text on one line that ends with the customer's suffix, whole: their closing rule looks for
 * it. */
const char *ticket_with_suffix(const struct customer *customer, const char *text,
			       struct arena *arena);
const char *ticket_short_description(const struct facts *facts, struct arena *arena);
const char *ticket_description(const struct facts *facts, struct arena *arena);
/* The same for sources whose alerts have a title of their own. The alert's id is in the
 * description, where lists of tickets are searched. */
const char *ticket_alert_short_description(const struct facts *facts, struct arena *arena);
const char *ticket_alert_description(const struct facts *facts, struct arena *arena);
const char *ticket_first_note(const struct facts *facts, struct arena *arena);

/* Its first line, and nothing before it, is the URL that the ancestors' business rule posts. */
struct ticket_link {
	const char *token;	/* model/link.h, LINK_CLOSE; NULL: nothing is signed */
	const char *public_url; /* of the callback; NULL: not known */
};
const char *ticket_link_note(const struct incident *incident, const struct customer *customer,
			     const struct ticket_link *link, struct arena *arena);

/* One later finding as a line, and a note's text made of such lines, without its marker. */
const char *ticket_finding_line(const struct customer *customer, const struct finding *finding,
				const struct finding_view *view, struct arena *arena);
const char *ticket_later_text(const struct incident *incident, struct arena *arena);

/* By which a note is found again: "[tocsin:<id>:link]", "[tocsin:<id>:note:3]". */
const char *ticket_link_marker(const struct incident *incident, struct arena *arena);
const char *ticket_note_marker(const struct incident *incident, struct arena *arena);

struct customer_priority ticket_priority(const struct customer *customer,
					 const struct incident *incident);

/* Columns that take back a ticket which went to nobody: neutral, and no longer ours. Returns
 * how many of ret_columns were written. */
enum { TICKET_CANCEL_COLUMNS = 4 };
size_t ticket_cancel_columns(const char *table, struct servicenow_column *ret_columns);

#endif
