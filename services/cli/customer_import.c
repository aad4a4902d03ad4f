/* tocsin customer import. */
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "change.h"
#include "cli.h"
#include "csv.h"
#include "draft.h"
#include "import.h"
#include "model/vault.h"
#include "run.h"

enum { TABLE_MAX = 16 << 20 };

static bool import_all(struct cli *cli, struct change *change, const struct csv *csv,
		       const char *path, struct err *err)
{
	const struct command_option *options = cli->command->options;
	bool update = args_flag(&cli->args, "update");

	for (size_t i = 0; i < csv->row_count; i++) {
		char where[256];
		json_t *draft = import_row(csv, &csv->rows[i], path, &cli->args, options, err);

		if (!draft)
			return false;
		snprintf(where, sizeof where, "%s: line %zu", path, csv->rows[i].line);
		const char *id = json_string_value(json_object_get(draft, "id"));
		if (!update && id && store_find(&change->store, STORE_CUSTOMER, id)) {
			err_fill(err, ERR_PERMANENT,
				 "%s: customer %s is there already: give --update to replace",
				 where, id);
			draft_free(draft);
			return false;
		}
		if (!change_add(change, STORE_CUSTOMER, draft, where, err))
			return false;
	}
	return change_commit(change, args_flag(&cli->args, "dry-run"), err);
}

static int report(struct cli *cli, const struct change *change)
{
	json_t *document = change_report(change);

	json_object_set_new(document, "dry_run",
			    json_boolean(args_flag(&cli->args, "dry-run")));
	return cli_print(cli, document, change_render, EXIT_OK);
}

int run_customer_import(struct cli *cli)
{
	const char *path = args_operand(&cli->args, 0);
	struct change change;
	struct csv csv = { 0 };
	struct err err = { 0 };
	char *text =
	    conf_read_file(strcmp(path, "-") == 0 ? "/dev/stdin" : path, TABLE_MAX, &err);

	if (!text)
		return cli_fail(cli, EXIT_FAILED, &err);
	bool good = csv_parse(&csv, text, strlen(text), path, &err);
	vault_wipe(text);
	if (!good)
		return cli_fail(cli, EXIT_FAILED, &err);
	good = import_check_columns(&csv, path, cli->command->options, &err) &&
	       change_begin(&change, cli, &err);
	if (!good) {
		csv_done(&csv);
		return cli_fail(cli, EXIT_FAILED, &err);
	}
	int code = import_all(cli, &change, &csv, path, &err)
		       ? report(cli, &change)
		       : cli_fail(cli, EXIT_FAILED, &err);
	change_done(&change);
	csv_done(&csv);
	return code;
}
