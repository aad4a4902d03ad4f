/* Changing files of the configuration folder, all or nothing. */
#include "change.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "callback_draft.h"
#include "draft.h"
#include "model/customer.h"
#include "model/finding.h"
#include "model/vault.h"

bool change_begin(struct change *ret_change, struct cli *cli, struct err *err)
{
	*ret_change = (struct change){ .cli = cli };
	ret_change->lock = store_lock(cli->settings.config_dir, err);
	if (ret_change->lock < 0)
		return false;
	if (store_load(&ret_change->store, cli->settings.config_dir, err))
		return true;
	change_done(ret_change);
	return false;
}

void change_done(struct change *change)
{
	for (size_t i = 0; i < change->count; i++) {
		free(change->items[i].id);
		free(change->items[i].text);
	}
	free(change->items);
	store_done(&change->store);
	store_unlock(change->lock);
	*change = (struct change){ .lock = -1 };
}

unsigned change_partition(const char *id, unsigned partitions)
{
	const char *const parts[] = { id, NULL };
	char hex[17];

	finding_digest(parts, hex);
	return (unsigned)(strtoull(hex, NULL, 16) % (partitions ? partitions : 1));
}

json_t *change_load(const struct store_file *file, struct err *err)
{
	json_t *json = file->text ? json_loads(file->text, 0, NULL) : NULL;

	if (!json)
		*err = file->err;
	return json;
}

/* ---- one draft ---- */

static bool settle_partition(const struct change *change, json_t *draft, const json_t *older,
			     const char *where, struct err *err)
{
	const char *id = json_string_value(json_object_get(draft, "id"));
	json_t *before = json_object_get(older, "partition");
	json_t *wanted = json_object_get(draft, "partition");

	if (!id)
		return true; /* decoding says so better */
	if (before && wanted && !json_equal(before, wanted))
		return err_set(err, ERR_PERMANENT,
			       "%s: partition: was fixed as %d when the customer was added",
			       where, (int)json_integer_value(before));
	if (before)
		json_object_set(draft, "partition", before);
	else if (!wanted)
		json_object_set_new(
		    draft, "partition",
		    json_integer(change_partition(id, change->cli->bus.partitions)));
	else if (json_integer_value(wanted) >= change->cli->bus.partitions)
		return err_set(err, ERR_PERMANENT,
			       "%s: partition: must be below TOCSIN_PARTITIONS, %u", where,
			       change->cli->bus.partitions);
	return true;
}

static bool has_plain_secret(const json_t *json)
{
	const char *name;
	json_t *member;

	json_object_foreach((json_t *)json, name, member)
	{
		const char *text = json_string_value(member);
		if (text && strcmp(name, "secret") == 0 && !vault_is_sealed(text))
			return true;
		if (json_is_object(member) && has_plain_secret(member))
			return true;
	}
	return false;
}

static bool prepare(struct change *change, enum store_kind kind, json_t *draft,
		    const struct store_file *older_file, const char *where, struct err *err)
{
	json_t *older =
	    older_file && older_file->text ? json_loads(older_file->text, 0, NULL) : NULL;
	const struct vault *vault;
	bool prepared =
	    kind != STORE_CUSTOMER || settle_partition(change, draft, older, where, err);

	if (prepared) {
		draft_keep_secrets(draft, older, kind);
		callback_draft_keep(draft, older, kind);
		/* The key is needed only when there is something to seal or to check. */
		if (has_plain_secret(draft) || draft_has_new_seal(draft, older, kind)) {
			vault = cli_vault(change->cli, err);
			prepared = vault && draft_opens(draft, older, kind, vault, err) &&
				   draft_seal(draft, kind, vault, err);
		}
	}
	json_decref(older);
	return prepared;
}

static void add_item(struct change *change, enum store_kind kind, enum change_action action,
		     const char *id, char *text)
{
	change->items = xrealloc(change->items, (change->count + 1) * sizeof *change->items);
	change->items[change->count++] =
	    (struct change_item){ kind, action, xstrdup(id), text };
}

static bool is_there(const struct change *change, enum store_kind kind, const char *id)
{
	for (size_t i = 0; i < change->count; i++) {
		if (change->items[i].kind == kind && strcmp(change->items[i].id, id) == 0)
			return true;
	}
	return false;
}

static bool same_text(const char *file, const char *text)
{
	size_t size = strlen(text);

	return file && strncmp(file, text, size) == 0 &&
	       (file[size] == '\0' || strcmp(file + size, "\n") == 0);
}

bool change_add(struct change *change, enum store_kind kind, json_t *draft, const char *where,
		struct err *err)
{
	const char *id = json_string_value(json_object_get(draft, "id"));
	const struct store_file *older = id ? store_find(&change->store, kind, id) : NULL;
	char *text = NULL;

