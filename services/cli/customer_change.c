/* tocsin customer|account add, apply, secret, pause, resume, remove: everything that makes,
 * replaces or removes single files. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/conf.h"
#include "change.h"
#include "cli.h"
#include "customer_leave.h"
#include "draft.h"
#include "model/customer.h"
#include "model/vault.h"
#include "run.h"
#include "secret.h"

/* Ends the change and says what came of it: the exit status, failure when it is not good. */
static int finish(struct cli *cli, struct change *change, bool good, int failure,
		  const struct err *err)
{
	int code = good ? cli_print(cli, change_report(change), change_render, EXIT_OK)
			: cli_fail(cli, (enum exit_code)failure, err);

	change_done(change);
	return code;
}

/* ---- where secrets come from ---- */

static bool gather(struct cli *cli, struct secrets *secrets, struct err *err)
{
	const char *assignment;
	bool stdin_taken = args_flag(&cli->args, "secrets-stdin");

	for (size_t i = 0; (assignment = args_each(&cli->args, "secret-file", i)); i++) {
		size_t size = strlen(assignment);
		bool from_stdin = size > 2 && strcmp(assignment + size - 2, "=-") == 0;

		if (from_stdin && stdin_taken)
			return err_set(err, ERR_PERMANENT, "stdin can be read only once");
		stdin_taken = stdin_taken || from_stdin;
		if (!secrets_add_file(secrets, assignment, err))
			return false;
	}
	return !args_flag(&cli->args, "secrets-stdin") || secrets_add_stdin(secrets, err);
}

/* Asks for what is still missing. */
static bool ask(json_t *draft, enum store_kind kind, const char *id, struct err *err)
{
	const char *vendors[SECRETS_MAX];
	struct secrets typed = { 0 };
	bool good = true;
	size_t count = draft_missing(draft, kind, vendors);

	for (size_t i = 0; good && i < count; i++) {
		struct buf question;

		buf_init(&question, 256);
		buf_addf(&question, "Secret of %s for %s", vendors[i], id);
		good = secrets_prompt(&typed, vendors[i], buf_text(&question), err);
		buf_done(&question);
	}
	good = good && draft_add_secrets(draft, kind, &typed, err);
	secrets_done(&typed);
	return good;
}

/* ---- add ---- */

static bool set_options(struct cli *cli, json_t *draft, struct err *err)
{
	for (size_t i = 0; i < cli->args.option_count; i++) {
		const struct arg *arg = &cli->args.options[i];
		char what[64];

		if (!arg->option->sets)
			continue;
		snprintf(what, sizeof what, "--%s", arg->option->name);
		if (!draft_set(draft, arg->option->sets, arg->value, what, err))
			return false;
	}
	return true;
}

/* Everything but secrets is checked before a person is asked for any: this looks like one. */
static const char stand_in[] =
    "v1.none.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAA";

static bool try_out(const json_t *draft, enum store_kind kind, const char *where,
		    struct err *err)
{
	const char *vendors[SECRETS_MAX];
	json_t *copy = json_deep_copy(draft);
	struct secrets filler = { 0 };
	size_t count = draft_missing(copy, kind, vendors);

	for (size_t i = 0; i < count; i++)
		secrets_add(&filler, vendors[i], stand_in);
	bool right = draft_add_secrets(copy, kind, &filler, err);
	char *text = right ? draft_encode(copy, kind, where, err) : NULL;

	free(text);
	secrets_done(&filler);
	json_decref(copy);
	return text != NULL;
}

static bool add(struct cli *cli, struct change *change, enum store_kind kind, struct err *err)
{
	const char *id = args_operand(&cli->args, 0);
	json_t *draft = json_pack("{s:s}", "id", id);
	struct secrets secrets = { 0 };
	char where[128];

	snprintf(where, sizeof where, "%s", id);
	bool good = draft != NULL;
	if (!good)
		err_fill(err, ERR_PERMANENT, "the id must be 1 to 24 of a-z 0-9 -");
	else if (store_find(&change->store, kind, id))
		good =
		    err_set(err, ERR_PERMANENT, "%s %s is there already: see tocsin %s apply",
			    store_kind_name(kind), id, store_kind_name(kind));
	good = good && set_options(cli, draft, err);
	if (good && kind == STORE_CUSTOMER)
		draft_complete(draft);
	good = good && try_out(draft, kind, where, err) && gather(cli, &secrets, err) &&
	       draft_add_secrets(draft, kind, &secrets, err) && ask(draft, kind, id, err);
	secrets_done(&secrets);
	if (good)
		return change_add(change, kind, draft, where, err) &&
		       change_commit(change, false, err);
	draft_free(draft);
	return false;
}

static int run_add(struct cli *cli, enum store_kind kind)
{
	struct change change;
	struct err err = { 0 };

	if (!change_begin(&change, cli, &err))
		return cli_fail(cli, EXIT_FAILED, &err);
	return finish(cli, &change, add(cli, &change, kind, &err), EXIT_FAILED, &err);
}

