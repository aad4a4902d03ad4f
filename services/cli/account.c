/* tocsin account list, show, resume: accounts and how they fare at their vendors. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "bus/deferred.h"
#include "bus/gate.h"
#include "cli.h"
#include "model/customer.h"
#include "run.h"
#include "status.h"
#include "store.h"
#include "view.h"

/* ---- what is known of one ---- */

static bool uses(const struct customer *customer, const char *account)
{
	if (customer->servicenow.account && strcmp(customer->servicenow.account, account) == 0)
		return true;
	if (customer->threat_response.account &&
	    strcmp(customer->threat_response.account, account) == 0)
		return true;
	for (size_t i = 0; i < customer->source_count; i++) {
		if (customer->sources[i].account &&
		    strcmp(customer->sources[i].account, account) == 0)
			return true;
	}
	return false;
}

static json_t *users_of(const struct directory *directory, const char *account)
{
	json_t *users = json_array();

	for (size_t i = 0; i < directory_count(directory); i++) {
		const struct customer *customer = directory_at(directory, i);
		if (uses(customer, account))
			json_array_append_new(users, json_string(customer->id));
	}
	return users;
}

/* Without Redis the state is "unknown". */
static bool add_state(json_t *row, struct redis *redis, const char *id, struct err *err)
{
	json_t *state =
	    redis ? status_account(redis, id, err) : json_pack("{s:s}", "state", "unknown");

	if (!state)
		return false;
	json_object_update(row, state);
	json_decref(state);
	return true;
}

static json_t *describe(const struct directory *directory, const struct account *account,
			struct redis *redis, struct err *err)
{
	bool shared = strncmp(account->owner, "account:", 8) == 0;
	json_t *row = json_pack("{s:s,s:s,s:s,s:b,s:o,s:o}", "id", account->id, "kind",
				account_kind_name(account->kind), "url", account->url, "shared",
				shared, "expires_ms", view_ms(account->expires_ms), "customers",
				users_of(directory, account->id));

	if (add_state(row, redis, account->id, err))
		return row;
	json_decref(row);
	return NULL;
}

/* Redis is wanted, not needed: the files are there without it. */
static struct redis *try_redis(struct cli *cli)
{
	struct err err = { 0 };
	struct redis *redis = cli_redis(cli, &err);

	if (!redis)
		cli_warn(cli, "without state: %s", err.text);
	return redis;
}

/* ---- list and show ---- */

static void render_list(struct buf *out, const struct screen *screen, const json_t *document)
{
	static const struct column columns[] = {
		{ "ID", "id" },
		{ "KIND", "kind" },
		{ "STATE", "state", CELL_STATE },
		{ "SINCE", "parked_ms", CELL_AGE },
		{ "SECRET EXPIRES", "expires_ms", CELL_AGE },
		{ "CUSTOMERS", "customers", .flexible = true },
		{ "URL", "url", .flexible = true },
		{ "WHY", "reason", .flexible = true },
		{ 0 },
	};
	const json_t *list = json_object_get(document, "accounts");

	if (json_array_size(list) == 0)
		buf_adds(out, "No accounts yet: see tocsin help account add.\n");
	else
		table_render(out, screen, columns, list);
}

int run_account_list(struct cli *cli)
{
	struct store store;
	struct err err = { 0 };

	if (!store_load(&store, cli->settings.config_dir, &err))
		return cli_fail(cli, EXIT_FAILED, &err);
	struct redis *redis = try_redis(cli);
	struct directory *directory = store_directory(&store);
	json_t *list = json_array(), *row = json_null();
	for (size_t i = 0; row && i < directory_account_count(directory); i++) {
		row = describe(directory, directory_account_at(directory, i), redis, &err);
		if (row)
			json_array_append_new(list, row);
	}
	for (size_t i = 0; i < store.count; i++) {
		if (store.files[i].kind == STORE_ACCOUNT && store.files[i].err.kind != ERR_NONE)
			json_array_append_new(
			    list, json_pack("{s:s,s:s,s:s}", "id", store.files[i].id, "state",
					    "broken", "reason", store.files[i].err.text));
	}
	directory_free(directory);
	store_done(&store);
	if (row)
		return cli_print(cli, json_pack("{s:o}", "accounts", list), render_list,
				 EXIT_OK);
	json_decref(list);
	return cli_fail(cli, EXIT_UNREACHABLE, &err);
}

