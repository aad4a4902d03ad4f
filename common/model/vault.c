/* Secrets at rest: XChaCha20-Poly1305 under keys of a file, bound to owner and field. */
#include "model/vault.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file_stamp.h"
#include "model/base64.h"
#include "model/key_file.h"

enum {
	KEY_BYTES = crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
	NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
	TAG_BYTES = crypto_aead_xchacha20poly1305_ietf_ABYTES,
	BASE64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING,
	NONCE_TEXT_SIZE = (NONCE_BYTES * 8 + 5) / 6,
	TAG_TEXT_SIZE = (TAG_BYTES * 8 + 5) / 6,
	KEY_ID_MAX = KEY_FILE_ID_SIZE - 1,
	KEYS_MAX = 64,
	SECRET_MAX = 8 * 1024,
	/* Both parts in base64, version, key id and points. */
	SEALED_MAX = (SECRET_MAX + TAG_BYTES + NONCE_BYTES) * 4 / 3 + KEY_ID_MAX + 16,
};

static const char prefix[] = "v1.", hash_prefix[] = "h1.";

struct key {
	char id[KEY_ID_MAX + 1];
	unsigned char bytes[KEY_BYTES];
};

/* What changes after vault_open(): keys are added, none goes. */
struct growth {
	pthread_mutex_t lock; /* of whoever adds */
	atomic_size_t count;
	struct file_stamp read; /* the file as it was read last */
};

struct vault {
	char *path;
	struct key *keys; /* the first one seals; guarded, room for KEYS_MAX */
	struct growth *growth;
};

static bool ready(struct err *err)
{
	if (sodium_init() < 0)
		return err_set(err, ERR_PERMANENT, "no source of random numbers");
	return true;
}

static const struct key *find_key(const struct vault *vault, const char *id)
{
	size_t count = atomic_load(&vault->growth->count);

	for (size_t i = 0; i < count; i++) {
		if (strcmp(vault->keys[i].id, id) == 0)
			return &vault->keys[i];
	}
	return NULL;
}

/* ---- the key file ---- */

struct reading {
	const struct vault *vault;
	bool later; /* what is known already is no mistake */
};

static bool take_key(const char *id, const unsigned char *bytes, void *opaque, struct err *err)
{
	const struct reading *reading = opaque;
	const struct vault *vault = reading->vault;
	size_t count = atomic_load(&vault->growth->count);
	struct key *key = &vault->keys[count];
	bool known = find_key(vault, id) != NULL;

	if (known && reading->later)
		return true;
	if (known)
		return err_set(err, ERR_PERMANENT, "key file %s: key id %s was used before",
			       vault->path, id);
	if (count == KEYS_MAX)
		return err_set(err, ERR_PERMANENT, "key file %s holds more than %d keys",
			       vault->path, KEYS_MAX);
	snprintf(key->id, sizeof(key->id), "%s", id);
	memcpy(key->bytes, bytes, KEY_BYTES);
	atomic_store(&vault->growth->count, count + 1);
	return true;
}

/* The memory of keys is read-only but here. */
static bool read_keys(const struct vault *vault, bool later, struct err *err)
{
	struct reading reading = { vault, later };
	struct file_stamp stamp;
	size_t size = 0;

	(void)file_stamp_take(vault->path, &stamp);
	char *text = key_file_read(vault->path, KEY_FILE_SECRET, &size, err);
	if (!text)
		return false;
	(void)sodium_mprotect_readwrite(vault->keys);
	bool parsed = key_file_parse(vault->path, text, KEY_BYTES, take_key, &reading, err);
	(void)sodium_mprotect_readonly(vault->keys);
	key_file_wipe(text, size);
	vault->growth->read = stamp;
	return parsed;
}

struct vault *vault_open(const char *path, struct err *err)
{
	if (!ready(err))
		return NULL;
	struct vault *vault = xcalloc(1, sizeof *vault);

