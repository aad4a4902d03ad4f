/*
 * tocsin canary: one event, marked as a test, goes the way of every other through normalizer,
 * incident service and an instance of ServiceNow, and back through the callback. Nothing in the
 * services knows of it.
 */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "bus/key.h"
#include "bus/redis.h"
#include "canary_trip.h"
#include "cli.h"
#include "model/customer.h"
#include "run.h"
#include "text.h"
#include "vendor/session.h"
#include "view.h"

enum { WAIT_DEFAULT_S = 180, WAIT_MAX_S = 3600, EVERY_MIN_MS = 60 * 1000 };

static void render(struct buf *out, const struct screen *screen, const json_t *document)
{
	const json_t *row;
	size_t i;

	(void)screen;
	json_array_foreach(json_object_get(document, "canaries"), i, row)
	{
		const char *missing = json_string_value(json_object_get(row, "missing"));

		buf_addf(out, "%s: ", json_string_value(json_object_get(row, "account")));
		if (missing) {
			buf_adds(out, "lost: ");
			text_clean(out, missing);
			buf_adds(out, "\n");
			continue;
		}
		buf_addf(out,
			 "%s of %s was open after %" JSON_INTEGER_FORMAT
			 " ms, and over %" JSON_INTEGER_FORMAT " ms after it was closed\n",
			 json_string_value(json_object_get(row, "number")),
			 json_string_value(json_object_get(row, "customer")),
			 json_integer_value(json_object_get(row, "ticket_after_ms")),
			 json_integer_value(json_object_get(row, "closed_after_ms")));
	}
}

static bool outing_init(struct canary_outing *outing, struct err *err)
{
	struct cli *cli = outing->cli;
	const struct vault *vault = cli_vault(cli, err);
	struct http *http = vault ? cli_http(cli, err) : NULL;
	const struct vendor_needs needs = {
		.http = http, .vault = vault, .settings = &cli->vendor, .threads = 1
	};

	outing->redis = http ? cli_redis(cli, err) : NULL;
	outing->directory = outing->redis ? cli_directory(cli, outing->redis, err) : NULL;
	outing->vendor = outing->directory ? vendor_new(&needs) : NULL;
	return outing->vendor != NULL;
}

static int send_all(struct cli *cli, uint64_t wait_ms)
{
	struct canary_outing outing = { .cli = cli, .wait_ms = wait_ms };
	struct err err = { 0 };
	int code = EXIT_OK;

	if (outing_init(&outing, &err)) {
		json_t *rows = json_array();

		for (size_t i = 0; i < cli->args.operand_count; i++) {
			json_t *row = canary_trip(&outing, cli->args.operands[i]);

			if (!json_is_true(json_object_get(row, "arrived")))
				code = EXIT_UNHEALTHY;
			json_array_append_new(rows, row);
		}
		code = cli_print(cli, json_pack("{s:o}", "canaries", rows), render, code);
	} else {
		code = cli_fail(cli, err.kind == ERR_TRANSIENT ? EXIT_UNREACHABLE : EXIT_FAILED,
				&err);
	}
	vendor_free(outing.vendor);
	directory_free(outing.directory);
	return code;
}

/* Each in a process of its own: it opens keys and connections anew, and leaves nothing. */
static int send_every(struct cli *cli, uint64_t wait_ms, uint64_t every_ms)
{
	for (;;) {
		uint64_t begun = clock_mono_ms();
		pid_t child = fork();

		if (child == 0)
			exit(send_all(cli, wait_ms));
		if (child < 0 || waitpid(child, NULL, 0) != child)
			return cli_failf(cli, EXIT_FAILED, "no process can be started");
		for (uint64_t passed; (passed = clock_mono_ms() - begun) < every_ms;)
			clock_sleep_ms(every_ms - passed);
	}
}

static void render_off(struct buf *out, const struct screen *screen, const json_t *document)
{
	const json_t *account;
	size_t i;

	(void)screen;
	json_array_foreach(json_object_get(document, "off"), i, account)
	    buf_addf(out, "%s: no canary is missed any more\n", json_string_value(account));
}

/* One under way stays noted: should canaries be wanted again, its ticket is closed then. */
static int turn_off(struct cli *cli)
{
	struct err err = { 0 };
	struct redis *redis = cli_redis(cli, &err);
	json_t *accounts = json_array();
	bool good = redis != NULL;

	for (size_t i = 0; good && i < cli->args.operand_count; i++) {
		struct key key;

		key_account(&key, cli->args.operands[i]);
		good = redis_run(redis, &err, "HDEL %s canary_ms", key.text);
		json_array_append_new(accounts, view_text(cli->args.operands[i]));
	}
	if (good)
		return cli_print(cli, json_pack("{s:o}", "off", accounts), render_off, EXIT_OK);
	json_decref(accounts);
	return cli_fail(cli, EXIT_UNREACHABLE, &err);
}

int run_canary(struct cli *cli)
{
	const char *every = args_value(&cli->args, "every");
	uint64_t wait_s, every_ms = 0;
	struct err err = { 0 };

	if (!args_number(&cli->args, "wait", 1, WAIT_MAX_S, WAIT_DEFAULT_S, &wait_s, &err))
		return cli_fail(cli, EXIT_USAGE, &err);
	if (every && (!clock_parse_span(every, &every_ms) || every_ms < EVERY_MIN_MS))
		return cli_failf(cli, EXIT_USAGE, "--every %s: a time of 1m or more", every);
	if (args_flag(&cli->args, "off"))
		return turn_off(cli);
	return every ? send_every(cli, wait_s * 1000, every_ms) : send_all(cli, wait_s * 1000);
}
