#ifndef MODEL_LINK_KEYS_H
#define MODEL_LINK_KEYS_H

#include <sodium.h>
#include <stdbool.h>

#include "model/key_file.h"

/* What is behind struct link_keys: for link*.c and code.c only. */
enum { LINK_KEYS_MAX = 16 };

struct link_key {
	char id[KEY_FILE_ID_SIZE];
	unsigned char secret[crypto_sign_SECRETKEYBYTES]; /* zero in public ones */
	unsigned char verifies[crypto_sign_PUBLICKEYBYTES];
};

struct link_keys {
	bool private;
	size_t count;
	struct link_key keys[LINK_KEYS_MAX]; /* the first one signs */
};

#endif
