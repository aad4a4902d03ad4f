/* What would become of events. */
#include "forecast.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "bus/key.h"
#include "bus/redis.h"
#include "cli.h"
#include "model/customer.h"
#include "model/finding.h"
#include "model/incident.h"
#include "model/raw.h"
#include "rule_set.h"
#include "service/judge.h"
#include "source_run.h"
#include "view.h"

struct forecast {
	struct redis *redis;
	struct source_run *run;
	struct jq *jq;
	struct judge *judge;
	json_t *groups;	  /* group's key: the incident that an earlier event would open there */
	json_t *subjects; /* likewise, by the record that the event is a state of */
};

/* One event on its way through. */
struct sight {
	struct forecast *forecast;
	const struct customer *customer;
	struct customer routed; /* as its tickets see it */
	const struct policy *policy;
	const struct raw *raw;
	struct arena *arena;
	struct err *err;
	json_t *answer;
	struct finding finding;
	struct finding_view view;
};

struct forecast *forecast_new(struct cli *cli, struct redis *redis,
			      const struct directory *directory, const char *rules,
			      struct err *err)
{
	struct source_run *run = source_run_new(cli, err);

	if (!run)
		return NULL;
	struct forecast *forecast = xcalloc(1, sizeof *forecast);

	*forecast = (struct forecast){ .redis = redis,
				       .run = run,
				       .jq = jq_new(&cli->jq),
				       .groups = json_object(),
				       .subjects = json_object() };
	forecast->judge = judge_new(forecast->jq);
	if (rule_set_load(forecast->judge, redis, directory, rules, err))
		return forecast;
	forecast_free(forecast);
	return NULL;
}

void forecast_free(struct forecast *forecast)
{
	if (!forecast)
		return;
	judge_free(forecast->judge);
	jq_free(forecast->jq);
	source_run_free(forecast->run);
	json_decref(forecast->groups);
	json_decref(forecast->subjects);
	free(forecast);
}

static void say(const struct sight *sight, const char *outcome, const char *why)
{
	json_object_set_new(sight->answer, "outcome", json_string(outcome));
	json_object_set_new(sight->answer, "why", view_text(why));
}

/* ---- what is in Redis ---- */

/* A text in the arena, or NULL when there is none; false when Redis does not answer. */
static bool ask(const struct sight *sight, const char *command, const struct key *key,
		const char *field, const char **ret_text)
{
	struct redis_reply *reply = field ? redis_command(sight->forecast->redis, sight->err,
							  "%s %s %s", command, key->text, field)
					  : redis_command(sight->forecast->redis, sight->err,
							  "%s %s", command, key->text);

	*ret_text = reply_type(reply) == REPLY_TEXT
			? arena_strdup(sight->arena, reply_text(reply))
			: NULL;
	reply_free(reply);
	return reply != NULL;
}

static bool incident_field(const struct sight *sight, const char *id, const char *field,
			   const char **ret_text)
{
	struct key key;

	key_format(&key, sight->customer->partition, "incident:%s", id);
	return ask(sight, "HGET", &key, field, ret_text);
}

/* Whether an incident takes findings; true also for one that an earlier event would open. */
static bool takes(const struct sight *sight, const char *id, bool *ret_takes)
{
	const char *state;

	if (!incident_field(sight, id, "state", &state))
		return false;
	*ret_takes = state && (strcmp(state, "opening") == 0 || strcmp(state, "open") == 0);
	return true;
}

/* The open incident behind a key, or that an earlier event would have put there; NULL: none. */
static bool find_open(const struct sight *sight, const json_t *planned, const struct key *key,
		      const char *prefix, const char **ret_id, bool *ret_planned)
{
	const char *text;
	bool open = false;

	*ret_id = json_string_value(json_object_get(planned, key->text));
	*ret_planned = *ret_id != NULL;
	if (*ret_planned)
		return true;
	if (!ask(sight, "GET", key, NULL, &text))
		return false;
	if (!text || strncmp(text, prefix, strlen(prefix)) != 0)
		return true;
	if (!takes(sight, text + strlen(prefix), &open))
		return false;
	*ret_id = open ? text + strlen(prefix) : NULL;
	return true;
}

