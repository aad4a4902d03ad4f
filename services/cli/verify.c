/* tocsin customer verify, tocsin account verify: which credentials are asked what, and how
 * people read the answers. */
#include "verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "cli.h"
#include "model/customer.h"
#include "model/vault.h"
#include "run.h"
#include "store.h"
#include "template_files.h"
#include "template_use.h"
#include "vendor/session.h"
#include "view.h"

static const char *const result_names[] = { [VERIFY_YES] = "yes",
					    [VERIFY_NO] = "no",
					    [VERIFY_UNKNOWN] = "unknown",
					    [VERIFY_NOTE] = "note" };

void verify_add(json_t *checks, enum verify_result result, const char *check, const char *fmt,
		...)
{
	char line[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof line, fmt, args);
	va_end(args);
	json_array_append_new(checks, json_pack("{s:s,s:s,s:o}", "check", check, "result",
						result_names[result], "text", view_text(line)));
}

void verify_add_failure(json_t *checks, const char *check, const struct err *err)
{
	bool refused = err->kind == ERR_ACCOUNT || err->kind == ERR_PERMANENT;

	verify_add(checks, refused ? VERIFY_NO : VERIFY_UNKNOWN, check, "%s", err->text);
}

/* ---- asking ---- */

/* One run: what was asked of an account once is not asked again for the next customer. */
struct verifier {
	struct cli *cli;
	struct vendor *vendor;
	struct directory *directory;
	struct template_files templates;
	json_t *accounts; /* id -> checks */
	json_t *logins;	  /* id -> bool */
};

static struct vendor_session session_of(const struct verifier *verifier,
					const struct account *account)
{
	return (struct vendor_session){ .vendor = verifier->vendor,
					.account = account,
					.class = VENDOR_POLLING,
					.probe = true };
}

static bool ask(const struct verifier *verifier, const struct account *account,
		const char *table, json_t *checks)
{
	struct vendor_session session = session_of(verifier, account);

	switch (account->kind) {
	case ACCOUNT_SECURE_ENDPOINT:
		return verify_secure_endpoint(&session, checks);
	case ACCOUNT_UMBRELLA:
		return verify_umbrella(&session, checks);
	case ACCOUNT_THREAT_RESPONSE:
		return verify_threat_response(&session, checks);
	case ACCOUNT_DEFENDER:
		return verify_defender(&session, checks);
	case ACCOUNT_SERVICENOW:
		break;
	}
	return verify_servicenow(&session, table, checks);
}

/* Borrowed checks of the account; *ret_in: it can log in. */
static json_t *ask_account(struct verifier *verifier, const struct account *account,
			   const char *table, bool *ret_in)
{
	json_t *checks = json_object_get(verifier->accounts, account->id);

	if (!checks) {
		checks = json_array();
		bool in = ask(verifier, account, table, checks);
		json_object_set_new(verifier->accounts, account->id, checks);
		json_object_set_new(verifier->logins, account->id, json_boolean(in));
	}
	*ret_in = json_is_true(json_object_get(verifier->logins, account->id));
	return checks;
}

static json_t *report_of(const struct account *account, const char *customer, json_t *checks)
{
	return json_pack("{s:s?,s:s,s:s,s:s,s:o}", "customer", customer, "account", account->id,
			 "kind", account_kind_name(account->kind), "url", account->url,
			 "checks", checks);
}

static void ask_for_customer(struct verifier *verifier, const struct customer *customer,
			     const char *account_id, json_t *reports)
{
	const struct account *account = directory_account(verifier->directory, account_id);
	bool in;

	if (!account)
		return;
	struct vendor_session session = session_of(verifier, account);
	struct template_use *use = xcalloc(1, sizeof *use);

	template_use_read(use, verifier->templates.templates, customer);
	json_t *checks = json_copy(ask_account(verifier, account, use->table, &in));
	if (in && account->kind == ACCOUNT_SECURE_ENDPOINT)
		verify_event_types(&session, customer, checks);
	if (in &&
	    (account->kind == ACCOUNT_SECURE_ENDPOINT || account->kind == ACCOUNT_DEFENDER))
		verify_containment(&session, customer, checks);
	if (in && account->kind == ACCOUNT_SERVICENOW)
		verify_ticket_columns(&session, customer, use, checks);
	free(use);
	json_array_append_new(reports, report_of(account, customer->id, checks));
}

static void ask_customer(struct verifier *verifier, const struct customer *customer,
			 json_t *reports)
{
	for (size_t i = 0; i < customer->source_count; i++)
		ask_for_customer(verifier, customer, customer->sources[i].account, reports);
	if (customer->threat_response.account)
		ask_for_customer(verifier, customer, customer->threat_response.account,
				 reports);
	if (customer->servicenow.account)
		ask_for_customer(verifier, customer, customer->servicenow.account, reports);
}

