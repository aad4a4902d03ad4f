/*
 * control: the API of tests, under /_sandbox. README.md of this folder describes every route.
 */
#include "control.h"

#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "fault.h"
#include "generate.h"
#include "ledger.h"
#include "mail.h"
#include "request.h"
#include "response.h"
#include "sandbox.h"
#include "secure_endpoint.h"
#include "servicenow.h"

/* The body, or NULL with the refusal in response. */
static json_t *body_of(const struct request *request, struct response *response)
{
	const char *why = NULL;
	json_t *body = request_json(request, &why);

	if (!body)
		response_refuse(response, 400, "body: %s",
				request->body_too_large ? "over 10 MiB" : why);
	return body;
}

/* ---- accounts ----------------------------------------------------------------------- */

static json_t *account_row(const struct account *account)
{
	return json_pack("{s:s, s:s, s:s, s:s}", "vendor", account->vendor->name, "account",
			 account->name, "key", account->key, "path",
			 strcmp(account->vendor->name, "servicenow") == 0 ? account->name : "");
}

static void list_account(struct account *account, void *rows)
{
	json_t *row = account_row(account);

	json_object_del(row, "path");
	json_array_append_new(rows, row);
}

static void apply_accounts(struct sandbox *sandbox, const struct request *request,
			   struct response *response)
{
	json_t *body = body_of(request, response), *made = json_array(), *settings;
	json_t *list = json_is_array(body) ? json_incref(body) : json_pack("[O]", body);
	struct err err = { 0 };
	size_t i;

	json_array_foreach(list, i, settings)
	{
		struct account *account = registry_apply(sandbox->registry, settings, &err);

		if (!account)
			break;
		list_account(account, made);
	}
	if (body && i == json_array_size(list))
		response_json(response, 200, json_pack("{s:O}", "accounts", made));
	else if (body)
		response_refuse(response, 400, "account %zu: %s", i, err.text);
	json_decref(made);
	json_decref(list);
	json_decref(body);
}

static void serve_accounts(struct sandbox *sandbox, const struct request *request,
			   struct response *response)
{
	if (request_is(request, "GET")) {
		json_t *rows = json_array();

		registry_each(sandbox->registry, list_account, rows);
		response_json(response, 200, json_pack("{s:o}", "accounts", rows));
	} else {
		apply_accounts(sandbox, request, response);
	}
}

/* The account named by two path parts, or NULL with a 404. */
static struct account *named_account(struct sandbox *sandbox, const char *vendor_name,
				     const char *name, struct response *response)
{
	const struct vendor *vendor = registry_vendor(sandbox->registry, vendor_name);
	struct account *account =
	    vendor ? registry_find(sandbox->registry, vendor, name) : NULL;

	if (!account)
		response_refuse(response, 404, "no account %.60s of vendor %.40s", name,
				vendor_name);
	return account;
}

/* ---- ledger, state, summary --------------------------------------------------------- */

static void serve_ledger(struct sandbox *sandbox, const struct request *request,
			 struct response *response)
{
	if (request_is(request, "DELETE")) {
		ledger_clear(sandbox->ledger);
		response->status = 204;
		return;
	}
	response_json(
	    response, 200,
	    ledger_read(sandbox->ledger,
			&(struct ledger_filter){
			    .vendor = request_param(request, "vendor"),
			    .account = request_param(request, "account"),
			    .method = request_param(request, "method"),
			    .path_prefix = request_param(request, "path_prefix"),
			    .since = request_param_number(request, "since", 0, INT64_MAX),
			    .limit = request_param_number(request, "limit", 100000, 1000000),
			}));
}

struct reset {
	struct registry *registry;
	struct account **account;
	size_t count;
};

static void collect_account(struct account *account, void *opaque)
{
	struct reset *reset = opaque;

	reset->account[reset->count++] = account;
}

static void count_account(struct account *account, void *opaque)
{
	(void)account;
	++*(size_t *)opaque;
}

static void reset_all(struct sandbox *sandbox, const struct request *request,
		      struct response *response)
{
	struct reset reset = { .registry = sandbox->registry };
	struct err err = { 0 };
	size_t count = 0;

	registry_each(sandbox->registry, count_account, &count);
	reset.account = arena_alloc(request->arena, (count + 1) * sizeof(*reset.account));
	registry_each(sandbox->registry, collect_account, &reset);
	for (size_t i = 0; i < reset.count; i++) {
		if (!registry_reset(sandbox->registry, reset.account[i], &err)) {
			response_refuse(response, 500, "%s", err.text);
			return;
		}
	}
	response->status = 204;
}

static void serve_state(struct sandbox *sandbox, const struct request *request,
			struct response *response)
{
	struct account *account;
	struct err err = { 0 };

