/*
 * amp_computers: computers, the groups they are moved between, and isolation with its rules.
 */
#include "amp_envelope.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "amp_state.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "request.h"
#include "response.h"
#include "token.h"

static bool computer_wanted(const struct amp_computer *computer, const struct request *request)
{
	bool host_asked = false, host = false, group_asked = false, group = false;

	for (unsigned i = 0; i < request->params; i++) {
		const char *value = request->param[i].value;

		if (amp_is_param(request->param[i].name, "hostname")) {
			const char *name =
			    json_string_value(json_object_get(computer->object, "hostname"));

			host_asked = true;
			host = host || (name && strcasestr(name, value));
		} else if (amp_is_param(request->param[i].name, "group_guid")) {
			group_asked = true;
			group = group || amp_same_text(computer->object, "group_guid", value);
		}
	}
	return (!host_asked || host) && (!group_asked || group);
}

void amp_serve_computers(struct amp_state *state, const struct request *request,
			 struct response *response)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < state->computers; i++) {
		if (!state->computer[i]->gone && computer_wanted(state->computer[i], request))
			json_array_append_new(rows, amp_computer_json(state, state->computer[i],
								      request_origin(request)));
	}
	amp_answer_list(request, response, rows);
}

static json_t *find_group(const struct amp_state *state, const char *guid)
{
	size_t i;
	json_t *group;

	json_array_foreach(state->groups, i, group)
	{
		if (amp_same_text(group, "guid", guid))
			return group;
	}
	return NULL;
}

static json_t *group_json(const struct request *request, const json_t *group)
{
	json_t *row = json_copy((json_t *)group);
	const char *guid = json_string_value(json_object_get(group, "guid"));

	json_object_set_new(row, "links",
			    json_pack("{s:s++}", "group", request_origin(request),
				      "/amp/v1/groups/", guid ? guid : ""));
	return row;
}

void amp_serve_groups(struct amp_state *state, const struct request *request,
		      struct response *response)
{
	const char *guid = request_segment(request, 3), *name = request_param(request, "name");
	json_t *rows;
	size_t i;
	json_t *group;

	if (*guid) {
		group = find_group(state, guid);
		if (group)
			amp_answer_object(request, response, group_json(request, group));
		else
			amp_not_found(request, response, "Group not found");
		return;
	}
	rows = json_array();
	json_array_foreach(state->groups, i, group)
	{
		const char *own = json_string_value(json_object_get(group, "name"));

		if (!name || strncasecmp(own, name, strlen(name)) == 0)
			json_array_append_new(rows, group_json(request, group));
	}
	amp_answer_list(request, response, rows);
}

/* PATCH and isolation take JSON or a form, or nothing. */
static const char *body_text(const struct request *request, const char *key)
{
	json_t *body = request_json(request, NULL);
	const char *text = json_string_value(json_object_get(body, key));

	text = text ? arena_strdup(request->arena, text)
		    : (body ? NULL : request_form_field(request, key));
	json_decref(body);
	return text;
}

static void move_computer(struct amp_state *state, struct amp_computer *computer,
			  const struct request *request, struct response *response)
{
	const char *group = body_text(request, "group_guid");

	if (!group || !find_group(state, group)) {
		amp_error(request, response, 400, "Bad Request",
			  "group_guid: not a known group");
		return;
	}
	json_object_set_new(computer->object, "group_guid", json_string(group));
	response->committed = true;
	response->record = computer->guid;
	amp_answer_object(request, response,
			  amp_computer_json(state, computer, request_origin(request)));
}

static void set_text(char **field, const char *text)
{
	free(*field);
	*field = text ? xstrdup(text) : NULL;
}

static void start_isolation(struct amp_state *state, struct amp_computer *computer,
			    const struct request *request, struct response *response)
{
	const char *code = body_text(request, "unlock_code");
	char random[ID_HEX_SIZE];

	if (computer->isolation != NOT_ISOLATED || !computer->available) {
		amp_error(request, response, 409, "Conflict",
			  computer->available ? "Computer is already isolated or in transition"
					      : "Isolation is not available for this computer");
		return;
	}
	id_hex(random);
	random[6] = '\0';
	set_text(&computer->comment, body_text(request, "comment"));
	set_text(&computer->unlock_code, code ? code : random);
	set_text(&computer->isolated_by, state->client_id);
	computer->isolation = PENDING_START;
	computer->due_ms = clock_mono_ms() + state->start_ms;
	response->committed = true;
	response->record = computer->guid;
	amp_answer_object(request, response, amp_isolation_json(computer));
}

static void stop_isolation(struct amp_state *state, struct amp_computer *computer,
			   const struct request *request, struct response *response)
{
	if (computer->isolation != ISOLATED) {
		amp_error(request, response, 409, "Conflict", "Computer is not isolated");
		return;
	}
	set_text(&computer->comment, body_text(request, "comment"));
	set_text(&computer->isolated_by, NULL);
	computer->isolation = PENDING_STOP;
	computer->due_ms = clock_mono_ms() + state->stop_ms;
	response->committed = true;
	response->record = computer->guid;
	amp_answer_object(request, response, amp_isolation_json(computer));
}

static void serve_isolation(struct amp_state *state, struct amp_computer *computer,
			    const struct request *request, struct response *response)
{
	amp_computer_settle(state, computer);
	if (request_is(request, "GET")) {
		amp_answer_object(request, response, amp_isolation_json(computer));
	} else if (request_is(request, "PUT")) {
		start_isolation(state, computer, request, response);
	} else if (request_is(request, "DELETE")) {
		stop_isolation(state, computer, request, response);
	} else if (request_is(request, "OPTIONS")) {
		bool start = computer->available && computer->isolation == NOT_ISOLATED &&
			     !state->read_only;
		bool stop = computer->isolation == ISOLATED;

		response->status = 204;
		response_add_header(response, "allow", "OPTIONS, GET%s%s", start ? ", PUT" : "",
				    stop ? ", DELETE" : "");
	} else {
		amp_error(request, response, 405, "Method Not Allowed", "Method not allowed");
	}
}

void amp_serve_computer(struct amp_state *state, const struct request *request,
			struct response *response)
{
	struct amp_computer *computer = index_get(&state->by_guid, request_segment(request, 3));
	const char *part = request_segment(request, 4);

	if (!computer || computer->gone || (*part && strcmp(part, "isolation") != 0))
		amp_not_found(request, response, "Computer not found");
	else if (state->read_only && !request_is(request, "GET") &&
		 !request_is(request, "OPTIONS"))
		amp_error(request, response, 403, "Forbidden", "Your API client is read only");
	else if (*part)
		serve_isolation(state, computer, request, response);
	else if (request_is(request, "GET"))
		amp_answer_object(request, response,
				  amp_computer_json(state, computer, request_origin(request)));
	else if (request_is(request, "PATCH"))
		move_computer(state, computer, request, response);
	else
		amp_error(request, response, 405, "Method Not Allowed", "Method not allowed");
}