static void render_show(struct buf *out, const struct screen *screen, const json_t *document)
{
	static const struct column columns[] = {
		{ "Account", "id" },
		{ "Kind", "kind" },
		{ "URL", "url" },
		{ "Intel URL", "intel_url" },
		{ "Client id", "client_id" },
		{ "User", "username" },
		{ "Secret expires", "expires_ms", CELL_TIME },
		{ "Customers", "customers" },
		{ "Calls per hour", "calls_per_hour" },
		{ "Calls in flight", "in_flight" },
		{ "At most", "in_flight_limit" },
		{ "State", "state", CELL_STATE },
		{ "Why", "reason" },
		{ "Parked", "parked_ms", CELL_AGE },
		{ "Next try", "next_ms", CELL_AGE },
		{ "Failures in a row", "failures" },
		{ 0 },
	};

	record_render(out, screen, columns, document);
}

static void put_text(json_t *row, const char *name, const char *text)
{
	json_object_set_new(row, name, text ? json_string(text) : json_null());
}

int run_account_show(struct cli *cli)
{
	const char *id = args_operand(&cli->args, 0);
	struct store store;
	struct err err = { 0 };
	int code;

	if (!store_load(&store, cli->settings.config_dir, &err))
		return cli_fail(cli, EXIT_FAILED, &err);
	struct directory *directory = store_directory(&store);
	const struct account *account = directory_account(directory, id);
	const struct store_file *file = store_find(&store, STORE_ACCOUNT, id);
	if (!account && file) {
		code = cli_fail(cli, EXIT_FAILED, &file->err);
	} else if (!account) {
		code = cli_failf(cli, EXIT_NOT_FOUND,
				 "there is no account %s: see tocsin account list", id);
	} else {
		json_t *row = describe(directory, account, try_redis(cli), &err);
		if (row) {
			put_text(row, "intel_url", account->intel_url);
			put_text(row, "client_id", account->client_id);
			put_text(row, "username", account->username);
			json_object_set_new(row, "calls_per_hour",
					    json_integer(account->calls_per_hour));
			json_object_set_new(row, "in_flight_limit",
					    json_integer(account->in_flight));
		}
		code = row ? cli_print(cli, row, render_show, EXIT_OK)
			   : cli_fail(cli, EXIT_UNREACHABLE, &err);
	}
	directory_free(directory);
	store_done(&store);
	return code;
}

/* ---- resume ---- */

static void render_resume(struct buf *out, const struct screen *screen, const json_t *document)
{
	const json_t *list = json_object_get(document, "accounts"), *row;
	size_t i;

	(void)screen;
	json_array_foreach(list, i, row)
	{
		buf_addf(out, "%s: %s; %lld entries that waited are started\n",
			 json_string_value(json_object_get(row, "id")),
			 json_is_true(json_object_get(row, "changed")) ? "resumed"
								       : "was not parked",
			 (long long)json_integer_value(json_object_get(row, "woken")));
	}
}

/* The account again, and everything that was put off because of it. */
static json_t *resume(struct cli *cli, struct redis *redis, const char *id, struct err *err)
{
	size_t woken = 0;
	bool changed = false;
	bool good = gate_resume(redis, id, &changed, err) &&
		    deferred_wake_account(redis, cli->bus.partitions, id, &woken, err);

	return good ? json_pack("{s:s,s:b,s:I}", "id", id, "changed", changed, "woken",
				(json_int_t)woken)
		    : NULL;
}

static bool is_known(struct cli *cli, struct redis *redis, const char *id, bool *ret_known,
		     struct err *err)
{
	struct gate_state state = { 0 };
	struct directory *directory = cli_directory(cli, redis, err);

	*ret_known = directory && directory_account(directory, id);
	bool answered = directory && (*ret_known || gate_read(redis, id, &state, err));
	*ret_known = *ret_known || state.known;
	directory_free(directory);
	return answered;
}

int run_account_resume(struct cli *cli)
{
	struct err err = { 0 };
	struct redis *redis = cli_redis(cli, &err);
	json_t *list = json_array();
	bool known = true;

	for (size_t i = 0; redis && i < cli->args.operand_count; i++) {
		const char *id = cli->args.operands[i];
		json_t *row = NULL;

		if (is_known(cli, redis, id, &known, &err) && known)
			row = resume(cli, redis, id, &err);
		if (row) {
			json_array_append_new(list, row);
			continue;
		}
		json_decref(list);
		if (!known && err.kind == ERR_NONE)
			return cli_failf(cli, EXIT_NOT_FOUND,
					 "there is no account %s: see tocsin account list", id);
		return cli_fail(cli, EXIT_UNREACHABLE, &err);
	}
	if (redis)
		return cli_print(cli, json_pack("{s:o}", "accounts", list), render_resume,
				 EXIT_OK);
	json_decref(list);
	return cli_fail(cli, EXIT_UNREACHABLE, &err);
}
