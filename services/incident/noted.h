#ifndef INCIDENT_NOTED_H
#define INCIDENT_NOTED_H

#include "turn.h"
#include "vendor/session.h"

/*
 * What a ticket's notes already say. After Redis was set back to a backup, events come once
 * more that were written since it was made, and the number of the next note has been used.
 */

/* Whether the notes name the event, as a first note does or a later one. */
bool noted_event(const char *notes, const char *event_id);

/* Whether the ticket may say more than its incident knows of. False with err. */
bool noted_unknown(struct turn *turn, bool *ret_unknown, struct err *err);

/* Takes what the ticket says out of what waits for its next note, and numbers that note past
 * those that are there. Fails as reading the notes does. */
bool noted_drop(struct turn *turn, struct vendor_session *session, struct err *err);

#endif
