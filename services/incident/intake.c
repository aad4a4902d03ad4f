/* Findings on their way into incidents: pure Redis, in batches. */
#include "intake.h"

#include <inttypes.h>
#include <string.h>

#include "app.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/trace.h"
#include "bus/saga.h"
#include "model/finding.h"
#include "model/incident.h"
#include "model/policy.h"
#include "saga.h"
#include "service/roster.h"
#include "ticket/prose.h"

enum {
	CUSTOMER_WAIT_MIN_MS = 1000,
	CUSTOMER_WAIT_MAX_MS = 60 * 1000,
	TITLE_CHARS = 200,
	HOST_CHARS = 64
};

/* The findings of one batch that go to group_claim(), and which entry each of them was. */
struct batch {
	const struct app *app;
	struct worker_thread *worker;
	const struct directory *directory;
	struct group_finding *claims;
	size_t *places;
	size_t count;
};

/* The fate of the record whose states are events, which names the incident of all of them. */
static const char *subject_key(struct arena *arena, unsigned partition,
			       const struct finding *finding)
{
	struct key key;

	if (!*finding->subject)
		return NULL;
	key_fate(&key, partition, finding->customer, finding->source, finding->subject);
	return arena_strdup(arena, key.text);
}

static char *fate_key(struct arena *arena, unsigned partition, const struct finding *finding)
{
	struct key key;

	key_fate(&key, partition, finding->customer, finding->source, finding->event_id);
	return arena_strdup(arena, key.text);
}

bool intake_fate(const struct entry *entry, unsigned partition, struct key *ret_key)
{
	struct finding finding;

	if (!finding_decode(&finding, entry->fields, entry->field_count, NULL))
		return false;
	key_fate(ret_key, partition, finding.customer, finding.source, finding.event_id);
	return true;
}

/* ---- what becomes of one ---- */

static void count(const char *customer, const char *source, const char *outcome)
{
	metric_add(&app_findings, 1, metric_customer(customer), source, outcome);
}

/* As long again as it is old: one that was just added is known here within a second or so. */
static uint64_t customer_wait_ms(const struct finding *finding)
{
	uint64_t now = clock_wall_ms();
	uint64_t age = now > finding->observed_ms ? now - finding->observed_ms : 0;

	if (age < CUSTOMER_WAIT_MIN_MS)
		return CUSTOMER_WAIT_MIN_MS;
	return age < CUSTOMER_WAIT_MAX_MS ? age : CUSTOMER_WAIT_MAX_MS;
}

/* A customer who is not there or paused: the finding waits, without ageing, and someone is told
 * once. */
static void wait_for_customer(struct batch *batch, const struct finding *finding,
			      const char *why, struct outcome *outcome)
{
	const char *id = finding->customer;
	struct arena *arena = worker_arena(batch->worker);
	const char *subject = arena_printf(arena, "customer:%s", id);

	if (app_alarm_due(batch->app, subject))
		log_error("findings wait: customer %s is %s", id, why);
	outcome->kind = OUTCOME_DEFER;
	outcome->uncounted = true;
	outcome->delay_ms = customer_wait_ms(finding);
	outcome->reason = subject;
	count(finding->customer, finding->source, "waiting");
}

/* One line for the incident's list of findings. */
static const char *summary(struct arena *arena, const struct finding *finding,
			   const struct finding_view *view)
{
	struct buf buf;
	const char *title = prose_line(arena, view->title, TITLE_CHARS);

	buf_init(&buf, 4096);
	buf_addf(&buf, "{\"time_ms\":%" PRIu64 ",\"severity_id\":%d,\"event_id\":\"",
		 finding->time_ms, finding->severity_id);
	buf_add_json(&buf, finding->event_id, strlen(finding->event_id));
	buf_adds(&buf, "\",\"title\":\"");
	buf_add_json(&buf, title, strlen(title));
	buf_adds(&buf, "\"}");

	const char *text = arena_strdup(arena, buf_text(&buf));

	buf_done(&buf);
	return text;
}

/* What there is to know of one finding before it is claimed. */
struct arrival {
	const struct entry *entry;
	const struct customer *customer;
	struct finding finding;
	struct finding_view view;
	struct policy policy;
	bool is_minor;
};

