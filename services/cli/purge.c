/* Erasing what Redis holds of removed customers, in the keeper. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "bus/key.h"
#include "bus/redis.h"
#include "customer_leave.h"
#include "model/customer.h"

enum { PAGE = 1000, SETTLED_MS = 10 * 1000 };

/* Kinds of keys that name the customer next. */
static const char *const kinds[] = {
	"seen:",  "cursor:",	     "nonce:push:", "lease:", "lease:rescue:",
	"fence:", "fence:rescue:",   "group:",	    "host:",  "ceiling:",
	"storm:", "tocsin:account:", "releases:",   "asks:",  "mail:",
};

/* ---- which customer ---- */

/* Asked for long enough that no process works for it any more, and not there again. */
static bool is_removed(const struct purge *purge, const char *id, struct redis *redis)
{
	char path[4096];
	struct stat status;

	snprintf(path, sizeof path, "%s/removed/%s", purge->config_dir, id);
	if (stat(path, &status) < 0 ||
	    (uint64_t)status.st_mtime * 1000 + SETTLED_MS > clock_wall_ms())
		return false;
	snprintf(path, sizeof path, "%s/customers/%s.json", purge->config_dir, id);
	if (access(path, F_OK) == 0)
		return false;
	struct redis_reply *known = redis_command(redis, NULL, "HGET %s %s", KEY_CUSTOMERS, id);
	bool gone = known && reply_type(known) == REPLY_NIL;

	reply_free(known);
	return gone;
}

static void choose(struct purge *purge, struct redis *redis)
{
	char path[4096];
	struct dirent *entry;

	snprintf(path, sizeof path, "%s/removed", purge->config_dir);
	DIR *folder = opendir(path);
	while (folder && !purge->id[0] && (entry = readdir(folder)) != NULL) {
		if (customer_id_valid(entry->d_name) && is_removed(purge, entry->d_name, redis))
			memccpy(purge->id, entry->d_name, '\0', sizeof purge->id);
	}
	if (folder)
		closedir(folder);
	snprintf(purge->cursor, sizeof purge->cursor, "0");
}

/* ---- its keys ---- */

static bool names_customer(const char *kind, const char *id)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		size_t size = strlen(kinds[i]), length = strlen(id);

		if (strncmp(kind, kinds[i], size) == 0 &&
		    strncmp(kind + size, id, length) == 0 &&
		    strchr(":.", kind[size + length])) /* or the end */
			return true;
	}
	return false;
}

static bool is_incident(const char *kind)
{
	return strncmp(kind, "incident:", 9) == 0 && !strchr(kind + 9, ':');
}

/* Ours among the page's incidents, with their lists, and out of the reconciler's set. */
static bool append_incident(struct redis *redis, const char *key, const char *id,
			    struct err *err)
{
	struct redis_reply *customer = redis_command(redis, err, "HGET %s customer", key);
	bool good = customer != NULL;
	const char *kind = key_kind(key);

	if (good && strcmp(reply_text(customer), id) == 0) {
		good = redis_run(redis, err,
				 "UNLINK %s %s:inbox %s:findings %s:timeline %s:waiting", key,
				 key, key, key, key) &&
		       redis_run(redis, err, "ZREM %b%s %s", key, (size_t)(kind - key), "open",
				 kind + 9);
	}
	reply_free(customer);
	return good;
}

static bool do_page(struct purge *purge, struct redis *redis, const struct redis_reply *keys,
		    struct err *err)
{
	for (size_t i = 0; i < reply_count(keys); i++) {
		const struct redis_reply *name = reply_at(keys, i);
		const char *key = reply_text(name), *kind = key_kind(key);
		bool good = true;

		if (is_incident(kind))
			good = append_incident(redis, key, purge->id, err);
		else if (names_customer(kind, purge->id))
			good = redis_run(redis, err, "UNLINK %b", key, reply_size(name));
		if (!good)
			return false;
	}
	return true;
}

/* Members "<customer> <what>" of the lists that people look at. */
static bool clear_list(const struct purge *purge, struct redis *redis, const struct key *list,
		       struct err *err)
{
	struct redis_reply *rows = redis_command(redis, err, "ZRANGE %s 0 -1", list->text);
	size_t length = strlen(purge->id);
	bool good = rows != NULL;

	for (size_t i = 0; good && i < reply_count(rows); i++) {
		const char *member = reply_text(reply_at(rows, i));

		if (strncmp(member, purge->id, length) == 0 && member[length] == ' ')
			good = redis_run(redis, err, "ZREM %s %s", list->text, member);
	}
	reply_free(rows);
	return good;
}

static bool clear_lists(const struct purge *purge, struct redis *redis, struct err *err)
{
	static const char *const lists[] = { "hosts", "approvals", "stuck" };
	bool good = true;

	for (unsigned p = 0; good && p < purge->partitions; p++) {
		struct key key;

		for (size_t i = 0; good && i < sizeof lists / sizeof lists[0]; i++) {
			key_format(&key, p, "containment:%s", lists[i]);
			good = clear_list(purge, redis, &key, err);
		}
		key_format(&key, p, "containment:rescued");
		good = good && redis_run(redis, err, "HDEL %s %s", key.text, purge->id);
	}
	return good;
}

static bool finish(struct purge *purge, struct redis *redis, struct err *err)
{
	char path[4096];

	if (!clear_lists(purge, redis, err))
		return false;
	snprintf(path, sizeof path, "%s/removed/%s", purge->config_dir, purge->id);
	log_info("customer %s: erased", purge->id);
	if (unlink(path) < 0)
		log_warn("cannot remove %s: it will be erased again and again", path);
	purge->id[0] = '\0';
	return true;
}

bool purge_step(struct purge *purge, struct redis *redis, struct err *err)
{
	if (!purge->id[0])
		choose(purge, redis);
	if (!purge->id[0])
		return true;
	struct redis_reply *reply = redis_command(redis, err, "SCAN %s MATCH tocsin:* COUNT %d",
						  purge->cursor, (int)PAGE);
	bool good = reply && do_page(purge, redis, reply_at(reply, 1), err);

	if (good)
		snprintf(purge->cursor, sizeof purge->cursor, "%s",
			 reply_text(reply_at(reply, 0)));
	reply_free(reply);
	if (good && strcmp(purge->cursor, "0") == 0)
		good = finish(purge, redis, err);
	if (!good)
		purge->id[0] = '\0'; /* from its beginning, later */
	return good;
}
