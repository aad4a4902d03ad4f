/* Files of keys: read with care for who else may, replaced whole. */
#include "model/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "model/base64.h"

enum { KEY_BYTES_MAX = 64 };

const char key_file_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

/* What the file holds, with its size; caller wipes and frees. */
static char *read_text(int fd, const char *path, size_t *ret_size, struct err *err)
{
	char *text = xmalloc(KEY_FILE_MAX + 1);
	size_t size = 0;
	ssize_t got = 1;

	while (size < KEY_FILE_MAX && got != 0) {
		got = read(fd, text + size, KEY_FILE_MAX - size);
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
	key_file_wipe(text, size);
	return NULL;
}

char *key_file_read(const char *path, enum key_file_kind kind, size_t *ret_size,
		    struct err *err)
{
	/* A group may read it: that is how Kubernetes hands a file to a user that is not root.
	 */
	mode_t refused = kind == KEY_FILE_SECRET ? S_IRWXO | S_IWGRP : S_IWOTH | S_IWGRP;
	struct stat status;
	char *text = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0) {
		err_fill(err, ERR_PERMANENT, "key file %s: %s%s", path, strerror(errno),
			 errno == ENOENT ? " (`tocsin keygen` makes one)" : "");
		return NULL;
	}
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		err_fill(err, ERR_PERMANENT, "key file %s is not a file", path);
	else if (status.st_mode & refused)
		err_fill(err, ERR_PERMANENT,
			 kind == KEY_FILE_SECRET
			     ? "key file %s can be read or written by others: chmod 600 it"
			     : "key file %s can be written by others: chmod 644 it",
			 path);
	else
		text = read_text(fd, path, ret_size, err);
	close(fd);
	return text;
}

void key_file_wipe(char *text, size_t size)
{
	if (text)
		sodium_memzero(text, size);
	free(text);
}

/* One line, as decimal base64 with or without padding. */
static bool parse_line(const char *line, size_t size, size_t key_bytes, char *ret_id,
		       unsigned char *ret_key)
{
	size_t id_size = strspn(line, key_file_letters);
	size_t got = 0;

	if (id_size == 0 || id_size >= KEY_FILE_ID_SIZE || id_size >= size ||
	    line[id_size] != ' ')
		return false;

	const char *encoded = line + id_size + 1;
	size_t encoded_size = size - id_size - 1;

	while (encoded_size > 0 && encoded[encoded_size - 1] == '=')
		encoded_size--;
	memcpy(ret_id, line, id_size);
	ret_id[id_size] = '\0';
	return base64_decode(encoded, encoded_size, sodium_base64_VARIANT_ORIGINAL_NO_PADDING,
			     NULL, ret_key, key_bytes, &got) &&
	       got == key_bytes;
}

bool key_file_parse(const char *path, const char *text, size_t key_bytes, key_file_sink *sink,
		    void *opaque, struct err *err)
{
	unsigned char key[KEY_BYTES_MAX];
	char id[KEY_FILE_ID_SIZE];
	unsigned number = 0, keys = 0;
	bool fine = true;

	while (*text && fine) {
		size_t size = strcspn(text, "\r\n");

		number++;
		if (size > 0 && text[0] != '#') {
			keys++;
			fine = parse_line(text, size, key_bytes, id, key);
			if (!fine)
				err_fill(err, ERR_PERMANENT,
					 "key file %s line %u is not \"<key id> <base64 of %zu "
					 "bytes>\"",
					 path, number, key_bytes);
			else
				fine = sink(id, key, opaque, err);
		}
		text += size;
		text += *text == '\r';
		text += *text == '\n';
	}
	sodium_memzero(key, sizeof(key));
	if (fine && keys == 0)
		return err_set(err, ERR_PERMANENT, "key file %s holds no key", path);
	return fine;
}

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
static bool replace_file(const char *path, mode_t mode, const char *text, size_t size,
			 struct err *err)
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
		written = write_all(fd, text, size) && fchmod(fd, mode) == 0 && fsync(fd) == 0;
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

static mode_t mode_of(enum key_file_kind kind)
{
	return kind == KEY_FILE_SECRET ? S_IRUSR | S_IWUSR
				       : S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH;
}

/* The line after this one; at its end, the end. */
static const char *next_line(const char *line)
{
	line += strcspn(line, "\n");
	return line + (*line == '\n');
}

static bool is_key(const char *line)
{
	return *line != '#' && *line != '\r' && *line != '\n' && *line != '\0';
}

size_t key_file_older(const char *text, char (*ret_ids)[KEY_FILE_ID_SIZE], size_t max)
{
	size_t keys = 0;

	for (const char *line = text; *line && keys <= max; line = next_line(line)) {
		if (is_key(line) && keys++ > 0)
			snprintf(ret_ids[keys - 2], KEY_FILE_ID_SIZE, "%.*s",
				 (int)strspn(line, key_file_letters), line);
	}
	return keys > 0 ? keys - 1 : 0;
}

bool key_file_forget_older(const char *path, enum key_file_kind kind, size_t *ret_count,
			   struct err *err)
{
	size_t size = 0, kept = 0, keys = 0;
	char *text = key_file_read(path, kind, &size, err);

	if (!text)
		return false;
	for (char *line = text, *next; *line; line = next) {
		next = (char *)(uintptr_t)next_line(line);
		if (is_key(line) && keys++ > 0)
			continue;
		memmove(text + kept, line, (size_t)(next - line));
		kept += (size_t)(next - line);
	}
	bool written = keys <= 1 || replace_file(path, mode_of(kind), text, kept, err);

	if (written && keys > 1)
		*ret_count += keys - 1;
	key_file_wipe(text, size);
	return written;
}

bool key_file_prepend(const char *path, enum key_file_kind kind, const char *id,
		      const unsigned char *key, size_t key_bytes, struct err *err)
{
	char encoded[sodium_base64_ENCODED_LEN(KEY_BYTES_MAX, sodium_base64_VARIANT_ORIGINAL)];
	size_t old_size = 0;
	char *old = NULL;

	if (access(path, F_OK) == 0) {
		old = key_file_read(path, kind, &old_size, err);
		if (!old)
			return false;
	}
	sodium_bin2base64(encoded, sizeof(encoded), key, key_bytes,
			  sodium_base64_VARIANT_ORIGINAL);

	size_t room = KEY_FILE_ID_SIZE + sizeof(encoded) + 2 + old_size;
	char *text = xmalloc(room);
	size_t size = (size_t)snprintf(text, room, "%s %s\n%s", id, encoded, old ? old : "");
	bool written = replace_file(path, mode_of(kind), text, size, err);

	sodium_memzero(encoded, sizeof(encoded));
	key_file_wipe(text, size);
	key_file_wipe(old, old_size);
	return written;
}

void key_file_new_id(char *ret_id)
{
	unsigned char id[4];

	randombytes_buf(id, sizeof(id));
	ret_id[0] = 'k';
	sodium_bin2hex(ret_id + 1, 2 * sizeof(id) + 1, id, sizeof(id));
}
