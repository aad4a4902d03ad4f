/*
 * tocsin restore: a backup into an empty Redis. The world has gone on since it was made, so
 * this counts as a loss: services look outside before they open anything, and for hosts that
 * are contained. Nothing works before setup has made a new generation.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup_file.h"
#include "base/buf.h"
#include "base/clock.h"
#include "bus/key.h"
#include "bus/redis.h"
#include "cli.h"
#include "run.h"
#include "store.h"

enum { BATCH = 64, BATCH_BYTES = 4 << 20, PAGE = 1000 };

struct restore {
	struct cli *cli;
	struct redis *redis;
	bool force;
	uint64_t now_ms;
	size_t pending_bytes;
	char paged[256]; /* whose pages are being written */
	size_t files, kept, keys, expired;
};

/* ---- files ---- */

static bool make_folders(char *path, size_t root_size, struct err *err)
{
	for (char *slash = strchr(path + root_size + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		bool made = mkdir(path, 0700) == 0 || errno == EEXIST;
		if (!made)
			err_fill(err, ERR_PERMANENT, "cannot make %s: %s", path,
				 strerror(errno));
		*slash = '/';
		if (!made)
			return false;
	}
	return true;
}

/* In its place as a whole, or not at all. */
static bool write_file(const char *path, const struct backup_row *row, struct err *err)
{
	char staged[4200];

	snprintf(staged, sizeof staged, "%s.new", path);
	unlink(staged);
	int fd = open(staged, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
	bool good = file && fwrite(row->data, 1, row->size, file) == row->size &&
		    fputc('\n', file) != EOF && fflush(file) == 0 && fsync(fd) == 0;

	if (file)
		fclose(file);
	good = good && rename(staged, path) == 0;
	if (!good) {
		err_fill(err, ERR_PERMANENT, "cannot write %s: %s", path, strerror(errno));
		unlink(staged);
	}
	return good;
}

static bool put_file(struct restore *restore, const struct backup_row *row, struct err *err)
{
	const char *root = restore->cli->settings.config_dir;
	char path[4096];

	if ((size_t)snprintf(path, sizeof path, "%s/%s", root, row->name) >= sizeof path)
		return err_set(err, ERR_PERMANENT, "%s: the name is too long", row->name);
	if (!restore->force && access(path, F_OK) == 0) {
		restore->kept++;
		return true;
	}
	restore->files++;
	return make_folders(path, strlen(root), err) && write_file(path, row, err);
}

/* ---- keys ---- */

static bool flush(struct restore *restore, struct err *err)
{
	bool good = true;

	while (redis_pending(restore->redis) > 0) {
		struct redis_reply *reply = redis_read(restore->redis, good ? err : NULL);

		if (!reply && redis_error(restore->redis) == REDIS_IO)
			return false;
		good = reply && good;
		reply_free(reply);
	}
	restore->pending_bytes = 0;
	return good;
}

/* As soon as enough is on its way, waits for it. */
static bool go_on(struct restore *restore, struct err *err)
{
	return (redis_pending(restore->redis) < BATCH &&
		restore->pending_bytes < BATCH_BYTES) ||
	       flush(restore, err);
}

/* What the world has done since it must be looked for; and no generation before setup was here.
 */
static void age_meta(struct restore *restore, const char *key)
{
	redis_append(restore->redis, "HSET %s lost_ms %llu", key,
		     (unsigned long long)restore->now_ms);
	redis_append(restore->redis, "HDEL %s generation", key);
}

/* It may have been opened after its wake-up was copied. */
static void wake(struct restore *restore, const char *key)
{
	const char *kind = key_kind(key), *id = kind + strlen("incident:");

	if (strncmp(kind, "incident:", strlen("incident:")) == 0 && !strchr(id, ':'))
		redis_append(restore->redis, "XADD %b%s NOMKSTREAM * v 1 incident %s", key,
			     (size_t)(kind - key), STREAM_ACTIONS, id);
}

static bool put_key(struct restore *restore, const struct backup_row *row, struct err *err)
{
	char expires[24];

	if (row->expires_ms > 0 && row->expires_ms <= restore->now_ms) {
		restore->expired++;
		return true;
	}
	snprintf(expires, sizeof expires, "%llu", (unsigned long long)row->expires_ms);
	redis_append(restore->redis, "RESTORE %b %s %b REPLACE ABSTTL", row->name,
		     row->name_size, expires, row->data, row->size);
	restore->pending_bytes += row->size;
	restore->keys++;
	if (strcmp(key_kind(row->name), "meta") == 0)
		age_meta(restore, row->name);
	wake(restore, row->name);
	return go_on(restore, err);
}

/* XADD key id field value ..., or ZADD key score member. */
static void put_item(struct restore *restore, const struct backup_row *row, const json_t *item)
{
	size_t count = json_array_size(item);
	char **texts = xcalloc(count + 2, sizeof *texts);
	size_t *sizes = xcalloc(count + 2, sizeof *sizes);

	texts[0] = xstrdup(row->kind == BACKUP_STREAM ? "XADD" : "ZADD");
	sizes[0] = strlen(texts[0]);
	texts[1] = xstrndup(row->name, row->name_size);
	sizes[1] = row->name_size;
	for (size_t i = 0; i < count; i++) {
		texts[i + 2] = backup_item_text(item, i, &sizes[i + 2]);
		restore->pending_bytes += sizes[i + 2];
	}
	redis_append_argv(restore->redis, (int)count + 2, (const char *const *)texts, sizes);
	for (size_t i = 0; i < count + 2; i++)
		free(texts[i]);
	free(texts);
	free(sizes);
}

static bool has_group(const struct backup_row *row)
{
	const char *kind = key_kind(row->name);

	return row->kind == BACKUP_STREAM && strcmp(kind, STREAM_DEAD) != 0 &&
	       strcmp(kind, STREAM_RECENT) != 0 && strcmp(kind, STREAM_ACTIVITY) != 0;
}

/* What was sent before is written by now: a user without the right to RESTORE must not get as
 * far as here. A stream is there before its entries, and its group gives everything out anew.
 */
static bool begin_pages(struct restore *restore, const struct backup_row *row, struct err *err)
{
	snprintf(restore->paged, sizeof restore->paged, "%s", row->name);
	return flush(restore, err) &&
	       (!has_group(row) ||
		redis_run(restore->redis, err, "XGROUP CREATE %s %s 0 MKSTREAM", row->name,
			  BUS_GROUP) ||
		redis_error(restore->redis) == REDIS_BUSYGROUP);
}

static bool put_page(struct restore *restore, const struct backup_row *row, struct err *err)
{
	const json_t *item;
	size_t i;

	if (strcmp(restore->paged, row->name) != 0 && !begin_pages(restore, row, err))
		return false;
	restore->keys++;
	json_array_foreach(row->items, i, item)
	{
		put_item(restore, row, item);
		if (!go_on(restore, err))
			return false;
	}
	return true;
}

static bool put_row(const struct backup_row *row, void *opaque, struct err *err)
{
	switch (row->kind) {
	case BACKUP_FILE:
		return put_file(opaque, row, err);
	case BACKUP_DUMP:
		return put_key(opaque, row, err);
	case BACKUP_STREAM:
	case BACKUP_SORTED_SET:
		break;
	}
	return put_page(opaque, row, err);
}

/* ---- what is there ---- */

/* Removes what is ours, or only says that there is some. */
static bool clear(struct restore *restore, bool remove, bool *ret_found, struct err *err)
{
	char cursor[32] = "0";
	bool good = true;

	*ret_found = false;
	do {
		struct redis_reply *reply = redis_command(
		    restore->redis, err, "SCAN %s MATCH tocsin:* COUNT %d", cursor, (int)PAGE);
		const struct redis_reply *names = reply_at(reply, 1);

		good = reply != NULL;
		*ret_found |= reply_count(names) > 0;
		for (size_t i = 0; remove && i < reply_count(names); i++)
			redis_append(restore->redis, "UNLINK %b",
				     reply_text(reply_at(names, i)),
				     reply_size(reply_at(names, i)));
		good = good && flush(restore, err);
		snprintf(cursor, sizeof cursor, "%s", reply_text(reply_at(reply, 0)));
		reply_free(reply);
	} while (good && (remove || !*ret_found) && strcmp(cursor, "0") != 0);
	return good;
}

static bool check(struct restore *restore, const char *path, struct err *err)
{
	const char *installation = restore->cli->service.installation;
	struct backup_head head;
	bool found = false;

	/* All of it, before the first write. */
	if (!backup_read(path, &head, NULL, NULL, err))
		return false;
	if (strcmp(head.installation, installation) != 0)
		return err_set(err, ERR_PERMANENT, "%s is of installation %s, this is %s", path,
			       head.installation, installation);
	if (head.partitions > restore->cli->bus.partitions)
		return err_set(err, ERR_PERMANENT,
			       "%s has %u partitions: set TOCSIN_PARTITIONS to that", path,
			       head.partitions);
	if (!clear(restore, restore->force, &found, err))
		return false;
	return !found || restore->force ||
	       err_set(err, ERR_PERMANENT,
		       "Redis is not empty: stop everything but Redis, then give --force to "
		       "replace what it holds and the files");
}

static void render(struct buf *out, const struct screen *screen, const json_t *document)
{
	(void)screen;
	buf_addf(out,
		 "%lld keys are back (%lld had expired), and %lld files (%lld were there). Now "
		 "start "
		 "everything; tocsin setup first.\n",
		 (long long)json_integer_value(json_object_get(document, "keys")),
		 (long long)json_integer_value(json_object_get(document, "expired")),
		 (long long)json_integer_value(json_object_get(document, "files")),
		 (long long)json_integer_value(json_object_get(document, "kept")));
}

static bool restore_all(struct restore *restore, const char *path, struct err *err)
{
	struct backup_head head;
	int lock = store_lock(restore->cli->settings.config_dir, err);

	if (lock < 0)
		return false;
	bool good = check(restore, path, err) &&
		    backup_read(path, &head, put_row, restore, err) && flush(restore, err);

	store_unlock(lock);
	return good;
}

int run_restore(struct cli *cli)
{
	struct restore restore = {
		.cli = cli,
		.force = args_flag(&cli->args, "force"),
		.now_ms = clock_wall_ms(),
	};
	struct err err = { 0 };

	restore.redis = cli_redis(cli, &err);
	if (!restore.redis)
		return cli_fail(cli, EXIT_UNREACHABLE, &err);
	if (!restore_all(&restore, args_operand(&cli->args, 0), &err))
		return cli_fail(cli, err.kind == ERR_TRANSIENT ? EXIT_UNREACHABLE : EXIT_FAILED,
				&err);
	return cli_print(cli,
			 json_pack("{s:I,s:I,s:I,s:I}", "keys", (json_int_t)restore.keys,
				   "expired", (json_int_t)restore.expired, "files",
				   (json_int_t)restore.files, "kept", (json_int_t)restore.kept),
			 render, EXIT_OK);
}
