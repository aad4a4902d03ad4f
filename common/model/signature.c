/* Standard Webhooks signatures. */
#include "model/signature.h"

#include <stdio.h>
#include <string.h>

#include "model/base64.h"

enum {
	SECRET_MIN_BYTES = 24,
	SECRET_MAX_BYTES = 64,
	SECRET_NEW_BYTES = 32,
	MAC_BYTES = crypto_auth_hmacsha256_BYTES,
	MAC_TEXT_SIZE = (MAC_BYTES + 2) / 3 * 4,
	BASE64 = sodium_base64_VARIANT_ORIGINAL,
};

static const char secret_prefix[] = "whsec_";

/* ---- keys ---- */

bool signature_keys_add(struct signature_keys *keys, const char *secret)
{
	unsigned char bytes[SECRET_MAX_BYTES];
	size_t prefix_size = sizeof secret_prefix - 1, size = 0;

	if (keys->count == 2 || strncmp(secret, secret_prefix, prefix_size) != 0)
		return false;
	secret += prefix_size;
	bool good =
	    base64_decode(secret, strlen(secret), BASE64, NULL, bytes, sizeof bytes, &size) &&
	    size >= SECRET_MIN_BYTES;
	if (good)
		crypto_auth_hmacsha256_init(&keys->states[keys->count++], bytes, size);
	sodium_memzero(bytes, sizeof bytes);
	return good;
}

void signature_keys_wipe(struct signature_keys *keys)
{
	sodium_memzero(keys, sizeof *keys);
}

void signature_keys_dummy(struct signature_keys *ret_keys)
{
	unsigned char bytes[SECRET_NEW_BYTES];

	randombytes_buf(bytes, sizeof bytes);
	crypto_auth_hmacsha256_init(&ret_keys->states[0], bytes, sizeof bytes);
	ret_keys->count = 1;
}

void signature_new_secret(char *ret_secret)
{
	unsigned char bytes[SECRET_NEW_BYTES];

	randombytes_buf(bytes, sizeof bytes);
	memcpy(ret_secret, secret_prefix, sizeof secret_prefix);
	sodium_bin2base64(ret_secret + sizeof secret_prefix - 1,
			  SIGNATURE_SECRET_SIZE - sizeof secret_prefix + 1, bytes, sizeof bytes,
			  BASE64);
	sodium_memzero(bytes, sizeof bytes);
}

/* ---- requests ---- */

static bool id_good(const char *id)
{
	size_t size = 0;

	for (; id[size]; size++) {
		if (size == SIGNATURE_ID_MAX || id[size] <= ' ' || id[size] > '~')
			return false;
	}
	return size > 0;
}

/* Seconds since 1970 in plain digits, near enough to now. */
static bool timestamp_good(const char *text, uint64_t now_ms)
{
	uint64_t seconds = 0, now = now_ms / 1000;
	size_t size = 0;

	for (; text[size]; size++) {
		if (size == 12 || text[size] < '0' || text[size] > '9')
			return false;
		seconds = seconds * 10 + (uint64_t)(text[size] - '0');
	}
	uint64_t apart = seconds > now ? seconds - now : now - seconds;
	return size > 0 && apart <= SIGNATURE_TOLERANCE_S;
}

struct macs {
	size_t count;
	unsigned char bytes[2][MAC_BYTES];
};

static void sign(const struct signature_request *request, const struct signature_keys *keys,
		 const char *id, const char *timestamp, struct macs *ret_macs)
{
	ret_macs->count = keys->count;
	for (size_t i = 0; i < keys->count; i++) {
		crypto_auth_hmacsha256_state state = keys->states[i];
		crypto_auth_hmacsha256_update(&state, (const unsigned char *)id, strlen(id));
		crypto_auth_hmacsha256_update(&state, (const unsigned char *)".", 1);
		crypto_auth_hmacsha256_update(&state, (const unsigned char *)timestamp,
					      strlen(timestamp));
		crypto_auth_hmacsha256_update(&state, (const unsigned char *)".", 1);
		crypto_auth_hmacsha256_update(&state, (const unsigned char *)request->body,
					      request->body_size);
		crypto_auth_hmacsha256_final(&state, ret_macs->bytes[i]);
	}
}

/* "v1,<base64>"; versions we do not know are passed over, as the specification asks. */
static bool one_matches(const char *text, size_t size, const struct macs *macs)
{
	unsigned char given[MAC_BYTES];
	size_t given_size = 0;
	bool matches = false;

	if (size != 3 + MAC_TEXT_SIZE || strncmp(text, "v1,", 3) != 0 ||
	    !base64_decode(text + 3, size - 3, BASE64, NULL, given, sizeof given,
			   &given_size) ||
	    given_size != MAC_BYTES)
		return false;
	for (size_t i = 0; i < macs->count; i++)
		matches |= sodium_memcmp(given, macs->bytes[i], MAC_BYTES) == 0;
	return matches;
}

static bool any_matches(const char *list, const struct macs *macs)
{
	bool matches = false;

	for (size_t i = 0; i < SIGNATURE_LIST_MAX && *list; i++) {
		size_t size = strcspn(list, " ");
		matches |= one_matches(list, size, macs);
		list += size;
		list += *list == ' ';
	}
	return matches;
}

bool signature_valid(const struct signature_request *request, const struct signature_keys *keys)
{
	bool whole =
	    request->id && request->timestamp && request->signatures && id_good(request->id);
	const char *id = whole ? request->id : "-";
	const char *timestamp = whole ? request->timestamp : "0";
	struct macs macs;

	/* What is refused anyway is signed too: refusals shall take one time. */
	sign(request, keys, id, timestamp, &macs);
	bool matches = any_matches(whole ? request->signatures : "", &macs);
	sodium_memzero(&macs, sizeof macs);
	return matches && whole && timestamp_good(timestamp, request->now_ms);
}

void signature_make(const struct signature_keys *keys, const struct signature_request *request,
		    char *ret_header)
{
	struct macs macs;

	sign(request, keys, request->id, request->timestamp, &macs);
	memcpy(ret_header, "v1,", 3);
	sodium_bin2base64(ret_header + 3, SIGNATURE_SIZE - 3, macs.bytes[0],
			  sizeof macs.bytes[0], sodium_base64_VARIANT_ORIGINAL);
	sodium_memzero(&macs, sizeof macs);
}
