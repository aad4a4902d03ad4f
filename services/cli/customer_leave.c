/* tocsin customer remove: its hosts, in the client. */
#include "customer_leave.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "bus/containment.h"
#include "bus/key.h"
#include "bus/redis.h"
#include "cli.h"
#include "containment_order.h"

enum { LOOK_MS = 200, RELEASE_MS = 90 * 1000 };

static bool count_hosts(struct cli *cli, struct redis *redis, const char *id, size_t *ret_count,
			struct err *err)
{
	*ret_count = 0;
	for (unsigned p = 0; p < cli->bus.partitions; p++) {
		struct arena *arena = arena_new();
		struct containment_row *rows;
		size_t count = 0;
		bool good = containment_list_read(redis, p, CONTAINMENT_HOSTS, arena, &rows,
						  &count, err);

		for (size_t i = 0; good && i < count; i++)
			*ret_count += strcmp(rows[i].customer, id) == 0;
		arena_free(arena);
		if (!good)
			return false;
	}
	return true;
}

static bool wait_released(struct cli *cli, struct redis *redis, const char *id, struct err *err)
{
	uint64_t until_ms = clock_mono_ms() + RELEASE_MS;
	size_t left = 1;

	while (clock_mono_ms() < until_ms) {
		if (!count_hosts(cli, redis, id, &left, err))
			return false;
		if (left == 0)
			return true;
		poll(NULL, 0, LOOK_MS);
	}
	return err_set(err, ERR_PERMANENT,
		       "%zu hosts of %s are still contained, nothing was removed: see tocsin "
		       "containment list",
		       left, id);
}

/* Nothing is done outside for a customer that is not live, so no host is let go either. */
static bool check_live(struct redis *redis, const char *id, struct err *err)
{
	struct redis_reply *reply = redis_command(redis, err, "HGET %s %s", KEY_CUSTOMERS, id);
	json_t *file = reply ? json_loads(reply_text(reply), 0, NULL) : NULL;
	const char *mode = json_string_value(json_object_get(file, "mode"));
	bool known = reply != NULL, live = mode && strcmp(mode, "live") == 0;

	if (known && !live)
		err_fill(
		    err, ERR_PERMANENT,
		    "%s is not live, so its hosts are not released: tocsin customer resume "
		    "%s first, or give --leave",
		    id, id);
	json_decref(file);
	reply_free(reply);
	return known && live;
}

static bool let_go(struct cli *cli, struct redis *redis, const char *id, struct err *err)
{
	size_t count;

	if (!count_hosts(cli, redis, id, &count, err))
		return false;
	if (count == 0)
		return true;
	if (!args_flag(&cli->args, "release"))
		return err_set(err, ERR_PERMANENT,
			       "%zu hosts of %s are contained: --release lets them go first, "
			       "--leave leaves them as they are",
			       count, id);
	return check_live(redis, id, err) &&
	       containment_release_customer(cli, redis, id, err) &&
	       wait_released(cli, redis, id, err);
}

bool customer_let_go(struct cli *cli, int *ret_code)
{
	struct err err = { 0 };

	if (args_flag(&cli->args, "release") && args_flag(&cli->args, "leave")) {
		*ret_code = cli_failf(cli, EXIT_USAGE, "give --release or --leave, not both");
		return false;
	}
	if (args_flag(&cli->args, "leave"))
		return true;
	struct redis *redis = cli_redis(cli, &err);
	bool good = redis != NULL;

	for (size_t i = 0; good && i < cli->args.operand_count; i++)
		good = let_go(cli, redis, cli->args.operands[i], &err);
	if (good)
		return true;
	if (err.kind == ERR_TRANSIENT)
		err_prefix(
		    &err, "whether hosts are contained cannot be known (--leave does not ask)");
	*ret_code =
	    cli_fail(cli, err.kind == ERR_TRANSIENT ? EXIT_UNREACHABLE : EXIT_FAILED, &err);
	return false;
}

bool customer_ask_purge(struct cli *cli, struct err *err)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/removed", cli->settings.config_dir);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_set(err, ERR_PERMANENT, "cannot make %s: %s", path, strerror(errno));
	for (size_t i = 0; i < cli->args.operand_count; i++) {
		snprintf(path, sizeof path, "%s/removed/%s", cli->settings.config_dir,
			 cli->args.operands[i]);
		int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0 || fsync(fd) < 0) {
			err_fill(err, ERR_PERMANENT,
				 "the customer is removed, and not what Redis holds: cannot "
				 "write %s: %s",
				 path, strerror(errno));
			if (fd >= 0)
				close(fd);
			return false;
		}
		close(fd);
	}
	return true;
}
