/*
 * defender: stands in for Microsoft Entra ID under /defender/login and for the API of Defender
 * for Endpoint under /defender/api. One account is one tenant with one application in it.
 */
#include "defender.h"

#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "request.h"
#include "response.h"

static void *defender_open(const struct account *account)
{
	struct defender_state *state = xcalloc(1, sizeof(*state));

	state->tenant_id = xstrdup(account->key);
	state->client_id = xstrdup("");
	state->client_secret = xstrdup("");
	state->licensed = true;
	state->page_max = 10000;
	state->roles = json_pack("[s]", "Alert.Read.All");
	state->token_ms = UINT64_C(3599000);
	state->minute = (struct defender_rate){ .limit = 100, .window_ms = 60000 };
	state->hour = (struct defender_rate){ .limit = 1500, .window_ms = 3600000 };
	state->alerts = json_array();
	state->machines = json_array();
	state->actions = json_array();
	state->action_ms = 2000;
	state->by_id = json_object();
	return state;
}

static void defender_close(void *opaque)
{
	struct defender_state *state = opaque;

	tokens_done(&state->tokens);
	json_decref(state->alerts);
	json_decref(state->machines);
	json_decref(state->actions);
	json_decref(state->by_id);
	json_decref(state->roles);
	free(state->tenant_id);
	free(state->client_id);
	free(state->client_secret);
	free(state);
}

static bool set_roles(struct defender_state *state, const json_t *settings, struct err *err)
{
	json_t *roles = json_object_get(settings, "roles");

	if (!roles)
		return true;
	if (!json_is_array(roles))
		return err_set(err, ERR_PERMANENT, "roles: must be a list");
	json_decref(state->roles);
	state->roles = json_incref(roles);
	return true;
}

static bool defender_configure(struct account *account, const json_t *settings, struct err *err)
{
	struct defender_state *state = account->state;
	uint64_t token_s = state->token_ms / 1000;
	bool ok = setting_text(settings, "tenant_id", &state->tenant_id, err) &&
		  setting_text(settings, "client_id", &state->client_id, err) &&
		  setting_text(settings, "client_secret", &state->client_secret, err) &&
		  setting_bool(settings, "secret_expired", &state->secret_expired, err) &&
		  setting_bool(settings, "licensed", &state->licensed, err) &&
		  setting_bool(settings, "next_links", &state->next_links, err) &&
		  setting_number(settings, "page_max", &state->page_max, err) &&
		  setting_number(settings, "token_s", &token_s, err) &&
		  setting_number(settings, "per_minute", &state->minute.limit, err) &&
		  setting_number(settings, "minute_ms", &state->minute.window_ms, err) &&
		  setting_number(settings, "per_hour", &state->hour.limit, err) &&
		  setting_number(settings, "action_ms", &state->action_ms, err) &&
		  setting_number(settings, "fail_actions", &state->fail_actions, err) &&
		  set_roles(state, settings, err) &&
		  defender_configure_machines(state, settings, err);
	size_t i;
	json_t *alert;

	state->token_ms = token_s * 1000;
	json_array_foreach(json_object_get(settings, "alerts"), i, alert)
	{
		ok = ok && defender_put_alert(state, alert, err);
	}
	return ok;
}

static bool is_login(const struct request *request)
{
	return strcmp(request_segment(request, 1), "login") == 0;
}

static const char *defender_recognise(const struct request *request)
{
	const char *token = request_bearer(request);

	if (is_login(request))
		return request_segment(request, 2);
	return token ? token_key(request->arena, token) : NULL;
}

/* ---- Entra ---- */

static void entra_error(struct response *response, unsigned status, const char *error,
			unsigned code, const char *text)
{
	char trace[ID_UUID_SIZE], correlation[ID_UUID_SIZE], now[CLOCK_TEXT_SIZE];
	struct buf said, when;

	id_uuid(trace);
	id_uuid(correlation);
	clock_format_plain(clock_wall_ms(), now);
	buf_init(&when, 64);
	buf_addf(&when, "%sZ", now);
	buf_init(&said, 4096);
	buf_addf(&said, "AADSTS%u: %s\r\nTrace ID: %s\r\nCorrelation ID: %s\r\nTimestamp: %s",
		 code, text, trace, correlation, buf_text(&when));
	response_json(response, status,
		      json_pack("{s:s, s:s, s:[i], s:s, s:s, s:s}", "error", error,
				"error_description", buf_text(&said), "error_codes", (int)code,
				"timestamp", buf_text(&when), "trace_id", trace,
				"correlation_id", correlation));
	buf_done(&said);
	buf_done(&when);
}

static void unknown_tenant(const struct request *request, struct response *response)
{
	entra_error(response, 400, "invalid_request", 90002,
		    arena_printf(request->arena,
				 "Tenant '%.60s' not found. Check to make sure you have the "
				 "correct tenant ID and are signing into the correct cloud.",
				 request_segment(request, 2)));
}

