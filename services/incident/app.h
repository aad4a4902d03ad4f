#ifndef INCIDENT_APP_H
#define INCIDENT_APP_H

#include <stdint.h>

#include "base/metric.h"
#include "bus/bus.h"

struct jq_settings;
struct links;
struct memo;
struct programs;
struct roster;
struct vendor;

/* What all threads of the process share. Borrowed from main(). */
struct app {
	const struct bus_settings *times;
	uint64_t start_by_ms;	    /* from an intent until its call may last begin */
	uint64_t probe_interval_ms; /* how often an account at fault is tried */
	uint64_t contain_poll_ms;   /* how soon a host is looked at after an act on it */
	uint64_t release_wait_ms;   /* in which all that let hosts go together are counted */
	const char *installation;
	const struct links *links; /* what is signed, never NULL */
	struct roster *roster;
	struct programs *programs;    /* what operators wrote: templates */
	const struct jq_settings *jq; /* of the children that run them */
	struct vendor *vendor;
	struct memo *hosts;  /* "<account> <host>": sys_id of its configuration item */
	struct memo *alarms; /* what was complained about lately */
};

/* Rows this process owns, NULL-terminated. */
extern struct metric *const app_metrics[];
extern struct metric app_findings;	    /* by customer, source, outcome */
extern struct metric app_tickets;	    /* by customer, source */
extern struct metric app_containments;	    /* by action and outcome */
extern struct metric app_steps;		    /* by step and outcome */
extern struct metric app_closings;	    /* by via and outcome */
extern struct metric app_reconciliations;   /* by account and outcome */
extern struct metric app_template_failures; /* by template */
extern struct metric app_ticket_seconds;    /* first seen by us to ticket */

/* What alerts compare with what was is there from the start: the first one counts. */
void app_expect(void);

/* False when this was complained about within the hour. */
bool app_alarm_due(const struct app *app, const char *subject);

#endif
