/* The figures of this process, and whom it has told what. */
#include "app.h"

#include "memo.h"
#include "model/closure.h"

static const double ticket_bounds[] = { 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 0 };

struct metric app_findings = {
	.name = "tocsin_findings_total",
	.kind = METRIC_COUNTER,
	.help =
	    "Findings by what became of them: opened or joined an incident, recorded on one "
	    "that is over, minor (below the customer's minimum), waiting (for the customer), "
	    "dead, taken over.",
	.labels = "customer,source,outcome",
};

struct metric app_tickets = {
	.name = "tocsin_tickets_total",
	.kind = METRIC_COUNTER,
	.help = "Tickets that were opened, by the source of the first event.",
	.labels = "customer,source",
};

struct metric app_steps = {
	.name = "tocsin_incident_steps_total",
	.kind = METRIC_COUNTER,
	.help =
	    "Ends of an incident's steps: ok, absent (looked up and not there), ambiguous, "
	    "retry, refused (not tried), failed, needless, pending (accepted, not there yet).",
	.labels = "step,outcome",
};

struct metric app_template_failures = {
	.name = "tocsin_template_failures_total",
	.kind = METRIC_COUNTER,
	.help =
	    "Expressions of ticket templates that failed on a ticket or note, for which the "
	    "built-in template stood in.",
	.labels = "template",
};

struct metric app_closings = {
	.name = "tocsin_closings_total",
	.kind = METRIC_COUNTER,
	.help =
	    "Closings by who said so and what became of it: hint (the ticket is read), closed, "
	    "asked (a person has to confirm that hosts are let go), held (a person decides), "
	    "reopened, refused (token, code, or another instance), unknown (no such incident).",
	.labels = "via,outcome",
};

struct metric app_containments = {
	.name = "tocsin_containment_actions_total",
	.kind = METRIC_COUNTER,
	.help = "What became of containments: isolate and move_group (done, joined, foreign, "
		"refused, failed, taken back), release and move_back (done, foreign, failed), "
		"approval (asked, given, refused, expired), write_off (done, refused).",
	.labels = "action,outcome",
};

struct metric app_reconciliations = {
	.name = "tocsin_reconciliations_total",
	.kind = METRIC_COUNTER,
	.help = "Readings of all our tickets at an account, by outcome: ok, failed.",
	.labels = "account,outcome",
};

struct metric app_ticket_seconds = {
	.name = "tocsin_event_to_ticket_seconds",
	.kind = METRIC_HISTOGRAM,
	.help = "From our first sight of an event to its ticket.",
	.bounds = ticket_bounds,
};

struct metric *const app_metrics[] = {
	&app_findings,		&app_tickets,	      &app_steps,
	&app_closings,		&app_reconciliations, &app_containments,
	&app_template_failures, &app_ticket_seconds,  NULL,
};

bool app_alarm_due(const struct app *app, const char *subject)
{
	return memo_add(app->alarms, subject);
}

void app_expect(void)
{
	static const enum closure_via vias[] = { CLOSURE_SERVICENOW, CLOSURE_ANCESTORS,
						 CLOSURE_RECONCILER };

	for (size_t i = 0; i < sizeof vias / sizeof vias[0]; i++) {
		metric_add(&app_closings, 0, closure_via_name(vias[i]), "hint");
		metric_add(&app_closings, 0, closure_via_name(vias[i]), "closed");
	}
}
