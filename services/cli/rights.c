/* users.acl of this build, asked about right by right. */
#include "rights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "bus/redis.h"
#include "deploy/redis/users.acl.h"

enum { COMMANDS_MAX = 64, KEYS_MAX = 64, WORDS_MAX = 8, BATCH = 500 };

/* ---- how each command is said ---- */

enum access { ACCESS_NONE, ACCESS_READ, ACCESS_WRITE };

#define K "\1" /* the key's place */

static const struct syntax {
	const char *name;
	enum access access;
	const char *words[WORDS_MAX];
} syntaxes[] = {
	{ "acl|dryrun", ACCESS_NONE, { "ACL", "DRYRUN", "default", "PING" } },
	{ "client|id", ACCESS_NONE, { "CLIENT", "ID" } },
	{ "client|setname", ACCESS_NONE, { "CLIENT", "SETNAME", "x" } },
	{ "client|unblock", ACCESS_NONE, { "CLIENT", "UNBLOCK", "1" } },
	{ "del", ACCESS_WRITE, { "DEL", K } },
	{ "dump", ACCESS_READ, { "DUMP", K } },
	{ "exec", ACCESS_NONE, { "EXEC" } },
	{ "exists", ACCESS_READ, { "EXISTS", K } },
	{ "fcall", ACCESS_WRITE, { "FCALL", "version", "1", K } },
	{ "fcall_ro", ACCESS_READ, { "FCALL_RO", "version", "1", K } },
	{ "function|load", ACCESS_NONE, { "FUNCTION", "LOAD", "x" } },
	{ "get", ACCESS_READ, { "GET", K } },
	{ "hdel", ACCESS_WRITE, { "HDEL", K, "f" } },
	{ "hello", ACCESS_NONE, { "HELLO" } },
	{ "hget", ACCESS_READ, { "HGET", K, "f" } },
	{ "hgetall", ACCESS_READ, { "HGETALL", K } },
	{ "hincrby", ACCESS_WRITE, { "HINCRBY", K, "f", "1" } },
	{ "hkeys", ACCESS_READ, { "HKEYS", K } },
	{ "hlen", ACCESS_READ, { "HLEN", K } },
	{ "hmget", ACCESS_READ, { "HMGET", K, "f" } },
	{ "hset", ACCESS_WRITE, { "HSET", K, "f", "v" } },
	{ "hsetnx", ACCESS_WRITE, { "HSETNX", K, "f", "v" } },
	{ "incr", ACCESS_WRITE, { "INCR", K } },
	{ "info", ACCESS_NONE, { "INFO" } },
	{ "llen", ACCESS_READ, { "LLEN", K } },
	{ "lrange", ACCESS_READ, { "LRANGE", K, "0", "1" } },
	{ "ltrim", ACCESS_WRITE, { "LTRIM", K, "0", "1" } },
	{ "mget", ACCESS_READ, { "MGET", K } },
	{ "multi", ACCESS_NONE, { "MULTI" } },
	{ "pexpire", ACCESS_WRITE, { "PEXPIRE", K, "1" } },
	{ "pexpiretime", ACCESS_READ, { "PEXPIRETIME", K } },
	{ "ping", ACCESS_NONE, { "PING" } },
	{ "restore", ACCESS_WRITE, { "RESTORE", K, "0", "x" } },
	{ "rpush", ACCESS_WRITE, { "RPUSH", K, "v" } },
	{ "sadd", ACCESS_WRITE, { "SADD", K, "m" } },
	{ "scan", ACCESS_NONE, { "SCAN", "0" } },
	{ "scard", ACCESS_READ, { "SCARD", K } },
	{ "set", ACCESS_WRITE, { "SET", K, "v" } },
	{ "smembers", ACCESS_READ, { "SMEMBERS", K } },
	{ "srem", ACCESS_WRITE, { "SREM", K, "m" } },
	{ "time", ACCESS_NONE, { "TIME" } },
	{ "type", ACCESS_READ, { "TYPE", K } },
	{ "unlink", ACCESS_WRITE, { "UNLINK", K } },
	{ "unwatch", ACCESS_NONE, { "UNWATCH" } },
	{ "watch", ACCESS_READ, { "WATCH", K } },
	{ "xack", ACCESS_WRITE, { "XACK", K, "g", "1-1" } },
	{ "xadd", ACCESS_WRITE, { "XADD", K, "*", "f", "v" } },
	{ "xclaim", ACCESS_WRITE, { "XCLAIM", K, "g", "c", "1", "1-1" } },
	{ "xdel", ACCESS_WRITE, { "XDEL", K, "1-1" } },
	{ "xgroup|create", ACCESS_WRITE, { "XGROUP", "CREATE", K, "g", "0" } },
	{ "xgroup|delconsumer", ACCESS_WRITE, { "XGROUP", "DELCONSUMER", K, "g", "c" } },
	{ "xgroup|destroy", ACCESS_WRITE, { "XGROUP", "DESTROY", K, "g" } },
	{ "xinfo|consumers", ACCESS_READ, { "XINFO", "CONSUMERS", K, "g" } },
	{ "xlen", ACCESS_READ, { "XLEN", K } },
	{ "xpending", ACCESS_READ, { "XPENDING", K, "g" } },
	{ "xrange", ACCESS_READ, { "XRANGE", K, "-", "+" } },
	{ "xreadgroup", ACCESS_WRITE, { "XREADGROUP", "GROUP", "g", "c", "STREAMS", K, ">" } },
	{ "xtrim", ACCESS_WRITE, { "XTRIM", K, "MAXLEN", "0" } },
	{ "zadd", ACCESS_WRITE, { "ZADD", K, "1", "m" } },
	{ "zcard", ACCESS_READ, { "ZCARD", K } },
	{ "zcount", ACCESS_READ, { "ZCOUNT", K, "0", "1" } },
	{ "zrange", ACCESS_READ, { "ZRANGE", K, "0", "1" } },
	{ "zrem", ACCESS_WRITE, { "ZREM", K, "m" } },
	{ "zremrangebyscore", ACCESS_WRITE, { "ZREMRANGEBYSCORE", K, "0", "1" } },
	{ "zscan", ACCESS_READ, { "ZSCAN", K, "0" } },
	{ "zscore", ACCESS_READ, { "ZSCORE", K, "m" } },
};