static size_t new_fields(struct arena *arena, const struct arrival *arrival, const char *id,
			 const char *group, const char *storm, const struct field **ret_fields)
{
	const struct finding *finding = &arrival->finding;
	struct field *fields = arena_alloc(arena, INCIDENT_FIELDS * sizeof(*fields));
	const struct incident incident = {
		.id = id,
		.customer = finding->customer,
		.group = group,
		.uid = finding->uid,
		.event_id = finding->event_id,
		.source = finding->source,
		.trace = finding->trace,
		.policy = finding->policy,
		.storm = storm,
		.event_ms = finding->time_ms,
		.observed_ms = finding->observed_ms,
		.title = prose_line(arena, arrival->view.title, TITLE_CHARS),
		.host = prose_line(arena, arrival->view.host, HOST_CHARS),
	};

	*ret_fields = fields;
	return incident_encode(&incident, arena, fields);
}

static const char *group_key(struct arena *arena, unsigned partition, const char *customer,
			     const char *group)
{
	struct key key;

	key_format(&key, partition, "group:%s:%s", customer, group);
	return arena_strdup(arena, key.text);
}

static const char *new_id(struct arena *arena, const struct finding *finding, const char *group)
{
	char id[INCIDENT_ID_SIZE];

	incident_id(finding->customer, group, finding->uid, id);
	return arena_strdup(arena, id);
}

/* The one incident that stands for all beyond the limit has a group of its own. */
static const struct group_storm *storm_of(struct arena *arena, unsigned partition,
					  const struct arrival *arrival)
{
	const struct policy *policy = &arrival->policy;
	const struct finding *finding = &arrival->finding;
	const char *const parts[] = { finding->customer, "storm", policy->storm.rule, NULL };
	char *group = arena_alloc(arena, INCIDENT_ID_SIZE);
	struct group_storm *storm = arena_alloc(arena, sizeof(*storm));
	struct key key;

	if (!policy->storm.rule)
		return NULL;
	finding_digest(parts, group);
	key_format(&key, partition, "storm:%s:%s", finding->customer, policy->storm.rule);
	*storm = (struct group_storm){
		.key = arena_strdup(arena, key.text),
		.limit = policy->storm.limit,
		.per_ms = policy->storm.per_ms,
		.group_key = group_key(arena, partition, finding->customer, group),
		.candidate = new_id(arena, finding, group),
	};
	storm->field_count = new_fields(arena, arrival, storm->candidate, group,
					policy->storm.rule, &storm->fields);
	return storm;
}

/* What the source has settled, what is below the minimum and what is to be recorded opens
 * nothing; where something is open, it is news. */
static bool opens(const struct arrival *arrival)
{
	return !arrival->is_minor && !arrival->policy.record &&
	       arrival->view.status_id != FINDING_STATUS_RESOLVED;
}

static const char *why_recorded(const struct arrival *arrival, struct arena *arena)
{
	const char *rule = arrival->policy.record;

	if (!rule && arrival->is_minor)
		rule = arrival->policy.minimum_rule;
	if (rule)
		return arena_printf(arena, "recorded:rule %s", rule);
	return arrival->is_minor ? "recorded:below the customer's minimum severity"
				 : "recorded:resolved at its source before it was seen";
}

static void claim_add(struct batch *batch, size_t place, const struct arrival *arrival)
{
	const struct finding *finding = &arrival->finding;
	struct arena *arena = worker_arena(batch->worker);
	unsigned partition = worker_partition(batch->worker);
	const struct incident_item item = { .op = ITEM_FINDING, .finding = *finding };
	const char *id = new_id(arena, finding, finding->group);
	struct group_finding *claim = &batch->claims[batch->count];

	*claim = (struct group_finding){
		.entry_id = arrival->entry->id,
		.group_key = group_key(arena, partition, finding->customer, finding->group),
		.fate_key = fate_key(arena, partition, finding),
		.subject_key = subject_key(arena, partition, finding),
		.candidate = opens(arrival) ? id : NULL,
		.open_item = incident_item_encode(&item, arena),
		.summary = summary(arena, finding, &arrival->view),
		.severity = (unsigned)finding_severity_rank(finding->severity_id),
		.recorded = why_recorded(arrival, arena),
		.storm = storm_of(arena, partition, arrival),
	};
	claim->field_count =
	    new_fields(arena, arrival, id, finding->group, NULL, &claim->fields);
	batch->places[batch->count++] = place;
}

/* Everything that is not as it should be is the finding's own fault. */
static bool arrival_read(struct arrival *arrival, struct arena *arena, struct err *err)
{
	struct finding *finding = &arrival->finding;
	int minimum = arrival->customer->minimum_severity;

	if (!policy_decode(&arrival->policy, finding->policy, arena, err) ||
	    !finding_view(&arrival->view, finding->payload, finding->payload_size, arena, err))
		return false;
	if (arrival->policy.minimum_severity > 0)
		minimum = arrival->policy.minimum_severity;
	arrival->is_minor = finding_is_minor(finding->severity_id, minimum);
	return true;
}

