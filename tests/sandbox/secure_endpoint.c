/*
 * secure_endpoint: stands in for Cisco Secure Endpoint v1 under /amp/v1: events, computers,
 * groups, isolation. One account is one customer with its own API client and its own limit of
 * calls per hour.
 */
#include "secure_endpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "account.h"
#include "amp_envelope.h"
#include "amp_state.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "request.h"
#include "response.h"
#include "token.h"

static void *amp_open(const struct account *account)
{
	struct amp_state *state = xcalloc(1, sizeof(*state));

	state->client_id = xstrdup(account->key);
	state->api_key = xstrdup("");
	state->groups = json_array();
	state->rate_limit = 3000;
	state->rate_window_ms = UINT64_C(3600000);
	state->start_ms = state->stop_ms = 2000;
	return state;
}

static void amp_close(void *opaque)
{
	struct amp_state *state = opaque;

	for (size_t i = 0; i < state->events; i++) {
		json_decref(state->event[i]->object);
		free(state->event[i]->text);
		free(state->event[i]);
	}
	for (size_t i = 0; i < state->computers; i++)
		amp_computer_free(state->computer[i]);
	index_done(&state->by_guid);
	json_decref(state->groups);
	free(state->computer);
	free(state->event);
	free(state->client_id);
	free(state->api_key);
	free(state);
}

static bool add_groups(struct amp_state *state, const json_t *groups, struct err *err)
{
	size_t i;
	json_t *group;

	json_array_foreach(groups, i, group)
	{
		char guid[ID_UUID_SIZE];

		if (!json_is_string(json_object_get(group, "name")))
			return err_set(err, ERR_PERMANENT, "groups: each needs a name");
		json_t *copy = json_deep_copy(group);

		id_uuid(guid);
		if (!json_object_get(copy, "guid"))
			json_object_set_new(copy, "guid", json_string(guid));
		json_array_append_new(state->groups, copy);
	}
	return true;
}

static bool is_listed(const json_t *list, const char *text)
{
	size_t i;
	json_t *item;

	json_array_foreach(list, i, item)
	{
		if (text && strcmp(json_string_value(item), text) == 0)
			return true;
	}
	return false;
}

/* Computers and groups that are gone. */
static void forget(struct amp_state *state, const json_t *settings)
{
	const json_t *computers = json_object_get(settings, "forget_computers");
	const json_t *groups = json_object_get(settings, "forget_groups");

	for (size_t i = 0; i < state->computers; i++)
		state->computer[i]->gone |= is_listed(computers, state->computer[i]->guid);
	for (size_t i = json_array_size(state->groups); i-- > 0;) {
		const json_t *guid = json_object_get(json_array_get(state->groups, i), "guid");

		if (is_listed(groups, json_string_value(guid)))
			json_array_remove(state->groups, i);
	}
}

static bool amp_configure(struct account *account, const json_t *settings, struct err *err)
{
	struct amp_state *state = account->state;
	json_t *events = json_object_get(settings, "events");
	bool ok = setting_text(settings, "client_id", &state->client_id, err) &&
		  setting_text(settings, "api_key", &state->api_key, err) &&
		  setting_number(settings, "rate_limit", &state->rate_limit, err) &&
		  setting_number(settings, "rate_window_ms", &state->rate_window_ms, err) &&
		  setting_bool(settings, "docs_rate_headers", &state->docs_headers, err) &&
		  setting_bool(settings, "unfiltered", &state->unfiltered, err) &&
		  setting_number(settings, "isolation_start_ms", &state->start_ms, err) &&
		  setting_number(settings, "isolation_stop_ms", &state->stop_ms, err) &&
		  setting_bool(settings, "read_only", &state->read_only, err) &&
		  add_groups(state, json_object_get(settings, "groups"), err);
	forget(state, settings);
	size_t i;
	json_t *row;

	json_array_foreach(json_object_get(settings, "computers"), i, row)
	{
		if (ok && !amp_add_computer(state, row, err))
			ok = false;
	}
	json_array_foreach(events, i, row) ok = ok && amp_add_event(state, row, err);
	return ok;
}

static const char *amp_recognise(const struct request *request)
{
	const char *user, *secret;

	return request_basic(request, &user, &secret) ? user : NULL;
}

