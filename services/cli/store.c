/* Reading and replacing the files of the configuration folder. */
#include "store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/conf.h"
#include "model/customer.h"

enum { PATH_BYTES = 4096, LOCK_WAIT_MS = 5000, LOCK_RETRY_MS = 20 };

struct place {
	char text[PATH_BYTES];
};

const char *store_folder(enum store_kind kind)
{
	return kind == STORE_CUSTOMER ? "customers" : "accounts";
}

const char *store_kind_name(enum store_kind kind)
{
	return kind == STORE_CUSTOMER ? "customer" : "account";
}

/* ---- reading ---- */

static void decode(struct store_file *file)
{
	char *id = NULL;

	if (file->kind == STORE_CUSTOMER) {
		struct customer *customer =
		    customer_decode(file->text, strlen(file->text), file->where, &file->err);
		if (customer && customer_check_zone(customer, file->where, &file->err))
			id = xstrdup(customer->id);
		customer_free(customer);
	} else {
		struct account *account =
		    account_decode(file->text, strlen(file->text), file->where, &file->err);
		id = account ? xstrdup(account->id) : NULL;
		account_free(account);
	}
	if (id && strcmp(id, file->id) != 0)
		err_fill(&file->err, ERR_PERMANENT,
			 "%s: id: is \"%s\", so the file must be named %s.json", file->where,
			 id, id);
	free(id);
}

static bool is_ours(const char *name)
{
	size_t size = strlen(name);

	return name[0] != '.' && size > 5 && strcmp(name + size - 5, ".json") == 0;
}

static void add_file(struct store *store, enum store_kind kind, const char *name)
{
	char where[320], path[PATH_BYTES + sizeof where];
	struct store_file file = { .kind = kind, .id = xstrndup(name, strlen(name) - 5) };

	snprintf(where, sizeof where, "%s/%s", store_folder(kind), name);
	snprintf(path, sizeof path, "%s/%s", store->path, where);
	file.where = xstrdup(where);
	file.text = conf_read_file(path, STORE_FILE_MAX, &file.err);
	if (file.text)
		decode(&file);
	store->files = xrealloc(store->files, (store->count + 1) * sizeof file);
	store->files[store->count++] = file;
}

