#ifndef MODEL_KEY_FILE_H
#define MODEL_KEY_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/*
 * Files of keys: text, one key a line, "<key id> <base64>", newest first; empty lines and lines
 * that start with '#' are skipped. Used by the vault and by the links.
 */
enum { KEY_FILE_ID_SIZE = 16, KEY_FILE_MAX = 16 * 1024 };

/* 1 to 15 letters, digits and hyphens. */
extern const char key_file_letters[];

enum key_file_kind {
	KEY_FILE_SECRET, /* nobody but the owner and a reading group */
	KEY_FILE_PUBLIC, /* all may read, only the owner may write */
};

/* The whole file, NUL-terminated; to be given to key_file_wipe(). NULL with err filled. */
char *key_file_read(const char *path, enum key_file_kind kind, size_t *ret_size,
		    struct err *err);
void key_file_wipe(char *text, size_t size); /* NULL is fine */

/* Called for each key of exactly key_bytes bytes. False ends the reading; err is its own. */
typedef bool key_file_sink(const char *id, const unsigned char *key, void *opaque,
			   struct err *err);
bool key_file_parse(const char *path, const char *text, size_t key_bytes, key_file_sink *sink,
		    void *opaque, struct err *err);

/* A line in front of what the file at path holds, made when missing, replaced whole or not at
 * all. */
bool key_file_prepend(const char *path, enum key_file_kind kind, const char *id,
		      const unsigned char *key, size_t key_bytes, struct err *err);

/* Ids of the keys after the first, which is the newest; at most max. Returns how many. */
size_t key_file_older(const char *text, char (*ret_ids)[KEY_FILE_ID_SIZE], size_t max);
/* Leaves only the newest key in the file, which is replaced whole or not at all. *ret_count is
 * raised by one for each that goes. */
bool key_file_forget_older(const char *path, enum key_file_kind kind, size_t *ret_count,
			   struct err *err);

/* "k" and eight hex digits, random. */
void key_file_new_id(char *ret_id);

#endif
