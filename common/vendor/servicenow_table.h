#ifndef VENDOR_SERVICENOW_TABLE_H
#define VENDOR_SERVICENOW_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vendor/servicenow.h"

struct arena;

/*
 * What differs between the tables a ticket may be in: `incident`, `sn_si_incident` (Security
 * Incident Response), and any other child of `task`. Facts: states of incident, hold reasons
 * and both lists of resolution codes from ansible-collections/servicenow.itsm
 * plugins/module_utils/incident.py; states of sn_si_incident from demisto/content
 * Packs/ServiceNow ServiceNowv2.py; base states of `task` (3, 4 and 7 are over, and then
 * active is false) from the product documentation, Task states. The same number means other
 * things: 3 is On Hold in incident and Closed in sn_si_incident, 7 is Closed and Cancelled.
 */

/* Where a ticket is in its life. */
enum servicenow_phase {
	SERVICENOW_PHASE_OPEN,	 /* nobody works on it yet */
	SERVICENOW_PHASE_WORKED, /* in progress, analysed, contained ... */
	SERVICENOW_PHASE_HELD,	 /* waits for someone else */
	SERVICENOW_PHASE_RESOLVED,
	SERVICENOW_PHASE_CLOSED,
	SERVICENOW_PHASE_CANCELLED,
};

struct servicenow_table {
	const char *name; /* "task" for every table that is not known by name */
	const char *first_state;
	const char *resolve_state; /* what an integration sets to end a ticket */
	const char *cancel_state;  /* NULL: no state that all such tables have */
	const char *close_code;	   /* column; NULL: the table has none */
	const char *close_notes;   /* column */
	const char *caller;	   /* column of who reported it; NULL: none */
	bool sets_priority;	   /* priority is not computed from impact and urgency */
	const struct servicenow_state *states; /* used by the functions below */
};

/* Never NULL. */
const struct servicenow_table *servicenow_table(const char *name);

/* From the columns state and active. A state that the table does not know is open while the
 * record is active, and closed when it is not. */
enum servicenow_phase servicenow_table_phase(const struct servicenow_table *table,
					     const struct servicenow_record *ticket);
/* Resolved, closed or cancelled: nothing is written to it any more. */
bool servicenow_phase_is_over(enum servicenow_phase phase);
bool servicenow_table_is_over(const char *table, const struct servicenow_record *ticket);
const char *servicenow_phase_name(enum servicenow_phase phase); /* "open" ... "cancelled" */

/* Since when it is over, the earlier of resolved_at and closed_at; 0 when neither is readable.
 */
uint64_t servicenow_table_over_ms(const struct servicenow_record *ticket);

/* The value of the instance's own choice (columns label and value, servicenow_choices()) that
 * says verdict best: "false_positive", "benign", "true_positive", or "" for none. NULL when the
 * list has none of those we know, or the table no close code: a setting must name it. */
const char *servicenow_table_close_code(const struct servicenow_table *table,
					const char *verdict,
					const struct servicenow_record *choices, size_t count);

/* Columns that end a ticket: state, close code and notes. Returns how many of ret_columns were
 * written. code NULL: not sent. */
enum { SERVICENOW_CLOSE_COLUMNS = 4 };
size_t servicenow_table_close_columns(const struct servicenow_table *table, const char *code,
				      const char *notes, struct servicenow_column *ret_columns);

/* https://<instance>/<table>.do?sys_id=... for people */
const char *servicenow_table_url(const char *instance_url, const char *table,
				 const char *sys_id, struct arena *arena);

#endif
