/* tocsin servicenow connect, rotate, disconnect: with what an instance calls us. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "callback_draft.h"
#include "change.h"
#include "cli.h"
#include "model/customer.h"
#include "model/vault.h"
#include "run.h"

enum { CLIENT_BYTES = 9, CLIENT_SIZE = 40 };

/* The file an account is in, its own or its customer's, being changed. */
struct work {
	struct cli *cli;
	struct change change;
	const char *account_id;
	char *owner;	     /* of the seals */
	char *instance_name; /* what the account's URL says */
	enum store_kind kind;
	char *file_id;
	json_t *draft;	 /* NULL once the change has it */
	json_t *account; /* inside the draft */
	char *secret;	 /* made by this run, in the clear */
};

/* The first label of the host. */
static char *name_of(const char *url)
{
	const char *host = strstr(url, "://");

	host = host ? host + 3 : url;
	return xstrndup(host, strcspn(host, ".:/"));
}

static bool find_account(struct work *work, struct err *err)
{
	struct directory *directory = store_directory(&work->change.store);
	const struct account *account = directory_account(directory, work->account_id);
	bool found = account && account->kind == ACCOUNT_SERVICENOW;

	if (found) {
		bool shared = strncmp(account->owner, "account:", 8) == 0;
		work->owner = xstrdup(account->owner);
		work->instance_name = name_of(account->url);
		work->kind = shared ? STORE_ACCOUNT : STORE_CUSTOMER;
		work->file_id = xstrdup(shared ? account->id : account->owner);
	}
	directory_free(directory);
	return found ||
	       err_set(err, ERR_PERMANENT, "there is no account of kind servicenow named %.60s",
		       work->account_id);
}

static bool begin(struct work *work, struct cli *cli, struct err *err)
{
	*work = (struct work){ .cli = cli, .account_id = args_operand(&cli->args, 0) };
	if (!change_begin(&work->change, cli, err) || !find_account(work, err))
		return false;
	work->draft =
	    change_load(store_find(&work->change.store, work->kind, work->file_id), err);
	if (!work->draft)
		return false;
	work->account =
	    work->kind == STORE_ACCOUNT
		? work->draft
		: json_object_get(json_object_get(work->draft, "accounts"), "servicenow");
	return true;
}

static bool commit(struct work *work, struct err *err)
{
	char where[64];
	json_t *draft = work->draft;

	snprintf(where, sizeof where, "%s/%.40s.json", store_folder(work->kind), work->file_id);
	work->draft = NULL;
	return change_add(&work->change, work->kind, draft, where, err) &&
	       change_commit(&work->change, false, err);
}

static void end(struct work *work)
{
	vault_wipe(work->secret);
	json_decref(work->draft);
	free(work->owner);
	free(work->instance_name);
	free(work->file_id);
	change_done(&work->change);
}

/* ---- what is said ---- */

static void render(struct buf *out, const struct screen *screen, const json_t *document)
{
	const char *secret = json_string_value(json_object_get(document, "secret"));
	const char *client = json_string_value(json_object_get(document, "client_id"));
	const char *url = json_string_value(json_object_get(document, "token_url"));

	(void)screen;
	buf_addf(out, "Instance %s calls us as %s.\n",
		 json_string_value(json_object_get(document, "instance_name")),
		 json_string_value(json_object_get(document, "account")));
	if (client)
		buf_addf(out, "OAuth token URL: %s\nOAuth client id: %s\n", url ? url : "-",
			 client);
	if (secret)
		buf_addf(out, "New %s, shown this once:\n  %s\n",
			 client ? "client secret" : "secret to sign with", secret);
}

static int finish(struct work *work, bool good, const json_t *callback, const struct err *err)
{
	int code = EXIT_FAILED;

	if (good) {
		const char *public_url = work->cli->settings.public_url;
		bool hmac = args_flag(&work->cli->args, "hmac");
		json_t *client = hmac ? NULL : json_object_get(callback, "client_id");
		json_t *document =
		    json_pack("{s:s,s:O,s:O?,s:s?}", "account", work->account_id,
			      "instance_name", json_object_get(callback, "instance_name"),
			      "client_id", client, "secret", work->secret);
		if (client && public_url)
			json_object_set_new(document, "token_url",
					    json_sprintf("%s/oauth/token", public_url));
		code = cli_print(work->cli, document, render, EXIT_OK);
	} else {
		code = cli_fail(work->cli, EXIT_FAILED, err);
	}
	end(work);
	return code;
}

