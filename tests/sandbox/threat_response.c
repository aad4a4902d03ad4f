/*
 * threat_response: stands in for Cisco Threat Response (XDR): IROH's token, inspect and
 * response actions, and CTIA's private intelligence, under /tr/iroh and /tr/ctia. One account
 * is one organisation, known by its API client.
 */
#include "threat_response.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "ctia.h"
#include "inspect.h"
#include "request.h"
#include "response.h"
#include "token.h"

struct organisation {
	char *client_id;
	char *client_password;
	char *scopes; /* separated by spaces */
	uint64_t token_ms;
	struct tokens tokens;
	struct ctia ctia;
	json_t *actions;   /* response actions offered for observables */
	json_t *triggered; /* response actions that were triggered */
	uint64_t rate_limit, rate_window_ms, rate_used, rate_started_ms;
};

static void *organisation_open(const struct account *account)
{
	struct organisation *state = xcalloc(1, sizeof(*state));

	state->client_id = xstrdup(account->key);
	state->client_password = xstrdup("");
	state->scopes = xstrdup("casebook enrich:read inspect:read private-intel response");
	state->token_ms = UINT64_C(600000);
	state->ctia.search_delay_ms = 1000;
	state->ctia.owner = state->client_id;
	state->actions = json_array();
	state->triggered = json_array();
	state->rate_limit = 8000;
	state->rate_window_ms = UINT64_C(3600000);
	return state;
}

static void organisation_close(void *opaque)
{
	struct organisation *state = opaque;

	tokens_done(&state->tokens);
	ctia_done(&state->ctia);
	json_decref(state->actions);
	json_decref(state->triggered);
	free(state->client_id);
	free(state->client_password);
	free(state->scopes);
	free(state);
}

static bool organisation_configure(struct account *account, const json_t *settings,
				   struct err *err)
{
	struct organisation *state = account->state;
	json_t *actions = json_object_get(settings, "actions");
	uint64_t token_s = state->token_ms / 1000;
	bool ok =
	    setting_text(settings, "client_id", &state->client_id, err) &&
	    setting_text(settings, "client_password", &state->client_password, err) &&
	    setting_text(settings, "scopes", &state->scopes, err) &&
	    setting_number(settings, "token_s", &token_s, err) &&
	    setting_number(settings, "search_delay_ms", &state->ctia.search_delay_ms, err) &&
	    setting_number(settings, "rate_limit", &state->rate_limit, err) &&
	    setting_number(settings, "rate_window_ms", &state->rate_window_ms, err);

	state->ctia.owner = state->client_id;
	state->token_ms = token_s * 1000;
	if (json_is_array(actions)) {
		json_decref(state->actions);
		state->actions = json_deep_copy(actions);
	}
	return ok;
}

static const char *organisation_recognise(const struct request *request)
{
	const char *user, *secret, *token = request_bearer(request);

	if (token)
		return token_key(request->arena, token);
	return request_basic(request, &user, &secret) ? user : NULL;
}

static bool is_iroh(const struct request *request)
{
	return strcmp(request_segment(request, 1), "iroh") == 0;
}

static void trace(const struct request *request, char out[ID_UUID_SIZE])
{
	(void)request;
	id_uuid(out);
}

static void organisation_refuse(enum refusal refusal, const struct request *request,
				struct response *response)
{
	char id[ID_UUID_SIZE];

	response_clear(response);
	trace(request, id);
	switch (refusal) {
	case REFUSAL_CREDENTIALS:
		response_json(response, 401,
			      json_pack("{s:s, s:s}", "error", "invalid_client",
					"error_description", "Wrong client credentials"));
		break;
	case REFUSAL_TOKEN:
		response_json(response, 401,
			      json_pack("{s:s, s:s, s:s}", "error", "jwt_expired",
					"error_description", "JWT has expired", "level",
					"info"));
		break;
	case REFUSAL_THROTTLED:
		response_json(response, 429, json_pack("{s:s}", "error", "Too Many Requests"));
		break;
	case REFUSAL_BROKEN:
		if (is_iroh(request))
			response_json(response, 500,
				      json_pack("{s:s, s:s, s:s}", "error", "unknown-exception",
						"error_description", "An error occurred",
						"trace_id", id));
		else
			response_json(response, 500,
				      json_pack("{s:s, s:s}", "type", "unknown-exception",
						"class", "java.lang.RuntimeException"));
		break;
	}
}

