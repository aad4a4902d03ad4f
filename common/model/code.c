/* Codes of tickets: HMAC-SHA-256 under a key derived from the private link key. */
#include "model/code.h"

#include <sodium.h>
#include <stdint.h>
#include <string.h>

#include "model/link_keys.h"

enum { LETTERS = 31, SECRET_LETTERS = CODE_SIZE - 2, SHOWN_HALF = 4 };

/* 31 is a prime: one wrong letter, or two neighbours exchanged, always changes the check. */
static const char letters[LETTERS + 1] = "23456789ABCDEFGHJKMNPQRSTUVWXYZ";

static const char domain[] = "tocsin code v1";

static int value_of(char c)
{
	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');

	const char *at = c ? strchr(letters, c) : NULL;

	return at ? (int)(at - letters) : -1;
}

/* Weights 2 to 8, so that no letter and no exchange of neighbours goes unseen. */
static char check_of(const char *code)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < SECRET_LETTERS; i++)
		sum += (i + 2) * (unsigned)value_of(code[i]);
	return letters[(LETTERS - sum % LETTERS) % LETTERS];
}

static void code_of(const struct link_key *key, const char *installation, const char *incident,
		    enum code_purpose purpose, char *ret_code)
{
	const char *const parts[] = { installation, incident,
				      purpose == CODE_APPROVE ? "approve" : "release" };
	unsigned char seed[crypto_sign_SEEDBYTES], secret[crypto_auth_hmacsha256_BYTES],
	    mac[crypto_auth_hmacsha256_BYTES];
	crypto_auth_hmacsha256_state state;
	uint64_t number = 0;

	(void)crypto_sign_ed25519_sk_to_seed(seed, key->secret);
	(void)crypto_auth_hmacsha256_init(&state, seed, sizeof(seed));
	(void)crypto_auth_hmacsha256_update(&state, (const unsigned char *)domain,
					    sizeof(domain));
	(void)crypto_auth_hmacsha256_final(&state, secret);
	(void)crypto_auth_hmacsha256_init(&state, secret, sizeof(secret));
	/* Each with its NUL: no two triples are the same bytes. */
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		(void)crypto_auth_hmacsha256_update(&state, (const unsigned char *)parts[i],
						    strlen(parts[i]) + 1);
	(void)crypto_auth_hmacsha256_final(&state, mac);
	for (size_t i = 0; i < sizeof(number); i++)
		number = number << 8 | mac[i];
	for (unsigned i = 0; i < SECRET_LETTERS; i++, number /= LETTERS)
		ret_code[i] = letters[number % LETTERS];
	ret_code[SECRET_LETTERS] = check_of(ret_code);
	ret_code[SECRET_LETTERS + 1] = '\0';
	sodium_memzero(seed, sizeof(seed));
	sodium_memzero(secret, sizeof(secret));
	sodium_memzero(&state, sizeof(state));
}

void code_make(const struct link_keys *keys, const char *installation, const char *incident,
	       enum code_purpose purpose, char *ret_shown)
{
	char code[CODE_SIZE];

	code_of(link_keys_newest(keys), installation, incident, purpose, code);
	memcpy(ret_shown, code, SHOWN_HALF);
	ret_shown[SHOWN_HALF] = '-';
	memcpy(ret_shown + SHOWN_HALF + 1, code + SHOWN_HALF, sizeof(code) - SHOWN_HALF);
}

bool code_normalize(const char *typed, char *ret_code)
{
	unsigned size = 0;

	for (; *typed; typed++) {
		int value = value_of(*typed);

		if (*typed == ' ' || *typed == '-' || *typed == '\t')
			continue;
		if (value < 0 || size == CODE_SIZE - 1)
			return false;
		ret_code[size++] = letters[value];
	}
	ret_code[size] = '\0';
	return size == CODE_SIZE - 1 && ret_code[SECRET_LETTERS] == check_of(ret_code);
}

bool code_verify(const struct link_keys *keys, const char *installation, const char *incident,
		 enum code_purpose purpose, const char *typed)
{
	char given[CODE_SIZE], code[CODE_SIZE];
	const struct link_key *key;
	bool right = false;

	if (!keys->private || !code_normalize(typed, given))
		return false;
	(void)link_keys_newest(keys); /* another process may have made it with that */
	for (size_t i = 0; (key = link_keys_at(keys, i)); i++) {
		code_of(key, installation, incident, purpose, code);
		right |= sodium_memcmp(code, given, sizeof(code)) == 0;
	}
	return right;
}
