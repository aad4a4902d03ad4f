#ifndef INCIDENT_CLOSING_TURN_H
#define INCIDENT_CLOSING_TURN_H

#include <stdbool.h>
#include <stdint.h>

#include "closing.h"
#include "turn.h"

/* What happens to the incident in hand when it closes, and who is told. */

/* The ticket was seen to be over: the opening ends, the group goes with the next write. */
void closing_accept(struct turn *turn, const struct closing_look *look);
/* A person, or an analyst in Threat Response, closes it; the ticket will be read. */
void closing_order(struct turn *turn, const struct closure *closure);
/* Asks for the ticket to be read. */
void closing_hint(struct turn *turn, const struct closure *closure);
/* It is open again. past_ms: a closing of the ticket that counts no more, as in struct
 * incident_closing; 0 for none. */
void closing_reopen(struct turn *turn, uint64_t past_ms);
/* Nothing may be done until a person decides. The end of the step that saw why. */
struct saga_end closing_hold(struct turn *turn, const char *why);
/* Hosts that had to wait may be let go. */
void closing_confirm(struct turn *turn, const struct closure *closure);
/* Nobody is asked about its hosts any more. */
void closing_take_back_question(struct turn *turn);

/* This incident is about to let hosts go, after its grace. False with err. */
bool closing_count_release(struct turn *turn, struct err *err);
/* Whether hosts may be let go now: a release may become a question. False with err. */
bool closing_gate(struct turn *turn, enum incident_release *release, struct err *err);
/* Has it found by the end of the ticket that took its place. *ret_waiting: how many are, this
 * one included. False with err. */
bool closing_wait(struct turn *turn, const char *sys_id, uint64_t *ret_waiting,
		  struct err *err);
/* ", a person has to confirm that hosts are let go", or "". */
const char *closing_release_words(const struct incident *incident);

/* Whether closings that no person has ordered are stopped (tocsin freeze). False with err. */
bool closing_is_frozen(struct turn *turn, bool *ret_frozen, struct err *err);
enum { CLOSING_FROZEN_MS = 3000 }; /* how soon it is looked at again */

/* What came of a closure, in the metrics. */
void closing_count(const char *via, const char *outcome);

#endif
