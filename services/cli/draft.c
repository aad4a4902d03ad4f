/* Files in the making: where settings go, and how secrets are sealed before they are written.
 */
#include "draft.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "callback_draft.h"
#include "model/customer.h"
#include "model/vault.h"

enum { NUMBERS_MAX = 1000 };

static const enum account_kind kinds[] = { ACCOUNT_SECURE_ENDPOINT, ACCOUNT_UMBRELLA,
					   ACCOUNT_THREAT_RESPONSE, ACCOUNT_SERVICENOW,
					   ACCOUNT_DEFENDER };
enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* ---- settings ---- */

static bool parse_number(const char *text, const char **ret_rest, json_t **ret_number)
{
	char *end;

	errno = 0;
	long long number = strtoll(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || errno)
		return false;
	*ret_rest = end;
	*ret_number = json_integer(number);
	return true;
}

static json_t *parse_numbers(const char *text)
{
	json_t *list = json_array(), *number;

	for (size_t i = 0; i < NUMBERS_MAX; i++) {
		text += strspn(text, " ");
		if (!parse_number(text, &text, &number))
			break;
		json_array_append_new(list, number);
		text += strspn(text, " ");
		if (*text == '\0')
			return list;
		if (*text != ',' && *text != ';')
			break;
		text++;
	}
	json_decref(list);
	return NULL;
}

static json_t *parse_value(const char *path, const char *value, const char *what,
			   struct err *err)
{
	size_t size = strlen(path);
	const char *rest;
	json_t *parsed = NULL;

	if (size > 2 && strcmp(path + size - 2, "[]") == 0) {
		parsed = parse_numbers(value);
		if (!parsed)
			err_fill(err, ERR_PERMANENT, "%s: give numbers with commas", what);
		return parsed;
	}
	if (path[size - 1] == '#') {
		if (parse_number(value, &rest, &parsed) && *rest == '\0')
			return parsed;
		json_decref(parsed);
		err_fill(err, ERR_PERMANENT, "%s: give a whole number", what);
		return NULL;
	}
	parsed = json_string(value);
	if (!parsed)
		err_fill(err, ERR_PERMANENT, "%s: is not UTF-8 text", what);
	return parsed;
}

bool draft_set(json_t *draft, const char *path, const char *value, const char *what,
	       struct err *err)
{
	json_t *parsed = parse_value(path, value, what, err);
	json_t *at = draft;
	char name[64];

	if (!parsed)
		return false;
	for (const char *dot; (dot = strchr(path, '.')) != NULL; path = dot + 1) {
		snprintf(name, sizeof name, "%.*s", (int)(dot - path), path);
		json_t *child = json_object_get(at, name);
		if (!json_is_object(child)) {
			child = json_object();
			json_object_set_new(at, name, child);
		}
		at = child;
	}
	snprintf(name, sizeof name, "%.*s", (int)strcspn(path, "#["), path);
	json_object_set_new(at, name, parsed);
	return true;
}

void draft_complete(json_t *draft)
{
	static const char *const polled[] = { "secure_endpoint", "umbrella", "defender" };
	static const char *const targets[] = { "threat_response", "servicenow" };
	json_t *accounts = json_object_get(draft, "accounts");

	for (size_t i = 0; i < sizeof polled / sizeof polled[0]; i++) {
		json_t *sources = json_object_get(draft, "sources");
		if (!json_object_get(accounts, polled[i]))
			continue;
		if (!json_is_object(sources)) {
			sources = json_object();
			json_object_set_new(draft, "sources", sources);
		}
		if (!json_object_get(sources, polled[i]))
			json_object_set_new(sources, polled[i], json_object());
	}
	for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
		if (json_object_get(accounts, targets[i]) &&
		    !json_object_get(draft, targets[i]))
			json_object_set_new(draft, targets[i], json_object());
	}
}

/* ---- secrets ---- */

/* The object that holds one vendor's credentials; NULL when the draft has none. */
static json_t *credentials(const json_t *draft, enum store_kind kind, enum account_kind vendor)
{
	const char *name = account_kind_name(vendor);
	json_t *object;

	if (kind == STORE_CUSTOMER) {
		object = json_object_get(json_object_get(draft, "accounts"), name);
		return json_is_object(object) ? object : NULL;
	}
	const char *own = json_string_value(json_object_get(draft, "kind"));
	return own && strcmp(own, name) == 0 ? (json_t *)(uintptr_t)draft : NULL;
}

