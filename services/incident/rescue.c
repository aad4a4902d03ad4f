/* Hosts that Redis has forgotten, found again by our marks. */
#include "rescue.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "adopt.h"
#include "app.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "bus/closing.h"
#include "bus/containment.h"
#include "bus/lease.h"
#include "bus/redis.h"
#include "machine.h"
#include "model/customer.h"
#include "model/incident.h"
#include "vendor/defender_machine.h"
#include "vendor/secure_endpoint.h"
#include "vendor/servicenow.h"
#include "vendor/servicenow_table.h"
#include "vendor/session.h"

enum {
	LEASE_MS = 5 * 60 * 1000,
	HOUR_MS = 60 * 60 * 1000,
	ACTIONS_MAX = 1000,
	FOUND_MAX = 10,
};

static const uint64_t actions_back_ms = 30ULL * 24 * 60 * 60 * 1000;

/* One customer's hosts at one source. */
struct search {
	const struct rescue *rescue;
	const struct customer *customer;
	const struct customer_source *source;
	uint64_t lost_ms; /* when Redis lost its data */
	struct vendor_session session;
	unsigned found;
};

static struct vendor_session session_of(const struct rescue *rescue, const char *account)
{
	return (struct vendor_session){
		.vendor = rescue->app->vendor,
		.redis = rescue->redis,
		.account = directory_account(rescue->directory, account),
		.class = VENDOR_CONTAINMENT,
	};
}

/* ---- one host ---- */

struct host {
	const char *id;
	struct machine machine;
};

/* *ret_ticket stays NULL when no ticket carries the key. */
static bool find_ticket(const struct search *search, const struct containment_marked *mark,
			const struct servicenow_record **ret_ticket, struct err *err)
{
	const struct rescue *rescue = search->rescue;
	const char *account = search->customer->servicenow.account;
	struct vendor_session session = session_of(rescue, account ? account : "");
	const struct incident incident = { .id = mark->incident,
					   .customer = mark->customer,
					   .group = mark->group };
	struct servicenow_record *records;
	char key[INCIDENT_KEY_SIZE];
	const struct servicenow_search question = {
		.table = search->customer->servicenow.table,
		.correlation_id = key,
		.fields = "impact,urgency",
		.limit = FOUND_MAX,
	};
	size_t count;

	*ret_ticket = NULL;
	if (!account || !session.account)
		return true;
	incident_key(rescue->app->installation, &incident, key);
	if (!servicenow_find(&session, &question, rescue->arena, &records, &count, NULL, err))
		return false;
	if (count > 0)
		*ret_ticket = &records[0];
	return true;
}

static void entry_of(const struct search *search, const struct host *host,
		     enum containment_method method, struct containment_entry *ret_entry)
{
	*ret_entry = (struct containment_entry){
		.method = method,
		.state = CONTAINMENT_HELD,
		.since_ms = clock_wall_ms(),
		.source = search->source->name,
		.account = search->source->account,
		.machine = host->id,
		.host = host->machine.name,
		.from = host->machine.mark.from,
	};
}

static bool is_in_triage(const struct search *search, const struct host *host)
{
	const char *group = search->customer->containment.triage_group;

	return group && host->machine.mark.from && strcasecmp(host->machine.group, group) == 0;
}

/* The holds, in Redis, and the ledger that goes with them. */
static bool hold(const struct search *search, const struct host *host,
		 struct containment_ledger *ret_ledger, struct err *err)
{
	struct containment_entry *entries = ret_ledger->entries;
	struct host_claim claim = {
		.partition = search->rescue->partition,
		.customer = search->customer->id,
		.machine = host->id,
		.incident = host->machine.mark.incident,
		.method = containment_method_name(CONTAINMENT_ISOLATE),
	};
	struct host_reply reply;

	*ret_ledger = (struct containment_ledger){ 0 };
	entry_of(search, host, CONTAINMENT_ISOLATE, &entries[CONTAINMENT_ISOLATE]);
	if (!host_join(search->rescue->redis, &claim, &reply, err))
		return false;
	if (!is_in_triage(search, host))
		return true;
	entry_of(search, host, CONTAINMENT_MOVE_GROUP, &entries[CONTAINMENT_MOVE_GROUP]);
	entries[CONTAINMENT_MOVE_GROUP].to = search->customer->containment.triage_group;
	claim.method = containment_method_name(CONTAINMENT_MOVE_GROUP);
	claim.from = host->machine.mark.from;
	claim.to = search->customer->containment.triage_group;
	return host_hold(search->rescue->redis, &claim, &reply, err) &&
	       host_settle(search->rescue->redis, &claim, true, err);
}

/* What was made outside before the loss is looked up, as a call that was under way then is;
 * what only a finding could make is not wanted any more. */
