/* The callback's secrets in files that are being made. */
#include "callback_draft.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "cli.h"
#include "model/account_callback.h"
#include "model/customer_push.h"
#include "model/signature.h"
#include "model/vault.h"

enum { TOKEN_BYTES = 32, OWNER_SIZE = 64 };

/* ---- one secret ---- */

static char *new_secret(enum callback_secret kind)
{
	unsigned char bytes[TOKEN_BYTES];
	char *secret = xmalloc(SIGNATURE_SECRET_SIZE);

	if (kind == CALLBACK_HMAC) {
		signature_new_secret(secret);
		return secret;
	}
	randombytes_buf(bytes, sizeof bytes);
	sodium_bin2base64(secret, SIGNATURE_SECRET_SIZE, bytes, sizeof bytes,
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	sodium_memzero(bytes, sizeof bytes);
	return secret;
}

char *callback_draft_renew(const struct callback_place *place, enum callback_secret kind,
			   const struct vault *vault, struct err *err)
{
	char *secret = new_secret(kind);
	char *kept = kind == CALLBACK_HMAC
			 ? vault_seal(vault, place->owner, place->field, secret, err)
			 : vault_hash(vault, place->owner, place->field, secret);

	if (!kept) {
		vault_wipe(secret);
		return NULL;
	}
	json_t *before = json_array_get(json_object_get(place->object, place->member), 0);
	json_t *list = json_array();
	json_array_append_new(list, json_string(kept));
	if (before)
		json_array_append(list, before);
	json_object_set_new(place->object, place->member, list);
	free(kept);
	return secret;
}

bool callback_draft_finish(const struct callback_place *place, struct err *err)
{
	json_t *list = json_object_get(place->object, place->member);

	if (json_array_size(list) < 2)
		return err_set(err, ERR_PERMANENT,
			       "there is no older secret: `rotate` makes a newer one first");
	json_array_remove(list, 1);
	return true;
}

/* ---- files ---- */

/* The accounts' objects of a draft that may have a member `callback`. */
static json_t *servicenow_of(const json_t *draft, enum store_kind kind)
{
	return kind == STORE_CUSTOMER
		   ? json_object_get(json_object_get(draft, "accounts"), "servicenow")
		   : (json_t *)(uintptr_t)draft;
}

static void keep_members(json_t *mine, const json_t *before, const char *const *members)
{
	if (!json_is_object(mine) || !json_is_object(before))
		return;
	for (; *members; members++) {
		if (!json_object_get(mine, *members) && json_object_get(before, *members))
			json_object_set(mine, *members, json_object_get(before, *members));
	}
}

void callback_draft_keep(json_t *draft, const json_t *older, enum store_kind kind)
{
	static const char *const push[] = { "hmac", "bearer", NULL };
	static const char *const callback[] = { "client_id", "secret", "hmac", NULL };

	if (kind == STORE_CUSTOMER)
		keep_members(json_object_get(draft, "push"), json_object_get(older, "push"),
			     push);
	keep_members(json_object_get(servicenow_of(draft, kind), "callback"),
		     json_object_get(servicenow_of(older, kind), "callback"), callback);
}

void callback_draft_hide(json_t *draft, enum store_kind kind)
{
	json_t *push = json_object_get(draft, "push");
	json_t *callback = json_object_get(servicenow_of(draft, kind), "callback");

	json_object_del(push, "hmac");
	json_object_del(push, "bearer");
	json_object_del(callback, "secret");
	json_object_del(callback, "hmac");
}

static bool reseal_list(const struct callback_place *place, const struct vault *vault,
			size_t *ret_count, struct err *err)
{
	json_t *list = json_object_get(place->object, place->member), *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		const char *sealed = json_string_value(item);
		if (!sealed || vault_is_current(vault, sealed))
			continue;
		char *secret = vault_unseal(vault, place->owner, place->field, sealed, err);
		char *again =
		    secret ? vault_seal(vault, place->owner, place->field, secret, err) : NULL;
		vault_wipe(secret);
		if (!again)
			return false;
		json_array_set_new(list, i, json_string(again));
		free(again);
		(*ret_count)++;
	}
	return true;
}

bool callback_draft_reseal(json_t *draft, enum store_kind kind, const struct vault *vault,
			   size_t *ret_count, struct err *err)
{
	const char *id = json_string_value(json_object_get(draft, "id"));
	char owner[OWNER_SIZE];

	snprintf(owner, sizeof owner, "%s%s", kind == STORE_ACCOUNT ? "account:" : "",
		 id ? id : "");
	const struct callback_place push = { json_object_get(draft, "push"), "hmac", owner,
					     CUSTOMER_PUSH_HMAC };
	const struct callback_place callback = { json_object_get(servicenow_of(draft, kind),
								 "callback"),
						 "hmac", owner, ACCOUNT_CALLBACK_HMAC };
	return reseal_list(&push, vault, ret_count, err) &&
	       reseal_list(&callback, vault, ret_count, err);
}

const struct vault *callback_draft_vault(struct cli *cli, struct err *err)
{
	if (!cli->callback_vault)
		cli->callback_vault = vault_open(cli->settings.callback_key_file, err);
	return cli->callback_vault;
}
