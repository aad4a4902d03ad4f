#ifndef MODEL_SECRET_PAIR_H
#define MODEL_SECRET_PAIR_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

struct form;

/* A secret that outsiders prove to us, as a file keeps it: sealed (vault_seal) or hashed
 * (vault_hash) with the callback's key. While it is being replaced two are valid, the newer
 * first. Both are owned; NULL where there is none. */
struct secret_pair {
	char *text[2];
};

enum secret_kept { SECRET_SEALED, SECRET_HASHED };

/* Reads the optional member name, a list of one or two. */
bool secret_pair_read(struct secret_pair *ret_pair, const struct form *form, const char *name,
		      enum secret_kept kept, struct err *err);
/* Adds the member when there is a secret. */
void secret_pair_write(const struct secret_pair *pair, json_t *object, const char *name);
void secret_pair_clear(struct secret_pair *pair);

#endif