/* ---- secrets ---- */

static struct callback_place place_of(const struct work *work, json_t *callback)
{
	bool hmac = args_flag(&work->cli->args, "hmac");

	return (struct callback_place){ callback, hmac ? "hmac" : "secret", work->owner,
					hmac ? ACCOUNT_CALLBACK_HMAC
					     : ACCOUNT_CALLBACK_SECRET };
}

static bool renew(struct work *work, json_t *callback, struct err *err)
{
	const struct callback_place place = place_of(work, callback);
	const struct vault *vault = callback_draft_vault(work->cli, err);

	if (vault)
		work->secret = callback_draft_renew(
		    &place,
		    args_flag(&work->cli->args, "hmac") ? CALLBACK_HMAC : CALLBACK_TOKEN, vault,
		    err);
	return work->secret != NULL;
}

/* "tocsin-" and twelve random letters. */
static void new_client_id(json_t *callback)
{
	unsigned char bytes[CLIENT_BYTES];
	char text[CLIENT_SIZE] = "tocsin-";

	randombytes_buf(bytes, sizeof bytes);
	sodium_bin2base64(text + 7, sizeof text - 7, bytes, sizeof bytes,
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	json_object_set_new(callback, "client_id", json_string(text));
}

/* ---- commands ---- */

static bool connect_instance(struct work *work, json_t **ret_callback, struct err *err)
{
	const char *name = args_value(&work->cli->args, "instance-name");
	json_t *callback = json_object_get(work->account, "callback");

	if (!callback) {
		callback = json_object();
		json_object_set_new(work->account, "callback", callback);
		json_object_set_new(callback, "instance_name",
				    json_string(work->instance_name));
	}
	*ret_callback = json_incref(callback);
	if (name)
		json_object_set_new(callback, "instance_name", json_string(name));
	if (json_object_get(callback, place_of(work, callback).member))
		return name ? commit(work, err)
			    : err_set(err, ERR_PERMANENT,
				      "%s calls us already: `tocsin servicenow rotate` makes a "
				      "newer secret",
				      work->account_id);
	if (!renew(work, callback, err))
		return false;
	if (!args_flag(&work->cli->args, "hmac"))
		new_client_id(callback);
	return commit(work, err);
}

static bool rotate(struct work *work, json_t **ret_callback, struct err *err)
{
	json_t *callback = json_object_get(work->account, "callback");
	const struct callback_place place = place_of(work, callback);

	if (!json_object_get(callback, place.member))
		return err_set(err, ERR_PERMANENT,
			       "%s has no such secret: see tocsin servicenow connect",
			       work->account_id);
	*ret_callback = json_incref(callback);
	if (args_flag(&work->cli->args, "finish") ? !callback_draft_finish(&place, err)
						  : !renew(work, callback, err))
		return false;
	return commit(work, err);
}

static bool disconnect(struct work *work, json_t **ret_callback, struct err *err)
{
	*ret_callback = json_incref(json_object_get(work->account, "callback"));
	if (json_object_del(work->account, "callback") != 0)
		return err_set(err, ERR_PERMANENT, "%s does not call us", work->account_id);
	return commit(work, err);
}

static int run(struct cli *cli,
	       bool (*change)(struct work *work, json_t **ret_callback, struct err *err))
{
	struct work work;
	struct err err = { 0 };
	json_t *callback = NULL;
	bool good = begin(&work, cli, &err) && change(&work, &callback, &err);
	int code = finish(&work, good, callback, &err);

	json_decref(callback);
	return code;
}

int run_servicenow_connect(struct cli *cli)
{
	return run(cli, connect_instance);
}

int run_servicenow_rotate(struct cli *cli)
{
	return run(cli, rotate);
}

int run_servicenow_disconnect(struct cli *cli)
{
	return run(cli, disconnect);
}
