#ifndef INCIDENT_FOLD_H
#define INCIDENT_FOLD_H

struct turn;

/* Takes what the inbox holds into the incident's state and counts it in turn->items_done: the
 * first finding opens it, later ones wait for a note. Nothing is written yet. */
void fold_inbox(struct turn *turn);

/* The opening finding found its ticket there: it becomes a later one. */
void fold_opening_as_note(struct turn *turn);

#endif
