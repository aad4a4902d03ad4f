/* One pass of setup: functions, customers, streams and generations. */
#include "keeper.h"

#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "bus/key.h"
#include "bus/redis.h"
#include "bus/setup.h"
#include "keeper_hash.h"
#include "programs.h"
#include "rules_hits.h"
#include "store.h"

enum { TRIES = 5 };

/* ---- customers ---- */

/* An unmounted folder must not look like the end of every customer. */
static bool check_folders(const struct store *store, const struct plan_fields *current,
			  struct err *err)
{
	for (size_t i = 0; i < current->count; i++) {
		enum store_kind kind =
		    current->items[i].name[0] == '@' ? STORE_ACCOUNT : STORE_CUSTOMER;

		if (!store->has_folder[kind])
			return err_set(err, ERR_PERMANENT,
				       "%s has no folder %s, but Redis has such: is it the "
				       "right folder? Make the folder to remove them",
				       store->path, store_folder(kind));
	}
	return true;
}

static bool try_customers(struct redis *redis, const struct store *store, unsigned partitions,
			  struct keeper_pass *pass, bool *ret_done, struct err *err)
{
	struct plan_fields current = { 0 };
	uint64_t now_ms = clock_wall_ms();
	bool good = keeper_hash_read(redis, KEY_CUSTOMERS, &current, &pass->version, err) &&
		    check_folders(store, &current, err);

	*ret_done = false;
	if (good) {
		plan_make(&pass->plan, store, &current, partitions);
		pass->set = pass->plan.set.count;
		pass->removed = pass->plan.remove.count;
		*ret_done = pass->set + pass->removed == 0 && pass->version != 0;
		if (!*ret_done) {
			/* A clock, so that it does not repeat after Redis lost its data. */
			uint64_t seen = pass->version;

			pass->version = seen < now_ms ? now_ms : seen + 1;
			good = keeper_hash_write(redis, KEY_CUSTOMERS, &pass->plan.set,
						 &pass->plan.remove, seen, pass->version,
						 ret_done, err);
		}
	}
	if (!good || !*ret_done)
		plan_done(&pass->plan);
	plan_fields_done(&current);
	return good;
}

static bool apply_customers(struct redis *redis, const struct store *store, unsigned partitions,
			    struct keeper_pass *pass, struct err *err)
{
	bool done = false;
	bool good = true;

	for (int i = 0; good && !done && i < TRIES; i++)
		good = try_customers(redis, store, partitions, pass, &done, err);
	if (good && !done)
		return err_set(err, ERR_TRANSIENT,
			       "%s is changed by others all the time: is another setup "
			       "running?",
			       KEY_CUSTOMERS);
	return good;
}

static bool apply_programs(struct redis *redis, const struct store *store,
			   const struct keeper_settings *settings, struct keeper_pass *pass,
			   struct err *err)
{
	struct programs_files files;

	if (!programs_load(&files, settings->config_dir, store, settings->jq, &pass->plan, err))
		return false;
	pass->programs = program_set_count(files.good);
	bool good = programs_publish(redis, &files, &pass->programs_version,
				     &pass->programs_set, &pass->programs_removed, err);
	if (good && !program_set_find(files.broken, "rules"))
		good = rules_hits_keep(redis, settings->partitions,
				       program_set_find(files.good, "rules"),
				       pass->programs_set > 0, err);
	programs_done(&files);
	return good;
}

static bool apply_files(struct redis *redis, const struct keeper_settings *settings,
			struct keeper_pass *pass, struct err *err)
{
	struct store store;

	if (!store_load(&store, settings->config_dir, err))
		return false;
	bool good = apply_customers(redis, &store, settings->partitions, pass, err) &&
		    apply_programs(redis, &store, settings, pass, err);
	store_done(&store);
	return good;
}

/* ---- lost data ---- */

/*
 * A file beside the customers' remembers that Redis has held data of this installation. When it
 * then comes up empty, they were lost, and services look for what is open outside before they
 * open it again (meta's lost_ms). Written before the generation, so that none works without.
 */
static void marker_path(const char *config_dir, unsigned partition, struct buf *ret_path)
{
	buf_init(ret_path, PATH_MAX);
	buf_addf(ret_path, "%s/.partition-%u", config_dir, partition);
}

static bool note_loss(struct redis *redis, const char *config_dir, unsigned partition,
		      struct err *err)
{
	struct buf path;
	struct key meta;

