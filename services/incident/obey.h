#ifndef INCIDENT_OBEY_H
#define INCIDENT_OBEY_H

struct finding;
struct turn;

/*
 * What rules decided (model/policy.h) is fixed in the incident when it is opened, so that every
 * later call finds the ticket where it was made. turn->customer is the customer as these
 * tickets see it from then on: its ServiceNow account, table, company and group, and the
 * priorities of its tickets.
 */

/* At the start of a turn, once turn->customer is known. */
void obey_incident(struct turn *turn);
/* Before the plan is made of the finding that opens it. */
void obey_opening(struct turn *turn, const struct finding *finding);
/* A later finding can only raise the priority. */
void obey_later(struct turn *turn, const struct finding *finding);

#endif
