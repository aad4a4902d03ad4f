/*
 * tocsin backup: the customers' files and what Redis holds, while everything runs.
 *
 * Keys are copied one after another, so the order decides what is there twice and that nothing
 * is missing: first what is known of events and how far sources were read, then all work
 * (backup_work.h), then incidents, each in one step. What moves on meanwhile is in a
 * place that is copied later, and what is done twice is found to be done already.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup_file.h"
#include "backup_work.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/conf.h"
#include "bus/key.h"
#include "bus/redis.h"
#include "cli.h"
#include "model/incident.h"
#include "run.h"

enum { PAGE = 500, DEPTH_MAX = 4, FILE_MAX = 4 << 20 };

struct backup {
	struct cli *cli;
	struct redis *redis;
	struct backup_writer writer;
};

/* ---- files ---- */

/* The keys that open the secrets end otherwise, wherever they are. */
static bool is_ours(const char *name)
{
	const char *end = strrchr(name, '.');

	return name[0] != '.' && end && (strcmp(end, ".json") == 0 || strcmp(end, ".jq") == 0);
}

static bool add_file(struct backup *backup, const char *path, const char *name, struct err *err)
{
	char *text = conf_read_file(path, FILE_MAX, err);

	if (text)
		backup_add_file(&backup->writer, name, text);
	free(text);
	return text != NULL;
}

static bool add_folder(struct backup *backup, const char *below, int depth, struct err *err)
{
	const char *root = backup->cli->settings.config_dir;
	char path[4096], name[512];
	struct dirent *entry;
	bool good = true;

	snprintf(path, sizeof path, "%s/%s", root, below);
	DIR *folder = opendir(path);
	if (!folder)
		return err_set(err, ERR_PERMANENT, "cannot read %s: %s", path, strerror(errno));
	while (good && (entry = readdir(folder)) != NULL) {
		struct stat status;

		if (entry->d_name[0] == '.' ||
		    fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		snprintf(name, sizeof name, "%s%s%s", below, below[0] ? "/" : "",
			 entry->d_name);
		snprintf(path, sizeof path, "%s/%s", root, name);
		if (S_ISDIR(status.st_mode) && depth < DEPTH_MAX)
			good = add_folder(backup, name, depth + 1, err);
		else if (S_ISREG(status.st_mode) && is_ours(entry->d_name))
			good = add_file(backup, path, name, err);
	}
	closedir(folder);
	return good;
}

/* ---- keys ---- */

enum part { PART_KNOWN, PART_INCIDENTS, PART_NONE };

static const struct {
	const char *begin;
	enum part part;
} parts[] = {
	{ "lease:", PART_NONE },	 { "collector", PART_NONE },
	{ "backup", PART_NONE },	 { "open", PART_INCIDENTS },
	{ "incident:", PART_INCIDENTS }, { "group:", PART_INCIDENTS },
	{ "host:", PART_INCIDENTS },	 { "containment:", PART_INCIDENTS },
	{ "waits:", PART_INCIDENTS },	 { "releases:", PART_INCIDENTS },
	{ "asks:", PART_INCIDENTS },	 { "storm:", PART_INCIDENTS },
	{ "ceiling:", PART_INCIDENTS },	 { "mail:", PART_INCIDENTS },
};

static enum part part_of(const char *key)
{
	const char *kind = key_kind(key);

	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		if (strncmp(kind, parts[i].begin, strlen(parts[i].begin)) == 0)
			return parts[i].part;
	}
	return backup_is_paged(kind) ? PART_NONE : PART_KNOWN;
}

static void add_key(struct backup *backup, const char *key, size_t size,
		    const struct redis_reply *dump, int64_t expires_ms)
{
	if (reply_type(dump) == REPLY_TEXT)
		backup_add_key(&backup->writer, key, size,
			       expires_ms > 0 ? (uint64_t)expires_ms : 0, reply_text(dump),
			       reply_size(dump));
}

enum { INCIDENT_KEYS = 5 };

static void incident_keys(const char *key, struct key *ret_keys)
{
	static const char *const ends[INCIDENT_KEYS] = { "", ":inbox", ":findings", ":timeline",
							 ":waiting" };

	for (size_t i = 0; i < INCIDENT_KEYS; i++)
		snprintf(ret_keys[i].text, sizeof ret_keys[i].text, "%s%s", key, ends[i]);
}

static bool is_incident(const char *key)
{
	const char *kind = key_kind(key);

	return strncmp(kind, "incident:", strlen("incident:")) == 0;
}

/* Its lists go with the hash. */
static bool is_list_of_one(const char *key)
{
	return is_incident(key) && strchr(key_kind(key) + strlen("incident:"), ':');
}

