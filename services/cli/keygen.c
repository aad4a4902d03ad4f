/* tocsin keygen, tocsin customer reseal: the keys that seal secrets. */
#include <stdlib.h>

#include "base/buf.h"
#include "change.h"
#include "cli.h"
#include "draft.h"
#include "model/vault.h"
#include "run.h"

struct tally {
	size_t secrets; /* sealed again */
	size_t files;	/* they are in */
	size_t left;	/* files that still hold an older seal */
};

/* Every good file, sealed with the newest key; a bad one is left and counted. */
static bool reseal_files(struct change *change, const struct vault *vault, struct tally *tally,
			 struct err *err)
{
	for (size_t i = 0; i < change->store.count; i++) {
		const struct store_file *file = &change->store.files[i];
		size_t before = tally->secrets;
		json_t *draft = json_loads(file->text ? file->text : "", 0, NULL);

		if (file->err.kind != ERR_NONE || !draft) {
			tally->left++;
			cli_warn(change->cli, "%s is left as it is: %s", file->where,
				 file->err.text);
			json_decref(draft);
			continue;
		}
		if (!draft_reseal(draft, file->kind, vault, &tally->secrets, err)) {
			err_prefix(err, "%s", file->where);
			json_decref(draft);
			return false;
		}
		tally->files += tally->secrets != before;
		if (!change_add(change, file->kind, draft, file->where, err))
			return false;
	}
	return true;
}

static bool reseal(struct cli *cli, struct tally *tally, struct err *err)
{
	const struct vault *vault = cli_vault(cli, err);
	struct change change;

	if (!vault || !change_begin(&change, cli, err))
		return false;
	bool done =
	    reseal_files(&change, vault, tally, err) && change_commit(&change, false, err);
	change_done(&change);
	return done;
}

static void render(struct buf *out, const struct screen *screen, const json_t *document)
{
	const char *key = json_string_value(json_object_get(document, "key"));
	const json_t *left = json_object_get(document, "left");

	(void)screen;
	if (key)
		buf_addf(out, "New key %s in %s: it seals from now on.\n", key,
			 json_string_value(json_object_get(document, "file")));
	if (left)
		buf_addf(out, "%lld secrets in %lld files sealed again; %lld files left.\n",
			 (long long)json_integer_value(json_object_get(document, "resealed")),
			 (long long)json_integer_value(json_object_get(document, "files")),
			 (long long)json_integer_value(left));
}

static void put_tally(json_t *document, const struct tally *tally)
{
	json_object_set_new(document, "resealed", json_integer((json_int_t)tally->secrets));
	json_object_set_new(document, "files", json_integer((json_int_t)tally->files));
	json_object_set_new(document, "left", json_integer((json_int_t)tally->left));
}

int run_keygen(struct cli *cli)
{
	const char *file = args_value(&cli->args, "file");
	struct err err = { 0 };
	struct tally tally = { 0 };
	char id[16];

	if (file && args_flag(&cli->args, "reseal"))
		return cli_failf(cli, EXIT_USAGE,
				 "--reseal works with TOCSIN_KEY_FILE, not with --file");
	if (!file)
		file = cli->settings.key_file;
	if (!vault_keygen(file, id, &err))
		return cli_fail(cli, EXIT_FAILED, &err);
	json_t *document = json_pack("{s:s,s:s}", "key", id, "file", file);
	if (args_flag(&cli->args, "reseal")) {
		if (!reseal(cli, &tally, &err)) {
			json_decref(document);
			err_prefix(&err, "key %s was made, but not used yet", id);
			return cli_fail(cli, EXIT_FAILED, &err);
		}
		put_tally(document, &tally);
	}
	return cli_print(cli, document, render, tally.left ? EXIT_UNHEALTHY : EXIT_OK);
}

int run_customer_reseal(struct cli *cli)
{
	struct err err = { 0 };
	struct tally tally = { 0 };

	if (!reseal(cli, &tally, &err))
		return cli_fail(cli, EXIT_FAILED, &err);
	json_t *document = json_object();
	put_tally(document, &tally);
	return cli_print(cli, document, render, tally.left ? EXIT_UNHEALTHY : EXIT_OK);
}
