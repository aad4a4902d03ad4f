#ifndef INCIDENT_FOLD_CLOSURE_H
#define INCIDENT_FOLD_CLOSURE_H

struct closure;
struct turn;

/* What somebody says should become of the incident in hand, from its inbox into its state. A
 * signed link is verified here once more, and acts once. */
void fold_closure(struct turn *turn, const struct closure *closure);

#endif