/* ---- the ticket ---- */

static const char *no_ticket(const struct customer *customer)
{
	if (customer->mode == CUSTOMER_SHADOW)
		return "shadow mode";
	if (customer->mode == CUSTOMER_PAUSED)
		return "the customer is paused";
	return customer->servicenow.account ? NULL : "no ServiceNow account";
}

static bool tell_joins(struct sight *sight, const char *id, bool planned)
{
	const char *number = NULL, *without = no_ticket(&sight->routed);

	if (!planned && !incident_field(sight, id, "servicenow.number", &number))
		return false;
	say(sight, "joins",
	    without   ? without
	    : planned ? "a note in the ticket of an event above"
		      : "a note in its ticket");
	json_object_set_new(sight->answer, "incident", json_string(id));
	json_object_set_new(sight->answer, "number", view_text(number));
	json_object_set_new(sight->answer, "ticket", json_boolean(!without));
	return true;
}

static bool tell_opens(struct sight *sight, const struct key *group, const struct key *subject)
{
	const char *without = no_ticket(&sight->routed), *state;
	char id[INCIDENT_ID_SIZE];

	incident_id(sight->finding.customer, sight->finding.group, sight->finding.uid, id);
	if (!incident_field(sight, id, "state", &state))
		return false;
	json_object_set_new(sight->answer, "incident", json_string(id));
	if (state) {
		say(sight, "recorded", "it opened this incident, which is over");
		return true;
	}
	json_object_set_new(sight->forecast->groups, group->text, json_string(id));
	if (subject)
		json_object_set_new(sight->forecast->subjects, subject->text, json_string(id));
	say(sight, "opens", without ? without : "a new ticket");
	json_object_set_new(sight->answer, "ticket", json_boolean(!without));
	return true;
}

/* ---- from finding to incident ---- */

static void describe(struct sight *sight)
{
	const struct finding *finding = &sight->finding;
	const struct finding_view *view = &sight->view;

	json_object_set_new(sight->answer, "time_ms", view_ms(finding->time_ms));
	json_object_set_new(sight->answer, "type", view_text(view->event_type));
	json_object_set_new(sight->answer, "title", view_text(view->title));
	json_object_set_new(sight->answer, "severity",
			    json_string(finding_severity_name(finding->severity_id)));
	json_object_set_new(sight->answer, "host", view_text(view->host));
}

/* As the incident service does, in the order of group_claim(). */
static bool see_group(struct sight *sight)
{
	const struct finding *finding = &sight->finding;
	unsigned partition = sight->customer->partition;
	struct key group, subject;
	bool is_state = *finding->subject != '\0', planned = false;
	const char *id = NULL;

	key_format(&group, partition, "group:%s:%s", finding->customer, finding->group);
	if (is_state) {
		key_fate(&subject, partition, finding->customer, finding->source,
			 finding->subject);
		if (!find_open(sight, sight->forecast->subjects, &subject, "incident:", &id,
			       &planned))
			return false;
	}
	if (!id && !find_open(sight, sight->forecast->groups, &group, "", &id, &planned))
		return false;
	if (id)
		return tell_joins(sight, id, planned);
	if (sight->policy->record) {
		say(sight, "recorded",
		    "nothing is open that it could join, and it may not open");
		return true;
	}
	if (sight->view.status_id == FINDING_STATUS_RESOLVED) {
		say(sight, "recorded", "resolved at its source before it was seen");
		return true;
	}
	return tell_opens(sight, &group, is_state ? &subject : NULL);
}

static bool see_finding(struct sight *sight)
{
	const struct finding *finding = &sight->finding;
	const struct policy *policy = sight->policy;
	int minimum = policy->minimum_severity ? policy->minimum_severity
					       : sight->customer->minimum_severity;
	struct err why = { 0 };

	if (!finding_view(&sight->view, finding->payload, finding->payload_size, sight->arena,
			  &why)) {
		say(sight, "dead", why.text);
		return true;
	}
	describe(sight);
	if (policy->suppress) {
		say(sight, "suppressed", policy->suppress);
		return true;
	}
	if (finding_is_minor(finding->severity_id, minimum)) {
		say(sight, "recorded",
		    policy->minimum_severity ? "below a rule's minimum severity"
					     : "below the customer's minimum severity");
		return true;
	}
	return see_group(sight);
}

