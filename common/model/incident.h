#ifndef MODEL_INCIDENT_H
#define MODEL_INCIDENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/field.h"
#include "model/closure.h"
#include "model/finding.h"

struct arena;

/*
 * One incident as the hash `incident:<id>` holds it: identity, links to the outside, the
 * journal of its saga. The incident service writes it, the CLI shows it. Every field is text;
 * an absent and an empty one mean the same. Fields that this version does not know are left
 * alone.
 */

enum incident_state {
	INCIDENT_OPENING,
	INCIDENT_OPEN,
	INCIDENT_CLOSING,
	INCIDENT_CLOSED,
	INCIDENT_HELD,	 /* something outside changed: a person decides */
	INCIDENT_FAILED, /* a step cannot succeed; visible, retryable */
};

/* In the order in which they are tried, in three phases. Names in the journal and in metrics:
 * "inspect", "servicenow.create" ... */
enum incident_step_id {
	/* Opening */
	STEP_INSPECT,		     /* observables, from Threat Response */
	STEP_THREAT_RESPONSE_CREATE, /* incident, sighting, relationship */
	STEP_SERVICENOW_CANCEL,	     /* a ticket that turned out to lack its company */
	STEP_SERVICENOW_CREATE,	     /* ticket with its first work note */
	STEP_SERVICENOW_LINK,	   /* second work note: closing URL, link to Threat Response */
	STEP_THREAT_RESPONSE_LINK, /* external reference to the ticket */
	STEP_NOTIFY,		   /* it will be told of by mail */
	STEP_SERVICENOW_NOTE,	   /* later findings; runs again and again */
	/* Containment */
	STEP_CONTAIN_ISOLATE,
	STEP_CONTAIN_MOVE_GROUP,
	STEP_CONTAIN_WATCH, /* how long it lasts: warnings, the end of an approval's time */
	STEP_CONTAIN_NOTE,  /* tells the ticket; runs again and again, like the one above */
	/* Closing */
	STEP_SERVICENOW_VERIFY,	     /* reads the ticket: is it over, and for how long */
	STEP_THREAT_RESPONSE_REOPEN, /* after a closing that was taken back */
	STEP_THREAT_RESPONSE_CLOSE,  /* with its time and a reference to the ticket */
	STEP_SERVICENOW_RESOLVE,     /* when the closing came from elsewhere */
	STEP_DEFENDER_RESOLVE,	     /* the alerts, with what the verdict says */
	STEP_RELEASE_WRITE_OFF,	     /* hosts that are gone for good, by order only */
	STEP_RELEASE_ISOLATE,	     /* from isolation, by the undo ledger */
	STEP_RELEASE_MOVE_GROUP,     /* back to where it was */
	STEP_SERVICENOW_REPORT,	     /* last work note, where the ticket may be written */
	INCIDENT_STEPS,
};

enum incident_phase { PHASE_OPENING, PHASE_CONTAINMENT, PHASE_CLOSING };

enum incident_step_status {
	STEP_NEW,
	STEP_INTENT,  /* a call may have been made: look up before another */
	STEP_WAITING, /* the last attempt surely had no effect; try again at due_ms */
	STEP_DONE,
	STEP_SKIPPED, /* not wanted: mode off, no account, shadow */
	STEP_FAILED,  /* cannot succeed until a person changes something */
	STEP_PENDING, /* the effect was accepted: looked at again at due_ms until it is there */
};

/* One step's line in the journal, a single field, so that it changes as a whole. */
struct incident_step {
	enum incident_step_status status;
	uint64_t fence; /* of the worker that wrote it */
	unsigned
	    attempt; /* calls that could have worked; parked or refused ones do not count */
	uint64_t intent_ms; /* wall time of the last intent, 0 before the first */
	uint64_t due_ms;    /* not before this; 0 when nothing is awaited */
	const char *note;   /* for people: result or last error, one line */
};

/* What becomes of the hosts that a closing incident holds. */
enum incident_release {
	RELEASE_UNDECIDED, /* the ticket has not been read yet */
	RELEASE_NOW,
	RELEASE_ASK,	  /* a person has to confirm it: CLOSURE_RELEASE */
	RELEASE_SURVIVOR, /* when the ticket that took this one's place is over */
	RELEASE_KEEP,	  /* stay as they are, and stay in the undo ledger */
};

