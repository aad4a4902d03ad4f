/* tocsin incident close, reopen, release: what a person says should become of an incident. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "bus/key.h"
#include "bus/redis.h"
#include "cli.h"
#include "closure_say.h"
#include "incident_search.h"
#include "model/closure.h"
#include "model/customer.h"
#include "run.h"

static void render(struct buf *out, const struct screen *screen, const json_t *document)
{
	const json_t *rows = json_object_get(document, "incidents"), *row;
	size_t i;

	(void)screen;
	json_array_foreach(rows, i, row)
	{
		buf_addf(out, "%s: %s\n", json_string_value(json_object_get(row, "id")),
			 json_string_value(json_object_get(document, "asked")));
	}
	if (json_array_size(rows) == 0)
		buf_addf(out, "%s\n", json_string_value(json_object_get(document, "asked")));
}

static int fail(struct cli *cli, const struct err *err)
{
	return cli_fail(cli, err->kind == ERR_PERMANENT ? EXIT_FAILED : EXIT_UNREACHABLE, err);
}

/* Why it makes no sense for an incident that is so; NULL: it does. */
static const char *fault_of(const json_t *view, enum closure_op op)
{
	const char *state = json_string_value(json_object_get(view, "state"));
	bool closed = strcmp(state, "closed") == 0;

	if (op == CLOSURE_VERDICT && closed)
		return "it is closed already";
	if (op == CLOSURE_REOPEN &&
	    (strcmp(state, "opening") == 0 || strcmp(state, "open") == 0))
		return "it is not closed";
	if (op == CLOSURE_RELEASE &&
	    (closed || !json_is_object(json_object_get(view, "closing"))))
		return "nothing of it waits for a confirmation";
	return NULL;
}

/* All that are named, each of which it makes sense for: nothing is said of any before. NULL
 * with the exit status, which has been told. */
static json_t *find_all(struct cli *cli, struct redis *redis, enum closure_op op,
			int *ret_status)
{
	json_t *views = json_array();

	for (size_t i = 0; i < cli->args.operand_count; i++) {
		const char *name = cli->args.operands[i];
		struct err err = { 0 };
		json_t *view = incident_find(redis, cli->bus.partitions, name, &err);
		const char *fault = view ? fault_of(view, op) : NULL;

		json_array_append_new(views, view);
		if (view && !fault)
			continue;
		json_decref(views);
		if (fault)
			*ret_status = cli_failf(cli, EXIT_FAILED, "%s: %s", name, fault);
		else if (err.kind == ERR_NONE)
			*ret_status = cli_failf(
			    cli, EXIT_NOT_FOUND,
			    "there is no incident %s: see tocsin incident list", name);
		else
			*ret_status = fail(cli, &err);
		return NULL;
	}
	return views;
}

/* Says it of every incident that is named. */
static int say(struct cli *cli, struct closure *closure, const char *asked)
{
	struct err err = { 0 };
	struct redis *redis = cli_redis(cli, &err);
	json_t *views, *rows, *view;
	bool good = true;
	int status = EXIT_FAILED;
	size_t i;

	if (!redis)
		return fail(cli, &err);
	views = find_all(cli, redis, closure->op, &status);
	if (!views)
		return status;
	rows = json_array();
	json_array_foreach(views, i, view)
	{
		unsigned partition =
		    (unsigned)json_integer_value(json_object_get(view, "partition"));

		closure->incident = json_string_value(json_object_get(view, "id"));
		good = good && closure_say(redis, partition, closure, &err);
		if (good)
			json_array_append_new(rows, json_pack("{s:s,s:O}", "id",
							      closure->incident, "state",
							      json_object_get(view, "state")));
	}
	json_decref(views);
	if (good)
		return cli_print(cli, json_pack("{s:s,s:o}", "asked", asked, "incidents", rows),
				 render, EXIT_OK);
	json_decref(rows);
	return fail(cli, &err);
}

int run_incident_close(struct cli *cli)
{
	const char *verdict = args_value(&cli->args, "verdict");
	const char *note = args_value(&cli->args, "note");
	struct closure closure = { .op = CLOSURE_VERDICT, .note = note };

	if (verdict && (!*verdict || !closure_verdict_parse(verdict, &closure.verdict)))
		return cli_failf(
		    cli, EXIT_USAGE,
		    "--verdict %s: must be false_positive, benign or true_positive", verdict);
	if (note && strlen(note) > CLOSURE_NOTE_MAX)
		return cli_failf(cli, EXIT_USAGE, "--note: at most %d bytes", CLOSURE_NOTE_MAX);
	return say(cli, &closure, "will be closed");
}

int run_incident_reopen(struct cli *cli)
{
	struct closure closure = { .op = CLOSURE_REOPEN };

	return say(cli, &closure, "will be open again, without isolating anything by itself");
}

/* All that wait for the confirmation of this customer. */
static int release_customer(struct cli *cli, const char *id)
{
	struct closure closure = { .op = CLOSURE_RELEASE, .customer = id };
	struct err err = { 0 };
	struct redis *redis = cli_redis(cli, &err);
	struct directory *directory = redis ? cli_directory(cli, redis, &err) : NULL;
	const struct customer *customer = directory ? directory_customer(directory, id) : NULL;
	bool good = customer && closure_say(redis, customer->partition, &closure, &err);
	bool known = !directory || customer;

	directory_free(directory);
	if (!known)
		return cli_failf(cli, EXIT_NOT_FOUND, "there is no customer %s", id);
	if (!good)
		return fail(cli, &err);
	return cli_print(cli,
			 json_pack("{s:s,s:[]}", "asked",
				   "all hosts of closed incidents that waited for this are let "
				   "go",
				   "incidents"),
			 render, EXIT_OK);
}

int run_incident_release(struct cli *cli)
{
	struct closure closure = { .op = CLOSURE_RELEASE };
	const char *customer = args_value(&cli->args, "customer");

	if (!customer == (cli->args.operand_count == 0))
		return cli_failf(cli, EXIT_USAGE, "name incidents, or --customer ID for all");
	return customer ? release_customer(cli, customer)
			: say(cli, &closure, "hosts that waited for this are let go");
}
