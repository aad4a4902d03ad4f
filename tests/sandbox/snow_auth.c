/*
 * snow_auth: who a call is from: Basic, or a bearer token of /oauth_token.do.
 */
#include "snow.h"

#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/clock.h"
#include "request.h"
#include "response.h"

enum { REFRESH_TOKEN_MS = 86400 * 1000 };

void snow_unauthorized(const struct snow *snow, struct response *response)
{
	bool old = snow && snow->old_wording;

	snow_refuse(response, 401, old ? "User Not Authenticated" : "User is not authenticated",
		    "Required to provide Auth information");
	response_add_header(response, "WWW-Authenticate", "BASIC realm=\"Service-now\"");
}

static const struct snow_user *basic_user(const struct snow *snow,
					  const struct request *request)
{
	const char *name, *password;

	if (!request_basic(request, &name, &password))
		return NULL;
	const struct snow_user *user = snow_find_user(snow, name);

	if (!user || strcmp(user->password, password) != 0 || !*password)
		return NULL;
	if (snow->restrict_basic && !snow_has_role(user, "snc_basic_auth_api_access"))
		return NULL;
	return user;
}

/* A token's subject is "user scope". */
static const struct snow_user *token_user(const struct snow *snow,
					  const struct request *request, const char **ret_scope)
{
	const struct token *token;
	const char *text = request_bearer(request);

	if (!text || tokens_check(&snow->tokens, text, &token) != TOKEN_GOOD)
		return NULL;
	size_t size = strcspn(token->subject, " ");

	*ret_scope = token->subject + size + (token->subject[size] == ' ');
	return snow_find_user(snow, arena_strndup(request->arena, token->subject, size));
}

const struct snow_user *snow_authenticate(struct snow *snow, const struct request *request,
					  struct response *response)
{
	const char *scope = "useraccount";
	const struct snow_user *user = request_bearer(request)
					   ? token_user(snow, request, &scope)
					   : basic_user(snow, request);

	if (!user) {
		snow_unauthorized(snow, response);
		return NULL;
	}
	if (strstr(scope, "useraccount") == NULL) {
		snow_refuse(response, 403, "User Not Authorized",
			    "Access to unscoped api is not allowed");
		return NULL;
	}
	return user;
}

void snow_deny(struct response *response)
{
	response_json(response, 401,
		      json_pack("{s:s, s:s}", "error_description", "access_denied", "error",
				"server_error"));
}

/* The token of a subject that is still good; NULL when there is none. */
static const struct token *current(const struct tokens *tokens, const char *subject)
{
	for (const struct token *token = tokens->first; token; token = token->next) {
		if (strcmp(token->subject, subject) == 0 && token->expires_ms > clock_mono_ms())
			return token;
	}
	return NULL;
}

static void grant(struct snow *snow, const char *instance, const char *user, const char *scope,
		  bool refresh, const struct request *request, struct response *response)
{
	const char *subject = arena_printf(request->arena, "%s %s", user, scope);
	const struct token *token = current(&snow->tokens, subject);
	const struct token *again = refresh ? current(&snow->refresh_tokens, subject) : NULL;

	if (!token)
		token = tokens_issue(&snow->tokens, instance, subject, snow->token_ms);
	if (refresh && !again)
		again =
		    tokens_issue(&snow->refresh_tokens, instance, subject, REFRESH_TOKEN_MS);
	json_t *answer = json_pack("{s:s, s:s, s:s, s:I}", "access_token", token->text, "scope",
				   scope, "token_type", "Bearer", "expires_in",
				   (json_int_t)((token->expires_ms - clock_mono_ms()) / 1000));

	if (again)
		json_object_set_new(answer, "refresh_token", json_string(again->text));
	response_json(response, 200, answer);
}

static const struct snow_client *find_client(const struct snow *snow,
					     const struct request *request)
{
	const char *id = request_form_field(request, "client_id");
	const char *secret = request_form_field(request, "client_secret");

	for (size_t i = 0; id && secret && i < snow->clients; i++) {
		if (strcmp(snow->client[i].id, id) == 0 &&
		    strcmp(snow->client[i].secret, secret) == 0)
			return &snow->client[i];
	}
	return NULL;
}

static void grant_password(struct snow *snow, const char *instance,
			   const struct request *request, struct response *response)
{
	const char *name = request_form_field(request, "username");
	const char *password = request_form_field(request, "password");
	const struct snow_user *user = name ? snow_find_user(snow, name) : NULL;

	if (user && password && strcmp(user->password, password) == 0)
		grant(snow, instance, user->name, "useraccount", true, request, response);
	else
		snow_deny(response);
}

static void grant_refresh(struct snow *snow, const char *instance,
			  const struct request *request, struct response *response)
{
	const char *text = request_form_field(request, "refresh_token");
	const struct token *token;

	if (!text || tokens_check(&snow->refresh_tokens, text, &token) != TOKEN_GOOD) {
		snow_deny(response);
		return;
	}
	size_t size = strcspn(token->subject, " ");

	grant(snow, instance, arena_strndup(request->arena, token->subject, size),
	      "useraccount", true, request, response);
}

void snow_serve_token(struct snow *snow, const char *instance, const struct request *request,
		      struct response *response)
{
	const char *type = request->content_type;
	bool form = type && strncasecmp(type, "application/x-www-form-urlencoded", 33) == 0;
	const struct snow_client *client = form ? find_client(snow, request) : NULL;
	const char *grant_type = form ? request_form_field(request, "grant_type") : NULL;

	if (!client || !grant_type || !request_is(request, "POST"))
		snow_deny(response);
	else if (strcmp(grant_type, "password") == 0)
		grant_password(snow, instance, request, response);
	else if (strcmp(grant_type, "refresh_token") == 0)
		grant_refresh(snow, instance, request, response);
	else if (strcmp(grant_type, "client_credentials") == 0 && client->client_credentials &&
		 snow_find_user(snow, client->user))
		grant(snow, instance, client->user, client->scope, false, request, response);
	else
		snow_deny(response);
}