static void no_token(const struct request *request, struct response *response)
{
	if (is_iroh(request))
		response_json(response, 401,
			      json_pack("{s:s, s:s}", "error", "invalid_request",
					"error_description",
					"No JWT found in HTTP Authorization header"));
	else
		response_json(response, 401,
			      json_pack("{s:s, s:s}", "error", "not_authenticated", "message",
					"Only authenticated users allowed"));
}

static void serve_token(struct organisation *state, const struct request *request,
			struct response *response)
{
	const char *user, *secret, *grant = request_form_field(request, "grant_type");
	const char *type = request->content_type;

	if (!state || !request_basic(request, &user, &secret) ||
	    strcmp(user, state->client_id) != 0 ||
	    strcmp(secret, state->client_password) != 0) {
		organisation_refuse(REFUSAL_CREDENTIALS, request, response);
		return;
	}
	if (!type || strncmp(type, "application/x-www-form-urlencoded", 33) != 0 || !grant) {
		response_json(response, 400,
			      json_pack("{s:s, s:s}", "error", "invalid_request",
					"error_description", "grant_type is missing"));
		return;
	}
	if (strcmp(grant, "client_credentials") != 0) {
		response_json(response, 400,
			      json_pack("{s:s, s:s}", "error", "unsupported_grant_type",
					"error_description", "use client_credentials"));
		return;
	}
	const struct token *token =
	    tokens_issue(&state->tokens, state->client_id, state->client_id, state->token_ms);

	response_json(response, 200,
		      json_pack("{s:s, s:s, s:I, s:s}", "access_token", token->text,
				"token_type", "bearer", "expires_in",
				(json_int_t)(state->token_ms / 1000), "scope", state->scopes));
}

/* A scope "a" covers "a:read" and "a/b:write"; "a:read" covers itself. */
static bool scope_covers(const char *scopes, const char *wanted)
{
	for (const char *at = scopes; *at;) {
		size_t size = strcspn(at, " ");

		if (size > 0 && strncmp(at, wanted, size) == 0 &&
		    strchr(":/", wanted[size]) != NULL)
			return true;
		at += size;
		at += strspn(at, " ");
	}
	return false;
}

static bool allowed(const struct organisation *state, const struct request *request,
		    const char *scope, struct response *response)
{
	char id[ID_UUID_SIZE];

	if (scope_covers(state->scopes, scope))
		return true;
	trace(request, id);
	if (is_iroh(request))
		response_json(response, 403,
			      json_pack("{s:s, s:s, s:[s], s:[s], s:[s], s:s, s:s, s:s}",
					"error", "missing_scope", "error_description",
					"The scope of the token does not allow this",
					"missing-scopes", scope, "required-scopes", scope,
					"scopes", state->scopes, "user-id", state->client_id,
					"org-id", state->client_id, "trace_id", id));
	else
		response_json(response, 403,
			      json_pack("{s:s, s:s, s:s, s:s}", "message", "Missing capability",
					"error", "missing_capability", "capabilities", scope,
					"owner", state->client_id));
	return false;
}

static void serve_inspect(const struct request *request, struct response *response)
{
	json_t *body = request_json(request, NULL);
	const char *content = json_string_value(json_object_get(body, "content"));

	if (content)
		response_json(response, 200, inspect_text(content));
	else
		response_json(response, 400,
			      json_pack("{s:s}", "content", "missing-required-key"));
	json_decref(body);
}

static void list_actions(const struct organisation *state, const struct request *request,
			 struct response *response)
{
	json_t *body = request_json(request, NULL), *offers = json_array(), *observable,
	       *action;
	size_t i, j;