	if (request->segments == 2 && request_is(request, "DELETE")) {
		reset_all(sandbox, request, response);
		return;
	}
	account = named_account(sandbox, request_segment(request, 2),
				request_segment(request, 3), response);
	if (!account)
		return;
	if (request_is(request, "DELETE")) {
		if (registry_reset(sandbox->registry, account, &err))
			response->status = 204;
		else
			response_refuse(response, 500, "%s", err.text);
		return;
	}
	pthread_mutex_lock(&account->lock);
	json_t *state = account->vendor->dump(account);

	pthread_mutex_unlock(&account->lock);
	response_json(response, 200, state);
}

static void add_summary(struct account *account, void *opaque)
{
	json_t *all = opaque;
	json_t *vendor = json_object_get(all, account->vendor->name);

	if (!vendor) {
		vendor = json_object();
		json_object_set_new(all, account->vendor->name, vendor);
	}
	pthread_mutex_lock(&account->lock);
	json_object_set_new(vendor, account->name, account->vendor->summarise(account));
	pthread_mutex_unlock(&account->lock);
}

static void serve_summary(struct sandbox *sandbox, struct response *response)
{
	json_t *all = json_object();

	registry_each(sandbox->registry, add_summary, all);
	json_object_set_new(all, "calls",
			    json_integer((json_int_t)ledger_last(sandbox->ledger)));
	json_object_set_new(all, "now_ms", json_integer((json_int_t)clock_wall_ms()));
	json_object_set_new(all, "started_ms", json_integer((json_int_t)sandbox->started_ms));
	response_json(response, 200, all);
}

static void serve_revoke(struct sandbox *sandbox, const struct request *request,
			 struct response *response)
{
	struct account *account = named_account(sandbox, request_segment(request, 2),
						request_segment(request, 3), response);

	if (!account)
		return;
	pthread_mutex_lock(&account->lock);
	if (account->vendor->revoke)
		account->vendor->revoke(account);
	pthread_mutex_unlock(&account->lock);
	response->status = 204;
}

/* ---- events ------------------------------------------------------------------------- */

/* A list of events, one event, or an envelope as the vendor sends it. New reference. */
static json_t *events_of(const json_t *body)
{
	json_t *data = json_object_get(body, "data");

	if (json_is_array(body))
		return json_incref((json_t *)body);
	if (json_is_array(data))
		return json_incref(data);
	if (json_is_object(data) && json_object_size(data) > 0)
		return json_pack("[O]", data);
	return json_pack("[O]", body);
}

static void add_events(struct account *account, const json_t *body, struct response *response)
{
	json_t *events = events_of(body);
	struct err err = { 0 };

	pthread_mutex_lock(&account->lock);
	bool added = account->vendor->add_events(account, events, &err);

	pthread_mutex_unlock(&account->lock);
	if (added)
		response_json(response, 200,
			      json_pack("{s:I, s:I}", "added",
					(json_int_t)json_array_size(events), "visible_ms",
					(json_int_t)clock_wall_ms()));
	else
		response_refuse(response, 400, "%s", err.text);
	json_decref(events);
}

static void serve_events(struct sandbox *sandbox, const struct request *request,
			 struct response *response)
{
	const char *vendor = request_param(request, "vendor");
	struct account *account =
	    named_account(sandbox, vendor ? vendor : secure_endpoint_vendor.name,
			  request_segment(request, 2), response);
	bool full = request_param(request, "full") != NULL;

	if (!account)
		return;
	if (!account->vendor->add_events) {
		response_refuse(response, 400, "no events of vendor %.40s", vendor);
		return;
	}
	if (request_is(request, "GET") && account->vendor != &secure_endpoint_vendor) {
		response_refuse(response, 400, "state/%.40s/%.60s has them", vendor,
				account->name);
		return;
	}
	if (request_is(request, "GET")) {
		response_json(response, 200,
			      secure_endpoint_seen(
				  account,
				  request_param_number(request, "since_ms", 0, INT64_MAX),
				  full));
		return;
	}
	json_t *body = body_of(request, response);

	if (body)
		add_events(account, body, response);
	json_decref(body);
}

/* {"vendor", "account", "payload": envelope or events}: recorded answers of a vendor. */
static void serve_replay(struct sandbox *sandbox, const struct request *request,
			 struct response *response)
{
	json_t *body = body_of(request, response);
	const char *vendor = json_string_value(json_object_get(body, "vendor"));
	const char *name = json_string_value(json_object_get(body, "account"));
	json_t *payload = json_object_get(body, "payload");