	vault->path = xstrdup(path);
	vault->growth = xcalloc(1, sizeof *vault->growth);
	pthread_mutex_init(&vault->growth->lock, NULL);
	/* Guarded, locked in memory where the system allows it, and wiped when freed. */
	vault->keys = sodium_malloc(KEYS_MAX * sizeof(struct key));
	if (!vault->keys)
		err_fill(err, ERR_TRANSIENT, "no protected memory for keys");
	if (vault->keys && read_keys(vault, false, err))
		return vault;
	vault_free(vault);
	return NULL;
}

/* A key that was put into the file after it was read: what it sealed opens without a restart.
 * Looks at the file only when it is another one than the last time. */
static const struct key *find_later_key(const struct vault *vault, const char *id)
{
	struct growth *growth = vault->growth;
	struct file_stamp now;

	pthread_mutex_lock(&growth->lock);
	if (file_stamp_take(vault->path, &now) && !file_stamp_equal(&now, &growth->read))
		(void)read_keys(vault, true, NULL); /* the caller says which key is missing */
	pthread_mutex_unlock(&growth->lock);
	return find_key(vault, id);
}

static const struct key *need_key(const struct vault *vault, const char *id)
{
	const struct key *key = find_key(vault, id);

	return key ? key : find_later_key(vault, id);
}

void vault_free(struct vault *vault)
{
	if (!vault)
		return;
	sodium_free(vault->keys);
	pthread_mutex_destroy(&vault->growth->lock);
	free(vault->growth);
	free(vault->path);
	free(vault);
}

bool vault_keygen(const char *path, char *ret_id, struct err *err)
{
	unsigned char key[KEY_BYTES];

	if (!ready(err))
		return false;
	if (access(path, F_OK) == 0) {
		struct vault *vault =
		    vault_open(path, err); /* never put a key before rubbish */
		if (!vault)
			return false;
		bool full = atomic_load(&vault->growth->count) == KEYS_MAX;
		vault_free(vault);
		if (full)
			return err_set(err, ERR_PERMANENT, "key file %s is full", path);
	}
	key_file_new_id(ret_id);
	randombytes_buf(key, sizeof key);
	bool written = key_file_prepend(path, KEY_FILE_SECRET, ret_id, key, sizeof key, err);
	sodium_memzero(key, sizeof key);
	return written;
}

/* ---- sealing ---- */

/* Version, key, owner and field, each ended by a NUL: two different places never give the same
 * bytes. */
static char *associated(const char *key_id, const char *owner, const char *field,
			size_t *ret_size)
{
	struct buf data;

	buf_init(&data, 1024);
	buf_add(&data, prefix, sizeof prefix);
	buf_add(&data, key_id, strlen(key_id) + 1);
	buf_add(&data, owner, strlen(owner) + 1);
	buf_add(&data, field, strlen(field) + 1);
	if (!buf_ok(&data)) {
		buf_done(&data);
		return NULL;
	}
	return buf_take(&data, ret_size);
}

static char *base64(const unsigned char *data, size_t size)
{
	size_t room = sodium_base64_encoded_len(size, BASE64);

	return sodium_bin2base64(xmalloc(room), room, data, size, BASE64);
}

char *vault_seal(const struct vault *vault, const char *owner, const char *field,
		 const char *secret, struct err *err)
{
	const struct key *key = &vault->keys[0];
	size_t secret_size = strlen(secret), aad_size = 0;
	unsigned char nonce[NONCE_BYTES];
	unsigned long long box_size = 0;

	if (secret_size == 0 || secret_size > SECRET_MAX) {
		err_fill(err, ERR_PERMANENT, "a secret must have 1 to %d bytes", SECRET_MAX);
		return NULL;
	}
	char *aad = associated(key->id, owner, field, &aad_size);
	if (!aad) {
		err_fill(err, ERR_PERMANENT, "owner and field of a secret are too long");
		return NULL;
	}
	unsigned char *box = xmalloc(secret_size + TAG_BYTES);
	randombytes_buf(nonce, sizeof nonce);
	crypto_aead_xchacha20poly1305_ietf_encrypt(
	    box, &box_size, (const unsigned char *)secret, secret_size,
	    (const unsigned char *)aad, aad_size, NULL, nonce, key->bytes);

	struct buf sealed;
	char *nonce_text = base64(nonce, sizeof nonce);
	char *box_text = base64(box, (size_t)box_size);
	buf_init(&sealed, SEALED_MAX);
	buf_addf(&sealed, "%s%s.%s.%s", prefix, key->id, nonce_text, box_text);
	free(box_text);
	free(nonce_text);
	free(box);
	free(aad);
	return buf_take(&sealed, NULL);
}

