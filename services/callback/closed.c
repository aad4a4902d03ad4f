/* A ticket was closed, says its instance. */
#include "closed.h"

#include <sodium.h>
#include <string.h>

#include "access.h"
#include "app.h"
#include "base/arena.h"
#include "credentials.h"
#include "hint.h"
#include "model/signature.h"
#include "notice.h"
#include "problem.h"

/* A signed request is refused by its time after 10 min at the most. */
enum { NONCE_TTL_MS = 15 * 60 * 1000, DIGEST_BYTES = 16 };

/* The webhook id is taken together with what was said: the same may be said again by a sender
 * who lost our answer, something else under its id may not. */
static const char *take_nonce(struct commit *commit, const char *account,
			      const char **ret_value)
{
	unsigned char hash[crypto_generichash_BYTES];
	char *value = arena_alloc(commit->arena, 2 * DIGEST_BYTES + 1);
	size_t size;
	const char *body = httpd_body(commit->exchange, &size);

	crypto_generichash(hash, sizeof(hash), (const unsigned char *)body, size, NULL, 0);
	*ret_value = sodium_bin2hex(value, 2 * DIGEST_BYTES + 1, hash, DIGEST_BYTES);
	return arena_printf(commit->arena, "%s:%s", account,
			    httpd_header(commit->exchange, "webhook-id"));
}

static enum httpd_outcome submit(const struct app *app, struct commit *commit,
				 const struct credentials_instance *instance,
				 const struct credentials_customer *customer,
				 const struct hint *hint, const struct hint_key *key,
				 bool is_signed)
{
	const char *account = arena_strdup(commit->arena, instance->record->id);
	const char *value = NULL;
	const char *nonce = is_signed ? take_nonce(commit, account, &value) : NULL;
	const struct closure closure = {
		.op = hint_op(hint),
		.via = key->test ? CLOSURE_TEST : CLOSURE_SERVICENOW,
		.incident = arena_strdup(commit->arena, key->incident),
		.customer = arena_strdup(commit->arena, key->customer),
		.instance = account,
		.instance_name = hint->instance_name,
		.sys_id = hint->sys_id,
		.number = hint->number,
		.key = hint->key,
		.actor = hint->updated_by,
		.note = arena_printf(commit->arena, "state %s%s%s", hint->state,
				     *hint->close_code ? ", " : "", hint->close_code),
	};

	return notice_submit(app, commit, customer ? customer->record->partition : 0, &closure,
			     nonce, value, NONCE_TTL_MS);
}

/* The caller is known; is what it says its own? */
static enum httpd_outcome accept(const struct app *app, struct commit *commit,
				 const struct credentials *credentials,
				 const struct credentials_instance *instance, bool is_signed)
{
	const struct credentials_customer *customer = NULL;
	struct hint_key key;
	struct hint hint;
	struct err err = { 0 };
	size_t size;
	const char *body = httpd_body(commit->exchange, &size);

	if (!hint_parse(&hint, body, size, commit->arena, &err))
		return notice_refuse(commit, PROBLEM_MALFORMED_BODY, err.text);
	if (strcmp(hint.instance_name, instance->record->callback.instance_name) != 0)
		return notice_of_clone(app, commit, instance, hint.instance_name);
	if (!hint_key_parse(&key, hint.key, app->installation))
		return notice_refuse(commit, PROBLEM_FORBIDDEN,
				     "The ticket's correlation_id is not one of this "
				     "installation.");
	if (!key.test) {
		customer = credentials_customer(credentials, key.customer);
		if (!customer || !customer->record->servicenow ||
		    strcmp(customer->record->servicenow, instance->record->id) != 0)
			return notice_refuse(commit, PROBLEM_FORBIDDEN,
					     "The ticket is not of this instance's customers.");
	}
	return submit(app, commit, instance, customer, &hint, &key, is_signed);
}

enum httpd_outcome closed_handle(struct httpd_exchange *exchange, void *state)
{
	const struct app *app = state;
	const struct credentials *credentials = credentials_get(app->credentials);
	struct commit *commit = notice_new(exchange);
	bool is_signed = httpd_header(exchange, "webhook-signature") != NULL;
	const struct credentials_instance *instance =
	    is_signed ? access_signed(app, exchange, credentials)
		      : access_bearer(app, exchange, credentials, commit->arena);
	enum httpd_outcome outcome = instance
					 ? accept(app, commit, credentials, instance, is_signed)
					 : notice_refuse_stranger(commit, credentials);

	credentials_put(app->credentials, credentials);
	return outcome;
}
