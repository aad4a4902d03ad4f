/* The ed25519 keys of links, from their files. */
#include "model/link_keys.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "model/link.h"

struct reading {
	struct link_keys *keys;
	const char *path;
};

static bool take_key(const char *id, const unsigned char *bytes, void *opaque, struct err *err)
{
	const struct reading *reading = opaque;
	struct link_keys *keys = reading->keys;
	struct link_key *key = &keys->keys[keys->count];
	unsigned char seed[crypto_sign_SEEDBYTES];

	if (keys->count == LINK_KEYS_MAX)
		return err_set(err, ERR_PERMANENT,
			       "key file %s holds more than %d keys: remove the oldest, at its "
			       "end",
			       reading->path, LINK_KEYS_MAX);
	for (size_t i = 0; i < keys->count; i++) {
		if (strcmp(keys->keys[i].id, id) == 0)
			return err_set(err, ERR_PERMANENT,
				       "key file %s: key id %s was used before", reading->path,
				       id);
	}
	snprintf(key->id, sizeof(key->id), "%s", id);
	keys->count++;
	if (!keys->private) {
		memcpy(key->verifies, bytes, sizeof(key->verifies));
		return true;
	}
	/* The second half of a secret key is the public one: it must be the one of the first.
	 */
	(void)crypto_sign_ed25519_sk_to_seed(seed, bytes);
	(void)crypto_sign_seed_keypair(key->verifies, key->secret, seed);
	sodium_memzero(seed, sizeof(seed));
	if (sodium_memcmp(key->secret, bytes, sizeof(key->secret)) != 0)
		return err_set(err, ERR_PERMANENT, "key file %s: key %s is damaged",
			       reading->path, id);
	return true;
}

static struct link_keys *open_keys(const char *path, enum key_file_kind kind, struct err *err)
{
	bool private = kind == KEY_FILE_SECRET;
	size_t size = 0;

	if (sodium_init() < 0) {
		err_fill(err, ERR_PERMANENT, "no source of random numbers");
		return NULL;
	}

	char *text = key_file_read(path, kind, &size, err);

	if (!text)
		return NULL;

	struct link_keys *keys = sodium_malloc(sizeof(*keys));
	bool parsed = false;

	if (!keys) {
		err_fill(err, ERR_TRANSIENT, "no protected memory for keys");
	} else {
		struct reading reading = { keys, path };

		memset(keys, 0, sizeof(*keys));
		keys->private = private;
		parsed = key_file_parse(path, text,
					private ? crypto_sign_SECRETKEYBYTES
						: crypto_sign_PUBLICKEYBYTES,
					take_key, &reading, err);
	}
	key_file_wipe(text, size);
	if (!parsed) {
		link_keys_free(keys);
		return NULL;
	}
	(void)sodium_mprotect_readonly(keys);
	return keys;
}

struct link_keys *link_keys_open_private(const char *path, struct err *err)
{
	return open_keys(path, KEY_FILE_SECRET, err);
}

struct link_keys *link_keys_open_public(const char *path, struct err *err)
{
	return open_keys(path, KEY_FILE_PUBLIC, err);
}

void link_keys_free(struct link_keys *keys)
{
	sodium_free(keys);
}

/* Never a key before rubbish. */
static bool has_room(const char *path, enum key_file_kind kind, struct err *err)
{
	if (access(path, F_OK) != 0)
		return true;

	struct link_keys *keys = open_keys(path, kind, err);
	bool full = keys && keys->count == LINK_KEYS_MAX;

	if (full)
		err_fill(err, ERR_PERMANENT,
			 "key file %s is full: remove the oldest keys, at its end", path);
	link_keys_free(keys);
	return keys && !full;
}

bool link_keygen(const char *private_path, const char *public_path, char *ret_id,
		 struct err *err)
{
	unsigned char secret[crypto_sign_SECRETKEYBYTES];
	unsigned char verifies[crypto_sign_PUBLICKEYBYTES];

	if (sodium_init() < 0)
		return err_set(err, ERR_PERMANENT, "no source of random numbers");
	if (!has_room(private_path, KEY_FILE_SECRET, err) ||
	    !has_room(public_path, KEY_FILE_PUBLIC, err))
		return false;
	key_file_new_id(ret_id);
	(void)crypto_sign_keypair(verifies, secret);

	bool made = key_file_prepend(public_path, KEY_FILE_PUBLIC, ret_id, verifies,
				     sizeof(verifies), err) &&
		    key_file_prepend(private_path, KEY_FILE_SECRET, ret_id, secret,
				     sizeof(secret), err);

	sodium_memzero(secret, sizeof(secret));
	return made;
}