static bool audience_right(const struct request *request, bool v1)
{
	static const char *const resources[] = { "https://api.securitycenter.windows.com",
						 "https://api.securitycenter.microsoft.com" };
	static const char *const scopes[] = {
		"https://api.securitycenter.microsoft.com/.default",
		"https://securitycenter.onmicrosoft.com/windowsatpservice/.default",
	};
	const char *asked = request_form_field(request, v1 ? "resource" : "scope");

	for (size_t i = 0; asked && i < 2; i++) {
		if (strcmp(asked, v1 ? resources[i] : scopes[i]) == 0)
			return true;
	}
	return false;
}

static void give_token(struct defender_state *state, const struct request *request, bool v1,
		       struct response *response)
{
	unsigned life_s = (unsigned)(state->token_ms / 1000);
	char *roles = json_dumps(state->roles, JSON_COMPACT);
	/* Without a role the claim is not there at all. */
	const char *claims = arena_printf(
	    request->arena, ",\"aud\":\"https://api.securitycenter.microsoft.com\"%s%s",
	    json_array_size(state->roles) ? ",\"roles\":" : "",
	    json_array_size(state->roles) ? roles : "");
	const struct token *token = tokens_issue_claims(
	    &state->tokens, state->tenant_id, state->client_id, claims, state->token_ms);

	free(roles);
	if (v1)
		response_json(
		    response, 200,
		    json_pack("{s:s, s:s, s:s, s:s, s:s}", "token_type", "Bearer", "expires_in",
			      arena_printf(request->arena, "%u", life_s), "expires_on",
			      arena_printf(request->arena, "%llu",
					   (unsigned long long)clock_wall_ms() / 1000 + life_s),
			      "resource", "https://api.securitycenter.microsoft.com",
			      "access_token", token->text));
	else
		response_json(response, 200,
			      json_pack("{s:s, s:i, s:i, s:s}", "token_type", "Bearer",
					"expires_in", (int)life_s, "ext_expires_in",
					(int)life_s, "access_token", token->text));
}

static void serve_login(struct defender_state *state, const struct request *request,
			struct response *response)
{
	bool v1 = strcmp(request_segment(request, 4), "token") == 0;
	const char *grant = request_form_field(request, "grant_type");
	const char *client = request_form_field(request, "client_id");
	const char *secret = request_form_field(request, "client_secret");

	if (strcmp(request_segment(request, 3), "oauth2") != 0 ||
	    (!v1 && (strcmp(request_segment(request, 4), "v2.0") != 0 ||
		     strcmp(request_segment(request, 5), "token") != 0)))
		response_refuse(response, 404, "not a path of Entra");
	else if (!request_is(request, "POST") || !grant ||
		 strcmp(grant, "client_credentials") != 0)
		entra_error(response, 400, "unsupported_grant_type", 70003,
			    "The app requested an unsupported grant type.");
	else if (!client || strcmp(client, state->client_id) != 0)
		entra_error(response, 400, "unauthorized_client", 700016,
			    "Application with that identifier was not found in the directory.");
	else if (!secret || strcmp(secret, state->client_secret) != 0)
		entra_error(response, 401, "invalid_client", 7000215,
			    "Invalid client secret provided. Ensure the secret being sent in "
			    "the request is the client secret value, not the client secret "
			    "ID.");
	else if (state->secret_expired)
		entra_error(response, 401, "invalid_client", 7000222,
			    "The provided client secret keys are expired.");
	else if (!audience_right(request, v1))
		entra_error(response, 400, v1 ? "invalid_resource" : "invalid_scope",
			    v1 ? 500011 : 70011,
			    "The provided value for the audience is not valid.");
	else if (!state->licensed)
		entra_error(response, 400, "invalid_resource", 500011,
			    "The resource principal was not found in the tenant.");
	else
		give_token(state, request, v1, response);
}

/* ---- the API ---- */

void defender_error(struct response *response, unsigned status, const char *code,
		    const char *message)
{
	char target[ID_UUID_SIZE];

	id_uuid(target);
	response_json(response, status,
		      json_pack("{s:{s:s, s:s, s:s}}", "error", "code", code, "message",
				message, "target", target));
}

static bool rate_count(struct defender_rate *rate, struct response *response)
{
	uint64_t now_ms = clock_mono_ms();

	if (rate->used == 0 || now_ms >= rate->started_ms + rate->window_ms) {
		rate->started_ms = now_ms;
		rate->used = 0;
	}
	if (++rate->used <= rate->limit)
		return true;
	uint64_t left_ms = rate->started_ms + rate->window_ms - now_ms;

	defender_error(response, 429, "TooManyRequests", "API calls quota exceeded.");
	response_add_header(response, "Retry-After", "%llu",
			    (unsigned long long)((left_ms + 999) / 1000));
	return false;
}

static bool has_role(const struct defender_state *state, const char *name)
{
	size_t i;
	json_t *role;

	json_array_foreach(state->roles, i, role)
	{
		if (json_is_string(role) && strcmp(json_string_value(role), name) == 0)
			return true;
	}
	return false;
}

