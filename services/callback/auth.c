/* Signatures and secrets of requests. */
#include "auth.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "model/vault.h"

enum { SECRET_MAX = 1024 };

void auth_init(struct auth *ret_auth, const struct vault *vault)
{
	char secret[SIGNATURE_SECRET_SIZE];

	ret_auth->vault = vault;
	signature_keys_dummy(&ret_auth->nobody_keys);
	signature_new_secret(secret);
	ret_auth->nobody_hash = vault_hash(vault, "nobody", "nothing", secret);
	sodium_memzero(secret, sizeof secret);
}

void auth_done(struct auth *auth)
{
	signature_keys_wipe(&auth->nobody_keys);
	free(auth->nobody_hash);
}

bool auth_signed(const struct auth *auth, const struct httpd_exchange *exchange,
		 const struct signature_keys *keys)
{
	struct signature_request request = {
		.id = httpd_header(exchange, "webhook-id"),
		.timestamp = httpd_header(exchange, "webhook-timestamp"),
		.signatures = httpd_header(exchange, "webhook-signature"),
		.now_ms = clock_wall_ms(),
	};
	bool known = keys && keys->count > 0;

	request.body = httpd_body(exchange, &request.body_size);
	return signature_valid(&request, known ? keys : &auth->nobody_keys) && known;
}

const char *auth_bearer_token(const struct httpd_exchange *exchange)
{
	static const char scheme[] = "Bearer ";
	const char *header = httpd_header(exchange, "Authorization");

	if (!header || strncasecmp(header, scheme, sizeof scheme - 1) != 0)
		return NULL;
	header += sizeof scheme - 1;
	return header + strspn(header, " ");
}

bool auth_secret(const struct auth *auth, const char *owner, const char *field,
		 const char *secret, const struct secret_pair *pair)
{
	bool matches = false;

	if (strnlen(secret, SECRET_MAX + 1) > SECRET_MAX)
		return false;
	/* Two hashes always, whoever has how many. */
	for (unsigned i = 0; i < 2; i++) {
		const char *hash = pair ? pair->text[i] : NULL;
		bool equal = vault_hash_matches(auth->vault, owner, field, secret,
						hash ? hash : auth->nobody_hash);
		matches |= equal && hash;
	}
	return matches;
}