static void sort_one(struct batch *batch, size_t place, const struct entry *entry,
		     struct outcome *outcome)
{
	struct arena *arena = worker_arena(batch->worker);
	struct arrival *arrival = arena_alloc(arena, sizeof(*arrival));
	struct finding *finding = &arrival->finding;
	struct err err = { 0 };

	arrival->entry = entry;
	trace_log(entry_text(entry, "trace"));
	if (!finding_decode(finding, entry->fields, entry->field_count, &err)) {
		outcome_from_error(batch->worker, &err, outcome);
		count("unknown", "unknown", "dead");
		return;
	}
	outcome->fate_key = fate_key(arena, worker_partition(batch->worker), finding);
	arrival->customer = directory_customer(batch->directory, finding->customer);
	if (!arrival->customer || arrival->customer->mode == CUSTOMER_PAUSED) {
		wait_for_customer(batch, finding, arrival->customer ? "paused" : "unknown",
				  outcome);
	} else if (!arrival_read(arrival, arena, &err)) {
		outcome_from_error(batch->worker, &err, outcome);
		count(finding->customer, finding->source, "dead");
	} else {
		claim_add(batch, place, arrival);
	}
}

/* ---- the batch ---- */

static const char *outcome_name(enum group_outcome outcome)
{
	static const char *const names[] = {
		[GROUP_NOT_OURS] = "taken over", [GROUP_OPENED] = "opened",
		[GROUP_JOINED] = "joined",	 [GROUP_ATTACHED] = "attached to a storm",
		[GROUP_RECORDED] = "recorded",
	};

	return names[outcome];
}

static const char *field_of(const struct group_finding *claim, const char *name)
{
	const struct field *field = field_find(claim->fields, claim->field_count, name);

	return field ? field->value : "";
}

enum { ROOM_WAIT_MS = 1000 };

/* A Redis that has no room for more incidents gets none until it has: findings wait here, in
 * hand, for putting them off and taking them up again would only be more work for it. */
static bool claim(struct batch *batch, struct group_answer *answers, struct err *err)
{
	struct worker_thread *worker = batch->worker;

	while (!group_claim(worker_redis(worker), worker_from(worker), batch->claims,
			    batch->count, answers, err)) {
		if (redis_error(worker_redis(worker)) != REDIS_FULL ||
		    worker_stopping(worker) || worker_lost(worker))
			return false;
		worker_wait(worker, ROOM_WAIT_MS);
	}
	return true;
}

static void claim_all(struct batch *batch, struct outcome *outcomes)
{
	struct arena *arena = worker_arena(batch->worker);
	struct group_answer *answers =
	    arena_alloc(arena, (batch->count + 1) * sizeof(*answers));
	struct err err = { 0 };
	bool ok = batch->count == 0 || claim(batch, answers, &err);

	for (size_t i = 0; i < batch->count; i++) {
		struct outcome *outcome = &outcomes[batch->places[i]];

		if (!ok) {
			/* Some chunks may have been done: settling those again does nothing.
			 * What Redis refuses is no finding's own fault: none ages by it. */
			outcome_from_error(batch->worker, &err, outcome);
			outcome->uncounted = true;
			continue;
		}
		trace_log(field_of(&batch->claims[i], "trace"));
		log_debug("finding %s %s", outcome_name(answers[i].outcome),
			  answers[i].incident);
		*outcome = (struct outcome){ .kind = OUTCOME_SETTLED };
		count(field_of(&batch->claims[i], "customer"),
		      field_of(&batch->claims[i], "source"), outcome_name(answers[i].outcome));
	}
}

void intake_handle(struct worker_thread *self, const struct entry *entries,
		   struct outcome *outcomes, size_t count)
{
	const struct app *app = worker_state(self);
	struct arena *arena = worker_arena(self);
	struct err err = { 0 };
	struct batch batch = {
		.app = app,
		.worker = self,
		.directory = roster_get(app->roster, worker_redis(self), &err),
		.claims = arena_alloc(arena, count * sizeof(*batch.claims)),
		.places = arena_alloc(arena, count * sizeof(*batch.places)),
	};

	for (size_t i = 0; i < count; i++) {
		if (batch.directory) {
			sort_one(&batch, i, &entries[i], &outcomes[i]);
		} else {
			outcome_from_error(self, &err, &outcomes[i]);
			outcomes[i].uncounted = true;
		}
	}
	trace_log(NULL);
	claim_all(&batch, outcomes);
	trace_log(NULL);
	roster_put(app->roster, batch.directory);
}