	if (id && is_there(change, kind, id))
		err_fill(err, ERR_PERMANENT, "%s: %s %s is there twice", where,
			 store_kind_name(kind), id);
	else if (prepare(change, kind, draft, older, where, err))
		text = draft_encode(draft, kind, where, err);
	if (text)
		add_item(change, kind,
			 !older				? CHANGE_ADDED
			 : same_text(older->text, text) ? CHANGE_UNCHANGED
							: CHANGE_REPLACED,
			 id, text);
	draft_free(draft);
	return text != NULL;
}

void change_remove(struct change *change, enum store_kind kind, const char *id)
{
	add_item(change, kind, CHANGE_REMOVED, id, NULL);
}

/* ---- all together ---- */

static void put(struct directory *directory, enum store_kind kind, const char *text)
{
	if (kind == STORE_CUSTOMER)
		directory_add_customer(directory,
				       customer_decode(text, strlen(text), "", NULL));
	else
		directory_add_account(directory, account_decode(text, strlen(text), "", NULL));
}

static const struct change_item *find_item(const struct change *change, enum store_kind kind,
					   const char *id)
{
	for (size_t i = 0; i < change->count; i++) {
		if (change->items[i].kind == kind && strcmp(change->items[i].id, id) == 0)
			return &change->items[i];
	}
	return NULL;
}

/* What the folder will say: its good files with the changes made, of all customers or of one.
 */
static struct directory *outcome(const struct change *change, const char *only)
{
	struct directory *directory = directory_new();

	for (size_t i = 0; i < change->store.count; i++) {
		const struct store_file *file = &change->store.files[i];

		if (file->err.kind != ERR_NONE || find_item(change, file->kind, file->id) ||
		    (only && file->kind == STORE_CUSTOMER))
			continue;
		put(directory, file->kind, file->text);
	}
	for (size_t i = 0; i < change->count; i++) {
		const struct change_item *item = &change->items[i];

		if (item->text &&
		    (item->kind == STORE_ACCOUNT || !only || strcmp(only, item->id) == 0))
			put(directory, item->kind, item->text);
	}
	return directory;
}

static bool check_outcome(const struct change *change, const char *only, struct err *err)
{
	struct directory *directory = outcome(change, only);
	bool right = directory_check(directory, err);

	directory_free(directory);
	return right;
}

/* Trouble that was there before does not stand in the way of what has nothing to do with it. */
static bool check(const struct change *change, struct err *err)
{
	struct err before_err;

	if (check_outcome(change, NULL, err))
		return true;
	struct directory *before = store_directory(&change->store);
	bool was_right = directory_check(before, &before_err);
	directory_free(before);
	if (was_right)
		return false;
	for (size_t i = 0; i < change->count; i++) {
		if (change->items[i].kind == STORE_CUSTOMER && change->items[i].text &&
		    !check_outcome(change, change->items[i].id, err))
			return false;
	}
	cli_warn(change->cli, "%s", before_err.text);
	return true;
}

bool change_commit(struct change *change, bool dry_run, struct err *err)
{
	struct store_change *writes = xcalloc(change->count + 1, sizeof *writes);
	size_t count = 0;

	for (size_t i = 0; i < change->count; i++) {
		const struct change_item *item = &change->items[i];
		if (item->action != CHANGE_UNCHANGED)
			writes[count++] =
			    (struct store_change){ item->kind, item->id, item->text };
	}
	bool done = check(change, err) &&
		    (dry_run || count == 0 ||
		     store_write(change->cli->settings.config_dir, writes, count, err));
	free(writes);
	return done;
}

/* ---- what was done ---- */

json_t *change_report(const struct change *change)
{
	static const char *const actions[] = { "added", "replaced", "unchanged", "removed" };
	json_t *list = json_array();

	for (size_t i = 0; i < change->count; i++)
		json_array_append_new(list, json_pack("{s:s,s:s,s:s}", "kind",
						      store_kind_name(change->items[i].kind),
						      "id", change->items[i].id, "action",
						      actions[change->items[i].action]));
	return json_pack("{s:o}", "changes", list);
}

void change_render(struct buf *out, const struct screen *screen, const json_t *document)
{
	const json_t *list = json_object_get(document, "changes"), *item;
	size_t i;

	(void)screen;
	json_array_foreach(list, i, item)
	{
		buf_addf(out, "%s %s: %s\n", json_string_value(json_object_get(item, "kind")),
			 json_string_value(json_object_get(item, "id")),
			 json_string_value(json_object_get(item, "action")));
	}
	if (json_is_true(json_object_get(document, "dry_run")))
		buf_adds(out, "Nothing was written (--dry-run).\n");
	else
		buf_adds(out, "tocsin setup applies it; setup --watch does within seconds.\n");
}
