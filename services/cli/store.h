#ifndef CLI_STORE_H
#define CLI_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct account;
struct customer;
struct directory;

/*
 * The files of TOCSIN_CONFIG_DIR, the truth about customers: customers/<id>.json and
 * accounts/<id>.json. Names that start with a dot or do not end in .json are not ours. A file
 * that cannot be decoded, or whose name is not its id, is kept with what is wrong with it, so
 * that one bad file stops nobody else.
 */
enum store_kind { STORE_CUSTOMER, STORE_ACCOUNT, STORE_KINDS };
enum { STORE_FILE_MAX = 256 * 1024, STORE_FILES_MAX = 20000 };

struct store_file {
	enum store_kind kind;
	char *id;    /* the file's name without .json */
	char *where; /* "customers/acme.json" */
	char *text;
	struct err err; /* kind is ERR_NONE when the file is good */
};

struct store {
	char *path;
	struct store_file *files; /* accounts first, each kind by id */
	size_t count;
	bool has_folder[STORE_KINDS];
};

/* False only when the folder itself cannot be read. A missing customers/ or accounts/ is empty
 * and noted in has_folder. */
bool store_load(struct store *ret_store, const char *path, struct err *err);
void store_done(struct store *store); /* zeroed is fine */

/* NULL when there is none. */
const struct store_file *store_find(const struct store *store, enum store_kind kind,
				    const char *id);
size_t store_bad_count(const struct store *store);
/* Every good file, decoded; caller frees. */
struct directory *store_directory(const struct store *store);

/* Held while files are read, checked and written, so that two commands do not undo each other.
 * Waits some seconds for another; returns -1 with err filled. */
int store_lock(const char *path, struct err *err);
void store_unlock(int lock);

struct store_change {
	enum store_kind kind;
	const char *id;
	const char *text; /* NULL: the file goes */
};

/* All of the changes or, short of a crash half way through the renames, none: every new file is
 * on the disk (0600) before the first takes its place. Makes the folders when they are missing.
 */
bool store_write(const char *path, const struct store_change *changes, size_t count,
		 struct err *err);

/* "customers" or "accounts"; "customer" or "account". */
const char *store_folder(enum store_kind kind);
const char *store_kind_name(enum store_kind kind);

#endif
