/* Access tokens, signatures, client secrets: which instance it is. */
#include "access.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "base/arena.h"
#include "base/clock.h"
#include "credentials.h"
#include "model/account_callback.h"
#include "model/vault.h"

enum { TOKEN_MAX = 256, DIGITS_MAX = 15 };

/* The place of access tokens, where no secret of a file can be. */
static const char token_owner[] = "callback";
static const char token_field[] = "access token";

/* ---- access tokens ---- */

const char *access_issue(const struct vault *vault, const char *account, uint64_t now_ms,
			 struct arena *arena)
{
	const char *said = arena_printf(arena, "%s~%" PRIu64, account,
					now_ms + (uint64_t)ACCESS_LIFETIME_S * 1000);
	char *hash = vault_hash(vault, token_owner, token_field, said);
	const char *token = arena_printf(arena, "%s~%s", said, hash);

	free(hash);
	return token;
}

/* Digits only; 0 when there is anything else. */
static uint64_t end_of(const char *text)
{
	size_t size = strspn(text, "0123456789");

	return size > 0 && size <= DIGITS_MAX && text[size] == '\0' ? strtoull(text, NULL, 10)
								    : 0;
}

const char *access_account(const struct vault *vault, const char *token, uint64_t now_ms,
			   struct arena *arena)
{
	if (strnlen(token, TOKEN_MAX + 1) > TOKEN_MAX)
		return NULL;

	char *said = arena_strdup(arena, token);
	char *hash = strrchr(said, '~');

	if (!hash)
		return NULL;
	*hash++ = '\0';
	if (!vault_hash_matches(vault, token_owner, token_field, said, hash))
		return NULL;

	/* From here on it is what we wrote. */
	char *end = strchr(said, '~');

	if (!end)
		return NULL;
	*end++ = '\0';
	return now_ms < end_of(end) ? said : NULL;
}

const struct credentials_instance *access_bearer(const struct app *app,
						 const struct httpd_exchange *exchange,
						 const struct credentials *credentials,
						 struct arena *arena)
{
	const char *token = auth_bearer_token(exchange);
	const char *account =
	    token ? access_account(app->vault, token, clock_wall_ms(), arena) : NULL;
	const struct credentials_instance *instance =
	    account ? credentials_instance(credentials, account) : NULL;

	/* The link may have been cut since. */
	return instance && instance->record->callback.given ? instance : NULL;
}

const struct credentials_instance *access_signed(const struct app *app,
						 const struct httpd_exchange *exchange,
						 const struct credentials *credentials)
{
	const char *account = httpd_query(exchange, "account");
	const struct credentials_instance *instance =
	    account ? credentials_instance(credentials, account) : NULL;
	bool known = instance && instance->record->callback.given;

	return auth_signed(&app->auth, exchange, known ? &instance->hmac : NULL) ? instance
										 : NULL;
}

const struct credentials_instance *access_client(const struct app *app,
						 const struct credentials *credentials,
						 const char *client_id, const char *secret)
{
	const struct credentials_instance *instance =
	    client_id ? credentials_client(credentials, client_id) : NULL;
	const char *owner = instance ? instance->record->owner : "nobody";
	bool right =
	    auth_secret(&app->auth, owner, ACCOUNT_CALLBACK_SECRET, secret ? secret : "",
			instance ? &instance->record->callback.secret : NULL);

	return right ? instance : NULL;
}
