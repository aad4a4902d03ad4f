/* tocsin customer list, show: what the files say. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "change.h"
#include "cli.h"
#include "draft.h"
#include "model/customer.h"
#include "model/finding.h"
#include "run.h"
#include "store.h"
#include "view.h"

static const char *mode_name(const struct customer *customer)
{
	return customer->mode == CUSTOMER_LIVE	   ? "live"
	       : customer->mode == CUSTOMER_PAUSED ? "paused"
						   : "shadow";
}

/* When the first secret of its own accounts stops to be valid; 0: not said. */
static uint64_t first_expiry(const struct customer *customer)
{
	uint64_t first_ms = 0;

	for (size_t i = 0; i < customer->account_count; i++) {
		uint64_t expires_ms = customer->accounts[i].expires_ms;

		if (expires_ms && (!first_ms || expires_ms < first_ms))
			first_ms = expires_ms;
	}
	return first_ms;
}

static json_t *describe(const struct customer *customer)
{
	json_t *sources = json_array(), *targets = json_array();

	for (size_t i = 0; i < customer->source_count; i++)
		json_array_append_new(sources, json_string(customer->sources[i].name));
	if (customer->threat_response.create)
		json_array_append_new(targets, json_string("threat_response"));
	if (customer->servicenow.account)
		json_array_append_new(targets, json_string("servicenow"));
	return json_pack("{s:s,s:s,s:s,s:i,s:s,s:o,s:o,s:o,s:n}", "id", customer->id, "name",
			 customer->name, "mode", mode_name(customer), "partition",
			 (int)customer->partition, "minimum_severity",
			 finding_severity_name(customer->minimum_severity), "sources", sources,
			 "targets", targets, "expires_ms", view_ms(first_expiry(customer)),
			 "problem");
}

static json_t *describe_file(const struct store_file *file)
{
	struct customer *customer = NULL;
	json_t *row;

	if (file->err.kind == ERR_NONE)
		customer = customer_decode(file->text, strlen(file->text), file->where, NULL);
	if (customer)
		row = describe(customer);
	else
		row = json_pack("{s:s,s:s,s:s}", "id", file->id, "mode", "broken", "problem",
				file->err.text);
	customer_free(customer);
	return row;
}

static void render_list(struct buf *out, const struct screen *screen, const json_t *document)
{
	static const struct column columns[] = {
		{ "ID", "id" },
		{ "NAME", "name", .flexible = true },
		{ "MODE", "mode", CELL_STATE },
		{ "SOURCES", "sources", .flexible = true },
		{ "TARGETS", "targets", .flexible = true },
		{ "FROM SEVERITY", "minimum_severity" },
		{ "SECRET EXPIRES", "expires_ms", CELL_AGE },
		{ "PROBLEM", "problem", .flexible = true },
		{ 0 },
	};
	const json_t *list = json_object_get(document, "customers");

	if (json_array_size(list) == 0)
		buf_adds(out, "No customers yet: see tocsin help customer add.\n");
	else
		table_render(out, screen, columns, list);
}

int run_customer_list(struct cli *cli)
{
	struct store store;
	struct err err = { 0 };

	if (!store_load(&store, cli->settings.config_dir, &err))
		return cli_fail(cli, EXIT_FAILED, &err);
	json_t *list = json_array();
	for (size_t i = 0; i < store.count; i++) {
		if (store.files[i].kind == STORE_CUSTOMER)
			json_array_append_new(list, describe_file(&store.files[i]));
	}
	int code = store_bad_count(&store) ? EXIT_UNHEALTHY : EXIT_OK;
	store_done(&store);
	return cli_print(cli, json_pack("{s:o}", "customers", list), render_list,
			 (enum exit_code)code);
}

/* The file as it is, indented as JSON is: it can be edited and applied again. */
static void render_show(struct buf *out, const struct screen *screen, const json_t *document)
{
	char *text = json_dumps(document, JSON_INDENT(2));

	(void)screen;
	buf_adds(out, text);
	buf_adds(out, "\n");
	free(text);
}

int run_customer_show(struct cli *cli)
{
	const char *id = args_operand(&cli->args, 0);
	struct store store;
	struct err err = { 0 };
	int code;

	if (!store_load(&store, cli->settings.config_dir, &err))
		return cli_fail(cli, EXIT_FAILED, &err);
	const struct store_file *file = store_find(&store, STORE_CUSTOMER, id);
	if (!file) {
		code = cli_failf(cli, EXIT_NOT_FOUND,
				 "there is no customer %s: see tocsin customer list", id);
	} else if (file->err.kind != ERR_NONE) {
		code = cli_fail(cli, EXIT_FAILED, &file->err);
	} else {
		json_t *whole = json_loads(file->text, 0, NULL);
		json_t *shown = draft_without_secrets(whole, STORE_CUSTOMER);
		json_decref(whole);
		code = cli_print(cli, shown, render_show, EXIT_OK);
	}
	store_done(&store);
	return code;
}