	marker_path(config_dir, partition, &path);
	bool held = access(buf_text(&path), F_OK) == 0;
	buf_done(&path);
	if (!held)
		return true;
	key_format(&meta, partition, "meta");
	struct redis_reply *reply = redis_command(redis, err, "HGET %s generation", meta.text);
	bool lost = reply && reply_type(reply) == REPLY_NIL;
	bool good = reply != NULL;
	reply_free(reply);
	return good && (!lost || redis_run(redis, err, "HSET %s lost_ms %llu", meta.text,
					   (unsigned long long)clock_wall_ms()));
}

/* A folder that cannot be written costs only that a loss is not noticed. */
static void remember_partition(const char *config_dir, unsigned partition)
{
	struct buf path;

	marker_path(config_dir, partition, &path);
	FILE *file = fopen(buf_text(&path), "we");
	if (file)
		fclose(file);
	else
		log_warn("cannot write %s: should Redis lose its data, it will not be noticed",
			 buf_text(&path));
	buf_done(&path);
}

/* ---- the whole pass ---- */

bool keeper_apply(struct redis *redis, const struct keeper_settings *settings,
		  struct keeper_pass *ret_pass, struct err *err)
{
	*ret_pass = (struct keeper_pass){ 0 };
	bool good = setup_functions(redis, &ret_pass->functions_loaded, err) &&
		    apply_files(redis, settings, ret_pass, err) &&
		    keeper_apply_callback(redis, ret_pass->version, err);

	for (unsigned partition = 0; good && partition < settings->partitions; partition++) {
		bool is_new = false;
		good = note_loss(redis, settings->config_dir, partition, err) &&
		       setup_partition(redis, partition, &is_new, err);
		ret_pass->new_generations += is_new;
		if (is_new)
			remember_partition(settings->config_dir, partition);
	}
	if (!good)
		keeper_pass_done(ret_pass);
	return good;
}

void keeper_pass_done(struct keeper_pass *pass)
{
	plan_done(&pass->plan);
	*pass = (struct keeper_pass){ 0 };
}

bool keeper_check(struct redis *redis, const struct keeper_pass *pass, unsigned partitions,
		  struct err *err)
{
	for (unsigned partition = 0; partition < partitions; partition++) {
		if (!setup_check(redis, partition, NULL, err))
			return false;
	}
	return keeper_hash_check(redis, KEY_CUSTOMERS, pass->version, err) &&
	       keeper_hash_check(redis, KEY_CALLBACK_CREDENTIALS, pass->version, err) &&
	       programs_check(redis, pass->programs_version, err);
}

/* ---- the files ---- */

static uint64_t mix(uint64_t hash, const void *data, size_t size)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3ULL; /* FNV-1a */
	return hash;
}

/* Order does not matter: readdir gives none. */
static uint64_t stamp_folder(const char *path, uint64_t seed)
{
	DIR *folder = opendir(path);
	uint64_t sum = folder != NULL;
	struct dirent *entry;

	while (folder && (entry = readdir(folder)) != NULL) {
		struct stat status;

		if (entry->d_name[0] == '.' ||
		    fstatat(dirfd(folder), entry->d_name, &status, 0) < 0)
			continue;
		uint64_t hash = mix(seed, entry->d_name, strlen(entry->d_name));
		hash = mix(hash, &status.st_mtim, sizeof status.st_mtim);
		hash = mix(hash, &status.st_ctim, sizeof status.st_ctim);
		hash = mix(hash, &status.st_size, sizeof status.st_size);
		sum += mix(hash, &status.st_ino, sizeof status.st_ino);
	}
	if (folder)
		closedir(folder);
	return sum;
}

/* Where readers of programs.h look; "" is the folder itself. */
static const char *const program_folders[] = { "", "sources", "templates" };

uint64_t keeper_stamp(const char *config_dir)
{
	uint64_t stamp = 0;

	for (enum store_kind kind = 0; kind < STORE_KINDS; kind++) {
		char path[4096];

		snprintf(path, sizeof path, "%s/%s", config_dir, store_folder(kind));
		stamp = stamp * 31 + stamp_folder(path, 0xcbf29ce484222325ULL + kind);
	}
	for (size_t i = 0; i < sizeof program_folders / sizeof program_folders[0]; i++) {
		char path[4096];

		snprintf(path, sizeof path, "%s/%s", config_dir, program_folders[i]);
		stamp = stamp * 31 + stamp_folder(path, i);
	}
	return stamp;
}
