/* Tickets that the ancestors opened before the migration. */
#include "ancestor.h"

#include <string.h>

#include "app.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "bus/closing.h"
#include "bus/worker.h"
#include "closing.h"
#include "closing_turn.h"
#include "model/incident.h"
#include "service/roster.h"
#include "vendor/servicenow.h"
#include "vendor/servicenow_table.h"
#include "vendor/session.h"
#include "vendor/threat_response.h"

/* The ancestors knew no other table. */
static const char table[] = "incident";

struct pair {
	struct worker_thread *self;
	const struct app *app;
	const struct directory *directory;
	const struct closure *closure;
	const struct customer *customer;
	struct servicenow_record ticket;
	struct threat_response_incident entity;
	const char *refused; /* why it is none of theirs */
};

static struct vendor_session session_of(const struct pair *pair, const char *account)
{
	return (struct vendor_session){
		.vendor = pair->app->vendor,
		.redis = worker_redis(pair->self),
		.account = directory_account(pair->directory, account),
		.class = VENDOR_CONTAINMENT,
	};
}

static const char *column(const struct pair *pair, const char *name)
{
	const char *text = servicenow_record_value(&pair->ticket, name);

	return text ? text : "";
}

/* ---- the ticket ---- */

static const struct customer *customer_of(const struct pair *pair)
{
	for (size_t i = 0; i < directory_count(pair->directory); i++) {
		const struct customer *customer = directory_at(pair->directory, i);
		const char *account = customer->servicenow.account;

		if (account && strcmp(account, pair->closure->instance) == 0 &&
		    customer->partition == worker_partition(pair->self) &&
		    strcmp(customer->servicenow.company, column(pair, "company")) == 0)
			return customer;
	}
	return NULL;
}

static const char *last_part(const char *id)
{
	const char *short_id = threat_response_short_id(id);

	return short_id ? short_id : "";
}

/* False with err when the instance did not answer; pair->refused when it is not as it must be.
 */
static bool ticket_fits(struct pair *pair, struct err *err)
{
	struct arena *arena = worker_arena(pair->self);
	struct vendor_session session = session_of(pair, pair->closure->instance);
	const struct servicenow_place place = { table, pair->closure->sys_id };
	struct closing_case about = { .installation = pair->app->installation,
				      .table = table,
				      .adopted = true };
	struct closing_look look;
	bool found = false;

	if (!session.account || session.account->kind != ACCOUNT_SERVICENOW) {
		pair->refused = "the caller's instance is not linked";
		return true;
	}
	if (!servicenow_get(&session, &place, CLOSING_COLUMNS ",short_description", arena,
			    &found, &pair->ticket, NULL, err))
		return false;
	about.customer = pair->customer = found ? customer_of(pair) : NULL;
	if (!about.customer) {
		pair->refused = found ? "the ticket's company is no customer's"
				      : "the ticket is not at the caller's instance";
		return true;
	}
	closing_look(&about, &pair->ticket, arena, &look);
	if (look.ticket != CLOSING_TICKET_OVER) {
		pair->refused = look.words;
		return true;
	}
	found = false;
	if (!servicenow_note_exists(&session, &place, last_part(pair->closure->ctim_id), arena,
				    &found, NULL, err))
		return false;
	if (!found)
		pair->refused = "the ticket's notes do not name that incident";
	return true;
}

/* ---- the incident in Threat Response ---- */

/* The ancestors wrote "[Customer]]" into the ticket: brackets that follow each other are one.
 */
static const char *without_typo(const char *title, struct arena *arena)
{
	char *text = arena_strdup(arena, title), *to = text;

	for (const char *from = text; *from; from++) {
		if (*from != ']' || from[1] != ']')
			*to++ = *from;
	}
	*to = '\0';
	return text;
}

/* The instance may have cut the ticket's. */
static bool same_title(const char *ticket, const char *entity, struct arena *arena)
{
	const char *a = without_typo(ticket, arena), *b = without_typo(entity, arena);

	return *a && strncmp(a, b, strlen(a)) == 0;
}

static bool refers_to(const struct threat_response_incident *entity, const char *sys_id)
{
	for (size_t i = 0; i < entity->reference_count; i++) {
		if (strstr(entity->references[i].url, sys_id) ||
		    strcmp(entity->references[i].external_id, sys_id) == 0)
			return true;
	}
	return false;
}

