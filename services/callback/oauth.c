/* POST /oauth/token: RFC 6749 client credentials, one client for each ServiceNow instance. */
#include "oauth.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "access.h"
#include "app.h"
#include "base/arena.h"
#include "base/clock.h"
#include "credentials.h"
#include "model/base64.h"
#include "problem.h"
#include "throttle.h"
#include "urlform.h"

enum { BASIC_MAX = 1024, ANSWER_MAX = 512, RETRY_MS = 5000 };

/* A token is good for a quarter of an hour: nobody needs many. Failures count by address, so
 * that nobody can shut out a client by failing in its name. */
static const struct throttle_rule failures = { "oauth failures", 20, 3000 };
static const struct throttle_rule grants = { "oauth grants", 60, 1000 };

/* RFC 6749, 5.2. */
struct oauth_error {
	int status;
	const char *error;
	const char *description;
};

static const struct oauth_error malformed = { 400, "invalid_request",
					      "The body is not a form as RFC 6749 asks." };
static const struct oauth_error unsupported = { 400, "unsupported_grant_type",
						"Only client_credentials is supported." };
static const struct oauth_error unknown = { 401, "invalid_client",
					    "The client or its secret is not known." };
static const struct oauth_error hasty = { 429, "temporarily_unavailable",
					  "Too many attempts. See Retry-After." };

static const struct oauth_error starting = { 503, "temporarily_unavailable",
					     "Nobody is known yet. See Retry-After." };

static enum httpd_outcome refuse(struct httpd_exchange *exchange, const struct oauth_error *why)
{
	char body[ANSWER_MAX];
	int size =
	    snprintf(body, sizeof(body), "{\"error\":\"%s\",\"error_description\":\"%s\"}\n",
		     why->error, why->description);

	if (why->status == 401)
		httpd_answer_header(exchange, "WWW-Authenticate", "Basic realm=\"tocsin\"");
	httpd_answer_header(exchange, "Pragma", "no-cache");
	httpd_answer(exchange, why->status, "application/json", body, (size_t)size);
	metric_add(&problem_refusals, 1, why->error);
	return HTTPD_DONE;
}

struct client {
	const char *id, *secret;
};

/* Both are form-encoded before they become Basic credentials (RFC 6749, 2.3.1); who does not do
 * so may still use what needs no encoding. */
static bool read_basic(const char *text, struct arena *arena, struct client *ret_client)
{
	size_t size = 0, room = strnlen(text, BASIC_MAX + 1);
	char *pair = arena_alloc(arena, room + 1);

	if (room > BASIC_MAX ||
	    !base64_decode(text, room, sodium_base64_VARIANT_ORIGINAL, NULL, pair, room,
			   &size) ||
	    memchr(pair, '\0', size))
		return false;

	char *colon = strchr(pair, ':');

	if (!colon)
		return false;
	ret_client->id = urlform_decode(pair, (size_t)(colon - pair), false, arena);
	ret_client->secret = urlform_decode(colon + 1, strlen(colon + 1), false, arena);
	return ret_client->id && ret_client->secret;
}

/* From the header or from the body, never both (RFC 6749, 2.3). */
static bool read_client(const struct httpd_exchange *exchange, const struct urlform *form,
			struct arena *arena, struct client *ret_client)
{
	static const char scheme[] = "Basic ";
	const char *header = httpd_header(exchange, "Authorization");

	ret_client->id = urlform_value(form, "client_id");
	ret_client->secret = urlform_value(form, "client_secret");
	if (!header)
		return true;
	if (ret_client->secret || strncasecmp(header, scheme, sizeof(scheme) - 1) != 0)
		return false;

	const char *said = ret_client->id;

	return read_basic(header + sizeof(scheme) - 1, arena, ret_client) &&
	       (!said || strcmp(said, ret_client->id) == 0);
}

static enum httpd_outcome refuse_later(struct httpd_exchange *exchange,
				       const struct oauth_error *why, uint64_t wait_ms)
{
	problem_retry_after(exchange, wait_ms);
	return refuse(exchange, why);
}

static enum httpd_outcome grant(const struct app *app, struct httpd_exchange *exchange,
				const struct credentials_instance *instance,
				struct arena *arena)
{
	uint64_t wait_ms;

	if (!throttle_take(app->throttle, &grants, instance->record->id, &wait_ms))
		return refuse_later(exchange, &hasty, wait_ms);

	const char *token =
	    access_issue(app->vault, instance->record->id, clock_wall_ms(), arena);
	const char *body = arena_printf(
	    arena, "{\"access_token\":\"%s\",\"token_type\":\"Bearer\",\"expires_in\":%d}\n",
	    token, ACCESS_LIFETIME_S);

	httpd_answer_header(exchange, "Pragma", "no-cache");
	httpd_answer(exchange, 200, "application/json", body, strlen(body));
	return HTTPD_DONE;
}

static enum httpd_outcome answer(const struct app *app, struct httpd_exchange *exchange,
				 const struct credentials *credentials, struct arena *arena)
{
	static const char type[] = "application/x-www-form-urlencoded";
	const char *said = httpd_header(exchange, "Content-Type");
	struct client client = { 0 };
	struct urlform form;
	uint64_t wait_ms;
	size_t size;
	const char *body = httpd_body(exchange, &size);

	if (!said || strncasecmp(said, type, sizeof(type) - 1) != 0 ||
	    !urlform_parse(&form, body, size, arena) ||
	    !read_client(exchange, &form, arena, &client))
		return refuse(exchange, &malformed);

	const char *grant_type = urlform_value(&form, "grant_type");

	if (!grant_type)
		return refuse(exchange, &malformed);
	if (strcmp(grant_type, "client_credentials") != 0)
		return refuse(exchange, &unsupported);

	const struct credentials_instance *instance =
	    access_client(app, credentials, client.id, client.secret);

	if (!credentials)
		return refuse_later(exchange, &starting, RETRY_MS);
	if (!instance) {
		(void)throttle_take(app->throttle, &failures, httpd_peer(exchange), &wait_ms);
		return refuse(exchange, &unknown);
	}
	return grant(app, exchange, instance, arena);
}

enum httpd_outcome oauth_token(struct httpd_exchange *exchange, void *state)
{
	const struct app *app = state;
	uint64_t wait_ms = 0;

	if (!throttle_allows(app->throttle, &failures, httpd_peer(exchange), &wait_ms))
		return refuse_later(exchange, &hasty, wait_ms);

	const struct credentials *credentials = credentials_get(app->credentials);
	struct arena *arena = arena_new();
	enum httpd_outcome outcome = answer(app, exchange, credentials, arena);

	arena_free(arena);
	credentials_put(app->credentials, credentials);
	return outcome;
}
