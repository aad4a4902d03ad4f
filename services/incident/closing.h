#ifndef INCIDENT_CLOSING_H
#define INCIDENT_CLOSING_H

#include <stdbool.h>
#include <stdint.h>

#include "model/customer.h"
#include "model/incident.h"
#include "vendor/servicenow.h"

struct arena;

/*
 * What a ticket says about the closing of its incident: pure, over a row of its table. Used by
 * the step that reads one ticket, and by the reconciler, which reads a hundred.
 */

/* Columns of such a row. Those that a table has not are left out by the instance. */
#define CLOSING_COLUMNS                                                                        \
	"number,state,active,company,correlation_id,close_code,parent_incident,"               \
	"parent_security_incident,parent,resolved_at,closed_at"

enum closing_ticket {
	CLOSING_TICKET_OPEN,
	CLOSING_TICKET_OVER,
	CLOSING_TICKET_FOREIGN, /* another company's, or not ours: nothing may be done */
};

struct closing_look {
	enum closing_ticket ticket;
	enum closing_effect effect; /* OVER; IGNORE is told as OPEN */
	enum closure_verdict verdict;
	const char *seen;     /* the same text as long as nothing of all this changes */
	const char *survivor; /* sys_id of the ticket that took its place, NULL for none */
	uint64_t over_ms;     /* 0: not readable */
	bool writable;	      /* a work note may still be written */
	const char *words;    /* for people: "INC0010001 is resolved (Duplicate)" */
};

struct closing_case {
	const struct customer *customer;
	const char *installation;
	const char *table;
	bool adopted; /* has no key of ours */
};

void closing_look(const struct closing_case *about, const struct servicenow_record *ticket,
		  struct arena *arena, struct closing_look *ret_look);

#endif
