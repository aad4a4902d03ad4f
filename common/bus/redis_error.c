/* What an error of Redis means and what is done about it: one table, no guessing elsewhere. */
#include <string.h>

#include "bus/redis.h"

static const struct redis_error_row rows[] = {
	{ REDIS_NONE, NULL, REDIS_RETRY, "no error" },
	{ REDIS_IO, "ERR max number of clients", REDIS_RECONNECT,
	  "Redis cannot be reached, or the connection was lost" },
	{ REDIS_LOADING, "LOADING", REDIS_RETRY, "Redis is reading its data after a start" },
	{ REDIS_READONLY, "READONLY", REDIS_RECONNECT,
	  "this server is a replica now; the name will lead to the new primary" },
	{ REDIS_MASTERDOWN, "MASTERDOWN", REDIS_RECONNECT,
	  "this server is a replica that lost its primary" },
	{ REDIS_NOREPLICAS, "NOREPLICAS", REDIS_RETRY,
	  "too few replicas follow the primary; it writes again when they are back" },
	{ REDIS_UNBLOCKED, "UNBLOCKED", REDIS_RECONNECT,
	  "a waiting read was cut because the server changed its role or lost the stream" },
	{ REDIS_CLUSTERDOWN, "CLUSTERDOWN", REDIS_RETRY,
	  "the cluster has no owner for a slot" },
	{ REDIS_CLUSTERDOWN, "TRYAGAIN", REDIS_RETRY, "the cluster is moving a slot" },
	{ REDIS_MOVED, "MOVED", REDIS_ALARM,
	  "this partition's slot is on another node: give that node's URL" },
	{ REDIS_MOVED, "ASK", REDIS_ALARM,
	  "this partition's slot is moving to another node: give that node's URL" },
	{ REDIS_CROSSSLOT, "CROSSSLOT", REDIS_ALARM,
	  "keys of two slots in one call: a defect of ours" },
	{ REDIS_NOGROUP, "NOGROUP", REDIS_ALARM,
	  "a stream or its group is gone, so data was lost; `tocsin setup` makes it again" },
	{ REDIS_BUSYGROUP, "BUSYGROUP", REDIS_RETRY, "the group exists already" },
	{ REDIS_OOM, "OOM", REDIS_RETRY,
	  "Redis is full: what is queued drains, nothing new is taken in until it has" },
	{ REDIS_MISCONF, "MISCONF", REDIS_ALARM,
	  "Redis cannot write to its disk; see its log" },
	{ REDIS_BUSY, "BUSY", REDIS_RETRY, "Redis is running a long function" },
	{ REDIS_NOAUTH, "NOAUTH", REDIS_ALARM,
	  "Redis wants a password: set TOCSIN_REDIS_PASSWORD_FILE" },
	{ REDIS_NOAUTH, "WRONGPASS", REDIS_ALARM, "Redis refuses this user and password" },
	{ REDIS_NOPERM, "NOPERM", REDIS_ALARM,
	  "this Redis user lacks a right; compare the ACL file" },
	{ REDIS_NOPERM, "ERR The user executing the script", REDIS_ALARM,
	  "this Redis user lacks a right that a function needs; compare the ACL file" },
	{ REDIS_NOPERM, "ERR ACL failure in script", REDIS_ALARM,
	  "this Redis user lacks a right that a function needs; compare the ACL file" },
	{ REDIS_NOFUNCTION, "ERR Function not found", REDIS_RETRY,
	  "our functions are not loaded (yet): `tocsin setup` does that" },
	{ REDIS_WRONGTYPE, "WRONGTYPE", REDIS_ALARM,
	  "a key of ours holds something else; nothing was written" },
	{ REDIS_EXECABORT, "EXECABORT", REDIS_RETRY, "a transaction was refused as a whole" },
	{ REDIS_STALE, "STALE", REDIS_RETRY, "a lease or fence is no longer ours" },
	{ REDIS_FULL, "FULL", REDIS_RETRY, "Redis is nearly full: what comes in waits" },
	{ REDIS_NOSTREAM, "NOSTREAM", REDIS_ALARM,
	  "a stream is missing, so data was lost; `tocsin setup` makes it again" },
	{ REDIS_REFUSED, "REFUSED", REDIS_ALARM, "our arguments were wrong: a defect of ours" },
	{ REDIS_OTHER, NULL, REDIS_RETRY, "an error we do not know" },
};

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

const struct redis_error_row *redis_error_table(size_t *ret_count)
{
	*ret_count = ROW_COUNT;
	return rows;
}

const struct redis_error_row *redis_error_row(enum redis_error error)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (rows[i].error == error)
			return &rows[i];
	}
	return &rows[ROW_COUNT - 1];
}

enum redis_error redis_error_classify(const char *text)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		const char *prefix = rows[i].prefix;
		if (!prefix || strncmp(text, prefix, strlen(prefix)) != 0)
			continue;
		char next = text[strlen(prefix)];
		/* A code is a whole word: BUSY is not BUSYGROUP. */
		if (strchr(prefix, ' ') || next == ' ' || next == '\0')
			return rows[i].error;
	}
	return REDIS_OTHER;
}
