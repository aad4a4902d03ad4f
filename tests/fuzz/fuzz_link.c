/* A link's token from the internet: what is not signed is never good, and of what is signed
 * only what link_sign() itself would have written is read. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "model/code.h"
#include "model/link.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

enum { PAYLOAD_MAX = 400, BASE64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING };

static const char domain[] = "tocsin link v1";

static struct {
	struct link_keys *signs;
	char id[16];
	unsigned char secret[crypto_sign_SECRETKEYBYTES];
} keys;

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void make_keys(void)
{
	char folder[] = "/tmp/tocsin-fuzz-XXXXXX", private_path[64], public_path[64], line[256];
	struct err err = { 0 };
	size_t size = 0;

	must(mkdtemp(folder) != NULL);
	snprintf(private_path, sizeof(private_path), "%s/key", folder);
	snprintf(public_path, sizeof(public_path), "%s/pub", folder);
	must(link_keygen(private_path, public_path, keys.id, &err));
	keys.signs = link_keys_open_private(private_path, &err);
	must(keys.signs != NULL);

	FILE *file = fopen(private_path, "r");

	must(file && fgets(line, sizeof(line), file));
	fclose(file);
	must(sodium_base642bin(keys.secret, sizeof(keys.secret), strchr(line, ' ') + 1,
			       strcspn(strchr(line, ' ') + 1, "\n"), NULL, &size, NULL,
			       sodium_base64_VARIANT_ORIGINAL) == 0);
	unlink(private_path);
	unlink(public_path);
	rmdir(folder);
}

/* data as a payload with a good signature. */
static const char *signed_token(struct arena *arena, const unsigned char *data, size_t size)
{
	unsigned char blob[PAYLOAD_MAX + crypto_sign_BYTES], message[PAYLOAD_MAX + 64];
	char encoded[sodium_base64_ENCODED_LEN(PAYLOAD_MAX + crypto_sign_BYTES, BASE64)];
	size_t id_size = strlen(keys.id) + 1;

	memcpy(message, domain, sizeof(domain));
	memcpy(message + sizeof(domain), keys.id, id_size);
	memcpy(message + sizeof(domain) + id_size, data, size);
	memcpy(blob, data, size);
	crypto_sign_detached(blob + size, NULL, message, sizeof(domain) + id_size + size,
			     keys.secret);
	sodium_bin2base64(encoded, sizeof(encoded), blob, size + crypto_sign_BYTES, BASE64);
	return arena_printf(arena, "%s.%s", keys.id, encoded);
}

static void try_payload(struct arena *arena, const struct link_check *check,
			const unsigned char *data, size_t size)
{
	const char *token = signed_token(arena, data, size);
	struct link link, again;
	enum link_fault fault = link_verify(keys.signs, check, token, arena, &link);
	struct err err = { 0 };

	must(fault != LINK_FORGED);
	if (fault == LINK_MALFORMED)
		return;
	again = link;

	const char *signed_again = link_sign(keys.signs, &again, arena, &err);

	must(signed_again && strcmp(signed_again, token) == 0);
	must(strcmp(link.id, again.id) == 0);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	const struct link_check check = { "main", LINK_VERDICT, 1000 };
	struct arena *arena = arena_new();
	char *text = xstrndup((const char *)data, size);
	char code[CODE_SIZE], code_again[CODE_SIZE];
	struct link link;

	if (!keys.signs)
		make_keys();
	enum link_fault fault = link_verify(keys.signs, &check, text, arena, &link);
	must(fault == LINK_MALFORMED || fault == LINK_FORGED);
	if (size > 0 && size <= PAYLOAD_MAX)
		try_payload(arena, &check, data, size);
	if (code_normalize(text, code))
		must(code_normalize(code, code_again) && strcmp(code, code_again) == 0);
	free(text);
	arena_free(arena);
	return 0;
}
