#ifndef MODEL_CONTAINMENT_H
#define MODEL_CONTAINMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct arena;
struct incident;

/*
 * What an incident did to its host, and how it is undone: the undo ledger, the field `undo` of
 * the incident's hash. An entry is written with the intent, before the act; closing executes
 * the ledger. It may hold entries of other incidents, whose ticket was resolved as a duplicate
 * of this one's.
 */
enum containment_method {
	CONTAINMENT_ISOLATE,
	CONTAINMENT_MOVE_GROUP,
	CONTAINMENT_METHODS,
};

enum containment_state {
	CONTAINMENT_INTENT,	 /* the call may have been made */
	CONTAINMENT_PENDING,	 /* the vendor took it; not seen to be there yet */
	CONTAINMENT_HELD,	 /* seen to be there */
	CONTAINMENT_RELEASING,	 /* the call that undoes it may have been made */
	CONTAINMENT_RELEASED,	 /* seen to be undone, or another incident's to undo */
	CONTAINMENT_FOREIGN,	 /* was there, or is by now, by somebody else: not ours */
	CONTAINMENT_WRITTEN_OFF, /* a person said that there is nothing to undo any more */
	CONTAINMENT_STATES,
};

struct containment_entry {
	enum containment_method method;
	enum containment_state state;
	bool shared;	     /* contained by us before: nothing was done for this incident */
	uint64_t since_ms;   /* of the intent; of what was found when it is shared or foreign */
	const char *source;  /* "secure_endpoint", "defender" */
	const char *account; /* whose credentials act */
	const char *machine; /* the vendor's id: connector GUID, machine id */
	const char *host;    /* its name, for people */
	const char *from;    /* MOVE_GROUP: GUIDs of the group it goes back to, */
	const char *to;	     /* and of the triage group */
	const char *action;  /* Defender: id of the machine action under way */
	const char *words;   /* WRITTEN_OFF: by whom, and why */
};

enum { CONTAINMENT_MACHINE_MAX = 64 };

/* By method; one without a machine is not there. */
struct containment_ledger {
	struct containment_entry entries[CONTAINMENT_METHODS];
};

/* text may be NULL: empty. Strings are in the arena. Permanent error when it is none. */
bool containment_ledger_decode(struct containment_ledger *ret_ledger, const char *text,
			       struct arena *arena, struct err *err);
/* NULL when there are no entries. */
const char *containment_ledger_encode(const struct containment_ledger *ledger,
				      struct arena *arena);
/* Whether it is there, and something is left to undo or to find out: INTENT to RELEASING. */
bool containment_is_due(const struct containment_entry *entry);
/* How many such entries a ledger's text has; 0 when it is malformed. */
size_t containment_due_count(const char *text);

/* 1 to 64 of letters, digits and -: goes into keys and paths. */
bool containment_machine_valid(const char *machine);

const char *containment_method_name(enum containment_method method); /* "isolate" ... */

/*
 * Our mark on an isolation is its comment: words for the people who see it in the vendor's
 * console, and what finds the incident again after Redis was lost.
 *	Isolated by Tocsin for INC0010001 [tocsin-i:lab:acme:<group>:<id> from=<group GUID>]
 */
struct containment_mark {
	const char *key;    /* incident_key() */
	const char *number; /* of the ticket; NULL */
	const char *from;   /* original group, where it will be moved; NULL */
};
const char *containment_mark_text(const struct containment_mark *mark, struct arena *arena);

/* The parts of a mark of ours; in the arena. */
struct containment_marked {
	const char *customer, *group, *incident;
	const char *number; /* NULL: none yet when it was made */
	const char *from;   /* NULL */
};
/* False when comment carries no mark of this installation. ret_marked may be NULL. */
bool containment_mark_read(const char *comment, const char *installation, struct arena *arena,
			   struct containment_marked *ret_marked);

/* What a host's operating system, as vendors write it, says. */
enum containment_system { SYSTEM_UNKNOWN, SYSTEM_WORKSTATION, SYSTEM_SERVER };
enum containment_system containment_system(const char *operating_system);
/* The ancestors' test: WIN is in the host's name. */
bool containment_name_is_workstation(const char *name);

#endif