size_t draft_missing(const json_t *draft, enum store_kind kind, const char **ret_vendors)
{
	size_t count = 0;

	for (size_t i = 0; i < KINDS; i++) {
		json_t *object = credentials(draft, kind, kinds[i]);

		if (object && !json_object_get(object, "secret"))
			ret_vendors[count++] = account_kind_name(kinds[i]);
	}
	return count;
}

void draft_keep_secrets(json_t *draft, const json_t *older, enum store_kind kind)
{
	static const char *const identity[] = { "region",    "url",	  "intel_url",
						"auth",	     "client_id", "username",
						"tenant_id", "login_url", "management_url",
						"org_id",    NULL };

	for (size_t i = 0; i < KINDS; i++) {
		json_t *mine = credentials(draft, kind, kinds[i]);
		json_t *before = credentials(older, kind, kinds[i]);
		bool same = mine && before && !json_object_get(mine, "secret");

		for (size_t k = 0; same && identity[k]; k++) {
			json_t *a = json_object_get(mine, identity[k]);
			json_t *b = json_object_get(before, identity[k]);
			same = (!a && !b) || (a && b && json_equal(a, b));
		}
		if (same)
			json_object_set(mine, "secret", json_object_get(before, "secret"));
	}
}

/* json_t keeps its text until it is freed, and does not wipe it. */
static void wipe(const json_t *text)
{
	if (json_is_string(text) && !vault_is_sealed(json_string_value(text)))
		explicit_bzero((char *)(uintptr_t)json_string_value(text),
			       json_string_length(text));
}

static json_t *credentials_named(const json_t *draft, enum store_kind kind, const char *vendor)
{
	for (size_t i = 0; i < KINDS; i++) {
		if (strcmp(vendor, account_kind_name(kinds[i])) == 0)
			return credentials(draft, kind, kinds[i]);
	}
	return NULL;
}

bool draft_forget_secret(json_t *draft, enum store_kind kind, const char *vendor,
			 const char *expires)
{
	json_t *object = credentials_named(draft, kind, vendor);

	(void)json_object_del(object, "secret");
	(void)json_object_del(object, "expires");
	if (expires)
		(void)json_object_set_new(object, "expires", json_string(expires));
	return object != NULL;
}

bool draft_add_secrets(json_t *draft, enum store_kind kind, const struct secrets *secrets,
		       struct err *err)
{
	for (size_t i = 0; i < secrets->count; i++) {
		json_t *object = credentials_named(draft, kind, secrets->names[i]);

		if (!object)
			return err_set(err, ERR_PERMANENT,
				       "secret %s: there are no credentials of that vendor "
				       "(secure_endpoint, umbrella, threat_response, "
				       "servicenow, defender) to use it with",
				       secrets->names[i]);
		wipe(json_object_get(object, "secret"));
		json_object_set_new(object, "secret", json_string(secrets->values[i]));
	}
	return true;
}

/* An account just complete enough for its secret: what a seal is bound to. */
static struct account account_to_seal(const json_t *draft, enum store_kind kind,
				      enum account_kind vendor, struct buf *owner)
{
	const char *id = json_string_value(json_object_get(draft, "id"));

	buf_init(owner, 128);
	buf_addf(owner, "%s%s", kind == STORE_ACCOUNT ? "account:" : "", id ? id : "");
	return (struct account){ .kind = vendor, .owner = owner->data };
}

static bool seal_one(json_t *draft, enum store_kind kind, enum account_kind vendor,
		     const struct vault *vault, struct err *err)
{
	json_t *object = credentials(draft, kind, vendor);
	json_t *secret = json_object_get(object, "secret");
	const char *text = json_string_value(secret);
	struct buf owner;

	if (!text || vault_is_sealed(text))
		return true;
	if (text[0] == '\0' || strlen(text) > SECRET_MAX)
		return err_set(err, ERR_PERMANENT, "the secret of %s must have 1 to %d bytes",
			       account_kind_name(vendor), SECRET_MAX);
	struct account account = account_to_seal(draft, kind, vendor, &owner);
	bool sealed = account_seal(&account, vault, text, err);
	if (sealed) {
		wipe(secret);
		json_object_set_new(object, "secret", json_string(account.secret));
		free(account.secret);
	}
	buf_done(&owner);
	return sealed;
}

bool draft_seal(json_t *draft, enum store_kind kind, const struct vault *vault, struct err *err)
{
	for (size_t i = 0; i < KINDS; i++) {
		if (!seal_one(draft, kind, kinds[i], vault, err))
			return false;
	}
	return true;
}