static void amp_refuse(enum refusal refusal, const struct request *request,
		       struct response *response)
{
	switch (refusal) {
	case REFUSAL_CREDENTIALS:
	case REFUSAL_TOKEN:
		amp_error(request, response, 401, "Unauthorized",
			  "Unknown API key or Client ID");
		break;
	case REFUSAL_THROTTLED:
		amp_error(request, response, 429, "Too Many Requests", "Rate limit exceeded");
		break;
	case REFUSAL_BROKEN:
		amp_error(request, response, 500, "Internal Server Error",
			  "An unexpected error occurred");
		break;
	}
}

static void rate_headers(const struct amp_state *state, struct response *response)
{
	static const char *const wire[] = { "x-ratelimit-limit", "x-ratelimit-remaining",
					    "x-ratelimit-reset", "x-ratelimit-resetdate" };
	static const char *const docs[] = { "X-Rate-Limit-Limit", "X-Rate-Limit-Remaining",
					    "X-Rate-Limit-Reset", "X-Rate-Limit-ResetDate" };
	const char *const *name = state->docs_headers ? docs : wire;
	uint64_t ends_ms = state->rate_started_ms + state->rate_window_ms;
	uint64_t now_ms = clock_mono_ms();
	uint64_t left_ms = ends_ms > now_ms ? ends_ms - now_ms : 0;
	uint64_t used =
	    state->rate_used < state->rate_limit ? state->rate_used : state->rate_limit;
	char date[CLOCK_TEXT_SIZE];

	clock_format((clock_wall_ms() + left_ms) / 1000 * 1000, date);
	response_add_header(response, name[0], "%llu", (unsigned long long)state->rate_limit);
	response_add_header(response, name[1], "%llu",
			    (unsigned long long)(state->rate_limit - used));
	response_add_header(response, name[2], "%llu",
			    (unsigned long long)((left_ms + 999) / 1000));
	response_add_header(response, name[3], "%.19sZ", date);
}

static bool count_call(struct amp_state *state)
{
	uint64_t now_ms = clock_mono_ms();

	if (state->rate_used == 0 || now_ms >= state->rate_started_ms + state->rate_window_ms) {
		state->rate_started_ms = now_ms;
		state->rate_used = 0;
	}
	state->rate_used++;
	return state->rate_used <= state->rate_limit;
}

static void route(struct amp_state *state, const struct request *request,
		  struct response *response)
{
	const char *what = request_segment(request, 2), *which = request_segment(request, 3);
	bool get = request_is(request, "GET");

	if (strcmp(request_segment(request, 1), "v1") != 0)
		amp_not_found(request, response, "Not found");
	else if (strcmp(what, "computers") == 0 && *which)
		amp_serve_computer(state, request, response);
	else if (!get)
		amp_error(request, response, 405, "Method Not Allowed", "Method not allowed");
	else if (strcmp(what, "events") == 0 && !*which)
		amp_serve_events(state, request, response);
	else if (strcmp(what, "event_types") == 0 && !*which)
		amp_serve_event_types(request, response);
	else if (strcmp(what, "computers") == 0)
		amp_serve_computers(state, request, response);
	else if (strcmp(what, "groups") == 0)
		amp_serve_groups(state, request, response);
	else if (strcmp(what, "version") == 0)
		amp_answer_object(request, response, json_object());
	else
		amp_not_found(request, response, "Not found");
}

static void amp_serve(struct account *account, const struct request *request,
		      struct response *response)
{
	struct amp_state *state = account ? account->state : NULL;
	const char *user, *secret;

	if (!state || !request_basic(request, &user, &secret) ||
	    strcmp(user, state->client_id) != 0 || strcmp(secret, state->api_key) != 0) {
		amp_refuse(REFUSAL_CREDENTIALS, request, response);
		return;
	}
	if (count_call(state))
		route(state, request, response);
	else
		amp_refuse(REFUSAL_THROTTLED, request, response);
	rate_headers(state, response);
	response_add_header(response, "cache-control", "no-cache, no-store");
}

static json_t *amp_dump(struct account *account)
{
	struct amp_state *state = account->state;
	json_t *computers = json_array(), *events = json_array();

	for (size_t i = 0; i < state->computers; i++)
		json_array_append_new(computers,
				      amp_computer_json(state, state->computer[i], ""));
	for (size_t i = state->events; i-- > 0;)
		json_array_append_new(events, json_pack("{s:I, s:O}", "visible_ms",
							(json_int_t)state->event[i]->visible_ms,
							"event", state->event[i]->object));
	return json_pack("{s:o, s:O, s:o}", "computers", computers, "groups", state->groups,
			 "events", events);
}