static bool may(const struct defender_state *state, bool write, struct response *response)
{
	if (has_role(state, "Alert.ReadWrite.All") ||
	    (!write && has_role(state, "Alert.Read.All")))
		return true;
	defender_error(response, 403, "Forbidden",
		       write ? "The application does not have any of the required application "
			       "permissions (Alert.ReadWrite.All) to access the resource."
			     : "The application does not have any of the required application "
			       "permissions (Alert.ReadWrite.All, Alert.Read.All) to access "
			       "the resource.");
	return false;
}

/* Machine.Isolate acts and does not read. */
static bool may_machines(const struct defender_state *state, bool write,
			 struct response *response)
{
	if (write ? has_role(state, "Machine.Isolate")
		  : has_role(state, "Machine.Read.All") ||
			has_role(state, "Machine.ReadWrite.All"))
		return true;
	defender_error(response, 403, "Forbidden",
		       write ? "The application does not have any of the required application "
			       "permissions (Machine.Isolate) to access the resource."
			     : "The application does not have any of the required application "
			       "permissions (Machine.Read.All, Machine.ReadWrite.All) to "
			       "access the resource.");
	return false;
}

static bool is_about_machines(const struct request *request)
{
	const char *what = request_segment(request, 2);

	return strcmp(request_segment(request, 1), "api") == 0 &&
	       (strcmp(what, "machines") == 0 || strcmp(what, "machineactions") == 0);
}

static void serve_api(struct defender_state *state, const struct request *request,
		      struct response *response)
{
	const char *id = request_segment(request, 3);
	bool patch = request_is(request, "PATCH");

	if (!rate_count(&state->minute, response) || !rate_count(&state->hour, response))
		return;
	if (is_about_machines(request)) {
		if (may_machines(state, request_is(request, "POST"), response))
			defender_serve_machines(state, request, response);
		return;
	}
	if (strcmp(request_segment(request, 1), "api") != 0 ||
	    strcmp(request_segment(request, 2), "alerts") != 0 || request->segments > 4)
		defender_error(response, 404, "ResourceNotFound", "No such resource.");
	else if (!may(state, patch, response))
		return;
	else if (!*id && request_is(request, "GET"))
		defender_serve_alerts(state, request, response);
	else if (*id && (patch || request_is(request, "GET")))
		defender_serve_alert(state, request, response);
	else
		defender_error(response, 405, "MethodNotAllowed", "Method not allowed.");
}

static void defender_refuse(enum refusal refusal, const struct request *request,
			    struct response *response)
{
	switch (refusal) {
	case REFUSAL_CREDENTIALS:
		entra_error(response, 401, "invalid_client", 7000215,
			    "Invalid client secret provided.");
		break;
	case REFUSAL_TOKEN:
		defender_error(response, 401, "Unauthorized", "The token is not valid.");
		break;
	case REFUSAL_THROTTLED:
		defender_error(response, 429, "TooManyRequests", "API calls quota exceeded.");
		break;
	case REFUSAL_BROKEN:
		if (is_login(request))
			entra_error(response, 503, "temporarily_unavailable", 50000,
				    "There was an error issuing a token.");
		else
			defender_error(response, 500, "InternalServerError", "");
		break;
	}
}

static void defender_serve(struct account *account, const struct request *request,
			   struct response *response)
{
	struct defender_state *state = account ? account->state : NULL;
	const char *bearer = request_bearer(request);
	const struct token *token;

	if (is_login(request) && state)
		serve_login(state, request, response);
	else if (is_login(request))
		unknown_tenant(request, response);
	else if (!state || !bearer ||
		 tokens_check(&state->tokens, bearer, &token) != TOKEN_GOOD)
		defender_refuse(REFUSAL_TOKEN, request, response);
	else
		serve_api(state, request, response);
}

static void defender_revoke(struct account *account)
{
	tokens_done(&((struct defender_state *)account->state)->tokens);
}

static json_t *defender_dump(struct account *account)
{
	struct defender_state *state = account->state;

	json_t *dump = defender_dump_machines(state);

	json_object_set(dump, "alerts", state->alerts);
	json_object_set(dump, "roles", state->roles);
	return dump;
}

static json_t *defender_summarise(struct account *account)
{
	struct defender_state *state = account->state;

	return json_pack("{s:I, s:I}", "alerts", (json_int_t)json_array_size(state->alerts),
			 "calls_this_hour", (json_int_t)state->hour.used);
}

const struct vendor defender_vendor = {
	.name = "defender",
	.mount = "defender",
	.key = "tenant_id",
	.open = defender_open,
	.close = defender_close,
	.configure = defender_configure,
	.recognise = defender_recognise,
	.serve = defender_serve,
	.refuse = defender_refuse,
	.revoke = defender_revoke,
	.dump = defender_dump,
	.summarise = defender_summarise,
};
