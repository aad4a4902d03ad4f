/* The ed25519 keys of links, from their files. */
#include "model/link_keys.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file_stamp.h"
#include "model/link.h"

struct link_growth {
	pthread_mutex_t lock; /* of whoever adds */
	atomic_size_t count;
	atomic_size_t newest;
	struct file_stamp read; /* the file as it was read last */
};

struct reading {
	const struct link_keys *keys;
	bool later; /* what is known already is no mistake */
	bool first; /* the next key is the first one of the file */
};

const struct link_key *link_keys_at(const struct link_keys *keys, size_t index)
{
	return index < atomic_load(&keys->growth->count) ? &keys->keys[index] : NULL;
}

static const struct link_key *known(const struct link_keys *keys, const char *id)
{
	const struct link_key *key;

	for (size_t i = 0; (key = link_keys_at(keys, i)); i++) {
		if (strcmp(key->id, id) == 0)
			return key;
	}
	return NULL;
}

static bool set_key(const struct link_keys *keys, struct link_key *key, const char *id,
		    const unsigned char *bytes, struct err *err)
{
	unsigned char seed[crypto_sign_SEEDBYTES];

	snprintf(key->id, sizeof(key->id), "%s", id);
	if (!keys->private) {
		memcpy(key->verifies, bytes, sizeof(key->verifies));
		return true;
	}
	/* The second half of a secret key is the public one: it must be the one of the first.
	 */
	(void)crypto_sign_ed25519_sk_to_seed(seed, bytes);
	(void)crypto_sign_seed_keypair(key->verifies, key->secret, seed);
	sodium_memzero(seed, sizeof(seed));
	return sodium_memcmp(key->secret, bytes, sizeof(key->secret)) == 0 ||
	       err_set(err, ERR_PERMANENT, "key file %s: key %s is damaged", keys->path, id);
}

static bool take_key(const char *id, const unsigned char *bytes, void *opaque, struct err *err)
{
	struct reading *reading = opaque;
	const struct link_keys *keys = reading->keys;
	size_t count = atomic_load(&keys->growth->count);
	const struct link_key *key = known(keys, id);

	if (key && !reading->later)
		return err_set(err, ERR_PERMANENT, "key file %s: key id %s was used before",
			       keys->path, id);
	if (!key && count == LINK_KEYS_MAX)
		return err_set(err, ERR_PERMANENT,
			       "key file %s holds more than %d keys: remove the oldest, at its "
			       "end",
			       keys->path, LINK_KEYS_MAX);
	if (!key) {
		if (!set_key(keys, &keys->keys[count], id, bytes, err))
			return false;
		atomic_store(&keys->growth->count, count + 1);
	}
	if (reading->first)
		atomic_store(&keys->growth->newest, key ? (size_t)(key - keys->keys) : count);
	reading->first = false;
	return true;
}

/* The memory of keys is read-only but here. */
static bool read_keys(const struct link_keys *keys, bool later, struct err *err)
{
	struct reading reading = { keys, later, true };
	struct file_stamp stamp;
	size_t size = 0;

	(void)file_stamp_take(keys->path, &stamp);
	char *text = key_file_read(
	    keys->path, keys->private ? KEY_FILE_SECRET : KEY_FILE_PUBLIC, &size, err);
	if (!text)
		return false;
	(void)sodium_mprotect_readwrite(keys->keys);
	bool parsed = key_file_parse(keys->path, text,
				     keys->private ? crypto_sign_SECRETKEYBYTES
						   : crypto_sign_PUBLICKEYBYTES,
				     take_key, &reading, err);
	(void)sodium_mprotect_readonly(keys->keys);
	key_file_wipe(text, size);
	keys->growth->read = stamp;
	return parsed;
}

/* Keys that were put into the file after it was read. One that cannot be read changes nothing:
 * what is known stays. */
static void look_again(const struct link_keys *keys)
{
	struct link_growth *growth = keys->growth;
	struct file_stamp now;

	pthread_mutex_lock(&growth->lock);
	if (file_stamp_take(keys->path, &now) && !file_stamp_equal(&now, &growth->read))
		(void)read_keys(keys, true, NULL);
	pthread_mutex_unlock(&growth->lock);
}

const struct link_key *link_keys_newest(const struct link_keys *keys)
{
	look_again(keys);
	return &keys->keys[atomic_load(&keys->growth->newest)];
}

const struct link_key *link_keys_find(const struct link_keys *keys, const char *id)
{
	const struct link_key *key = known(keys, id);

	if (key)
		return key;
	look_again(keys);
	return known(keys, id);
}

static struct link_keys *open_keys(const char *path, enum key_file_kind kind, struct err *err)
{
	if (sodium_init() < 0) {
		err_fill(err, ERR_PERMANENT, "no source of random numbers");
		return NULL;
	}
	struct link_keys *keys = xcalloc(1, sizeof(*keys));

	keys->path = xstrdup(path);
	keys->private = kind == KEY_FILE_SECRET;
	keys->growth = xcalloc(1, sizeof(*keys->growth));
	pthread_mutex_init(&keys->growth->lock, NULL);
	keys->keys = sodium_malloc(LINK_KEYS_MAX * sizeof(struct link_key));
	if (!keys->keys)
		err_fill(err, ERR_TRANSIENT, "no protected memory for keys");
	else
		memset(keys->keys, 0, LINK_KEYS_MAX * sizeof(struct link_key));
	if (keys->keys && read_keys(keys, false, err))
		return keys;
	link_keys_free(keys);
	return NULL;
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
	if (!keys)
		return;
	sodium_free(keys->keys);
	pthread_mutex_destroy(&keys->growth->lock);
	free(keys->growth);
	free(keys->path);
	free(keys);
}

/* Never a key before rubbish. */
static bool has_room(const char *path, enum key_file_kind kind, struct err *err)
{
	if (access(path, F_OK) != 0)
		return true;

	struct link_keys *keys = open_keys(path, kind, err);
	bool full = keys && link_keys_at(keys, LINK_KEYS_MAX - 1);

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
