#ifndef INCIDENT_TURN_H
#define INCIDENT_TURN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "bus/saga.h"
#include "model/customer.h"
#include "model/incident.h"
#include "model/policy.h"
#include "saga.h"
#include "ticket/facts.h"
#include "ticket/press.h"
#include "vendor/session.h"

struct app;
struct containment_ledger;
struct machine;
struct arena;
struct redis;
struct worker_thread;

/* One worker's turn with one incident: from incident_take() to incident_release(). */
struct turn {
	const struct app *app;
	struct worker_thread *worker;
	struct redis *redis;
	struct arena *arena;
	const struct directory *directory;
	const struct customer *customer;     /* as the incident's tickets see it: obey.h */
	const struct customer *own_customer; /* as its file says */
	struct policy decided;		     /* by rules, when it was opened */
	struct ticket_press *press;
	bool templates_known; /* setup has published them, or that there are none */

	struct saga_keys keys;
	struct incident_hold hold;
	uint64_t taken_mono_ms;	  /* when that was asked for */
	struct incident saved;	  /* as Redis has it */
	struct incident incident; /* as it is now */
	struct saga_policy policy;
	size_t items_done;    /* of the inbox, since the last write */
	bool keep_opening;    /* the inbox holds only the opening: it may stay until the end */
	const char *timeline; /* lines since the last write, or NULL */
	const char **kept;    /* items since the last write that turn_keep() was given */
	size_t kept_count, kept_room;
	bool drop_group;	    /* with the next write */
	bool take_group;	    /* likewise, if it is free */
	enum incident_step_id step; /* in hand */
	uint64_t intent_mono_ms;    /* of the step in hand */
	uint64_t lost_ms;	    /* when Redis lost its data, 0 for never: look first */
	const char *reason;	    /* why something has to wait, "account:<id>" or words */

	struct facts *facts;		   /* use turn_facts() */
	struct containment_ledger *ledger; /* use contain_ledger() */
	/* From a step's prepare to its call. */
	const char *cmdb_ci;
	struct machine *machine;
	const struct ticket *ticket;
	const char *note;
	struct ticket_problem note_problem;
	unsigned raise_impact, raise_urgency; /* 0: as it is */
	const char *close_code;		      /* NULL: none is sent */
};

/* Redis's clock: hosts whose own ones differ agree on what is due, and on when the quarantine
 * of another one's call is over. */
uint64_t turn_now_ms(const struct turn *turn);
/* Adds a line to the timeline: what, then words. */
void turn_tell(struct turn *turn, const char *what, const char *words);
/*
 * Keeps a finding, as the inbox has it, until the ticket is told of it: should the ticket be
 * closed before, it may belong into a new incident. They are a list of their own, with the next
 * write; how many count is in the incident (waiting_count, writing_count), the newest of them.
 */
void turn_keep(struct turn *turn, const char *item);
enum { TURN_KEPT_MAX = 2000 };
/* All of them, oldest first; in the arena. False with err. */
bool turn_kept(struct turn *turn, const char ***ret_items, size_t *ret_count, struct err *err);
/* Makes everything since the last write durable, except that the opening finding may stay in
 * the inbox. False with err; redis_error() REDIS_STALE: the incident is another's by now. */
bool turn_journal(struct turn *turn, struct err *err);
/* The same with the release in one step. *ret_released false: more has come into the inbox. */
bool turn_finish(struct turn *turn, const struct incident_end *end, bool *ret_released,
		 struct err *err);
/* Where the incident's ticket is, or is to be. */
const char *turn_table(const struct turn *turn);
/* What there is to know, read once; NULL with err. */
const struct facts *turn_facts(struct turn *turn, struct err *err);

/* A session for the account of this id; false when it, or what the customer needs
 * to use it, is not configured (any more). In the
 * call phase its times count from the intent. */
bool turn_session(const struct turn *turn, const char *account, enum saga_phase phase,
		  struct vendor_session *ret_session);
/* Where the incident's findings come from; NULL: the customer has no such source any more. */
const char *turn_source_account(const struct turn *turn);
/* Whether this look-up is the one before the first attempt, after Redis lost its data. */
bool turn_looks_first(const struct turn *turn, enum incident_step_id step);
struct saga_end turn_end(enum saga_phase phase, enum saga_result result, const char *note);
/* The end of a phase that failed. effect: of the call that did. */
struct saga_end turn_failed(struct turn *turn, const struct vendor_session *session,
			    enum saga_phase phase, bool effect, const struct err *err);
/* The end of a phase whose account is not there. */
struct saga_end turn_unconfigured(struct turn *turn, const char *account,
				  enum saga_phase phase);
/* The look-up of a work note, found again by its marker: SAGA_OK or SAGA_ABSENT. */
struct saga_end turn_look_up_note(struct turn *turn, const char *marker);

/* What a step can do. Each phase gives its end; in prepare and look_up SAGA_ABSENT means: go
 * on. */
typedef struct saga_end step_phase(struct turn *turn);

enum step_side { SIDE_NONE, SIDE_THREAT_RESPONSE, SIDE_SERVICENOW, SIDE_HOST, SIDE_DEFENDER };

struct step {
	enum step_side side;
	bool effect;	     /* the call changes something outside: intent first */
	step_phase *prepare; /* reads before the intent; NULL: nothing to read */
	step_phase *look_up; /* NULL: making the call again is harmless */
	step_phase *call;
};

extern const struct step step_inspect;
extern const struct step step_threat_response_create;
extern const struct step step_threat_response_link;
extern const struct step step_servicenow_cancel;
extern const struct step step_servicenow_create;
extern const struct step step_servicenow_link;
extern const struct step step_notify;
extern const struct step step_servicenow_note;
extern const struct step step_contain_isolate;
extern const struct step step_contain_move_group;
extern const struct step step_contain_watch;
extern const struct step step_contain_note;
extern const struct step step_release_write_off;
extern const struct step step_release_isolate;
extern const struct step step_release_move_group;
extern const struct step step_servicenow_verify;
extern const struct step step_threat_response_reopen;
extern const struct step step_threat_response_close;
extern const struct step step_servicenow_resolve;
extern const struct step step_defender_resolve;
extern const struct step step_servicenow_report;

#endif