int run_customer_add(struct cli *cli)
{
	return run_add(cli, STORE_CUSTOMER);
}

int run_account_add(struct cli *cli)
{
	return run_add(cli, STORE_ACCOUNT);
}

/* ---- apply ---- */

static json_t *load_draft(const char *path, struct err *err)
{
	json_error_t where;
	char *text =
	    conf_read_file(strcmp(path, "-") == 0 ? "/dev/stdin" : path, STORE_FILE_MAX, err);

	if (!text)
		return NULL;
	json_t *draft = json_loads(text, JSON_REJECT_DUPLICATES, &where);
	vault_wipe(text);
	if (!draft) {
		err_fill(err, ERR_PERMANENT, "%s: line %d, column %d: %s", path, where.line,
			 where.column, where.text);
		return NULL;
	}
	if (json_is_object(draft))
		return draft;
	json_decref(draft);
	err_fill(err, ERR_PERMANENT, "%s: line 1: must be a JSON object", path);
	return NULL;
}

static bool apply_file(struct change *change, enum store_kind kind, const char *path,
		       const struct secrets *secrets, struct err *err)
{
	json_t *draft = load_draft(path, err);

	if (!draft)
		return false;
	if (draft_add_secrets(draft, kind, secrets, err))
		return change_add(change, kind, draft, path, err);
	draft_free(draft);
	return false;
}

static bool apply(struct cli *cli, struct change *change, enum store_kind kind, struct err *err)
{
	struct secrets secrets = { 0 };
	bool good = gather(cli, &secrets, err);

	if (good && secrets.count > 0 && cli->args.operand_count > 1)
		good = err_set(err, ERR_PERMANENT,
			       "secrets can be given for one file only: put them into the "
			       "files");
	for (size_t i = 0; good && i < cli->args.operand_count; i++)
		good = apply_file(change, kind, cli->args.operands[i], &secrets, err);
	secrets_done(&secrets);
	return good && change_commit(change, false, err);
}

static int run_apply(struct cli *cli, enum store_kind kind)
{
	struct change change;
	struct err err = { 0 };

	if (!change_begin(&change, cli, &err))
		return cli_fail(cli, EXIT_FAILED, &err);
	return finish(cli, &change, apply(cli, &change, kind, &err), EXIT_FAILED, &err);
}

int run_customer_apply(struct cli *cli)
{
	return run_apply(cli, STORE_CUSTOMER);
}

int run_account_apply(struct cli *cli)
{
	return run_apply(cli, STORE_ACCOUNT);
}

/* NULL with err filled and *ret_code set when there is no such file. */
static const struct store_file *need_file(const struct change *change, enum store_kind kind,
					  const char *id, int *ret_code, struct err *err)
{
	const struct store_file *file = store_find(&change->store, kind, id);

	if (!file) {
		*ret_code = EXIT_NOT_FOUND;
		err_fill(err, ERR_PERMANENT, "there is no %s %s: see tocsin %s list",
			 store_kind_name(kind), id, store_kind_name(kind));
	}
	return file;
}

/* ---- secret ---- */

/* The vendors that are named, or else all that secrets were given for, or else the only one. */
static bool forget(json_t *draft, enum store_kind kind, const struct args *args,
		   const struct secrets *secrets, struct err *err)
{
	const char *only = json_string_value(json_object_get(draft, "kind"));
	const char *expires = args_value(args, "expires");
	bool known = true;
	size_t named = 0;

	for (size_t i = 1; known && i < args->operand_count; i++, named++)
		known = draft_forget_secret(draft, kind, args->operands[i], expires);
	for (size_t i = 0; known && i < secrets->count; i++, named++)
		known = draft_forget_secret(draft, kind, secrets->names[i], expires);
	if (named == 0)
		known = only && draft_forget_secret(draft, kind, only, expires);
	return known || err_set(err, ERR_PERMANENT,
				"which secret? %s has credentials of its own for some of "
				"secure_endpoint, umbrella, defender, threat_response, "
				"servicenow: see tocsin %s show",
				args->operands[0], store_kind_name(kind));
}

static bool replace_secrets(struct change *change, enum store_kind kind, int *ret_code,
			    struct err *err)
{
	struct cli *cli = change->cli;
	const char *id = args_operand(&cli->args, 0);
	const struct store_file *file = need_file(change, kind, id, ret_code, err);
	json_t *draft = file ? change_load(file, err) : NULL;
	struct secrets secrets = { 0 };

	bool good = draft && gather(cli, &secrets, err) &&
		    forget(draft, kind, &cli->args, &secrets, err) &&
		    draft_add_secrets(draft, kind, &secrets, err) && ask(draft, kind, id, err);
	secrets_done(&secrets);
	if (good)
		return change_add(change, kind, draft, file->where, err) &&
		       change_commit(change, false, err);
	draft_free(draft);
	return false;
}