struct parts {
	char key_id[KEY_ID_MAX + 1];
	const char *nonce, *box; /* base64 */
	size_t nonce_size, box_size;
};

static bool split(struct parts *ret_parts, const char *sealed)
{
	size_t prefix_size = sizeof prefix - 1;

	if (strnlen(sealed, SEALED_MAX + 1) > SEALED_MAX ||
	    strncmp(sealed, prefix, prefix_size) != 0)
		return false;
	const char *id = sealed + prefix_size;
	size_t id_size = strspn(id, key_file_letters);
	if (id_size == 0 || id_size > KEY_ID_MAX || id[id_size] != '.')
		return false;
	ret_parts->nonce = id + id_size + 1;
	ret_parts->nonce_size = strcspn(ret_parts->nonce, ".");
	if (ret_parts->nonce[ret_parts->nonce_size] != '.')
		return false;
	ret_parts->box = ret_parts->nonce + ret_parts->nonce_size + 1;
	ret_parts->box_size = strlen(ret_parts->box);
	memcpy(ret_parts->key_id, id, id_size);
	ret_parts->key_id[id_size] = '\0';
	return ret_parts->nonce_size == NONCE_TEXT_SIZE &&
	       ret_parts->box_size > TAG_TEXT_SIZE && !strchr(ret_parts->box, '.');
}

/* The opened secret, NUL-terminated, or NULL when it is not what was sealed for this place. */
static char *open_box(const struct key *key, const struct parts *parts, const char *owner,
		      const char *field)
{
	unsigned char nonce[NONCE_BYTES];
	size_t nonce_size = 0, box_size = 0, aad_size = 0;
	unsigned long long size = 0;
	unsigned char *box = xmalloc(parts->box_size);
	char *aad = associated(key->id, owner, field, &aad_size);
	char *secret = NULL;
	bool opened = aad &&
		      base64_decode(parts->nonce, parts->nonce_size, BASE64, NULL, nonce,
				    sizeof nonce, &nonce_size) &&
		      nonce_size == sizeof nonce &&
		      base64_decode(parts->box, parts->box_size, BASE64, NULL, box,
				    parts->box_size, &box_size) &&
		      box_size > TAG_BYTES;

	if (opened) {
		secret = xcalloc(1, box_size - TAG_BYTES + 1);
		opened = crypto_aead_xchacha20poly1305_ietf_decrypt(
			     (unsigned char *)secret, &size, NULL, box, box_size,
			     (const unsigned char *)aad, aad_size, nonce, key->bytes) == 0 &&
			 strlen(secret) == size;
	}
	free(aad);
	free(box);
	if (opened)
		return secret;
	if (secret)
		sodium_memzero(secret, box_size - TAG_BYTES);
	free(secret);
	return NULL;
}

char *vault_unseal(const struct vault *vault, const char *owner, const char *field,
		   const char *sealed, struct err *err)
{
	struct parts parts;

	if (!split(&parts, sealed)) {
		err_fill(err, ERR_PERMANENT, "%s of %s is not a sealed secret", field, owner);
		return NULL;
	}
	const struct key *key = need_key(vault, parts.key_id);
	if (!key) {
		err_fill(err, ERR_PERMANENT,
			 "%s of %s was sealed with key %s, which is not in the key file", field,
			 owner, parts.key_id);
		return NULL;
	}
	char *secret = open_box(key, &parts, owner, field);
	if (!secret)
		err_fill(err, ERR_PERMANENT,
			 "%s of %s does not open: it was altered, or sealed for another place",
			 field, owner);
	return secret;
}

