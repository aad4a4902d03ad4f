#ifndef MODEL_VAULT_H
#define MODEL_VAULT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/*
 * Secrets at rest. A sealed secret is text, "v1.<key id>.<nonce>.<ciphertext>" (base64url
 * parts), XChaCha20-Poly1305 with the owner and field as associated data, so that a blob moved
 * to another customer or field does not open. The key file holds one key a line, "<key id>
 * <base64 of 32 bytes>"; the first seals, all open. Thread-safe after vault_open().
 */
struct vault;

struct vault *vault_open(const char *path,
			 struct err *err); /* refuses a file others can read */
void vault_free(struct vault *vault);	   /* wipes the keys */

/* One more key in front of the file at path (made with mode 0600 when missing); the old ones
 * stay so that what they sealed still opens. ret_id holds 16 bytes. */
bool vault_keygen(const char *path, char *ret_id, struct err *err);

/* Caller frees; NULL with err filled. owner is a customer's id or "account:<id>". */
char *vault_seal(const struct vault *vault, const char *owner, const char *field,
		 const char *secret, struct err *err);
/* The result is wiped and freed with vault_wipe(). Error when the key is unknown (names its
 * id), or the text was altered or moved. */
char *vault_unseal(const struct vault *vault, const char *owner, const char *field,
		   const char *sealed, struct err *err);
void vault_wipe(char *secret); /* NULL is fine */

/*
 * What proves a secret that somebody else presents, without keeping it: "h1.<key id>.<keyed
 * BLAKE2b>" (base64url), bound to owner and field like a seal, so that it says nothing to whom
 * has not the key. Caller frees; never NULL.
 */
char *vault_hash(const struct vault *vault, const char *owner, const char *field,
		 const char *secret);
/* Whether hash was made of this secret for this place; takes as long for a wrong secret as for
 * the right one. */
bool vault_hash_matches(const struct vault *vault, const char *owner, const char *field,
			const char *secret, const char *hash);
bool vault_is_hash(const char *text);

bool vault_is_sealed(const char *text);
/* True when sealed was made with the newest key. */
bool vault_is_current(const struct vault *vault, const char *sealed);

#endif
