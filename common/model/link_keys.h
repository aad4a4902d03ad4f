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

/* What changes after the file was opened: keys are added, none goes. */
struct link_growth;

struct link_keys {
	char *path;
	bool private;
	struct link_key *keys; /* guarded, room for LINK_KEYS_MAX */
	struct link_growth *growth;
};

/* Key number `index` of those that are known; NULL when there are not so many. */
const struct link_key *link_keys_at(const struct link_keys *keys, size_t index);
/* The first one of the file as it is now. */
const struct link_key *link_keys_newest(const struct link_keys *keys);
/* The file is looked at again for one that is not known; NULL when it is not there either. */
const struct link_key *link_keys_find(const struct link_keys *keys, const char *id);

#endif