void vault_wipe(char *secret)
{
	if (!secret)
		return;
	sodium_memzero(secret, strlen(secret));
	free(secret);
}

bool vault_is_sealed(const char *text)
{
	struct parts parts;

	return split(&parts, text);
}

bool vault_is_current(const struct vault *vault, const char *sealed)
{
	struct parts parts;

	return split(&parts, sealed) && strcmp(parts.key_id, vault->keys[0].id) == 0;
}

/* ---- hashing ---- */

enum {
	HASH_BYTES = 32,
	HASH_TEXT_SIZE = (HASH_BYTES * 8 + 5) / 6,
	HASH_MAX = sizeof hash_prefix + KEY_ID_MAX + 1 + HASH_TEXT_SIZE,
};

/* One key seals and hashes, each in its own way: what hashes is derived from it. */
static void hash_secret(const struct key *key, const char *owner, const char *field,
			const char *secret, unsigned char *ret_hash)
{
	unsigned char derived[crypto_kdf_KEYBYTES];
	crypto_generichash_state state;

	crypto_kdf_derive_from_key(derived, sizeof derived, 1, "tocsinh1", key->bytes);
	crypto_generichash_init(&state, derived, sizeof derived, HASH_BYTES);
	crypto_generichash_update(&state, (const unsigned char *)owner, strlen(owner) + 1);
	crypto_generichash_update(&state, (const unsigned char *)field, strlen(field) + 1);
	crypto_generichash_update(&state, (const unsigned char *)secret, strlen(secret));
	crypto_generichash_final(&state, ret_hash, HASH_BYTES);
	sodium_memzero(derived, sizeof derived);
	sodium_memzero(&state, sizeof state);
}

char *vault_hash(const struct vault *vault, const char *owner, const char *field,
		 const char *secret)
{
	const struct key *key = &vault->keys[0];
	unsigned char hash[HASH_BYTES];
	struct buf text;

	hash_secret(key, owner, field, secret, hash);
	char *encoded = base64(hash, sizeof hash);
	buf_init(&text, HASH_MAX);
	buf_addf(&text, "%s%s.%s", hash_prefix, key->id, encoded);
	free(encoded);
	return buf_take(&text, NULL);
}

static bool split_hash(const char *text, char *ret_key_id, unsigned char *ret_hash)
{
	size_t prefix_size = sizeof hash_prefix - 1, size = 0;

	if (strncmp(text, hash_prefix, prefix_size) != 0)
		return false;
	const char *id = text + prefix_size;
	size_t id_size = strspn(id, key_file_letters);
	if (id_size == 0 || id_size > KEY_ID_MAX || id[id_size] != '.')
		return false;
	memcpy(ret_key_id, id, id_size);
	ret_key_id[id_size] = '\0';
	const char *encoded = id + id_size + 1;
	return strnlen(encoded, HASH_TEXT_SIZE + 1) == HASH_TEXT_SIZE &&
	       base64_decode(encoded, HASH_TEXT_SIZE, BASE64, NULL, ret_hash, HASH_BYTES,
			     &size) &&
	       size == HASH_BYTES;
}

bool vault_is_hash(const char *text)
{
	unsigned char hash[HASH_BYTES];
	char key_id[KEY_ID_MAX + 1];

	return split_hash(text, key_id, hash);
}

bool vault_hash_matches(const struct vault *vault, const char *owner, const char *field,
			const char *secret, const char *hash)
{
	unsigned char want[HASH_BYTES], got[HASH_BYTES];
	char key_id[KEY_ID_MAX + 1];

	const struct key *key = split_hash(hash, key_id, want) ? need_key(vault, key_id) : NULL;
	if (!key)
		return false;
	hash_secret(key, owner, field, secret, got);
	return sodium_memcmp(want, got, sizeof want) == 0;
}