	json_array_foreach(body, i, observable)
	{
		json_array_foreach(state->actions, j, action)
		{
			json_t *offer = json_deep_copy(action);
			const char *type =
			    json_string_value(json_object_get(observable, "type"));
			const char *value =
			    json_string_value(json_object_get(observable, "value"));
			const char *module =
			    json_string_value(json_object_get(action, "module_instance_id"));
			const char *id = json_string_value(json_object_get(action, "id"));
			const char *url = arena_printf(
			    request->arena,
			    "/respond/trigger/%s/%s?observable_type=%s&observable_value=%s",
			    module ? module : "", id ? id : "", type ? type : "",
			    value ? value : "");

			json_object_set_new(offer, "url", json_string(url));
			json_array_append_new(offers, offer);
		}
	}
	json_decref(body);
	response_json(response, 200, json_pack("{s:o}", "data", offers));
}

static void trigger_action(struct organisation *state, const struct request *request,
			   struct response *response)
{
	const char *type = request_param(request, "observable_type");
	const char *value = request_param(request, "observable_value");

	if (!type || !value) {
		response_json(response, 400,
			      json_pack("{s:s}", "observable_type", "missing-required-key"));
		return;
	}
	json_array_append_new(state->triggered,
			      json_pack("{s:s, s:s, s:s, s:s}", "module_instance_id",
					request_segment(request, 5), "action_id",
					request_segment(request, 6), "observable_type", type,
					"observable_value", value));
	response->committed = true;
	response_json(response, 200, json_pack("{s:{s:s}}", "data", "status", "success"));
}

static bool path_is(const struct request *request, unsigned from, const char *const *parts)
{
	for (; *parts; parts++, from++) {
		if (strcmp(request_segment(request, from), *parts) != 0)
			return false;
	}
	return true;
}

static void serve_iroh(struct organisation *state, const struct request *request,
		       struct response *response)
{
	static const char *const inspect[] = { "iroh-inspect", "inspect", NULL };
	static const char *const observables[] = { "iroh-response", "respond", "observables",
						   NULL };
	static const char *const trigger[] = { "iroh-response", "respond", "trigger", NULL };
	bool post = request_is(request, "POST");

	if (post && path_is(request, 2, inspect)) {
		if (allowed(state, request, "inspect:read", response))
			serve_inspect(request, response);
	} else if (post && path_is(request, 2, observables)) {
		if (allowed(state, request, "response/observables:read", response))
			list_actions(state, request, response);
	} else if (post && path_is(request, 2, trigger)) {
		if (allowed(state, request, "response/trigger:write", response))
			trigger_action(state, request, response);
	} else if (strcmp(request_segment(request, 2), "private-intel") == 0) {
		if (allowed(state, request, "private-intel/incident:write", response))
			ctia_serve(&state->ctia, request, 3, response);
	} else {
		response_json(response, 404, json_pack("{s:s}", "error", "not_found"));
	}
}

static bool count_call(struct organisation *state)
{
	uint64_t now_ms = clock_mono_ms();

	if (state->rate_used == 0 || now_ms >= state->rate_started_ms + state->rate_window_ms) {
		state->rate_started_ms = now_ms;
		state->rate_used = 0;
	}
	return ++state->rate_used <= state->rate_limit;
}

static void serve_call(struct organisation *state, const struct request *request,
		       struct response *response)
{
	const char *area = request_segment(request, 1);

	if (!count_call(state)) {
		uint64_t left_ms =
		    state->rate_started_ms + state->rate_window_ms - clock_mono_ms();

		organisation_refuse(REFUSAL_THROTTLED, request, response);
		response_add_header(response, "Retry-After", "%llu",
				    (unsigned long long)(left_ms / 1000 + 1));
	} else if (strcmp(area, "iroh") == 0) {
		serve_iroh(state, request, response);
	} else if (strcmp(area, "ctia") == 0) {
		if (allowed(state, request, "private-intel/incident:write", response))
			ctia_serve(&state->ctia, request, 2, response);
	} else {
		response->status = 404;
	}
	response_add_header(response, "X-Ratelimit-Org-Limit", "%llu",
			    (unsigned long long)state->rate_limit);
}

