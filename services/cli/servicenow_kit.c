/*
 * tocsin servicenow kit: what an administrator of a ServiceNow instance imports so that it
 * tells us when a ticket changes, what removes it again, and a guide to all that is done by
 * hand.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/clock.h"
#include "cli.h"
#include "deploy/servicenow/business_rule.js.h"
#include "deploy/servicenow/guide.md.h"
#include "model/customer.h"
#include "run.h"
#include "store.h"
#include "template_files.h"
#include "template_use.h"
#include "update_set.h"

enum { TABLES_MAX = 8, FILE_MAX = 1024 * 1024 };

/* What the texts say about this link. */
struct kit {
	struct template_files templates;
	const char *installation;
	const char *account;
	const char *instance_name;
	const char *user;	/* ours; its changes are not told */
	const char *public_url; /* without a slash at its end */
	const char *tables[TABLES_MAX];
	size_t table_count;
	char *message; /* of the REST message */
	char *key;     /* what our tickets' correlation_id begins with */
	char *name;    /* of the files, without .xml */
};

static char *format(const char *before, const char *middle, const char *after)
{
	struct buf buf;

	buf_init(&buf, FILE_MAX);
	buf_addf(&buf, "%s%s%s", before, middle, after);
	return buf_take(&buf, NULL);
}

/* text with each @NAME@ replaced. */
static void fill(const struct kit *kit, const char *text, struct buf *out)
{
	struct buf tables;

	buf_init(&tables, FILE_MAX);
	for (size_t i = 0; i < kit->table_count; i++)
		buf_addf(&tables, "%s- `%s`", i ? "\n" : "", kit->tables[i]);
	char *file = format(kit->name, "", ".xml");
	char *uninstall = format(kit->name, "-uninstall", ".xml");
	const char *const values[][2] = {
		{ "INSTALLATION", kit->installation },
		{ "INSTANCE_NAME", kit->instance_name },
		{ "ACCOUNT", kit->account },
		{ "PUBLIC_URL", kit->public_url },
		{ "MESSAGE", kit->message },
		{ "KEY", kit->key },
		{ "USER", kit->user },
		{ "TABLES", buf_text(&tables) },
		{ "FILE", file },
		{ "UNINSTALL", uninstall },
	};

	for (const char *at; (at = strchr(text, '@')); text = at) {
		buf_add(out, text, (size_t)(at - text));
		const char *end = strchr(++at, '@');
		size_t i = 0, count = sizeof(values) / sizeof(values[0]);

		while (end && i < count &&
		       (strlen(values[i][0]) != (size_t)(end - at) ||
			strncmp(values[i][0], at, (size_t)(end - at)) != 0))
			i++;
		buf_adds(out, end && i < count ? values[i][1] : "@");
		if (end && i < count)
			at = end + 1;
	}
	buf_adds(out, text);
	free(uninstall);
	free(file);
	buf_done(&tables);
}

/* ---- the records ---- */

struct records {
	struct update_record list[TABLES_MAX + 2];
	char ids[TABLES_MAX + 2][UPDATE_SET_ID_SIZE];
	struct update_column message[8];
	struct update_column function[8];
	struct update_column rules[TABLES_MAX][16];
	char *script;
	char *filter;
	char *endpoint;
	size_t count;
};

static struct update_record *add(struct records *records, const struct kit *kit,
				 const char *table, const char *type, const char *name)
{
	const char *const parts[] = { "tocsin", kit->installation, kit->account, table, name };
	char *id = records->ids[records->count];

	update_set_id(parts, sizeof(parts) / sizeof(parts[0]), id);
	struct update_record *record = &records->list[records->count++];

	*record =
	    (struct update_record){ .table = table, .type = type, .sys_id = id, .name = name };
	return record;
}

static void add_message(struct records *records, const struct kit *kit)
{
	struct update_record *message =
	    add(records, kit, "sys_rest_message", "REST Message", kit->message);
	struct update_record *function =
	    add(records, kit, "sys_rest_message_fn", "HTTP Method", "closed");
	const struct update_column message_columns[] = {
		{ "name", kit->message, NULL },
		{ "description", "Tells Tocsin that a ticket has changed", NULL },
		{ "access", "package_private", NULL },
		{ "authentication_type", "oauth2", NULL },
		{ "rest_endpoint", records->endpoint, NULL },
	};
	const struct update_column function_columns[] = {
		{ "function_name", "closed", NULL },
		{ "http_method", "post", NULL },
		{ "authentication_type", "inherit_from_parent", NULL },
		{ "rest_endpoint", records->endpoint, NULL },
		{ "qualified_name", kit->message, NULL },
		{ "rest_message", message->sys_id, kit->message },
	};

	memcpy(records->message, message_columns, sizeof(message_columns));
	memcpy(records->function, function_columns, sizeof(function_columns));
	message->columns = records->message;
	message->column_count = sizeof(message_columns) / sizeof(message_columns[0]);
	function->columns = records->function;
	function->column_count = sizeof(function_columns) / sizeof(function_columns[0]);
}