static int run_secret(struct cli *cli, enum store_kind kind)
{
	struct change change;
	struct err err = { 0 };
	int code = EXIT_FAILED;

	if (!change_begin(&change, cli, &err))
		return cli_fail(cli, EXIT_FAILED, &err);

	bool good = replace_secrets(&change, kind, &code, &err);
	return finish(cli, &change, good, code, &err);
}

int run_customer_secret(struct cli *cli)
{
	return run_secret(cli, STORE_CUSTOMER);
}

int run_account_secret(struct cli *cli)
{
	return run_secret(cli, STORE_ACCOUNT);
}

/* ---- pause, resume, remove ---- */

static bool set_mode(struct change *change, const char *mode, int *ret_code, struct err *err)
{
	const struct args *args = &change->cli->args;

	for (size_t i = 0; i < args->operand_count; i++) {
		const struct store_file *file =
		    need_file(change, STORE_CUSTOMER, args->operands[i], ret_code, err);
		json_t *draft = file ? change_load(file, err) : NULL;

		if (!draft)
			return false;
		json_object_set_new(draft, "mode", json_string(mode));
		if (!change_add(change, STORE_CUSTOMER, draft, file->where, err))
			return false;
	}
	return change_commit(change, false, err);
}

static int run_mode(struct cli *cli, const char *mode)
{
	struct change change;
	struct err err = { 0 };
	int code = EXIT_FAILED;

	if (!change_begin(&change, cli, &err))
		return cli_fail(cli, EXIT_FAILED, &err);

	bool good = set_mode(&change, mode, &code, &err);
	return finish(cli, &change, good, code, &err);
}

int run_customer_pause(struct cli *cli)
{
	return run_mode(cli, "paused");
}

int run_customer_resume(struct cli *cli)
{
	const char *mode = args_value(&cli->args, "mode");

	if (mode && strcmp(mode, "live") != 0 && strcmp(mode, "shadow") != 0)
		return cli_failf(cli, EXIT_USAGE, "--mode %s: must be live or shadow", mode);
	return run_mode(cli, mode ? mode : "live");
}

static bool confirmed(struct cli *cli, enum store_kind kind)
{
	struct buf question;

	if (args_flag(&cli->args, "yes"))
		return true;
	buf_init(&question, 4096);
	buf_addf(&question, "Remove %s", store_folder(kind));
	for (size_t i = 0; i < cli->args.operand_count; i++)
		buf_addf(&question, " %s", cli->args.operands[i]);
	buf_adds(&question, "?");
	bool yes = cli_confirm(cli, buf_text(&question));
	buf_done(&question);
	return yes;
}

static bool gone(struct change *change, enum store_kind kind, int *ret_code, struct err *err)
{
	const struct args *args = &change->cli->args;

	for (size_t i = 0; i < args->operand_count; i++) {
		/* What is gone already may still have to be erased. */
		if (args_flag(args, "purge") && customer_id_valid(args->operands[i]) &&
		    !store_find(&change->store, kind, args->operands[i]))
			continue;
		if (!need_file(change, kind, args->operands[i], ret_code, err))
			return false;
		change_remove(change, kind, args->operands[i]);
	}
	return change_commit(change, false, err);
}

/* Asked and found before anything is done; *ret_code when not. */
static bool may_remove(struct cli *cli, enum store_kind kind, int *ret_code)
{
	struct change change;
	struct err err = { 0 };

	*ret_code = EXIT_FAILED;
	if (!change_begin(&change, cli, &err)) {
		cli_fail(cli, EXIT_FAILED, &err);
		return false;
	}
	bool may = confirmed(cli, kind) ||
		   err_set(&err, ERR_PERMANENT, "nothing was removed: confirm, or give --yes");
	for (size_t i = 0; may && i < cli->args.operand_count; i++)
		may = args_flag(&cli->args, "purge") ||
		      need_file(&change, kind, cli->args.operands[i], ret_code, &err);
	if (!may)
		cli_fail(cli, (enum exit_code) * ret_code, &err);
	change_done(&change);
	return may;
}

static int remove_files(struct cli *cli, enum store_kind kind)
{
	struct change change;
	struct err err = { 0 };
	int code = EXIT_FAILED;

	if (!change_begin(&change, cli, &err))
		return cli_fail(cli, EXIT_FAILED, &err);

	bool good = gone(&change, kind, &code, &err) &&
		    (!args_flag(&cli->args, "purge") || customer_ask_purge(cli, &err));
	return finish(cli, &change, good, code, &err);
}

int run_customer_remove(struct cli *cli)
{
	int code;

	return may_remove(cli, STORE_CUSTOMER, &code) && customer_let_go(cli, &code)
		   ? remove_files(cli, STORE_CUSTOMER)
		   : code;
}

int run_account_remove(struct cli *cli)
{
	int code;

	return may_remove(cli, STORE_ACCOUNT, &code) ? remove_files(cli, STORE_ACCOUNT) : code;
}