static void organisation_serve(struct account *account, const struct request *request,
			       struct response *response)
{
	static const char *const token_path[] = { "iroh", "oauth2", "token", NULL };
	struct organisation *state = account ? account->state : NULL;
	const char *text = request_bearer(request);
	const struct token *token;

	if (path_is(request, 1, token_path)) {
		if (request_is(request, "POST"))
			serve_token(state, request, response);
		else
			response->status = 405;
		return;
	}
	if (!text) {
		no_token(request, response);
		return;
	}
	enum token_state is =
	    state ? tokens_check(&state->tokens, text, &token) : TOKEN_UNKNOWN;

	if (is == TOKEN_GOOD)
		serve_call(state, request, response);
	else if (is == TOKEN_EXPIRED)
		organisation_refuse(REFUSAL_TOKEN, request, response);
	else
		response_json(response, 401,
			      json_pack("{s:s, s:s, s:s}", "error", "jwt_invalid_signature",
					"error_description", "Invalid Signature", "level",
					"warn"));
}

static void organisation_revoke(struct account *account)
{
	struct organisation *state = account->state;

	for (struct token *token = state->tokens.first; token; token = token->next)
		token->expires_ms = 0;
}

static json_t *entities(const struct ctia *ctia, int type)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < ctia->count[type]; i++) {
		const struct ctia_entity *entity = ctia->entity[type][i];
		json_t *row = json_copy(entity->now);

		json_object_set_new(row, "created_ms",
				    json_integer((json_int_t)entity->created_ms));
		if (!entity->deleted)
			json_array_append_new(rows, row);
		else
			json_decref(row);
	}
	return rows;
}

static json_t *organisation_dump(struct account *account)
{
	struct organisation *state = account->state;
	json_t *all = json_pack("{s:O}", "triggered", state->triggered);

	for (int type = 0; type < CTIM_TYPES; type++)
		json_object_set_new(all, ctim_plural((enum ctim_type)type),
				    entities(&state->ctia, type));
	return all;
}

/* External ids that more than one living incident carries: {id: how many}. */
static json_t *duplicates(const struct ctia *ctia)
{
	json_t *counts = json_object(), *twice = json_object();
	const char *key;
	json_t *value;

	for (size_t i = 0; i < ctia->count[CTIM_INCIDENT]; i++) {
		const struct ctia_entity *entity = ctia->entity[CTIM_INCIDENT][i];
		json_t *id;
		size_t at;

		json_array_foreach(json_object_get(entity->now, "external_ids"), at, id)
		{
			const char *text = json_string_value(id);
			json_int_t had = json_integer_value(json_object_get(counts, text));

			if (!entity->deleted)
				json_object_set_new(counts, text, json_integer(had + 1));
		}
	}
	json_object_foreach(counts, key, value)
	{
		if (json_integer_value(value) > 1)
			json_object_set(twice, key, value);
	}
	json_decref(counts);
	return twice;
}

static json_t *organisation_summarise(struct account *account)
{
	struct organisation *state = account->state;
	json_t *row = json_pack("{s:I, s:o}", "calls_this_hour", (json_int_t)state->rate_used,
				"duplicates", duplicates(&state->ctia));

	for (int type = 0; type < CTIM_TYPES; type++)
		json_object_set_new(row, ctim_plural((enum ctim_type)type),
				    json_integer((json_int_t)state->ctia.count[type]));
	return row;
}

struct ctia *threat_response_ctia(struct account *account)
{
	struct organisation *state = account->state;

	return &state->ctia;
}

const struct vendor threat_response_vendor = {
	.name = "threat_response",
	.mount = "tr",
	.key = "client_id",
	.open = organisation_open,
	.close = organisation_close,
	.configure = organisation_configure,
	.recognise = organisation_recognise,
	.serve = organisation_serve,
	.refuse = organisation_refuse,
	.revoke = organisation_revoke,
	.dump = organisation_dump,
	.summarise = organisation_summarise,
};