/* What the rules say, as the normalizer puts it into the finding. */
static bool judge_one(struct sight *sight)
{
	const struct finding *findings[] = { &sight->finding };
	struct judgement *judgement = arena_alloc(sight->arena, sizeof *judgement);
	json_t *rules = json_array();

	json_object_set_new(sight->answer, "rules", rules);
	if (!judge_findings(sight->forecast->judge, findings, 1, clock_wall_ms(), sight->arena,
			    judgement, sight->err))
		return false;
	sight->policy = &judgement->policy;
	for (size_t i = 0; i < sight->policy->rule_count; i++)
		json_array_append_new(rules, view_text(sight->policy->rules[i]));
	judge_obey(sight->policy, &sight->finding, sight->arena);
	policy_route_customer(sight->policy, sight->customer, &sight->routed);
	return true;
}

static bool see_event(struct sight *sight)
{
	struct err why = { 0 };
	const char *skip;

	switch (source_run_event(sight->forecast->run, sight->raw, sight->arena,
				 &sight->finding, &skip, &why)) {
	case NORMALIZE_SKIP:
		say(sight, "skipped", skip);
		return true;
	case NORMALIZE_REFUSE:
		say(sight, "dead", why.text);
		return true;
	case NORMALIZE_FINDING:
		break;
	}
	return judge_one(sight) && see_finding(sight);
}

/* What has a fate already would stay as it is. */
static bool see_fate(struct sight *sight, const char *fate)
{
	const char *number = NULL, *id;

	say(sight, "known", fate);
	if (strncmp(fate, "incident:", 9) != 0)
		return true;
	id = fate + 9;
	if (!incident_field(sight, id, "servicenow.number", &number))
		return false;
	json_object_set_new(sight->answer, "incident", view_text(id));
	json_object_set_new(sight->answer, "number", view_text(number));
	return true;
}

json_t *forecast_event(struct forecast *forecast, const struct customer *customer,
		       const struct raw *raw, const char *fate, struct arena *arena,
		       struct err *err)
{
	struct sight sight = { .forecast = forecast,
			       .customer = customer,
			       .raw = raw,
			       .arena = arena,
			       .err = err };

	sight.answer = json_pack("{s:o,s:n,s:b}", "event_id", view_text(raw->event_id),
				 "incident", "ticket", false);
	if (fate ? see_fate(&sight, fate) : see_event(&sight))
		return sight.answer;
	json_decref(sight.answer);
	return NULL;
}

const char *forecast_type(struct forecast *forecast, const struct raw *raw, struct arena *arena)
{
	struct finding finding;
	struct finding_view view;
	struct err why = { 0 };
	const char *skip;

	switch (source_run_event(forecast->run, raw, arena, &finding, &skip, &why)) {
	case NORMALIZE_SKIP:
		return skip;
	case NORMALIZE_REFUSE:
		return arena_strdup(arena, why.text);
	case NORMALIZE_FINDING:
		break;
	}
	if (!finding_view(&view, finding.payload, finding.payload_size, arena, &why))
		return arena_strdup(arena, why.text);
	return view.event_type ? view.event_type : view.title ? view.title : "a finding";
}

json_t *forecast_finding(struct forecast *forecast, const struct customer *customer,
			 struct finding *finding, const struct policy **ret_policy,
			 struct arena *arena, struct err *err)
{
	struct sight sight = { .forecast = forecast,
			       .customer = customer,
			       .arena = arena,
			       .err = err,
			       .finding = *finding };

	if (finding_view(&sight.view, finding->payload, finding->payload_size, arena, NULL))
		sight.finding.severity_id = sight.view.severity_id;
	sight.finding.policy = NULL;
	sight.answer = json_pack("{s:o,s:n,s:b}", "event_id", view_text(finding->event_id),
				 "incident", "ticket", false);
	if (!judge_one(&sight) || !see_finding(&sight)) {
		json_decref(sight.answer);
		return NULL;
	}
	*finding = sight.finding;
	*ret_policy = sight.policy;
	return sight.answer;
}
