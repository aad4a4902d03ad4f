/*
 * defender_machines: machines of one tenant and what is done to them. A machine action takes
 * its time (Pending, InProgress, then its end), only one of a machine is under way, and whether
 * a machine is isolated is told by its actions alone, as with the real API.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "defender.h"
#include "request.h"
#include "response.h"
#include "token.h"

enum { TOP_DEFAULT = 10000 };

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static void set_text(json_t *object, const char *name, const char *text)
{
	json_object_set_new(object, name, json_string(text));
}

static bool is(const json_t *object, const char *name, const char *text)
{
	return strcmp(text_of(object, name), text) == 0;
}

static json_t *find(const json_t *list, const char *id)
{
	size_t i;
	json_t *row;

	json_array_foreach(list, i, row)
	{
		if (is(row, "id", id))
			return row;
	}
	return NULL;
}

/* ---- actions ---- */

static bool is_over(const json_t *action)
{
	return !is(action, "status", "Pending") && !is(action, "status", "InProgress");
}

static void end_action(json_t *action, const char *status, json_t *machine)
{
	char now[CLOCK_TEXT_SIZE];

	clock_format(clock_wall_ms(), now);
	set_text(action, "status", status);
	set_text(action, "lastUpdateDateTimeUtc", now);
	if (strcmp(status, "Succeeded") != 0)
		json_object_set_new(action, "errorHResult", json_integer(-2147024809));
	else if (machine)
		set_text(machine, "isolation",
			 is(action, "type", "Isolate") ? "isolated" : "not_isolated");
}

/* Every action as far as its time has come. Members with @ are the sandbox's own. */
static void settle(struct defender_state *state)
{
	uint64_t now_ms = clock_mono_ms();
	size_t i;
	json_t *action;

	json_array_foreach(state->actions, i, action)
	{
		uint64_t begun_ms =
		    (uint64_t)json_integer_value(json_object_get(action, "@begun_ms"));
		const char *end = text_of(action, "@end");

		if (is_over(action))
			continue;
		if (now_ms >= begun_ms + state->action_ms)
			end_action(action, *end ? end : "Succeeded",
				   find(state->machines, text_of(action, "machineId")));
		else if (now_ms >= begun_ms + state->action_ms / 3)
			set_text(action, "status", "InProgress");
	}
}

static json_t *running(const struct defender_state *state, const char *machine)
{
	size_t i;
	json_t *action;

	json_array_foreach(state->actions, i, action)
	{
		if (is(action, "machineId", machine) && !is_over(action))
			return action;
	}
	return NULL;
}

/* What the API shows. */
static json_t *action_json(const json_t *action)
{
	json_t *shown = json_copy((json_t *)action);

	json_object_del(shown, "@begun_ms");
	json_object_del(shown, "@end");
	return shown;
}

/* end: "Failed", "TimeOut", or "" for success. */
static json_t *add_action(struct defender_state *state, const char *type, const char *machine,
			  const char *comment, const char *who, const char *end)
{
	const json_t *row = find(state->machines, machine);
	char id[ID_UUID_SIZE], now[CLOCK_TEXT_SIZE];

	id_uuid(id);
	clock_format(clock_wall_ms(), now);
	json_t *action = json_pack(
	    "{s:s, s:s, s:n, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:n, s:s, s:[], s:s, s:I}",
	    "id", id, "type", type, "title", "requestor", who, "requestorComment", comment,
	    "status", "Pending", "machineId", machine, "computerDnsName",
	    text_of(row, "computerDnsName"), "creationDateTimeUtc", now,
	    "lastUpdateDateTimeUtc", now, "errorHResult", 0, "scope", "requestSource",
	    "PublicApi", "commands", "@end", end, "@begun_ms", (json_int_t)clock_mono_ms());

	json_array_insert_new(state->actions, 0, action);
	return action;
}

/* ---- settings ---- */

bool defender_configure_machines(struct defender_state *state, const json_t *settings,
				 struct err *err)
{
	size_t i;
	json_t *row;