static void add_rule(struct records *records, const struct kit *kit, size_t table)
{
	struct update_record *rule =
	    add(records, kit, "sys_script", "Business Rule", kit->message);
	/* One for each table, so their ids must differ where their names do not. */
	const char *const parts[] = { "tocsin",	    kit->installation, kit->account,
				      "sys_script", kit->message,      kit->tables[table] };
	const struct update_column columns[] = {
		{ "name", kit->message, NULL },
		{ "collection", kit->tables[table], NULL },
		{ "description", "Tells Tocsin that a ticket has changed", NULL },
		{ "active", "true", NULL },
		{ "advanced", "true", NULL },
		{ "when", "async", NULL },
		{ "order", "1000", NULL },
		{ "priority", "100", NULL },
		{ "action_insert", "false", NULL },
		{ "action_update", "true", NULL },
		{ "action_delete", "false", NULL },
		{ "action_query", "false", NULL },
		{ "abort_action", "false", NULL },
		{ "access", "package_private", NULL },
		{ "filter_condition", records->filter, NULL },
		{ "script", records->script, NULL },
	};

	update_set_id(parts, sizeof(parts) / sizeof(parts[0]),
		      records->ids[records->count - 1]);
	memcpy(records->rules[table], columns, sizeof(columns));
	rule->columns = records->rules[table];
	rule->column_count = sizeof(columns) / sizeof(columns[0]);
}

static void records_init(struct records *ret_records, const struct kit *kit)
{
	struct buf buf;

	*ret_records = (struct records){ 0 };
	buf_init(&buf, FILE_MAX);
	fill(kit, business_rule_js, &buf);
	ret_records->script = buf_take(&buf, NULL);
	/* The tickets of the self-test (tocsin-t) and of canaries are closed by ourselves. */
	buf_init(&buf, FILE_MAX);
	buf_addf(&buf,
		 "correlation_idSTARTSWITHtocsin-i:%s:^stateVALCHANGES^sys_updated_by!=%s"
		 "^NQcorrelation_idSTARTSWITHtocsin-i:%s:^stateVALCHANGES"
		 "^close_notesSTARTSWITHTocsin canary:"
		 "^NQcorrelation_idSTARTSWITHtocsin-t:%s:^stateVALCHANGES^EQ",
		 kit->installation, kit->user, kit->installation, kit->installation);
	ret_records->filter = buf_take(&buf, NULL);
	ret_records->endpoint = format(kit->public_url, "", "/v1/servicenow/closed");
	add_message(ret_records, kit);
	for (size_t i = 0; i < kit->table_count; i++)
		add_rule(ret_records, kit, i);
}

static void records_done(struct records *records)
{
	free(records->script);
	free(records->filter);
	free(records->endpoint);
}

/* ---- the files ---- */

static bool write_file(const char *folder, const char *name, const char *ending,
		       const struct buf *text, json_t *files, struct err *err)
{
	struct buf path;

	buf_init(&path, FILE_MAX);
	buf_addf(&path, "%s/%s%s", folder, name, ending);
	FILE *file = fopen(buf_text(&path), "we");
	bool ok = file && fwrite(text->data, 1, text->size, file) == text->size;

	if (file)
		ok = fclose(file) == 0 && ok;
	if (ok)
		json_array_append_new(files, json_string(buf_text(&path)));
	else
		err_fill(err, ERR_PERMANENT, "cannot write %s: %s", buf_text(&path),
			 strerror(errno));
	buf_done(&path);
	return ok;
}

static bool write_set(const struct kit *kit, const struct records *records, bool removing,
		      const char *folder, json_t *files, struct err *err)
{
	const char *const parts[] = { "tocsin", kit->installation, kit->account,
				      removing ? "uninstall" : "install" };
	char id[UPDATE_SET_ID_SIZE], when[CLOCK_TEXT_SIZE];
	char *name = format(kit->message, removing ? " removal" : "", "");
	struct buf out;

	update_set_id(parts, sizeof(parts) / sizeof(parts[0]), id);
	clock_format_plain(clock_wall_ms(), when);
	const struct update_set set = {
		.name = name,
		.description = removing ? "Removes what tells Tocsin of tickets"
					: "Tells Tocsin when one of its tickets changes",
		.sys_id = id,
		.written = when,
		.records = records->list,
		.record_count = records->count,
		.remove = removing,
	};

	buf_init(&out, FILE_MAX);
	update_set_write(&set, &out);
	bool ok = write_file(folder, kit->name, removing ? "-uninstall.xml" : ".xml", &out,
			     files, err);

	buf_done(&out);
	free(name);
	return ok;
}

static bool write_guide(const struct kit *kit, const char *folder, json_t *files,
			struct err *err)
{
	struct buf out;

	buf_init(&out, FILE_MAX);
	fill(kit, guide_md, &out);
	bool ok = write_file(folder, kit->name, ".md", &out, files, err);

	buf_done(&out);
	return ok;
}

