/* tocsin containment approve, release, write-off: an operator's word, signed with the link key.
 */
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "bus/containment.h"
#include "bus/redis.h"
#include "cli.h"
#include "closure_say.h"
#include "containment_order.h"
#include "containment_view.h"
#include "incident_search.h"
#include "model/closure.h"
#include "model/link.h"
#include "run.h"

enum { TOKEN_LIFE_MS = 10 * 60 * 1000, REASON_MAX = 300 };

/* What is said, and what it is said with. */
struct order {
	struct cli *cli;
	struct redis *redis;
	struct link_keys *keys;
	struct arena *arena;
	enum closure_op op;
	const char *note; /* NULL: none */
	bool force;	  /* of a write-off */
	json_t *said;	  /* rows {id, host} */
};

static bool holds_host(const json_t *view)
{
	const json_t *containment = json_object_get(view, "containment");

	return json_integer_value(json_object_get(containment, "due")) > 0;
}

/* Nobody but who has the private key makes a token that needs no code. */
static bool say(struct order *order, const json_t *view, struct err *err)
{
	struct link link = {
		.purpose = LINK_APPROVE,
		.partition = (unsigned)json_integer_value(json_object_get(view, "partition")),
		.expires_ms = clock_wall_ms() + TOKEN_LIFE_MS,
		.installation = order->cli->service.installation,
		.customer = json_string_value(json_object_get(view, "customer")),
		.incident = json_string_value(json_object_get(view, "id")),
		.instance = json_string_value(json_object_get(view, "servicenow_account")),
		.sys_id = json_string_value(json_object_get(view, "sys_id")),
		.number = json_string_value(json_object_get(view, "number")),
	};
	struct closure closure = {
		.op = order->op,
		.incident = link.incident,
		.customer = link.customer,
		.note = order->note,
		.force = order->force,
	};

	if (order->op != CLOSURE_APPROVE && !holds_host(view))
		return err_set(err, ERR_PERMANENT, "incident %s holds no host", link.incident);
	closure.token = link_sign(order->keys, &link, order->arena, err);
	if (!closure.token || !closure_say(order->redis, link.partition, &closure, err))
		return false;
	json_array_append_new(order->said, json_pack("{s:s,s:O*}", "id", link.incident, "host",
						     json_object_get(view, "host")));
	return true;
}

/* Those that hold the host of this name or id; *ret_found counts them. */
static bool say_of_host(struct order *order, const char *name, size_t *ret_found,
			struct err *err)
{
	for (unsigned p = 0; p < order->cli->bus.partitions; p++) {
		struct containment_row *rows;
		size_t count;

		if (!containment_list_read(order->redis, p, CONTAINMENT_HOSTS, order->arena,
					   &rows, &count, err))
			return false;
		for (size_t i = 0; i < count; i++) {
			json_t *holders = containment_holders(order->redis, p, rows[i].customer,
							      rows[i].what, err);
			const char *last = "";
			json_t *holder;
			bool good = holders != NULL;
			size_t k;

			json_array_foreach(holders, k, holder)
			{
				const char *id =
				    json_string_value(json_object_get(holder, "incident"));
				json_t *view = incident_find(
				    order->redis, order->cli->bus.partitions, id, err);
				const char *host =
				    json_string_value(json_object_get(view, "host"));
				bool meant = view && strcmp(id, last) != 0 &&
					     (strcmp(rows[i].what, name) == 0 ||
					      (host && strcasecmp(host, name) == 0));

				good = good && (!meant || say(order, view, err));
				*ret_found += meant;
				last = arena_strdup(order->arena, id);
				json_decref(view);
			}
			json_decref(holders);
			if (!good)
				return false;
		}
	}
	return true;
}

/* Every incident that holds this one. */
static bool say_of_row(struct order *order, unsigned partition,
		       const struct containment_row *row, struct err *err)
{
	json_t *holders =
	    containment_holders(order->redis, partition, row->customer, row->what, err);
	bool good = holders != NULL;
	json_t *holder;
	size_t i;

	json_array_foreach(holders, i, holder)
	{
		const char *id = json_string_value(json_object_get(holder, "incident"));
		json_t *view =
		    good ? incident_find(order->redis, order->cli->bus.partitions, id, err)
			 : NULL;

		good = good && (view ? say(order, view, err) : err->kind == ERR_NONE);
		json_decref(view);
	}
	json_decref(holders);
	return good;
}