static void append_key(struct redis *redis, const struct redis_reply *name)
{
	if (is_incident(reply_text(name))) {
		struct key keys[INCIDENT_KEYS];

		/* A full Redis refuses MULTI. */
		incident_keys(reply_text(name), keys);
		redis_append(redis, "FCALL_RO dump %d %s %s %s %s %s", (int)INCIDENT_KEYS,
			     keys[0].text, keys[1].text, keys[2].text, keys[3].text,
			     keys[4].text);
	} else {
		redis_append(redis, "DUMP %b", reply_text(name), reply_size(name));
		redis_append(redis, "PEXPIRETIME %b", reply_text(name), reply_size(name));
	}
}

/* Its keys are of one moment, and none of them expires. */
static bool read_incident(struct backup *backup, const struct redis_reply *name,
			  struct err *err)
{
	struct key keys[INCIDENT_KEYS];
	struct redis_reply *all =
	    redis_expect_list(redis_read(backup->redis, err), INCIDENT_KEYS, err);

	incident_keys(reply_text(name), keys);
	for (size_t i = 0; all && i < INCIDENT_KEYS; i++)
		add_key(backup, keys[i].text, strlen(keys[i].text), reply_at(all, i), 0);
	reply_free(all);
	return all != NULL;
}

static bool read_key(struct backup *backup, const struct redis_reply *name, struct err *err)
{
	if (is_incident(reply_text(name)))
		return read_incident(backup, name, err);
	struct redis_reply *dump = redis_read(backup->redis, err);
	struct redis_reply *expires = redis_read(backup->redis, dump ? err : NULL);
	bool good = dump && expires;

	if (good)
		add_key(backup, reply_text(name), reply_size(name), dump,
			reply_integer(expires));
	reply_free(dump);
	reply_free(expires);
	return good;
}

static bool add_page(struct backup *backup, const struct redis_reply *names, enum part part,
		     struct err *err)
{
	const struct redis_reply **wanted = xcalloc(reply_count(names) + 1, sizeof *wanted);
	size_t count = 0;
	bool good = true;

	for (size_t i = 0; i < reply_count(names); i++) {
		const struct redis_reply *name = reply_at(names, i);

		if (part_of(reply_text(name)) != part || is_list_of_one(reply_text(name)))
			continue;
		wanted[count++] = name;
		append_key(backup->redis, name);
	}
	for (size_t i = 0; i < count; i++)
		good = read_key(backup, wanted[i], good ? err : NULL) && good;
	free(wanted);
	return good;
}

static bool add_keys(struct backup *backup, enum part part, struct err *err)
{
	char cursor[32] = "0";
	bool good = true;

	do {
		struct redis_reply *reply = redis_command(
		    backup->redis, err, "SCAN %s MATCH tocsin:* COUNT %d", cursor, (int)PAGE);

		good = reply && add_page(backup, reply_at(reply, 1), part, err);
		snprintf(cursor, sizeof cursor, "%s", reply_text(reply_at(reply, 0)));
		reply_free(reply);
	} while (good && strcmp(cursor, "0") != 0);
	return good;
}

/* ---- the command ---- */

static void render(struct buf *out, const struct screen *screen, const json_t *document)
{
	(void)screen;
	buf_addf(out, "%s: %lld files and %lld keys. The master key is not in it.\n",
		 json_string_value(json_object_get(document, "backup")),
		 (long long)json_integer_value(json_object_get(document, "files")),
		 (long long)json_integer_value(json_object_get(document, "keys")));
}

int run_backup(struct cli *cli)
{
	const char *path = args_operand(&cli->args, 0);
	struct backup_head head = { .partitions = cli->bus.partitions,
				    .made_ms = clock_wall_ms() };
	struct backup backup = { .cli = cli };
	struct err err = { 0 };

	snprintf(head.installation, sizeof head.installation, "%s", cli->service.installation);
	backup.redis = cli_redis(cli, &err);
	if (!backup.redis)
		return cli_fail(cli, EXIT_UNREACHABLE, &err);
	if (!backup_create(&backup.writer, path, &head, &err))
		return cli_fail(cli, EXIT_FAILED, &err);
	bool good = add_folder(&backup, "", 0, &err) && add_keys(&backup, PART_KNOWN, &err) &&
		    backup_add_work(&backup.writer, backup.redis, head.partitions, &err) &&
		    add_keys(&backup, PART_INCIDENTS, &err);

	if (!backup_finish(&backup.writer, good, &err))
		return cli_fail(cli, err.kind == ERR_TRANSIENT ? EXIT_UNREACHABLE : EXIT_FAILED,
				&err);
	return cli_print(cli,
			 json_pack("{s:s,s:I,s:I}", "backup", path, "files",
				   (json_int_t)backup.writer.files, "keys",
				   (json_int_t)backup.writer.keys),
			 render, EXIT_OK);
}