static bool verifier_init(struct verifier *ret_verifier, struct cli *cli, struct err *err)
{
	struct store store;
	const struct vault *vault = cli_vault(cli, err);
	struct http *http = vault ? cli_http(cli, err) : NULL;

	*ret_verifier = (struct verifier){ .cli = cli };
	if (!http ||
	    !template_files_load(&ret_verifier->templates, cli->settings.config_dir, NULL, err))
		return false;
	if (!store_load(&store, cli->settings.config_dir, err)) {
		template_files_done(&ret_verifier->templates);
		return false;
	}
	for (size_t i = 0; i < store.count; i++) {
		if (store.files[i].err.kind != ERR_NONE)
			cli_warn(cli, "%s", store.files[i].err.text);
	}
	const struct vendor_needs needs = {
		.http = http, .vault = vault, .settings = &cli->vendor, .threads = 1
	};
	ret_verifier->directory = store_directory(&store);
	ret_verifier->vendor = vendor_new(&needs);
	ret_verifier->accounts = json_object();
	ret_verifier->logins = json_object();
	store_done(&store);
	return true;
}

static void verifier_done(struct verifier *verifier)
{
	vendor_free(verifier->vendor);
	directory_free(verifier->directory);
	template_files_done(&verifier->templates);
	json_decref(verifier->accounts);
	json_decref(verifier->logins);
}

/* ---- telling ---- */

void verify_render(struct buf *out, const struct screen *screen, const json_t *checks)
{
	static const struct column columns[] = {
		{ "CAN", "result", CELL_STATE },
		{ "WHAT", "check" },
		{ "DETAIL", "text" },
		{ 0 },
	};

	table_render(out, screen, columns, checks);
}

static void render(struct buf *out, const struct screen *screen, const json_t *document)
{
	const json_t *reports = json_object_get(document, "reports"), *report;
	size_t i;

	if (json_array_size(reports) == 0)
		buf_adds(out, "Nothing to verify: no credentials.\n");
	json_array_foreach(reports, i, report)
	{
		const char *customer = json_string_value(json_object_get(report, "customer"));

		buf_addf(out, "%s%s%saccount %s at %s\n", i > 0 ? "\n" : "",
			 customer ? customer : "", customer ? ": " : "",
			 json_string_value(json_object_get(report, "account")),
			 json_string_value(json_object_get(report, "url")));
		verify_render(out, screen, json_object_get(report, "checks"));
	}
}

static bool has_trouble(const json_t *reports)
{
	const json_t *report, *check;
	size_t i, k;

	json_array_foreach(reports, i, report)
	{
		json_array_foreach(json_object_get(report, "checks"), k, check)
		{
			const char *result =
			    json_string_value(json_object_get(check, "result"));
			if (strcmp(result, "no") == 0 ||
			    (strcmp(result, "unknown") == 0 && k == 0))
				return true;
		}
	}
	return false;
}

static int finish(struct verifier *verifier, json_t *reports)
{
	bool trouble = has_trouble(reports);
	int code =
	    cli_print(verifier->cli, json_pack("{s:b,s:o}", "ok", !trouble, "reports", reports),
		      render, trouble ? EXIT_UNHEALTHY : EXIT_OK);

	verifier_done(verifier);
	return code;
}

/* ---- commands ---- */

/* Whom a command asks about: one by its id, false when there is none, or all with NULL. */
typedef bool verify_look(struct verifier *verifier, const char *id, json_t *reports);

static int run(struct cli *cli, const char *kind, verify_look *look)
{
	struct verifier verifier;
	struct err err = { 0 };

	if (!verifier_init(&verifier, cli, &err))
		return cli_fail(cli, EXIT_FAILED, &err);
	json_t *reports = json_array();

	if (cli->args.operand_count == 0)
		look(&verifier, NULL, reports);
	for (size_t i = 0; i < cli->args.operand_count; i++) {
		const char *id = cli->args.operands[i];

		if (look(&verifier, id, reports))
			continue;
		json_decref(reports);
		verifier_done(&verifier);
		return cli_failf(cli, EXIT_NOT_FOUND,
				 "there is no good file of %s %s: see tocsin %s list", kind, id,
				 kind);
	}
	return finish(&verifier, reports);
}

static bool ask_customers(struct verifier *verifier, const char *id, json_t *reports)
{
	const struct directory *directory = verifier->directory;
	const struct customer *customer = id ? directory_customer(directory, id) : NULL;

	if (customer)
		ask_customer(verifier, customer, reports);
	for (size_t i = 0; !id && i < directory_count(directory); i++)
		ask_customer(verifier, directory_at(directory, i), reports);
	return !id || customer;
}

int run_customer_verify(struct cli *cli)
{
	return run(cli, "customer", ask_customers);
}

static void ask_alone(struct verifier *verifier, const struct account *account, json_t *reports)
{
	bool in;
	json_t *checks = ask_account(verifier, account, "incident", &in);

	json_array_append_new(reports, report_of(account, NULL, json_incref(checks)));
}

static bool ask_accounts(struct verifier *verifier, const char *id, json_t *reports)
{
	const struct directory *directory = verifier->directory;
	const struct account *account = id ? directory_account(directory, id) : NULL;

	if (account)
		ask_alone(verifier, account, reports);
	for (size_t i = 0; !id && i < directory_account_count(directory); i++)
		ask_alone(verifier, directory_account_at(directory, i), reports);
	return !id || account;
}

int run_account_verify(struct cli *cli)
{
	return run(cli, "account", ask_accounts);
}
