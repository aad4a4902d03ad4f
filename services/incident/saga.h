#ifndef INCIDENT_SAGA_H
#define INCIDENT_SAGA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/incident.h"

/*
 * What is to be done about an incident: pure decisions over its state and the time, without
 * Redis or a network. The loop that uses them is act.c:
 *
 *   saga_next() ─ RUN ─▶ look up or prepare ─▶ saga_begin() ─▶ journal ─▶ call ─▶ saga_end()
 *       ▲                                                                            │
 *       └────────────────────────────────────────────────────────────────────────────┘
 */

struct saga_policy {
	uint64_t start_by_ms; /* from an intent until its call may last begin */
	uint64_t
	    quarantine_ms; /* from an intent without result until we may look and try again */
	uint64_t backoff_base_ms, backoff_cap_ms;
	uint64_t note_interval_ms[4];
	unsigned notes_per_day;
	uint64_t contain_max_ms; /* how long a host stays contained unasked */
	uint64_t grace_ms;	 /* so long a ticket must stay over before anything is undone */
	bool look_first; /* Redis lost its data: look for what was opened before, then open */
	/* Steps that something refused during this turn are not asked for again before then;
	 * not written to the journal, so that a resumed account is tried at once. */
	uint64_t not_before_ms[INCIDENT_STEPS];
	/* Intents that this turn wrote ahead, together with the one before: their calls have
	 * not been made. In the journal they look like any other. */
	bool ahead[INCIDENT_STEPS];
};

enum saga_action { SAGA_RUN, SAGA_WAIT, SAGA_DONE };

struct saga_move {
	enum saga_action action;
	enum incident_step_id step; /* RUN; WAIT: the one that is due first */
	bool look_up;		    /* RUN: an earlier attempt may have had its effect */
	bool begun;		    /* RUN: its intent is written already */
	uint64_t due_ms;	    /* WAIT */
};

struct saga_move saga_next(const struct incident *incident, const struct saga_policy *policy,
			   uint64_t now_ms);

/* Reading before an intent is written, reading after one without result, or the call itself. */
enum saga_phase { SAGA_PREPARE, SAGA_LOOK_UP, SAGA_CALL };

/* How a phase ended. */
enum saga_result {
	SAGA_OK,	/* the effect is there */
	SAGA_ABSENT,	/* looked up: it is not there, the call may be made */
	SAGA_AMBIGUOUS, /* it may have had its effect: quarantine, then look up */
	SAGA_RETRY,	/* it had none; later, with backoff */
	SAGA_REFUSED,	/* not tried, or the account's fault: later, not counted */
	SAGA_FAILED,	/* cannot succeed as it is */
	SAGA_NEEDLESS,	/* turned out to be unwanted */
	SAGA_PENDING,	/* accepted, not there yet: looked up again after retry_after_ms */
};

struct saga_end {
	enum saga_phase phase;
	enum saga_result result;
	uint64_t retry_after_ms; /* RETRY: the peer's hint; REFUSED: when to ask again */
	const char *note;	 /* one line for the journal; lives as long as the incident */
	bool routine;		 /* says nothing about the step: the gate let nothing through */
};

/* Writes the intent into the step, and ahead into the one that follows a ticket at once: one
 * write for both. */
void saga_begin(struct incident *incident, struct saga_policy *policy, enum incident_step_id id,
		uint64_t fence, uint64_t now_ms);
/* The turn ends: intents written ahead whose calls were not made are none. */
void saga_withdraw(struct incident *incident, struct saga_policy *policy);
/* Writes what came of it, and for a refusal policy->not_before_ms. */
void saga_end(struct incident *incident, struct saga_policy *policy, enum incident_step_id id,
	      const struct saga_end *end, uint64_t now_ms);

/* What a failure means for its step. effect: the call was one that changes something. */
enum saga_result saga_result_of(const struct err *err, bool refused, bool effect);

/* Plans the steps of a new incident: those without an account are skipped, and the mail when
 * nobody wants one. */
void saga_plan(struct incident *incident, bool notify);
/* Failed steps are new again; what had an intent is looked up first. The ticket of one that is
 * held is read again. True when there was anything to try again. */
bool saga_retry(struct incident *incident, uint64_t now_ms);
/* Derives state and reason from the steps. */
void saga_set_state(struct incident *incident);
/* Nothing more will come of the opening finding: its payload need not be kept. */
bool saga_opening_over(const struct incident *incident);

/*
 * Closing. A hint asks for the ticket to be read (step servicenow.verify); accepted, the
 * incident is closing and its opening ends; when it has been decided what becomes of its hosts,
 * the effects begin. A hint of a reopening goes the same way.
 */
bool saga_closing_accepted(const struct incident *incident);
bool saga_closing_decided(const struct incident *incident);
/* An effect is under way or to be tried again. */
bool saga_closing_busy(const struct incident *incident);
/* It may have contained a host and has not released it. */
bool saga_holds_hosts(const struct incident *incident);

/* When the next warning on a contained host is due, or an approval expires; 0: never. */
uint64_t saga_watch_due_ms(const struct incident *incident, const struct saga_policy *policy);

/* Opening steps without an intent are skipped. */
void saga_closing_accept(struct incident *incident, uint64_t now_ms);
/* The ticket is open again before anything was undone. */
void saga_closing_withdraw(struct incident *incident);

struct saga_closing_plan {
	enum incident_release release;
	bool resolve;  /* the ticket is open: we end it */
	bool defender; /* the alerts are to be resolved */
	bool report;   /* a last note is wanted */
};

/* The first time plans the effects; later only what becomes of hosts. */
void saga_closing_decide(struct incident *incident, const struct saga_closing_plan *plan);
/* Closed (or failed to) and open again: all of it may be closed once more. */
void saga_reopen(struct incident *incident);

#endif