static void plan_steps(struct incident *incident, uint64_t lost_ms)
{
	const struct incident_step begun = { .status = STEP_INTENT, .intent_ms = lost_ms };
	struct incident_step *steps = incident->steps;

	for (int i = 0; i < STEP_CONTAIN_ISOLATE; i++)
		steps[i].status = STEP_SKIPPED;
	if (incident->threat_response_account)
		steps[STEP_THREAT_RESPONSE_CREATE] = begun;
	if (!incident->sys_id)
		return;
	steps[STEP_SERVICENOW_CREATE].status = STEP_DONE;
	steps[STEP_SERVICENOW_LINK] = begun;
	steps[STEP_SERVICENOW_NOTE].status = STEP_NEW;
}

static void know_ticket(const struct search *search, const struct servicenow_record *ticket,
			struct incident *incident)
{
	const struct account *account =
	    directory_account(search->rescue->directory, incident->servicenow_account);
	const char *number = servicenow_record_value(ticket, "number");

	incident->state = INCIDENT_OPEN;
	incident->reason = NULL;
	incident->sys_id = servicenow_record_value(ticket, "sys_id");
	if (number)
		incident->number = number;
	incident->ticket_url = servicenow_table_url(account->url, incident->ticket_table,
						    incident->sys_id, search->rescue->arena);
	incident->impact = servicenow_record_number(ticket, "impact");
	incident->urgency = servicenow_record_number(ticket, "urgency");
}

/* An incident that Redis knows nothing of, as far as it can be known without its finding. */
static size_t incident_fields(const struct search *search, const struct host *host,
			      const struct servicenow_record *ticket, struct field *ret_fields)
{
	const struct containment_marked *mark = &host->machine.mark;
	const struct customer *customer = search->customer;
	struct incident incident = {
		.id = mark->incident,
		.customer = mark->customer,
		.group = mark->group,
		.source = search->source->name,
		.state = INCIDENT_HELD,
		.reason = "found by its contained host; no ticket carries its key",
		.title = "found again by its contained host, after Redis was lost",
		.host = host->machine.name,
		.servicenow_account = customer->servicenow.account,
		.threat_response_account =
		    customer->threat_response.create ? customer->threat_response.account : NULL,
		.ticket_table = customer->servicenow.table,
		.number = mark->number,
		.ticket_ms = clock_wall_ms(),
	};

	if (ticket)
		know_ticket(search, ticket, &incident);
	plan_steps(&incident, search->lost_ms);
	return incident_encode(&incident, search->rescue->arena, ret_fields);
}

/* A later finding of the group joins this incident again. */
static bool take_group(const struct search *search, const struct containment_marked *mark,
		       struct err *err)
{
	struct key key;
	struct redis_reply *reply;

	key_format(&key, search->rescue->partition, "group:%s:%s", mark->customer, mark->group);
	reply = redis_command(search->rescue->redis, err, REDIS_ALWAYS "SET %s NX GET",
			      key.text, mark->incident);
	reply_free(reply);
	return reply != NULL;
}

static bool restore(struct search *search, const struct host *host, struct err *err)
{
	const struct rescue *rescue = search->rescue;
	const struct containment_marked *mark = &host->machine.mark;
	struct field fields[INCIDENT_FIELDS];
	struct containment_ledger ledger;
	const struct servicenow_record *ticket;
	struct incident_item item = { .op = ITEM_HOST };
	struct closing_item taken = { .incident = mark->incident };
	enum closing_take ignored;

	if (!find_ticket(search, mark, &ticket, err) || !hold(search, host, &ledger, err))
		return false;
	item.ledger = containment_ledger_encode(&ledger, rescue->arena);
	taken.item = incident_item_encode(&item, rescue->arena);
	taken.fields = fields;
	taken.field_count = incident_fields(search, host, ticket, fields);
	if (!take_group(search, mark, err) ||
	    !closing_take(rescue->redis, NULL, rescue->partition, &taken, &ignored, err))
		return false;
	search->found++;
	log_warn("%s of customer %s is contained for incident %s: known again",
		 host->machine.name, search->customer->id, mark->incident);
	return true;
}

/* Looks at one machine, and restores what is ours. */
static bool look_at(struct search *search, const char *id, struct err *err)
{
	const struct rescue *rescue = search->rescue;
	const struct machine_place place = { .source = search->source->name,
					     .id = id,
					     .installation = rescue->app->installation };
	struct host host = { .id = id };

	if (!containment_machine_valid(id))
		return true;
	if (!machine_read(&search->session, &place, rescue->arena, &host.machine, err))
		return false;
	if (!host.machine.found || !host.machine.ours ||
	    strcmp(host.machine.mark.customer, search->customer->id) != 0 ||
	    (host.machine.isolation != MACHINE_ISOLATED &&
	     host.machine.isolation != MACHINE_STARTING))
		return true;
	return restore(search, &host, err);
}

/* ---- all of them ---- */