static const struct syntax *syntax_of(const char *name)
{
	for (size_t i = 0; i < sizeof syntaxes / sizeof syntaxes[0]; i++) {
		if (strcmp(syntaxes[i].name, name) == 0)
			return &syntaxes[i];
	}
	return NULL;
}

/* ---- the file ---- */

/* Commands on keys: a user's own, or between brackets. */
struct grant {
	const char *commands[COMMANDS_MAX];
	size_t command_count;
	struct {
		const char *pattern;
		bool read_only;
	} keys[KEYS_MAX];
	size_t key_count;
};

struct reading {
	const char *user; /* NULL before the first */
	struct grant root, inner;
	bool inside;
	bool all; /* +@all: nothing to ask */
	struct arena *arena;
	bool (*visit)(const char *user, const struct grant *grant, void *opaque);
	void *opaque;
};

static bool visit(struct reading *reading, struct grant *grant)
{
	bool going = !reading->user || reading->all ||
		     reading->visit(reading->user, grant, reading->opaque);

	*grant = (struct grant){ 0 };
	return going;
}

static void read_right(struct reading *reading, struct grant *grant, const char *word)
{
	bool read_only = strncmp(word, "%R~", 3) == 0;

	reading->all |= strcmp(word, "+@all") == 0;
	if (word[0] == '+' && grant->command_count < COMMANDS_MAX) {
		grant->commands[grant->command_count++] = word + 1;
	} else if ((word[0] == '~' || read_only) && grant->key_count < KEYS_MAX) {
		grant->keys[grant->key_count].pattern = word + (read_only ? 3 : 1);
		grant->keys[grant->key_count++].read_only = read_only;
	}
}

static bool read_word(struct reading *reading, char *word)
{
	size_t size = strlen(word);
	bool ends = size > 0 && word[size - 1] == ')';

	if (word[0] == '(') {
		reading->inside = true;
		word++;
		size--;
	}
	if (ends)
		word[size - 1] = '\0';
	read_right(reading, reading->inside ? &reading->inner : &reading->root, word);
	if (!ends)
		return true;
	reading->inside = false;
	return visit(reading, &reading->inner);
}

static bool read_line(struct reading *reading, char *line)
{
	char *rest = line, *word;
	bool going = true;

	if (line[0] == '#')
		return true;
	if (strncmp(line, "user ", 5) == 0) {
		going = visit(reading, &reading->root);
		reading->all = false;
		strtok_r(rest, " ", &rest);
		reading->user = strtok_r(NULL, " ", &rest);
		strtok_r(NULL, " ", &rest); /* on or off */
	}
	while (going && (word = strtok_r(NULL, " ", &rest)) != NULL)
		going = read_word(reading, word);
	return going;
}

static void read_users(bool (*visit_grant)(const char *user, const struct grant *grant,
					   void *opaque),
		       void *opaque)
{
	struct reading reading = { .arena = arena_new(),
				   .visit = visit_grant,
				   .opaque = opaque };
	char *rest = arena_strndup(reading.arena, users_acl, sizeof users_acl - 1), *line;
	bool going = true;

	while (going && (line = strsep(&rest, "\n")) != NULL)
		going = read_line(&reading, line);
	if (going)
		visit(&reading, &reading.root);
	arena_free(reading.arena);
}

/* ---- asking ---- */