static bool entity_fits(struct pair *pair, struct err *err)
{
	struct arena *arena = worker_arena(pair->self);
	const char *account = pair->customer->threat_response.account;
	struct vendor_session session = session_of(pair, account ? account : "");
	bool found = false;

	if (!session.account) {
		pair->refused = "the customer has no Threat Response";
		return true;
	}
	if (!threat_response_incident(&session, pair->closure->ctim_id, arena, &found,
				      &pair->entity, err))
		return false;
	if (!found)
		pair->refused = "Threat Response has no such incident";
	else if (strncmp(pair->entity.status, "Closed", 6) == 0)
		pair->refused = "it is closed in Threat Response already";
	else if (!same_title(column(pair, "short_description"), pair->entity.title, arena) &&
		 !refers_to(&pair->entity, pair->closure->sys_id))
		pair->refused = "title and references are another ticket's";
	return true;
}

/* ---- one of ours ---- */

static size_t fields_of(const struct pair *pair, const char *id, struct field *ret_fields)
{
	struct arena *arena = worker_arena(pair->self);
	struct vendor_session session = session_of(pair, pair->closure->instance);
	struct incident incident = {
		.id = id,
		.customer = pair->customer->id,
		.group = id,
		.state = INCIDENT_OPEN,
		.title = pair->entity.title,
		.servicenow_account = pair->closure->instance,
		.threat_response_account = pair->customer->threat_response.account,
		.ticket_table = table,
		.sys_id = pair->closure->sys_id,
		.number = column(pair, "number"),
		.ticket_url = servicenow_table_url(session.account->url, table,
						   pair->closure->sys_id, arena),
		.ctim_id = pair->entity.id,
		.ticket_ms = clock_wall_ms(),
		.adopted = true,
	};

	for (int i = STEP_INSPECT; i <= STEP_SERVICENOW_NOTE; i++)
		incident.steps[i] = (struct incident_step){ .status = STEP_SKIPPED };
	incident.steps[STEP_THREAT_RESPONSE_CREATE].status = STEP_DONE;
	incident.steps[STEP_SERVICENOW_CREATE].status = STEP_DONE;
	return incident_encode(&incident, arena, ret_fields);
}

static bool adopt(const struct pair *pair, const struct entry *entry,
		  enum closing_take *ret_take, struct err *err)
{
	struct arena *arena = worker_arena(pair->self);
	struct closure closure = *pair->closure;
	struct incident_item item = { .op = ITEM_CLOSURE };
	struct field fields[INCIDENT_FIELDS];
	char id[INCIDENT_ID_SIZE];

	incident_id("ancestors", closure.instance, closure.sys_id, id);
	closure.incident = id;
	item.closure = closure;

	const struct closing_item taken = {
		.incident = id,
		.item = incident_item_encode(&item, arena),
		.entry_id = entry->id,
		.fields = fields,
		.field_count = fields_of(pair, id, fields),
	};

	return closing_take(worker_redis(pair->self), worker_from(pair->self),
			    worker_partition(pair->self), &taken, ret_take, err);
}

static bool verify_and_adopt(struct pair *pair, const struct entry *entry,
			     struct outcome *outcome, struct err *err)
{
	const struct closure *closure = pair->closure;
	enum closing_take taken;

	if (!*closure->instance || !*closure->sys_id ||
	    !threat_response_short_id(closure->ctim_id))
		pair->refused = "it does not say which ticket and incident";
	if (!pair->refused && !ticket_fits(pair, err))
		return false;
	if (!pair->refused && !entity_fits(pair, err))
		return false;
	if (pair->refused) {
		closing_count(closure_via_name(closure->via), "refused");
		log_warn("a ticket of the ancestors is not adopted: %s %s: %s",
			 closure->instance, closure->sys_id, pair->refused);
		outcome->kind = OUTCOME_DONE;
		return true;
	}
	if (!adopt(pair, entry, &taken, err))
		return false;
	log_info("adopted ticket %s of the ancestors, customer %s", column(pair, "number"),
		 pair->customer->id);
	outcome->kind = OUTCOME_SETTLED;
	return true;
}

bool ancestor_adopt(struct worker_thread *self, const struct entry *entry,
		    const struct closure *closure, struct outcome *outcome, struct err *err)
{
	struct pair pair = { .self = self, .app = worker_state(self), .closure = closure };

	pair.directory = roster_get(pair.app->roster, worker_redis(self), err);
	if (!pair.directory)
		return false;

	bool ok = verify_and_adopt(&pair, entry, outcome, err);

	roster_put(pair.app->roster, pair.directory);
	return ok;
}