	json_array_foreach(json_object_get(settings, "machines"), i, row)
	{
		json_t *known = find(state->machines, text_of(row, "id"));

		if (!*text_of(row, "id"))
			return err_set(err, ERR_PERMANENT, "machines: each needs an id");
		if (known) {
			json_object_update(known, row);
			continue;
		}
		known = json_deep_copy(row);
		if (!json_object_get(known, "isolation"))
			set_text(known, "isolation", "not_isolated");
		json_array_append_new(state->machines, known);
	}
	json_array_foreach(json_object_get(settings, "machine_actions"), i, row)
	{
		add_action(state, text_of(row, "type"), text_of(row, "machineId"),
			   text_of(row, "requestorComment"), text_of(row, "requestor"),
			   text_of(row, "end"));
	}
	json_array_foreach(json_object_get(settings, "forget_machines"), i, row)
	{
		for (size_t k = json_array_size(state->machines); k-- > 0;) {
			if (is(json_array_get(state->machines, k), "id",
			       json_string_value(row)))
				json_array_remove(state->machines, k);
		}
	}
	return true;
}

json_t *defender_dump_machines(struct defender_state *state)
{
	settle(state);
	return json_pack("{s:O, s:O}", "machines", state->machines, "machine_actions",
			 state->actions);
}

/* The newest action of the machine, for what is under way and who asked for it. */
static const json_t *newest_action(const struct defender_state *state, const char *machine)
{
	size_t i;
	json_t *action;

	json_array_foreach(state->actions, i, action)
	{
		if (is(action, "machineId", machine))
			return action;
	}
	return NULL;
}

static const char *shown_state(const json_t *machine, const json_t *action)
{
	if (!action || is_over(action))
		return text_of(machine, "isolation");
	return is(action, "type", "Isolate") ? "pending_start" : "pending_stop";
}

json_t *defender_machines(struct account *account)
{
	struct defender_state *state = account->state;
	json_t *rows = json_array(), *machine;
	size_t i;

	settle(state);
	json_array_foreach(state->machines, i, machine)
	{
		const json_t *action = newest_action(state, text_of(machine, "id"));

		json_array_append_new(rows,
				      json_pack("{s:s, s:s, s:s, s:s, s:s}", "name",
						text_of(machine, "computerDnsName"), "state",
						shown_state(machine, action), "system",
						text_of(machine, "osPlatform"), "by",
						text_of(action, "requestor"), "comment",
						text_of(action, "requestorComment")));
	}
	return rows;
}

/* ---- the API ---- */

static json_t *machine_json(const json_t *machine)
{
	json_t *shown = json_copy((json_t *)machine);

	json_object_del(shown, "isolation"); /* the real one does not say so */
	if (!json_object_get(shown, "osPlatform"))
		set_text(shown, "osPlatform", "Windows11");
	if (!json_object_get(shown, "healthStatus"))
		set_text(shown, "healthStatus", "Active");
	return shown;
}

static void begin_action(struct defender_state *state, const struct request *request,
			 const json_t *machine, const char *type, struct response *response)
{
	json_t *body = request_json(request, NULL);
	const char *comment = json_string_value(json_object_get(body, "Comment"));
	const char *kind = json_string_value(json_object_get(body, "IsolationType"));
	const char *id = text_of(machine, "id"), *end = "";
	bool isolates = strcmp(type, "Isolate") == 0;

	if (!comment || !*comment || (isolates && !kind)) {
		defender_error(response, 400, "MissingRequiredParameter",
			       "Comment and IsolationType are required.");
	} else if (isolates && strcmp(kind, "Full") != 0 && strcmp(kind, "Selective") != 0) {
		defender_error(response, 400, "InvalidRequestBody",
			       "Request body is incorrect.");
	} else if (strstr(text_of(machine, "osPlatform"), "Linux")) {
		defender_error(response, 400, "OsPlatformNotSupported",
			       "The operation is not supported on this platform.");
	} else if (running(state, id)) {
		defender_error(response, 400, "ActiveRequestAlreadyExists",
			       "Action is already in progress");
	} else {
		if (state->fail_actions > 0) {
			state->fail_actions--;
			end = "Failed";
		}
		const json_t *action =
		    add_action(state, type, id, comment, state->client_id, end);

		response->committed = true;
		response->record = arena_strdup(request->arena, id);
		response_json(response, 201, action_json(action));
	}
	json_decref(body);
}

