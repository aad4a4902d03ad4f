#ifndef CALLBACK_AUTH_H
#define CALLBACK_AUTH_H

#include <stdbool.h>

#include "model/secret_pair.h"
#include "model/signature.h"
#include "net/httpd.h"

struct vault;

/*
 * Is it who it says? Whoever is unknown, and whoever has no such secret, is checked against one
 * that nobody knows: it costs what checking a real one does, and is never right.
 */
struct auth {
	const struct vault *vault;
	struct signature_keys nobody_keys;
	char *nobody_hash;
};

void auth_init(struct auth *ret_auth, const struct vault *vault);
void auth_done(struct auth *auth); /* zeroed is fine */

/* The request carries a Standard Webhooks signature under one of keys (NULL: nobody's). Its id
 * is then httpd_header(exchange, "webhook-id"), 1 to 64 printable characters. */
bool auth_signed(const struct auth *auth, const struct httpd_exchange *exchange,
		 const struct signature_keys *keys);

/* What follows "Bearer " in the header Authorization; NULL when there is none. */
const char *auth_bearer_token(const struct httpd_exchange *exchange);

/* secret is one of those hashed in pair (NULL: nobody's) for owner and field. */
bool auth_secret(const struct auth *auth, const char *owner, const char *field,
		 const char *secret, const struct secret_pair *pair);

#endif
