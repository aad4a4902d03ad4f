/* tocsin keygen, tocsin customer reseal: the keys that seal secrets. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "callback_draft.h"
#include "change.h"
#include "cli.h"
#include "draft.h"
#include "model/key_file.h"
#include "model/link.h"
#include "model/vault.h"
#include "run.h"

struct tally {
	size_t secrets; /* sealed again */
	size_t files;	/* they are in */
	size_t left;	/* files that still hold an older seal */
};

/* Every good file, sealed with the newest key; a bad one is left and counted. */
static bool reseal_files(struct change *change, const struct vault *vault,
			 const struct vault *callback, struct tally *tally, struct err *err)
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
		if (!draft_reseal(draft, file->kind, vault, &tally->secrets, err) ||
		    (callback && !callback_draft_reseal(draft, file->kind, callback,
							&tally->secrets, err))) {
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
	const struct vault *vault = cli_vault(cli, err), *callback = NULL;
	struct change change;

	/* Without the callback's key nothing was ever sealed with it. */
	if (access(cli->settings.callback_key_file, F_OK) == 0) {
		callback = callback_draft_vault(cli, err);
		if (!callback)
			return false;
	}
	if (!vault || !change_begin(&change, cli, err))
		return false;
	bool done = reseal_files(&change, vault, callback, tally, err) &&
		    change_commit(&change, false, err);
	change_done(&change);
	return done;
}

static void render(struct buf *out, const struct screen *screen, const json_t *document)
{
	json_t *keys = json_object_get(document, "keys"), *key;
	const json_t *left = json_object_get(document, "left");
	size_t i;

	(void)screen;
	json_array_foreach(keys, i, key)
	    buf_addf(out, "New %s key %s in %s: it is used from now on.\n",
		     json_string_value(json_object_get(key, "kind")),
		     json_string_value(json_object_get(key, "key")),
		     json_string_value(json_object_get(key, "file")));
	if (keys && json_array_size(keys) == 0)
		buf_adds(out, "No key is missing.\n");
	if (left)
		buf_addf(out, "%lld secrets in %lld files sealed again; %lld files left.\n",
			 (long long)json_integer_value(json_object_get(document, "resealed")),
			 (long long)json_integer_value(json_object_get(document, "files")),
			 (long long)json_integer_value(left));
}

static void render_finish(struct buf *out, const struct screen *screen, const json_t *document)
{
	(void)screen;
	buf_addf(out, "%lld older keys are gone from %s.\n",
		 (long long)json_integer_value(json_object_get(document, "forgotten")),
		 json_string_value(json_object_get(document, "file")));
}

static void put_tally(json_t *document, const struct tally *tally)
{
	json_object_set_new(document, "resealed", json_integer((json_int_t)tally->secrets));
	json_object_set_new(document, "files", json_integer((json_int_t)tally->files));
	json_object_set_new(document, "left", json_integer((json_int_t)tally->left));
}

/* ---- keygen ---- */

enum key_kind { KEY_MASTER, KEY_CALLBACK, KEY_LINK, KEY_KINDS };

static const char *const key_kinds[] = { "master", "callback", "link" };

static bool make_key(const struct cli *cli, enum key_kind kind, const char *file, json_t *keys,
		     struct err *err)
{
	char id[KEY_FILE_ID_SIZE];
	bool made = kind == KEY_LINK
			? link_keygen(file, cli->settings.link_public_key_file, id, err)
			: vault_keygen(file, id, err);

	if (made)
		json_array_append_new(keys, json_pack("{s:s,s:s,s:s}", "kind", key_kinds[kind],
						      "key", id, "file", file));
	return made;
}

static enum key_kind wanted_kind(const struct cli *cli)
{
	return args_flag(&cli->args, "callback") ? KEY_CALLBACK
	       : args_flag(&cli->args, "link")	 ? KEY_LINK
						 : KEY_MASTER;
}

/* A newer key of the kind that was asked for, and every file that is missing. With --missing
 * only those. */