static bool say_of_customer(struct order *order, const char *customer, struct err *err)
{
	for (unsigned p = 0; p < order->cli->bus.partitions; p++) {
		struct containment_row *rows;
		size_t count;

		if (!containment_list_read(order->redis, p, CONTAINMENT_HOSTS, order->arena,
					   &rows, &count, err))
			return false;
		for (size_t i = 0; i < count; i++) {
			if (strcmp(rows[i].customer, customer) == 0 &&
			    !say_of_row(order, p, &rows[i], err))
				return false;
		}
	}
	return true;
}

bool containment_release_customer(struct cli *cli, struct redis *redis, const char *customer,
				  struct err *err)
{
	struct order order = {
		.cli = cli,
		.redis = redis,
		.op = CLOSURE_RELEASE,
		.said = json_array(),
		.arena = arena_new(),
	};

	order.keys = link_keys_open_private(cli->settings.link_key_file, err);
	bool good = order.keys && say_of_customer(&order, customer, err);

	link_keys_free(order.keys);
	arena_free(order.arena);
	json_decref(order.said);
	return good;
}

static void render(struct buf *out, const struct screen *screen, const json_t *document)
{
	const json_t *rows = json_object_get(document, "incidents"), *row;
	size_t i;

	(void)screen;
	json_array_foreach(rows, i, row)
	{
		const char *host = json_string_value(json_object_get(row, "host"));

		buf_addf(out, "%s%s%s: %s\n", json_string_value(json_object_get(row, "id")),
			 host ? " " : "", host ? host : "",
			 json_string_value(json_object_get(document, "asked")));
	}
}

/* One operand: an incident, a ticket, or a host where that makes sense. */
static bool say_of(struct order *order, const char *name, bool hosts, size_t *ret_found,
		   struct err *err)
{
	json_t *view = incident_find(order->redis, order->cli->bus.partitions, name, err);
	bool good;

	*ret_found = view != NULL;
	if (!view)
		return err->kind == ERR_NONE &&
		       (!hosts || say_of_host(order, name, ret_found, err));
	good = say(order, view, err);
	json_decref(view);
	return good;
}

static int run(struct cli *cli, struct order order, const char *asked)
{
	struct err err = { 0 };
	bool hosts = order.op != CLOSURE_APPROVE;
	const char *missing = NULL;
	bool good;

	order.cli = cli;
	order.redis = cli_redis(cli, &err);
	order.arena = arena_new();
	order.said = json_array();
	good = order.redis != NULL;
	if (good) {
		order.keys = link_keys_open_private(cli->settings.link_key_file, &err);
		good = order.keys != NULL;
	}
	for (size_t i = 0; good && !missing && i < cli->args.operand_count; i++) {
		size_t found = 0;

		good = say_of(&order, cli->args.operands[i], hosts, &found, &err);
		if (good && found == 0)
			missing = cli->args.operands[i];
	}
	link_keys_free(order.keys);
	arena_free(order.arena);
	if (good && !missing)
		return cli_print(
		    cli, json_pack("{s:s,s:o}", "asked", asked, "incidents", order.said),
		    render, EXIT_OK);
	json_decref(order.said);
	if (missing)
		return cli_failf(cli, EXIT_NOT_FOUND,
				 "%s is no incident%s: see tocsin containment list", missing,
				 hosts ? ", and no host that is contained" : "");
	return cli_fail(cli, err.kind == ERR_PERMANENT ? EXIT_FAILED : EXIT_UNREACHABLE, &err);
}

int run_containment_approve(struct cli *cli)
{
	return run(cli, (struct order){ .op = CLOSURE_APPROVE }, "its host will be contained");
}

int run_containment_release(struct cli *cli)
{
	return run(cli, (struct order){ .op = CLOSURE_RELEASE }, "its host is let go");
}

int run_containment_write_off(struct cli *cli)
{
	struct order order = {
		.op = CLOSURE_WRITE_OFF,
		.note = args_value(&cli->args, "reason"),
		.force = args_flag(&cli->args, "force"),
	};

	if (!order.note || order.note[strspn(order.note, " \t\n")] == '\0')
		return cli_failf(cli, EXIT_USAGE, "--reason TEXT: say why, it stays on record");
	if (strlen(order.note) > REASON_MAX)
		return cli_failf(cli, EXIT_USAGE, "--reason: at most %d bytes", REASON_MAX);
	return run(cli, order,
		   order.force ? "its host is written off"
			       : "its host is written off, unless its vendor still knows it as "
				 "contained");
}
