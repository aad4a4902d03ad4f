/* tocsin freeze, unfreeze: stops what is done without a person, and starts it again. */
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "bus/containment.h"
#include "bus/redis.h"
#include "cli.h"
#include "closure_say.h"
#include "model/customer.h"
#include "run.h"

static void render(struct buf *out, const struct screen *screen, const json_t *document)
{
	const char *customer = json_string_value(json_object_get(document, "customer"));

	(void)screen;
	buf_addf(out, "%s of %s %s\n", json_string_value(json_object_get(document, "what")),
		 customer ? customer : "every customer",
		 json_is_true(json_object_get(document, "frozen"))
		     ? "is frozen: nothing is done without a person"
		     : "goes on");
}

static bool is_kind(const char *what)
{
	return strcmp(what, "containment") == 0 || strcmp(what, "closing") == 0 ||
	       strcmp(what, "all") == 0;
}

static int run(struct cli *cli, bool frozen)
{
	const char *operand = args_operand(&cli->args, 0);
	const char *what = operand ? operand : "all";
	const char *customer = args_value(&cli->args, "customer");
	struct err err = { 0 };
	struct arena *arena;
	struct redis *redis;
	bool good;

	if (!is_kind(what))
		return cli_failf(cli, EXIT_USAGE,
				 "%s: must be containment, closing or all (the default)", what);
	redis = cli_redis(cli, &err);
	if (!redis || !cli_customer_known(redis, customer, &err))
		return cli_fail(
		    cli, err.kind == ERR_PERMANENT ? EXIT_NOT_FOUND : EXIT_UNREACHABLE, &err);
	arena = arena_new();
	good = frozen ? freeze_set(redis, cli->bus.partitions, what, customer,
				   closure_actor(arena), clock_wall_ms(), &err)
		      : freeze_clear(redis, cli->bus.partitions, what, customer, &err);
	arena_free(arena);
	if (!good)
		return cli_fail(cli, EXIT_UNREACHABLE, &err);
	return cli_print(cli,
			 json_pack("{s:s,s:s*,s:b}", "what", what, "customer", customer,
				   "frozen", (int)frozen),
			 render, EXIT_OK);
}

int run_freeze(struct cli *cli)
{
	return run(cli, true);
}

int run_unfreeze(struct cli *cli)
{
	return run(cli, false);
}