static bool make_keys(struct cli *cli, json_t *keys, struct err *err)
{
	const struct cli_settings *settings = &cli->settings;
	const char *const files[KEY_KINDS] = { settings->key_file, settings->callback_key_file,
					       settings->link_key_file };
	enum key_kind wanted = wanted_kind(cli);
	bool only_missing = args_flag(&cli->args, "missing");

	if (args_value(&cli->args, "file"))
		return make_key(cli, wanted, args_value(&cli->args, "file"), keys, err);
	for (enum key_kind kind = 0; kind < KEY_KINDS; kind++) {
		bool missing = access(files[kind], F_OK) != 0;
		if ((missing || (kind == wanted && !only_missing)) &&
		    !make_key(cli, kind, files[kind], keys, err))
			return false;
	}
	return true;
}

/* ---- keygen --finish ---- */

enum { OLDER_MAX = 64 };

static bool has(const struct store_file *file, const char *form, const char *id)
{
	char start[KEY_FILE_ID_SIZE + 8];

	snprintf(start, sizeof(start), "\"%s.%s.", form, id);
	return strstr(file->text, start) != NULL;
}

/* What the key has sealed or hashed would be lost with it. */
static bool file_lets_go(const struct store_file *file, const char *id, struct err *err)
{
	if (!file->text)
		return err_set(err, ERR_PERMANENT, "%s", file->err.text);
	if (has(file, "v1", id))
		return err_set(err, ERR_PERMANENT,
			       "%s has a secret that was sealed with %s: tocsin customer "
			       "reseal",
			       file->where, id);
	if (has(file, "h1", id))
		return err_set(err, ERR_PERMANENT,
			       "%s has a secret that was hashed with %s: tocsin %s, and "
			       "--finish when its holder has the newer one",
			       file->where, id,
			       file->kind == STORE_ACCOUNT ? "servicenow rotate"
							   : "push rotate --bearer");
	return true;
}

static bool may_forget(struct cli *cli, const char *path, enum key_kind kind, struct err *err)
{
	char ids[OLDER_MAX][KEY_FILE_ID_SIZE];
	struct change change;
	size_t size = 0;

	if (kind == KEY_LINK)
		return true;
	char *text = key_file_read(path, KEY_FILE_SECRET, &size, err);
	if (!text)
		return false;
	size_t count = key_file_older(text, ids, OLDER_MAX);
	key_file_wipe(text, size);
	if (!change_begin(&change, cli, err))
		return false;
	bool good = true;
	for (size_t i = 0; good && i < change.store.count * count; i++)
		good = file_lets_go(&change.store.files[i / count], ids[i % count], err);
	change_done(&change);
	return good;
}

static int finish(struct cli *cli)
{
	const struct cli_settings *settings = &cli->settings;
	const char *const files[KEY_KINDS] = { settings->key_file, settings->callback_key_file,
					       settings->link_key_file };
	enum key_kind kind = wanted_kind(cli);
	size_t gone = 0, unsaid = 0;
	struct err err = { 0 };

	bool good = may_forget(cli, files[kind], kind, &err) &&
		    key_file_forget_older(files[kind], KEY_FILE_SECRET, &gone, &err) &&
		    (kind != KEY_LINK || key_file_forget_older(settings->link_public_key_file,
							       KEY_FILE_PUBLIC, &unsaid, &err));
	return good ? cli_print(cli,
				json_pack("{s:s,s:s,s:I}", "kind", key_kinds[kind], "file",
					  files[kind], "forgotten", (json_int_t)gone),
				render_finish, EXIT_OK)
		    : cli_fail(cli, EXIT_FAILED, &err);
}

int run_keygen(struct cli *cli)
{
	struct err err = { 0 };
	struct tally tally = { 0 };

	if (args_value(&cli->args, "file") &&
	    (args_flag(&cli->args, "reseal") || args_flag(&cli->args, "finish") ||
	     wanted_kind(cli) == KEY_LINK))
		return cli_failf(cli, EXIT_USAGE,
				 "--reseal, --finish and --link work with the files of the "
				 "settings, not with --file");
	if (args_flag(&cli->args, "finish"))
		return finish(cli);
	json_t *keys = json_array();
	json_t *document = json_pack("{s:o}", "keys", keys);
	if (!make_keys(cli, keys, &err)) {
		json_decref(document);
		return cli_fail(cli, EXIT_FAILED, &err);
	}
	if (args_flag(&cli->args, "reseal")) {
		if (!reseal(cli, &tally, &err)) {
			json_decref(document);
			err_prefix(&err, "the key was made, but not used yet");
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