/* Why and how it is closed. Strings are names of model/closure.h, or words of people. */
struct incident_closing {
	const char *via; /* of who asked first; NULL: nobody has asked */
	const char *verdict;
	const char *actor;
	const char *note;
	uint64_t hint_ms;  /* the ticket is to be read because of a hint from then; 0: no */
	uint64_t since_ms; /* accepted: closing, closed, or failed and held meanwhile; 0: it is
			      not */
	const char *seen;  /* the ticket's closing as it was read: "6 Duplicate 2026-..." */
	uint64_t seen_ms;  /* unchanged since */
	uint64_t
	    past_ms; /* a closing of that time was taken back: it means nothing any more;
			CLOSING_PAST_ANY: the one that the ticket has when it is next read */
	const char *survivor; /* sys_id of the ticket that took its place */
	enum incident_release release;
	const char *confirmed; /* who let hosts go that were asked about */
	const char *used;      /* ids of links, with blanks: each acts once */
	unsigned wrong_codes;  /* second factors that were not right */
	unsigned reports;      /* last notes, written or being written; in the note's marker */
	const char *why;       /* for people: what closed it */
	bool forced; /* a person closes what is held: the ticket need not be ours any more */
};

enum { CLOSING_PAST_ANY = 1 };

/* The host, and what was decided about it. */
struct incident_containment {
	const char *machine; /* the vendor's id; NULL: none that could be contained */
	const char *account; /* whose credentials act on it */
	uint64_t event_ms;   /* of the finding that it is decided by; also the next two */
	const char *origin;  /* origin_name() */
	int severity_id;     /* OCSF */
	bool decided;	     /* by the host: a later finding changes nothing any more */
	const char *ledger;  /* undo ledger, model/containment.h */
	unsigned due;	     /* entries of it that are to be undone or found out */
	uint64_t since_ms;   /* contained since; 0: not */
	uint64_t asked_ms;   /* when a person was asked for approval, 0: never */
	uint64_t expires_ms; /* until when it can be given */
	const char *asked;   /* why it is not done without */
	unsigned wrong_codes;
	bool mailed;	       /* those who get mail know that they are asked */
	const char *approved;  /* by whom; NULL: not (yet) */
	const char *release;   /* who wants the hosts let go while it stays open */
	const char *write_off; /* who wants them written off, and why; until it is done */
	bool write_off_forced; /* whatever the vendor says of them */
	unsigned warned;       /* of its maximum time: 1 at half, 2 at 90 %, 3 at the end */
	const char *telling;   /* lines for the ticket's next note not about findings */
	const char *writing;   /* those of the note being written, frozen at its intent */
	unsigned notes;	       /* written or being written; the number in the note's marker */
};

struct incident {
	/* Set when the group is claimed. */
	const char *id; /* 16 hex, incident_id() */
	const char *customer;
	const char *group;
	const char *uid; /* of the opening finding */
	const char *event_id;
	const char *source;
	const char *trace;
	const char *policy;   /* what rules decided then (model/policy.h), or NULL */
	const char *storm;    /* the rule whose limit was passed: this is the one summary */
	uint64_t event_ms;    /* the vendor's time of the opening finding */
	uint64_t observed_ms; /* when the collector first saw it */

	/* Kept by the functions of the bus: read only. */
	uint64_t fence;
	uint64_t created_ms;
	uint64_t changed_ms;
	uint64_t findings;    /* how many belong to it, the opening one included */
	int severity_id;      /* the highest of them */
	const char *previous; /* id of the incident that held the group before */

	enum incident_state state;
	const char *reason; /* why it is held, failed or closed */
	uint64_t
	    closed_ms;	  /* when the ticket was closed, by ServiceNow's clock; 0: not known */
	bool shadow;	  /* the customer was in shadow mode: nothing was done outside */
	uint64_t wake_ms; /* when the next wake-up is due; 0: none was put off */
	const char *title;
	const char *host;

	/* The plan, fixed when the incident was first taken; NULL: not wanted. */
	const char *servicenow_account;
	const char *threat_response_account;
	const char *ticket_table; /* NULL, of older versions: the customer's */
	const char *template;	  /* of the ticket; NULL: its source's own */