static json_t *amp_summarise(struct account *account)
{
	struct amp_state *state = account->state;
	int isolated = 0;

	for (size_t i = 0; i < state->computers; i++) {
		amp_computer_settle(state, state->computer[i]);
		isolated += state->computer[i]->isolation == ISOLATED;
	}
	return json_pack("{s:I, s:I, s:i, s:I}", "events", (json_int_t)state->events,
			 "computers", (json_int_t)state->computers, "isolated", isolated,
			 "calls_this_hour", (json_int_t)state->rate_used);
}

static bool amp_add_events(struct account *account, const json_t *events, struct err *err)
{
	bool ok = true;
	size_t i;
	json_t *event;

	json_array_foreach(events, i, event) ok = ok && amp_check_event(event, err);
	json_array_foreach(events, i, event) ok =
	    ok && amp_add_event(account->state, event, err);
	return ok;
}

bool secure_endpoint_add_events(struct account *account, const json_t *events, struct err *err)
{
	pthread_mutex_lock(&account->lock);
	bool ok = amp_add_events(account, events, err);

	pthread_mutex_unlock(&account->lock);
	return ok;
}

static json_t *seen_row(const struct amp_event *event, bool full)
{
	static const char *const keys[] = { "id",	 "event_type", "event_type_id",
					    "timestamp", "date",       "detection_id" };
	json_t *row = full ? json_copy(event->object) : json_object();

	for (size_t i = 0; !full && i < sizeof(keys) / sizeof(*keys); i++) {
		json_t *value = json_object_get(event->object, keys[i]);

		if (value)
			json_object_set(row, keys[i], value);
	}
	json_t *host = json_object_get(json_object_get(event->object, "computer"), "hostname");

	if (host)
		json_object_set(row, "hostname", host);
	json_object_set_new(row, "visible_ms", json_integer((json_int_t)event->visible_ms));
	return row;
}

json_t *secure_endpoint_seen(struct account *account, uint64_t since_ms, bool full)
{
	json_t *rows = json_array();

	pthread_mutex_lock(&account->lock);
	struct amp_state *state = account->state;

	for (size_t i = state->events; i-- > 0;) {
		if (state->event[i]->visible_ms > since_ms)
			json_array_append_new(rows, seen_row(state->event[i], full));
	}
	pthread_mutex_unlock(&account->lock);
	return json_pack("{s:o}", "events", rows);
}

json_t *secure_endpoint_computer(struct account *account, size_t turn)
{
	json_t *computer = NULL;

	pthread_mutex_lock(&account->lock);
	struct amp_state *state = account->state;

	if (state->computers > 0)
		computer = json_deep_copy(state->computer[turn % state->computers]->object);
	pthread_mutex_unlock(&account->lock);
	return computer;
}

bool secure_endpoint_add_computer(struct account *account, const json_t *computer,
				  struct err *err)
{
	pthread_mutex_lock(&account->lock);
	bool ok = amp_add_computer(account->state, computer, err) != NULL;

	pthread_mutex_unlock(&account->lock);
	return ok;
}

json_t *secure_endpoint_machines(struct account *account)
{
	struct amp_state *state = account->state;
	json_t *rows = json_array();

	for (size_t i = 0; i < state->computers; i++) {
		struct amp_computer *computer = state->computer[i];
		json_t *shown;

		if (computer->gone)
			continue;
		shown = amp_computer_json(state, computer, "");
		json_array_append_new(
		    rows,
		    json_pack("{s:O, s:s, s:O*, s:O, s:s*, s:s*}", "name",
			      json_object_get(shown, "hostname"), "state",
			      amp_isolation_name(computer->isolation), "group",
			      json_object_get(
				  json_array_get(json_object_get(shown, "groups"), 0), "name"),
			      "system", json_object_get(shown, "operating_system"), "by",
			      computer->isolated_by, "comment", computer->comment));
		json_decref(shown);
	}
	return rows;
}

const struct vendor secure_endpoint_vendor = {
	.name = "secure_endpoint",
	.mount = "amp",
	.key = "client_id",
	.open = amp_open,
	.close = amp_close,
	.configure = amp_configure,
	.recognise = amp_recognise,
	.serve = amp_serve,
	.refuse = amp_refuse,
	.add_events = amp_add_events,
	.dump = amp_dump,
	.summarise = amp_summarise,
};