static bool write_all(const struct kit *kit, const char *folder, json_t *files, struct err *err)
{
	struct records records;

	if (mkdir(folder, 0755) < 0 && errno != EEXIST)
		return err_set(err, ERR_PERMANENT, "cannot make %s: %s", folder,
			       strerror(errno));
	records_init(&records, kit);
	bool ok = write_set(kit, &records, false, folder, files, err) &&
		  write_set(kit, &records, true, folder, files, err) &&
		  write_guide(kit, folder, files, err);

	records_done(&records);
	return ok;
}

/* ---- the command ---- */

static bool known_table(const struct kit *kit, const char *table)
{
	for (size_t i = 0; i < kit->table_count; i++) {
		if (strcmp(kit->tables[i], table) == 0)
			return true;
	}
	return false;
}

/* The tables of all customers whose tickets are in the instance; `incident` when there is none
 * yet. */
static void kit_tables(struct kit *kit, const struct directory *directory)
{
	struct template_use *use = xcalloc(1, sizeof *use);

	for (size_t i = 0; i < directory_count(directory); i++) {
		const struct customer *customer = directory_at(directory, i);
		const char *account = customer->servicenow.account;

		template_use_read(use, kit->templates.templates, customer);
		if (account && strcmp(account, kit->account) == 0 &&
		    kit->table_count < TABLES_MAX && !known_table(kit, use->table))
			kit->tables[kit->table_count++] = use->table;
	}
	free(use);
	if (kit->table_count == 0)
		kit->tables[kit->table_count++] = "incident";
}

/* "https://acme.service-now.com" is the instance acme. Caller frees. */
static char *instance_of(const char *url)
{
	const char *host = strstr(url, "://");

	host = host ? host + 3 : url;
	return xstrndup(host, strcspn(host, ".:/"));
}

static void kit_done(struct kit *kit)
{
	template_files_done(&kit->templates);
	free(kit->message);
	free(kit->key);
	free(kit->name);
}

static bool kit_init(struct kit *kit, struct cli *cli, const struct account *account,
		     const struct directory *directory, struct err *err)
{
	if (!kit->user)
		return err_set(err, ERR_PERMANENT,
			       "--integration-user NAME is needed: account %s signs in with "
			       "OAuth, and the rule must leave its user's own changes out",
			       account->id);
	if (!kit->public_url || strncmp(kit->public_url, "https://", 8) != 0)
		return err_set(err, ERR_PERMANENT,
			       "where does the instance reach us? Set TOCSIN_PUBLIC_URL, like "
			       "https://tocsin.example.com");
	kit->installation = cli->service.installation;
	kit->account = account->id;
	kit->message = format("Tocsin ", kit->installation, "");
	kit->key = format("tocsin-i:", kit->installation, ":");
	char *half = format("tocsin-", kit->installation, "-");

	kit->name = format(half, kit->account, "");
	free(half);
	if (!template_files_load(&kit->templates, cli->settings.config_dir, NULL, err))
		return false;
	kit_tables(kit, directory);
	return true;
}

static void render(struct buf *out, const struct screen *screen, const json_t *document)
{
	size_t i;
	const json_t *file;

	(void)screen;
	json_array_foreach(json_object_get(document, "files"), i, file)
	    buf_addf(out, "%s\n", json_string_value(file));
	buf_addf(out, "The guide, %s, says what to do with them.\n",
		 json_string_value(json_array_get(json_object_get(document, "files"), 2)));
}

int run_servicenow_kit(struct cli *cli)
{
	struct err err = { 0 };
	struct store store;
	const char *folder = args_value(&cli->args, "output");
	const char *id = args_operand(&cli->args, 0);

	if (!store_load(&store, cli->settings.config_dir, &err))
		return cli_fail(cli, EXIT_FAILED, &err);
	struct directory *directory = store_directory(&store);
	const struct account *account = directory_account(directory, id);
	json_t *files = json_array();
	int code = EXIT_FAILED;

	if (!account || account->kind != ACCOUNT_SERVICENOW) {
		code =
		    cli_failf(cli, EXIT_FAILED, "no account of kind servicenow named %s", id);
	} else {
		char *instance = instance_of(account->url);
		const char *name = args_value(&cli->args, "instance-name");
		const char *user = args_value(&cli->args, "integration-user");
		struct kit kit = {
			.instance_name = name ? name
					 : account->callback.instance_name
					     ? account->callback.instance_name
					     : instance,
			.user = user ? user : account->username,
			.public_url = cli->settings.public_url,
		};

		if (kit_init(&kit, cli, account, directory, &err) &&
		    write_all(&kit, folder ? folder : ".", files, &err))
			code =
			    cli_print(cli, json_pack("{s:O}", "files", files), render, EXIT_OK);
		else
			code = cli_fail(cli, EXIT_FAILED, &err);
		kit_done(&kit);
		free(instance);
	}
	json_decref(files);
	directory_free(directory);
	store_done(&store);
	return code;
}