	const char *sys_id; /* ServiceNow */
	const char *number;
	const char *ticket_url;
	unsigned priority; /* the highest that rules ask for, 1 to 5; 0: none does */
	unsigned impact;   /* as we last set them; 0 before */
	unsigned urgency;
	uint64_t ticket_ms;   /* when the ticket was known to exist */
	const char *stray;    /* sys_id of a ticket that must be cancelled: it has no company */
	int told_severity_id; /* the highest that the ticket tells of */
	const char *ctim_id;  /* URL */
	const char *merged;   /* when it was closed there as merged, as the ticket was told */

	const char *opening;	 /* item of the opening finding until the opening is over */
	const char *observables; /* what inspect found: JSON [[type, value], ...] */

	/* Later findings: those waiting for a note, and the note being written, frozen at its
	 * intent. */
	const char *waiting; /* lines of the note; the findings are a list, turn_keep() */
	unsigned waiting_count;
	uint64_t waiting_since_ms;
	const char *writing;
	unsigned writing_count;
	unsigned notes;	   /* written or being written; the number in the note's marker */
	uint64_t note_ms;  /* of the last one */
	unsigned note_day; /* days since 1970, UTC, that notes_today counts */
	unsigned notes_today;

	struct incident_containment containment;
	struct incident_closing closing;
	unsigned reopened; /* how often */
	bool adopted;	   /* its ticket was opened by the ancestors: it has no key of ours */

	struct incident_step steps[INCIDENT_STEPS];
};

/* More than incident_encode() or incident_changes() ever write. */
enum { INCIDENT_FIELDS = 160 };

/* Strings are borrowed from fields. Permanent error naming the field that is malformed. */
bool incident_decode(struct incident *ret_incident, const struct field *fields, size_t count,
		     struct err *err);
/* Only what is not empty. Returns how many of ret_fields[INCIDENT_FIELDS] were written. */
size_t incident_encode(const struct incident *incident, struct arena *arena,
		       struct field *ret_fields);
/* Only what differs; what became empty has size 0. */
size_t incident_changes(const struct incident *before, const struct incident *after,
			struct arena *arena, struct field *ret_fields);

/* Lines of the timeline: "2026-11-21T18:16:05.123Z servicenow.create: created INC0010001"; an
 * entry of the list holds one or more, separated by line feeds. */

/*
 * What the inbox holds: a line of JSON that says what is to be done, and the finding's payload
 * after it when there is one.
 */
enum incident_op {
	ITEM_FINDING, /* the first one opens it */
	ITEM_RETRY,   /* failed steps may be tried again */
	ITEM_CLOSURE, /* from the stream `closures` */
	ITEM_HOST,    /* it holds a host that Redis had forgotten */
};

struct incident_item {
	enum incident_op op;
	struct finding finding; /* FINDING: customer and group are the incident's */
	struct closure closure; /* CLOSURE */
	const char *ledger;	/* HOST: the undo ledger as it was found */
};

/* The result is in the arena. */
const char *incident_item_encode(const struct incident_item *item, struct arena *arena);
/* Strings are in the arena or borrowed from text. Permanent error when it is none. */
bool incident_item_decode(struct incident_item *ret_item, const char *text,
			  const struct incident *incident, struct arena *arena,
			  struct err *err);

const char *incident_release_name(enum incident_release release); /* "now" ..., "" */
const char *incident_state_name(enum incident_state state);	  /* "opening" ... */
enum incident_phase incident_step_phase(enum incident_step_id step);
const char *incident_phase_name(enum incident_phase phase); /* "opening" ... */
const char *incident_step_name(enum incident_step_id step); /* "servicenow.create" ... */
const char *incident_step_status_name(enum incident_step_status status);

/* Ids and the keys by which the outside finds what is ours. */
enum { INCIDENT_ID_SIZE = 17, INCIDENT_KEY_SIZE = 101 };

/* SHA-256 of customer, group and uid of the opening finding: survives the loss of Redis. */
void incident_id(const char *customer, const char *group, const char *uid, char *ret_id);
/* What every key of ours begins with, wherever it is found. */
#define INCIDENT_KEY_PREFIX "tocsin-i:"

/* tocsin-i:<installation>:<customer>:<group>:<id>, at most 100 bytes (correlation_id). */
void incident_key(const char *installation, const struct incident *incident, char *ret_key);
/* The incident's id in such a key of this installation; NULL when it is none. Borrows. */
const char *incident_key_id(const char *installation, const char *key);
/* tocsin-g:<installation>:<customer>:<group> */
void incident_group_key(const char *installation, const struct incident *incident,
			char *ret_key);

#endif