static bool load_folder(struct store *store, enum store_kind kind, struct err *err)
{
	struct place folder;
	struct dirent **entries;

	snprintf(folder.text, sizeof folder.text, "%s/%s", store->path, store_folder(kind));
	int count = scandir(folder.text, &entries, NULL, alphasort);
	if (count < 0 && errno == ENOENT)
		return true;
	if (count < 0)
		return err_set(err, ERR_PERMANENT, "cannot read %s: %s", folder.text,
			       strerror(errno));
	store->has_folder[kind] = true;
	for (int i = 0; i < count; i++) {
		if (is_ours(entries[i]->d_name) && store->count < STORE_FILES_MAX)
			add_file(store, kind, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	if (store->count == STORE_FILES_MAX)
		return err_set(err, ERR_PERMANENT,
			       "%s holds %d files or more: is it the "
			       "right folder?",
			       store->path, STORE_FILES_MAX);
	return true;
}

bool store_load(struct store *ret_store, const char *path, struct err *err)
{
	struct stat status;

	memset(ret_store, 0, sizeof *ret_store);
	if (stat(path, &status) < 0 || !S_ISDIR(status.st_mode))
		return err_set(err, ERR_PERMANENT,
			       "%s: %s: set TOCSIN_CONFIG_DIR to the folder of the customers' "
			       "files, or make it",
			       path, errno ? strerror(errno) : "is not a folder");
	ret_store->path = xstrdup(path);
	if (load_folder(ret_store, STORE_ACCOUNT, err) &&
	    load_folder(ret_store, STORE_CUSTOMER, err))
		return true;
	store_done(ret_store);
	return false;
}

void store_done(struct store *store)
{
	for (size_t i = 0; i < store->count; i++) {
		free(store->files[i].id);
		free(store->files[i].where);
		free(store->files[i].text);
	}
	free(store->files);
	free(store->path);
	memset(store, 0, sizeof *store);
}

const struct store_file *store_find(const struct store *store, enum store_kind kind,
				    const char *id)
{
	for (size_t i = 0; i < store->count; i++) {
		if (store->files[i].kind == kind && strcmp(store->files[i].id, id) == 0)
			return &store->files[i];
	}
	return NULL;
}

size_t store_bad_count(const struct store *store)
{
	size_t bad = 0;

	for (size_t i = 0; i < store->count; i++)
		bad += store->files[i].err.kind != ERR_NONE;
	return bad;
}

struct directory *store_directory(const struct store *store)
{
	struct directory *directory = directory_new();

	for (size_t i = 0; i < store->count; i++) {
		const struct store_file *file = &store->files[i];

		if (file->err.kind != ERR_NONE)
			continue;
		if (file->kind == STORE_CUSTOMER)
			directory_add_customer(
			    directory,
			    customer_decode(file->text, strlen(file->text), file->where, NULL));
		else
			directory_add_account(
			    directory,
			    account_decode(file->text, strlen(file->text), file->where, NULL));
	}
	return directory;
}

/* ---- writing ---- */

/* The holder may be a prompt for a secret that somebody left open: it is not waited for without
 * end. */
static bool lock_within(int lock, uint64_t ms)
{
	uint64_t end_ms = clock_mono_ms() + ms;

	while (flock(lock, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK || clock_mono_ms() >= end_ms)
			return false;
		clock_sleep_ms(LOCK_RETRY_MS);
	}
	return true;
}

int store_lock(const char *path, struct err *err)
{
	int lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (lock >= 0 && lock_within(lock, LOCK_WAIT_MS))
		return lock;
	if (lock >= 0 && errno == EWOULDBLOCK)
		err_fill(err, ERR_PERMANENT,
			 "%s: another tocsin is changing the files, or waits at a terminal for "
			 "a secret: end that one first",
			 path);
	else
		err_fill(err, ERR_PERMANENT,
			 "%s: %s: set TOCSIN_CONFIG_DIR to the folder of the customers' files, "
			 "or make it",
			 path, strerror(errno));
	if (lock >= 0)
		close(lock);
	return -1;
}

void store_unlock(int lock)
{
	if (lock >= 0)
		close(lock);
}

static bool sync_folder(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool synced = fd >= 0 && fsync(fd) == 0;

	if (!synced)
		err_fill(err, ERR_PERMANENT, "%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return synced;
}

static void name_change(const char *path, const struct store_change *change,
			struct place *ret_final, struct place *ret_staged)
{
	snprintf(ret_final->text, sizeof ret_final->text, "%s/%s/%s.json", path,
		 store_folder(change->kind), change->id);
	snprintf(ret_staged->text, sizeof ret_staged->text, "%s/%s/.%s.new-%ld", path,
		 store_folder(change->kind), change->id, (long)getpid());
}

static bool write_all(int fd, const char *text, size_t size)
{
	while (size > 0) {
		ssize_t put = write(fd, text, size);
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return false;
		text += put;
		size -= (size_t)put;
	}
	return true;
}

static bool stage(const char *path, const struct store_change *change, struct err *err)
{
	struct place final, staged;

	name_change(path, change, &final, &staged);
	unlink(staged.text);
	int fd = open(staged.text, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_set(err, ERR_PERMANENT, "cannot write %s: %s", final.text,
			       strerror(errno));
	bool written = write_all(fd, change->text, strlen(change->text)) &&
		       write_all(fd, "\n", 1) && fsync(fd) == 0;
	if (!written)
		err_fill(err, ERR_PERMANENT, "cannot write %s: %s", final.text,
			 strerror(errno));
	close(fd);
	if (!written)
		unlink(staged.text);
	return written;
}

static void unstage(const char *path, const struct store_change *changes, size_t count)
{
	struct place final, staged;

	for (size_t i = 0; i < count; i++) {
		name_change(path, &changes[i], &final, &staged);
		if (changes[i].text)
			unlink(staged.text);
	}
}

static bool put_in_place(const char *path, const struct store_change *change, struct err *err)
{
	struct place final, staged;

	name_change(path, change, &final, &staged);
	if (change->text ? rename(staged.text, final.text) == 0
			 : unlink(final.text) == 0 || errno == ENOENT)
		return true;
	return err_set(err, ERR_PERMANENT, "cannot replace %s: %s", final.text,
		       strerror(errno));
}

static bool make_folders(const char *path, struct err *err)
{
	for (enum store_kind kind = 0; kind < STORE_KINDS; kind++) {
		struct place folder;

		snprintf(folder.text, sizeof folder.text, "%s/%s", path, store_folder(kind));
		if (mkdir(folder.text, 0700) < 0 && errno != EEXIST)
			return err_set(err, ERR_PERMANENT, "cannot make %s: %s", folder.text,
				       strerror(errno));
	}
	return true;
}

bool store_write(const char *path, const struct store_change *changes, size_t count,
		 struct err *err)
{
	if (!make_folders(path, err))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (changes[i].text && !stage(path, &changes[i], err)) {
			unstage(path, changes, i);
			return false;
		}
	}
	for (size_t i = 0; i < count; i++) {
		if (!put_in_place(path, &changes[i], err)) {
			unstage(path, changes + i, count - i);
			return false;
		}
	}
	for (enum store_kind kind = 0; kind < STORE_KINDS; kind++) {
		struct place folder;

		snprintf(folder.text, sizeof folder.text, "%s/%s", path, store_folder(kind));
		if (!sync_folder(folder.text, err))
			return false;
	}
	return true;
}