struct asking {
	struct redis *redis;
	struct rights *rights;
	struct err *err;
	bool failed;
	char absent[32]; /* the user that was found not to exist last */
	struct {
		const char *command;
		char key[128];
	} asked[BATCH];
	size_t count;
};

static void name_missing(struct rights *rights, const char *user, const char *command,
			 const char *key)
{
	if (rights->missing < RIGHTS_NAMED)
		snprintf(rights->named[rights->missing], RIGHTS_TEXT_SIZE,
			 "Redis's user %s may not run %s%s%s", user, command,
			 key[0] ? " on " : "", key);
	rights->missing++;
}

/* Only processes of ours must have one. */
static void name_absent(struct asking *asking, const char *user)
{
	struct rights *rights = asking->rights;

	if (strcmp(asking->absent, user) == 0 || strcmp(user, "health") == 0 ||
	    strcmp(user, "keda") == 0)
		return;
	snprintf(asking->absent, sizeof asking->absent, "%s", user);
	if (rights->missing < RIGHTS_NAMED)
		snprintf(rights->named[rights->missing], RIGHTS_TEXT_SIZE,
			 "Redis has no user %s", user);
	rights->missing++;
}

/* The answers of one user; false ends all. */
static bool hear(struct asking *asking, const char *user)
{
	bool going = true;

	for (size_t i = 0; i < asking->count; i++) {
		struct redis_reply *reply =
		    redis_read(asking->redis, going ? asking->err : NULL);

		if (!reply && redis_error(asking->redis) == REDIS_NOPERM)
			asking->rights->answer = RIGHTS_FORBIDDEN;
		else if (!reply && redis_error(asking->redis) == REDIS_OTHER)
			name_absent(asking, user);
		else if (!reply)
			asking->failed = true;
		else if (strcmp(reply_text(reply), "OK") != 0)
			name_missing(asking->rights, user, asking->asked[i].command,
				     asking->asked[i].key);
		asking->rights->checked += reply != NULL;
		reply_free(reply);
		going = going && !asking->failed && asking->rights->answer != RIGHTS_FORBIDDEN;
	}
	asking->count = 0;
	return going;
}

/* "tocsin:{p*}:seen:*" as a key that it is about. */
static void sample(const char *pattern, char *ret_key, size_t room)
{
	size_t size = 0;

	for (; *pattern && size + 1 < room; pattern++)
		ret_key[size++] = *pattern != '*' ? *pattern : pattern[1] == '}' ? '0' : 'x';
	ret_key[size] = '\0';
}

static bool ask(struct asking *asking, const char *user, const struct syntax *syntax,
		const char *pattern)
{
	const char *argv[WORDS_MAX + 3] = { "ACL", "DRYRUN", user };
	int argc = 3;
	char *key = asking->asked[asking->count].key;

	sample(pattern, key, sizeof asking->asked[0].key);
	asking->asked[asking->count].command = syntax->name;
	for (size_t i = 0; i < WORDS_MAX && syntax->words[i]; i++)
		argv[argc++] = strcmp(syntax->words[i], K) == 0 ? key : syntax->words[i];
	redis_append_argv(asking->redis, argc, argv, NULL);
	asking->count++;
	return asking->count < BATCH || hear(asking, user);
}

static bool ask_grant(const char *user, const struct grant *grant, void *opaque)
{
	struct asking *asking = opaque;
	bool going = true;

	for (size_t i = 0; going && i < grant->command_count; i++) {
		const struct syntax *syntax = syntax_of(grant->commands[i]);

		if (!syntax) {
			/* Whoever adds a command to the file adds a row above. */
			name_missing(asking->rights, user, grant->commands[i],
				     "(unknown to this build)");
			continue;
		}
		if (syntax->access == ACCESS_NONE) {
			going = ask(asking, user, syntax, "");
			continue;
		}
		for (size_t k = 0; going && k < grant->key_count; k++) {
			if (syntax->access == ACCESS_READ || !grant->keys[k].read_only)
				going = ask(asking, user, syntax, grant->keys[k].pattern);
		}
	}
	return going && hear(asking, user);
}

bool rights_check(struct redis *redis, struct rights *ret_rights, struct err *err)
{
	struct asking *asking = xcalloc(1, sizeof *asking);

	*ret_rights = (struct rights){ 0 };
	asking->redis = redis;
	asking->rights = ret_rights;
	asking->err = err;
	read_users(ask_grant, asking);
	bool good = !asking->failed;

	if (ret_rights->checked == 0)
		ret_rights->missing = 0;
	if (ret_rights->answer != RIGHTS_FORBIDDEN)
		ret_rights->answer = ret_rights->checked == 0 ? RIGHTS_NO_USERS
				     : ret_rights->missing    ? RIGHTS_MISSING
							      : RIGHTS_GRANTED;
	free(asking);
	return good;
}
