#ifndef MODEL_SIGNATURE_H
#define MODEL_SIGNATURE_H

#include <sodium.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Standard Webhooks: HMAC-SHA256 over "<webhook-id>.<webhook-timestamp>.<body>", sent as
 * webhook-signature "v1,<base64> v1,<base64> ...". Secrets are "whsec_<base64 of 24 to 64
 * bytes>". https://github.com/standard-webhooks/standard-webhooks/blob/main/spec
 */
enum { SIGNATURE_ID_MAX = 64, SIGNATURE_TOLERANCE_S = 300, SIGNATURE_LIST_MAX = 8 };

/* Opened secrets, newest first, ready to sign. To be wiped with signature_keys_wipe(). */
struct signature_keys {
	size_t count;
	crypto_auth_hmacsha256_state states[2];
};

/* Adds a secret; false when it is not "whsec_...", or both places are taken. */
bool signature_keys_add(struct signature_keys *keys, const char *secret);
void signature_keys_wipe(struct signature_keys *keys);
/* A key nobody knows: checking against it costs what checking a real one does. */
void signature_keys_dummy(struct signature_keys *ret_keys);
/* A new secret, "whsec_<base64 of 32 bytes>"; ret_secret holds SIGNATURE_SECRET_SIZE bytes. */
enum { SIGNATURE_SECRET_SIZE = 64 };
void signature_new_secret(char *ret_secret);

struct signature_request {
	const char *id, *timestamp, *signatures; /* the three headers; NULL when missing */
	const char *body;
	size_t body_size;
	uint64_t now_ms;
};

/* True when one of the signatures is right under one of the keys, the time is within the
 * tolerance, and the id is 1 to 64 printable ASCII characters without space. Every signature
 * given is compared with every key, in constant time. */
bool signature_valid(const struct signature_request *request,
		     const struct signature_keys *keys);

/* The header webhook-signature of a request of ours, by the newest key. ret_header holds
 * SIGNATURE_SIZE bytes. */
enum { SIGNATURE_SIZE = 64 };
void signature_make(const struct signature_keys *keys, const struct signature_request *request,
		    char *ret_header);

#endif