	if (!body)
		return;
	if (!vendor || !name || !payload) {
		response_refuse(response, 400, "vendor, account and payload are needed");
	} else if (!registry_vendor(sandbox->registry, vendor) ||
		   !registry_vendor(sandbox->registry, vendor)->add_events) {
		response_refuse(response, 400, "replay: no events of vendor %.40s", vendor);
	} else {
		struct account *account = named_account(sandbox, vendor, name, response);

		if (account)
			add_events(account, payload, response);
	}
	json_decref(body);
}

static void serve_generate(struct sandbox *sandbox, const struct request *request,
			   struct response *response)
{
	struct err err = { 0 };

	if (request_is(request, "GET")) {
		response_json(response, 200, generator_list(sandbox->generator));
		return;
	}
	if (request_is(request, "DELETE")) {
		generator_stop(sandbox->generator);
		response->status = 204;
		return;
	}
	json_t *body = body_of(request, response);
	uint64_t id = body ? generator_add(sandbox->generator, body, &err) : 0;

	if (id)
		response_json(response, 200, json_pack("{s:I}", "id", (json_int_t)id));
	else if (body)
		response_refuse(response, 400, "%s", err.text);
	json_decref(body);
}

/* ---- faults ------------------------------------------------------------------------- */

static void add_faults(struct sandbox *sandbox, const struct request *request,
		       struct response *response)
{
	json_t *body = body_of(request, response), *ids = json_array(), *spec;
	json_t *list = json_is_array(body) ? json_incref(body) : json_pack("[O]", body);
	struct err err = { 0 };
	size_t i;

	json_array_foreach(list, i, spec)
	{
		uint64_t id = faults_add(sandbox->faults, spec, &err);

		if (!id)
			break;
		json_array_append_new(ids, json_integer((json_int_t)id));
	}
	if (body && i == json_array_size(list)) {
		response_json(response, 200, json_pack("{s:O}", "ids", ids));
	} else if (body) {
		json_array_foreach(ids, i, spec) /* all or nothing */
		    faults_remove(sandbox->faults, (uint64_t)json_integer_value(spec));
		response_refuse(response, 400, "fault: %s", err.text);
	}
	json_decref(ids);
	json_decref(list);
	json_decref(body);
}

static void serve_faults(struct sandbox *sandbox, const struct request *request,
			 struct response *response)
{
	const char *id = request_segment(request, 2);

	if (request_is(request, "GET")) {
		response_json(response, 200,
			      json_pack("{s:o}", "faults", faults_list(sandbox->faults)));
	} else if (request_is(request, "DELETE") && *id) {
		if (faults_remove(sandbox->faults, strtoull(id, NULL, 10)))
			response->status = 204;
		else
			response_refuse(response, 404, "no such fault");
	} else if (request_is(request, "DELETE")) {
		faults_clear(sandbox->faults);
		response->status = 204;
	} else {
		add_faults(sandbox, request, response);
	}
}

static void serve_mails(struct sandbox *sandbox, const struct request *request,
			struct response *response)
{
	(void)request;
	response_json(response, 200,
		      json_pack("{s:o}", "mails",
				sandbox->mails ? mails_list(sandbox->mails) : json_array()));
}

/* POST clone/<instance>/<name>: a copy with all records, credentials and rules, as clones of
 * instances have them; only its name is another. */
static void serve_clone(struct sandbox *sandbox, const struct request *request,
			struct response *response)
{
	struct account *from =
	    named_account(sandbox, "servicenow", request_segment(request, 2), response);
	struct err err = { 0 };

	if (!from)
		return;
	if (servicenow_clone(sandbox->registry, from, request_segment(request, 3), &err))
		response->status = 204;
	else
		response_refuse(response, 400, "%s", err.text);
}

void control_serve(struct sandbox *sandbox, const struct request *request,
		   struct response *response)
{
	static const struct {
		const char *name;
		void (*serve)(struct sandbox *sandbox, const struct request *request,
			      struct response *response);
	} routes[] = {
		{ "accounts", serve_accounts }, { "ledger", serve_ledger },
		{ "state", serve_state },	{ "revoke", serve_revoke },
		{ "events", serve_events },	{ "replay", serve_replay },
		{ "generate", serve_generate }, { "faults", serve_faults },
		{ "mails", serve_mails },	{ "clone", serve_clone },
	};
	const char *name = request_segment(request, 1);

	if (strcmp(name, "summary") == 0) {
		serve_summary(sandbox, response);
		return;
	}
	if (strcmp(name, "health") == 0) {
		response_json(response, 200, json_pack("{s:s}", "status", "ok"));
		return;
	}
	for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++) {
		if (strcmp(routes[i].name, name) == 0) {
			routes[i].serve(sandbox, request, response);
			return;
		}
	}
	response_refuse(response, 404, "no such route");
}