static bool search_computers(struct search *search, struct err *err)
{
	struct secure_endpoint_computer_query query = { 0 };
	struct secure_endpoint_computers page;

	do {
		if (!secure_endpoint_computers(&search->session, &query, search->rescue->arena,
					       &page, err))
			return false;
		for (size_t i = 0; i < page.count; i++) {
			const char *status = page.computers[i].isolation_status;

			if (*status && strcmp(status, "not_isolated") != 0 &&
			    !look_at(search, page.computers[i].guid, err))
				return false;
		}
		query.offset = page.next;
	} while (page.next > 0);
	return true;
}

static bool seen_before(const struct defender_action *actions, size_t index)
{
	for (size_t i = 0; i < index; i++) {
		if (strcmp(actions[i].machine, actions[index].machine) == 0)
			return true;
	}
	return false;
}

/* A machine does not say whether it is isolated: those that were, lately, are looked at. */
static bool search_machines(struct search *search, struct err *err)
{
	const struct defender_action_query query = {
		.since_ms = clock_wall_ms() - actions_back_ms,
		.limit = ACTIONS_MAX,
	};
	struct defender_action *actions;
	size_t count;

	if (!defender_actions(&search->session, &query, search->rescue->arena, &actions, &count,
			      err))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!seen_before(actions, i) && strcmp(actions[i].type, "Isolate") == 0 &&
		    !look_at(search, actions[i].machine, err))
			return false;
	}
	return true;
}

static bool search_source(const struct rescue *rescue, const struct customer *customer,
			  const struct customer_source *source, uint64_t lost_ms,
			  struct err *err)
{
	struct search search = {
		.rescue = rescue,
		.customer = customer,
		.source = source,
		.lost_ms = lost_ms,
		.session = session_of(rescue, source->account),
	};

	if (!machine_source_isolates(source->name) || !search.session.account)
		return true;
	return machine_source_moves(source->name) ? search_computers(&search, err)
						  : search_machines(&search, err);
}

/* ---- once per loss ---- */

static bool is_done(const struct rescue *rescue, const char *customer, uint64_t lost_ms)
{
	struct err ignored = { 0 };
	struct redis_reply *reply;
	struct key key;
	bool done;

	key_format(&key, rescue->partition, "containment:rescued");
	reply = redis_command(rescue->redis, &ignored, "HGET %s %s", key.text, customer);
	done = !reply || (uint64_t)reply_integer(reply) == lost_ms;
	reply_free(reply);
	return done;
}

static bool search_customer(const struct rescue *rescue, const struct customer *customer,
			    uint64_t lost_ms, struct err *err)
{
	for (size_t i = 0; i < customer->source_count; i++) {
		if (!search_source(rescue, customer, &customer->sources[i], lost_ms, err))
			return false;
	}
	return true;
}

static void rescue_customer(const struct rescue *rescue, const struct customer *customer,
			    uint64_t lost_ms)
{
	struct err err = { 0 };
	struct lease lease;
	struct key key;
	char name[64];
	bool taken = false, good;

	if (is_done(rescue, customer->id, lost_ms))
		return;
	snprintf(name, sizeof(name), "rescue:%s", customer->id);
	lease_init(&lease, rescue->partition, name);
	if (!lease_take(rescue->redis, &lease, rescue->owner, LEASE_MS, &taken, &err) || !taken)
		return;
	key_format(&key, rescue->partition, "containment:rescued");
	good = search_customer(rescue, customer, lost_ms, &err) &&
	       redis_run(rescue->redis, &err, REDIS_ALWAYS "HSET %s %llu", key.text,
			 customer->id, (unsigned long long)lost_ms);
	if (!good && app_alarm_due(rescue->app, name))
		log_warn("customer %s: contained hosts are looked for again later: %s",
			 customer->id, err.text);
	lease_release(rescue->redis, &lease, &err);
}

void rescue_hosts(const struct rescue *rescue)
{
	struct err err = { 0 };
	uint64_t lost_ms;

	/* What cannot be read now is read in the next round. */
	if (!adopt_lost_ms(rescue->redis, rescue->partition, &lost_ms, &err) || lost_ms == 0)
		return;
	for (size_t i = 0; i < directory_count(rescue->directory); i++) {
		const struct customer *customer = directory_at(rescue->directory, i);

		if (customer->partition == rescue->partition &&
		    customer->mode == CUSTOMER_LIVE &&
		    customer->containment.mode != CONTAINMENT_OFF)
			rescue_customer(rescue, customer, lost_ms);
	}
}

void rescue_expire(const struct rescue *rescue)
{
	struct err ignored = { 0 };
	struct key key;

	key_format(&key, rescue->partition, "containment:approvals");
	redis_run(rescue->redis, &ignored, "ZREMRANGEBYSCORE %s -inf %llu", key.text,
		  (unsigned long long)(clock_wall_ms() - HOUR_MS));
}
