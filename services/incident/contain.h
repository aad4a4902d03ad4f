#ifndef INCIDENT_CONTAIN_H
#define INCIDENT_CONTAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "bus/containment.h"
#include "machine.h"
#include "model/containment.h"
#include "saga.h"

struct closure;
struct finding;
struct turn;

/* Stands for the code in a line of the ticket's note, until it is written. */
#define CONTAIN_CODE_PLACE "{code}"

/* What the steps of containment and release share. The decision is contain_decide.h. */

/* ---- what comes in, from the inbox ---- */

/* A finding that may be a reason to contain its host. */
void contain_offer(struct turn *turn, const struct finding *finding);
/* CLOSURE_APPROVE: verified again here, token and code; what is wrong is told. */
void contain_approve(struct turn *turn, const struct closure *closure);
/* CLOSURE_RELEASE of an incident that stays open, by an operator: the token is the client's.
 * Why it does not count; NULL: it does. */
const char *contain_release(struct turn *turn, const struct closure *closure);
/* CLOSURE_WRITE_OFF, by an operator as well: hosts that are gone for good need not be let go
 * any more. As above. */
const char *contain_write_off(struct turn *turn, const struct closure *closure);
/* The hosts of an incident that stays open are let go. False: it holds none. */
bool contain_let_go(struct turn *turn, const char *who);
/* An incident that was closed is open again: what was released is never contained again by
 * itself, a person is asked. */
void contain_reopened(struct turn *turn);

/* ITEM_HOST: hosts that were contained for this incident before Redis was lost. */
void contain_found(struct turn *turn, const char *ledger);

/* ---- between the steps ---- */

/* The undo ledger of the turn, to be changed and then kept. */
struct containment_ledger *contain_ledger(struct turn *turn);
void contain_keep(struct turn *turn);
/* Takes an entry out of it. */
void contain_forget(struct turn *turn, enum containment_method method);

/* A claim on the host that the incident is about. */
void contain_claim(const struct turn *turn, enum containment_method method, const char *machine,
		   struct host_claim *ret_claim);
/* A session for what is done to hosts; as turn_session(). */
bool contain_session(const struct turn *turn, const char *account, enum saga_phase phase,
		     struct vendor_session *ret_session);

/* Asks a person: approval, by link and code. False with err: Redis. */
bool contain_ask(struct turn *turn, const char *why, struct err *err);
bool contain_asks(const struct turn *turn);
void contain_stop_asking(struct turn *turn);

/* A line for the ticket's next note that is not about findings. */
void contain_tell(struct turn *turn, const char *words);

/* ---- ends of phases ---- */

/* Not seen to be there yet: to be looked at again, the later the longer it takes. */
struct saga_end contain_pending(const struct turn *turn, enum saga_phase phase,
				uint64_t since_ms, const char *note);
/* Redis did not do it, or another incident acts on the host: again soon. */
struct saga_end contain_again(enum saga_phase phase, const char *note);
/* The host is in a state in which nothing can be done, since then: again, the later the longer
 * it takes. */
struct saga_end contain_later(const struct turn *turn, enum saga_phase phase, uint64_t since_ms,
			      const char *note);

/* After each step: an incident that let its hosts go while open can do so once more. */
void contain_tidy(struct turn *turn);

#endif
