/* Secrets at rest: XChaCha20-Poly1305 under keys of a file, bound to owner and field. */
#include "model/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"

enum {
	KEY_BYTES = crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
	NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
	TAG_BYTES = crypto_aead_xchacha20poly1305_ietf_ABYTES,
	BASE64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING,
	NONCE_TEXT_SIZE = (NONCE_BYTES * 8 + 5) / 6,
	TAG_TEXT_SIZE = (TAG_BYTES * 8 + 5) / 6,
	KEY_ID_MAX = 15,
	KEYS_MAX = 64,
	FILE_MAX = 16 * 1024,
	SECRET_MAX = 8 * 1024,
	/* Both parts in base64, version, key id and points. */
	SEALED_MAX = (SECRET_MAX + TAG_BYTES + NONCE_BYTES) * 4 / 3 + KEY_ID_MAX + 16,
};

static const char prefix[] = "v1.";
static const char id_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

struct key {
	char id[KEY_ID_MAX + 1];
	unsigned char bytes[KEY_BYTES];
};

struct vault {
	size_t count;
	struct key keys[]; /* the first one seals */
};

static bool ready(struct err *err)
{
	if (sodium_init() < 0)
		return err_set(err, ERR_PERMANENT, "no source of random numbers");
	return true;
}

/* ---- the key file ---- */

/* What the file holds, with its size; caller wipes and frees. */
static char *read_keys(int fd, const char *path, size_t *ret_size, struct err *err)
{
	char *text = xmalloc(FILE_MAX + 1);
	size_t size = 0;
	ssize_t got = 1;

	while (size < FILE_MAX && got != 0) {
		got = read(fd, text + size, FILE_MAX - size);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			break;
		size += (size_t)got;
	}
	if (got == 0) {
		text[size] = '\0';
		*ret_size = size;
		return text;
	}
	err_fill(err, ERR_PERMANENT, "key file %s: %s", path,
		 got < 0 ? strerror(errno) : "is too large");
	sodium_memzero(text, size);
	free(text);
	return NULL;
}

static char *open_keys(const char *path, size_t *ret_size, struct err *err)
{
	struct stat status;
	char *text = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0) {
		err_fill(err, ERR_PERMANENT, "key file %s: %s%s", path, strerror(errno),
			 errno == ENOENT ? " (`tocsin keygen` makes one)" : "");
		return NULL;
	}
	/* A group may read it: that is how Kubernetes hands a file to a user that is not root.
	 */
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		err_fill(err, ERR_PERMANENT, "key file %s is not a file", path);
	else if (status.st_mode & (S_IRWXO | S_IWGRP))
		err_fill(err, ERR_PERMANENT,
			 "key file %s can be read or written by others: chmod 600 it", path);
	else
		text = read_keys(fd, path, ret_size, err);
	close(fd);
	return text;
}

/* One line, "<key id> <base64 of 32 bytes>", as decimal base64 with or without padding. */
static bool parse_key(struct key *ret_key, const char *line, size_t size)
{
	size_t id_size = strspn(line, id_letters);
	size_t got = 0;

	if (id_size == 0 || id_size > KEY_ID_MAX || id_size >= size || line[id_size] != ' ')
		return false;
	const char *encoded = line + id_size + 1;
	size_t encoded_size = size - id_size - 1;
	while (encoded_size > 0 && encoded[encoded_size - 1] == '=')
		encoded_size--;
	memcpy(ret_key->id, line, id_size);
	ret_key->id[id_size] = '\0';
	return sodium_base642bin(ret_key->bytes, KEY_BYTES, encoded, encoded_size, NULL, &got,
				 NULL, sodium_base64_VARIANT_ORIGINAL_NO_PADDING) == 0 &&
	       got == KEY_BYTES;
}

static bool known_before(const struct vault *vault, const char *id)
{
	for (size_t i = 0; i < vault->count; i++) {
		if (strcmp(vault->keys[i].id, id) == 0)
			return true;
	}
	return false;
}

static bool parse_keys(struct vault *vault, const char *path, const char *text, struct err *err)
{
	unsigned number = 0;

	while (*text) {
		size_t size = strcspn(text, "\r\n");
		struct key *key = &vault->keys[vault->count];
		number++;
		if (size > 0 && text[0] != '#') {
			if (vault->count == KEYS_MAX)
				return err_set(err, ERR_PERMANENT,
					       "key file %s holds more than %d keys", path,
					       KEYS_MAX);
			if (!parse_key(key, text, size))
				return err_set(
				    err, ERR_PERMANENT,
				    "key file %s line %u is not \"<key id> <base64 of "
				    "32 bytes>\"",
				    path, number);
			if (known_before(vault, key->id))
				return err_set(err, ERR_PERMANENT,
					       "key file %s line %u: key id %s was used before",
					       path, number, key->id);
			vault->count++;
		}
		text += size;
		text += *text == '\r';
		text += *text == '\n';
	}
	if (vault->count == 0)
		return err_set(err, ERR_PERMANENT, "key file %s holds no key", path);
	return true;
}

