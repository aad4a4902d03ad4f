/* tocsin incident retry: failed steps are tried again, after a person changed what made them
 * fail. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/trace.h"
#include "bus/key.h"
#include "bus/redis.h"
#include "cli.h"
#include "incident_search.h"
#include "model/incident.h"
#include "run.h"

static bool has_failed_step(const json_t *view)
{
	const json_t *step;
	size_t i;

	json_array_foreach(json_object_get(view, "steps"), i, step)
	{
		if (strcmp(json_string_value(json_object_get(step, "status")), "failed") == 0)
			return true;
	}
	return false;
}

/* The item, then its wake-up. Asked once more after an error it is there twice, which does no
 * harm. */
static bool push(struct redis *redis, unsigned partition, const char *id, const char *parent,
		 struct err *err)
{
	const struct incident_item item = { .op = ITEM_RETRY };
	struct arena *arena = arena_new();
	struct key inbox, actions;
	char trace[TRACE_ROOM];
	bool good = true;

	trace_child(parent, trace);

	key_format(&inbox, partition, "incident:%s:inbox", id);
	key_format(&actions, partition, STREAM_ACTIONS);
	redis_append(redis, REDIS_ALWAYS "RPUSH %s", inbox.text,
		     incident_item_encode(&item, arena));
	redis_append(redis, REDIS_ALWAYS "XADD NOMKSTREAM * v 1 incident %s trace %s",
		     actions.text, id, trace);
	for (int i = 0; i < 2; i++) {
		struct redis_reply *reply = redis_read(redis, good ? err : NULL);
		good = good && reply;
		reply_free(reply);
	}
	arena_free(arena);
	return good;
}

static json_t *retry(struct cli *cli, struct redis *redis, const char *wanted, struct err *err)
{
	json_t *view = incident_find(redis, cli->bus.partitions, wanted, err);
	unsigned partition = (unsigned)json_integer_value(json_object_get(view, "partition"));
	const char *id = json_string_value(json_object_get(view, "id"));
	json_t *row = NULL;

	if (view) {
		bool failed = has_failed_step(view);
		if (!failed || push(redis, partition, id,
				    json_string_value(json_object_get(view, "trace")), err))
			row = json_pack("{s:s,s:b}", "id", id, "retried", failed);
	}
	json_decref(view);
	return row;
}

static void render(struct buf *out, const struct screen *screen, const json_t *document)
{
	const json_t *rows = json_object_get(document, "incidents"), *row;
	size_t i;

	(void)screen;
	json_array_foreach(rows, i, row)
	{
		buf_addf(out, "%s: %s\n", json_string_value(json_object_get(row, "id")),
			 json_is_true(json_object_get(row, "retried"))
			     ? "failed steps are tried again"
			     : "no step of it has failed");
	}
}

int run_incident_retry(struct cli *cli)
{
	struct err err = { 0 };
	struct redis *redis = cli_redis(cli, &err);
	json_t *rows = json_array();
	bool good = redis != NULL;

	for (size_t i = 0; good && i < cli->args.operand_count; i++) {
		json_t *row = retry(cli, redis, cli->args.operands[i], &err);

		good = row && json_array_append_new(rows, row) == 0;
		if (!row && err.kind == ERR_NONE) {
			json_decref(rows);
			return cli_failf(cli, EXIT_NOT_FOUND,
					 "there is no incident %s: see tocsin incident list",
					 cli->args.operands[i]);
		}
	}
	if (good)
		return cli_print(cli, json_pack("{s:o}", "incidents", rows), render, EXIT_OK);
	json_decref(rows);
	return cli_fail(cli, err.kind == ERR_PERMANENT ? EXIT_FAILED : EXIT_UNREACHABLE, &err);
}