static void serve_machine(struct defender_state *state, const struct request *request,
			  struct response *response)
{
	const char *verb = request_segment(request, 4);
	json_t *machine = find(state->machines, request_segment(request, 3));
	bool post = request_is(request, "POST");

	if (!machine)
		defender_error(response, 404, "ResourceNotFound", "Machine was not found.");
	else if (!*verb && request_is(request, "GET"))
		response_json(response, 200, machine_json(machine));
	else if (post && strcmp(verb, "isolate") == 0)
		begin_action(state, request, machine, "Isolate", response);
	else if (post && strcmp(verb, "unisolate") == 0)
		begin_action(state, request, machine, "Unisolate", response);
	else
		defender_error(response, 404, "ResourceNotFound", "No such resource.");
}

static void serve_machines(const struct defender_state *state, struct response *response)
{
	json_t *rows = json_array();
	size_t i;
	json_t *machine;

	json_array_foreach(state->machines, i, machine)
	    json_array_append_new(rows, machine_json(machine));
	response_json(response, 200, json_pack("{s:o}", "value", rows));
}

/* ---- the list of actions ---- */

/* The value behind `name op '` in the filter; NULL when it is not asked for. */
static const char *filter_value(const struct request *request, const char *name)
{
	const char *filter = request_param(request, "$filter");
	const char *at = filter ? strstr(filter, name) : NULL;

	if (!at)
		return NULL;
	at += strlen(name);
	at += strspn(at, " ");
	at += strcspn(at, " ");
	at += strspn(at, " '");
	return arena_strndup(request->arena, at, strcspn(at, " ')"));
}

static bool wanted(const json_t *action, const char *machine, const char *since,
		   const char *filter)
{
	if (machine && !is(action, "machineId", machine))
		return false;
	if (since && strcmp(text_of(action, "creationDateTimeUtc"), since) < 0)
		return false;
	return !filter || !strstr(filter, "type eq ") ||
	       (strstr(filter, "'Isolate'") && is(action, "type", "Isolate")) ||
	       (strstr(filter, "'Unisolate'") && is(action, "type", "Unisolate"));
}

static void serve_actions(const struct defender_state *state, const struct request *request,
			  struct response *response)
{
	const char *machine = filter_value(request, "machineId");
	const char *since = filter_value(request, "creationDateTimeUtc");
	const char *filter = request_param(request, "$filter");
	const char *top = request_param(request, "$top");
	size_t limit = top ? strtoul(top, NULL, 10) : TOP_DEFAULT, i;
	json_t *rows = json_array(), *action;

	json_array_foreach(state->actions, i, action)
	{
		if (json_array_size(rows) < limit && wanted(action, machine, since, filter))
			json_array_append_new(rows, action_json(action));
	}
	response_json(response, 200, json_pack("{s:o}", "value", rows));
}

void defender_serve_machines(struct defender_state *state, const struct request *request,
			     struct response *response)
{
	bool actions = strcmp(request_segment(request, 2), "machineactions") == 0;
	const char *id = request_segment(request, 3);
	const json_t *action;

	settle(state);
	if (!actions && *id) {
		serve_machine(state, request, response);
	} else if (!request_is(request, "GET")) {
		defender_error(response, 405, "MethodNotAllowed", "Method not allowed.");
	} else if (!actions) {
		serve_machines(state, response);
	} else if (!*id) {
		serve_actions(state, request, response);
	} else {
		action = find(state->actions, id);
		if (action)
			response_json(response, 200, action_json(action));
		else
			defender_error(response, 404, "ResourceNotFound",
				       "Action was not found.");
	}
}