struct vault *vault_open(const char *path, struct err *err)
{
	size_t size = 0;

	if (!ready(err))
		return NULL;
	char *text = open_keys(path, &size, err);
	if (!text)
		return NULL;
	/* Guarded, locked in memory where the system allows it, and wiped when freed. */
	struct vault *vault =
	    sodium_malloc(sizeof *vault + (KEYS_MAX + 1) * sizeof(struct key));
	bool parsed = false;
	if (!vault) {
		err_fill(err, ERR_TRANSIENT, "no protected memory for keys");
	} else {
		vault->count = 0;
		parsed = parse_keys(vault, path, text, err);
	}
	sodium_memzero(text, size);
	free(text);
	if (!parsed) {
		sodium_free(vault);
		return NULL;
	}
	(void)sodium_mprotect_readonly(vault);
	return vault;
}

void vault_free(struct vault *vault)
{
	sodium_free(vault);
}

/* ---- a new key ---- */

static bool write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t put = write(fd, data, size);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return false;
		data += put;
		size -= (size_t)put;
	}
	return true;
}

static void sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder =
	    slash ? xstrndup(path, slash == path ? 1 : (size_t)(slash - path)) : xstrdup(".");
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0) {
		(void)fsync(fd);
		close(fd);
	}
	free(folder);
}

/* Whole or not at all: a half-written key file would lock every secret. */
static bool replace_file(const char *path, const char *text, size_t size, struct err *err)
{
	struct buf temporary;
	bool written = false;

	buf_init(&temporary, 4096);
	buf_addf(&temporary, "%s.XXXXXX", path);
	if (!buf_ok(&temporary)) {
		buf_done(&temporary);
		return err_set(err, ERR_PERMANENT, "the path of the key file is too long");
	}
	int fd = mkostemp(temporary.data, O_CLOEXEC); /* mode 0600 */
	if (fd >= 0) {
		written = write_all(fd, text, size) && fsync(fd) == 0;
		written = close(fd) == 0 && written;
		written = written && rename(temporary.data, path) == 0;
		if (!written)
			(void)unlink(temporary.data);
	}
	if (written)
		sync_folder(path);
	else
		err_fill(err, ERR_PERMANENT, "cannot write key file %s: %s", path,
			 strerror(errno));
	buf_done(&temporary);
	return written;
}

static void new_key_line(char *ret_id, char *ret_line, size_t room)
{
	unsigned char key[KEY_BYTES], id[4];
	char encoded[sodium_base64_ENCODED_LEN(KEY_BYTES, sodium_base64_VARIANT_ORIGINAL)];

	randombytes_buf(key, sizeof key);
	randombytes_buf(id, sizeof id);
	ret_id[0] = 'k';
	sodium_bin2hex(ret_id + 1, 2 * sizeof id + 1, id, sizeof id);
	sodium_bin2base64(encoded, sizeof encoded, key, sizeof key,
			  sodium_base64_VARIANT_ORIGINAL);
	snprintf(ret_line, room, "%s %s\n", ret_id, encoded);
	sodium_memzero(key, sizeof key);
	sodium_memzero(encoded, sizeof encoded);
}

bool vault_keygen(const char *path, char *ret_id, struct err *err)
{
	char line[128];
	size_t old_size = 0;
	char *old = NULL;

	if (!ready(err))
		return false;
	if (access(path, F_OK) == 0) {
		struct vault *vault =
		    vault_open(path, err); /* never put a key before rubbish */
		if (!vault)
			return false;
		bool full = vault->count == KEYS_MAX;
		vault_free(vault);
		if (full)
			return err_set(err, ERR_PERMANENT, "key file %s is full", path);
		old = open_keys(path, &old_size, err);
		if (!old)
			return false;
	}
	new_key_line(ret_id, line, sizeof line);
	size_t line_size = strlen(line);
	char *text = xmalloc(line_size + old_size + 1);
	memcpy(text, line, line_size + 1);
	if (old)
		memcpy(text + line_size, old, old_size);
	bool written = replace_file(path, text, line_size + old_size, err);
	sodium_memzero(line, sizeof line);
	sodium_memzero(text, line_size + old_size);
	free(text);
	if (old)
		sodium_memzero(old, old_size);
	free(old);
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
	size_t id_size = strspn(id, id_letters);
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

static const struct key *find_key(const struct vault *vault, const char *id)
{
	for (size_t i = 0; i < vault->count; i++) {
		if (strcmp(vault->keys[i].id, id) == 0)
			return &vault->keys[i];
	}
	return NULL;
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
		      sodium_base642bin(nonce, sizeof nonce, parts->nonce, parts->nonce_size,
					NULL, &nonce_size, NULL, BASE64) == 0 &&
		      nonce_size == sizeof nonce &&
		      sodium_base642bin(box, parts->box_size, parts->box, parts->box_size, NULL,
					&box_size, NULL, BASE64) == 0 &&
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
	const struct key *key = find_key(vault, parts.key_id);
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