/* The vendor's sealed secret if the older file has not the same; else NULL. */
static const char *new_seal(const json_t *draft, const json_t *older, enum store_kind kind,
			    enum account_kind vendor)
{
	const char *now =
	    json_string_value(json_object_get(credentials(draft, kind, vendor), "secret"));
	const char *before =
	    json_string_value(json_object_get(credentials(older, kind, vendor), "secret"));

	if (!now || !vault_is_sealed(now) || (before && strcmp(now, before) == 0))
		return NULL;
	return now;
}

bool draft_has_new_seal(const json_t *draft, const json_t *older, enum store_kind kind)
{
	for (size_t i = 0; i < KINDS; i++) {
		if (new_seal(draft, older, kind, kinds[i]))
			return true;
	}
	return false;
}

bool draft_opens(const json_t *draft, const json_t *older, enum store_kind kind,
		 const struct vault *vault, struct err *err)
{
	for (size_t i = 0; i < KINDS; i++) {
		const char *sealed = new_seal(draft, older, kind, kinds[i]);
		struct buf owner;

		if (!sealed)
			continue;
		struct account account = account_to_seal(draft, kind, kinds[i], &owner);
		account.secret = xstrdup(sealed);
		char *plain = account_unseal(&account, vault, err);
		free(account.secret);
		buf_done(&owner);
		if (!plain) {
			err_prefix(err, "secret of %s", account_kind_name(kinds[i]));
			return false;
		}
		vault_wipe(plain);
	}
	return true;
}

static bool reseal_one(json_t *draft, enum store_kind kind, enum account_kind vendor,
		       const struct vault *vault, size_t *ret_count, struct err *err)
{
	json_t *object = credentials(draft, kind, vendor);
	const char *sealed = json_string_value(json_object_get(object, "secret"));
	struct buf owner;

	if (!sealed || vault_is_current(vault, sealed))
		return true;
	struct account account = account_to_seal(draft, kind, vendor, &owner);
	account.secret = xstrdup(sealed);
	char *plain = account_unseal(&account, vault, err);
	bool done = plain && account_seal(&account, vault, plain, err);
	vault_wipe(plain);
	if (done) {
		json_object_set_new(object, "secret", json_string(account.secret));
		(*ret_count)++;
	}
	free(account.secret);
	buf_done(&owner);
	return done;
}

bool draft_reseal(json_t *draft, enum store_kind kind, const struct vault *vault,
		  size_t *ret_count, struct err *err)
{
	for (size_t i = 0; i < KINDS; i++) {
		if (!reseal_one(draft, kind, kinds[i], vault, ret_count, err))
			return false;
	}
	return true;
}

/* ---- whole files ---- */

static char *canonical_customer(const char *text, const char *where, struct err *err)
{
	struct customer *customer = customer_decode(text, strlen(text), where, err);
	bool good = customer && customer_check_zone(customer, where, err);
	char *canonical = good ? customer_encode(customer) : NULL;

	customer_free(customer);
	return canonical;
}

static char *canonical_account(const char *text, const char *where, struct err *err)
{
	struct account *account = account_decode(text, strlen(text), where, err);
	char *canonical = account ? account_encode(account) : NULL;

	account_free(account);
	return canonical;
}

char *draft_encode(const json_t *draft, enum store_kind kind, const char *where,
		   struct err *err)
{
	char *text = json_dumps(draft, JSON_INDENT(2));
	char *canonical = NULL;

	if (text && strlen(text) <= STORE_FILE_MAX)
		canonical = kind == STORE_CUSTOMER ? canonical_customer(text, where, err)
						   : canonical_account(text, where, err);
	else
		err_fill(err, ERR_PERMANENT, "%s is larger than %d bytes", where,
			 STORE_FILE_MAX);
	vault_wipe(text);
	return canonical;
}

json_t *draft_without_secrets(const json_t *draft, enum store_kind kind)
{
	json_t *copy = json_deep_copy(draft);

	for (size_t i = 0; i < KINDS; i++) {
		json_t *object = credentials(copy, kind, kinds[i]);

		if (object)
			json_object_del(object, "secret");
	}
	callback_draft_hide(copy, kind);
	return copy;
}

void draft_free(json_t *draft)
{
	static const enum store_kind both[] = { STORE_CUSTOMER, STORE_ACCOUNT };

	for (size_t k = 0; draft && k < 2; k++) {
		for (size_t i = 0; i < KINDS; i++)
			wipe(json_object_get(credentials(draft, both[k], kinds[i]), "secret"));
	}
	json_decref(draft);
}
