/*
 * account: the registry of everything that can be called, by vendor and name. Accounts are
 * made by the control API and never removed; each has a lock of its own, so that one busy
 * account does not slow another down.
 */
#include "account.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "index.h"

struct registry {
	const struct vendor *const *vendors;
	pthread_rwlock_t lock; /* guards what follows, not the accounts' state */
	struct index index;    /* "vendor/name" and "vendor/key" to account */
	struct account **account;
	json_t **settings; /* all settings of each account merged, for reset */
	size_t count;
};

struct registry *registry_new(const struct vendor *const *vendors)
{
	struct registry *registry = xcalloc(1, sizeof(*registry));

	registry->vendors = vendors;
	pthread_rwlock_init(&registry->lock, NULL);
	return registry;
}

static void account_free(struct account *account)
{
	account->vendor->close(account->state);
	pthread_mutex_destroy(&account->lock);
	free(account->name);
	free(account->key);
	free(account);
}

void registry_free(struct registry *registry)
{
	if (!registry)
		return;
	for (size_t i = 0; i < registry->count; i++) {
		account_free(registry->account[i]);
		json_decref(registry->settings[i]);
	}
	free(registry->account);
	free(registry->settings);
	index_done(&registry->index);
	pthread_rwlock_destroy(&registry->lock);
	free(registry);
}

const struct vendor *registry_vendor(struct registry *registry, const char *name)
{
	for (const struct vendor *const *vendor = registry->vendors; *vendor; vendor++) {
		if (strcmp((*vendor)->name, name) == 0)
			return *vendor;
	}
	return NULL;
}

const struct vendor *registry_mounted(struct registry *registry, const char *mount)
{
	for (const struct vendor *const *vendor = registry->vendors; *vendor; vendor++) {
		if (strcmp((*vendor)->mount, mount) == 0)
			return *vendor;
	}
	return NULL;
}

enum { NAME_MAX_BYTES = 128, KEY_ROOM = 2 * NAME_MAX_BYTES };

static bool index_key(char *out, const struct vendor *vendor, const char *name)
{
	size_t vendor_size = strlen(vendor->name);
	size_t size = strlen(name);

	if (size > NAME_MAX_BYTES || vendor_size + size + 2 > KEY_ROOM)
		return false;
	memcpy(out, vendor->name, vendor_size);
	out[vendor_size] = '/';
	memcpy(out + vendor_size + 1, name, size + 1);
	return true;
}

static struct account *find_locked(struct registry *registry, const struct vendor *vendor,
				   const char *name)
{
	char key[KEY_ROOM];

	return index_key(key, vendor, name) ? index_get(&registry->index, key) : NULL;
}

struct account *registry_find(struct registry *registry, const struct vendor *vendor,
			      const char *name)
{
	pthread_rwlock_rdlock(&registry->lock);
	struct account *account = find_locked(registry, vendor, name);

	pthread_rwlock_unlock(&registry->lock);
	return account;
}

static void index_account(struct registry *registry, struct account *account)
{
	char key[KEY_ROOM];

	if (index_key(key, account->vendor, account->name))
		index_add(&registry->index, key, account);
	if (strcmp(account->name, account->key) != 0 &&
	    index_key(key, account->vendor, account->key))
		index_add(&registry->index, key, account);
}

static struct account *add_account(struct registry *registry, const struct vendor *vendor,
				   const char *name, const char *key)
{
	struct account *account = xcalloc(1, sizeof(*account));
	size_t count = registry->count;

	account->vendor = vendor;
	account->name = xstrdup(name);
	account->key = xstrdup(key);
	pthread_mutex_init(&account->lock, NULL);
	account->state = vendor->open(account);
	if ((count & (count - 1)) == 0) { /* full at each power of two */
		size_t room = count ? count * 2 : 1;

		registry->account =
		    xrealloc(registry->account, room * sizeof(struct account *));
		registry->settings = xrealloc(registry->settings, room * sizeof(json_t *));
	}
	registry->account[count] = account;
	registry->settings[count] = json_object();
	registry->count++;
	index_account(registry, account);
	return account;
}

static json_t **settings_of(struct registry *registry, const struct account *account)
{
	for (size_t i = 0; i < registry->count; i++) {
		if (registry->account[i] == account)
			return &registry->settings[i];
	}
	abort(); /* every account is in the list */
}

/* Another account may already answer to this key. */
static bool rekey(struct registry *registry, struct account *account, const char *key,
		  struct err *err)
{
	struct account *other = find_locked(registry, account->vendor, key);
	char text[KEY_ROOM];

	if (other == account)
		return true;
	if (other || !index_key(text, account->vendor, key))
		return err_set(err, ERR_PERMANENT, "%s: %s is taken or too long",
			       account->vendor->key, key);
	free(account->key);
	account->key = xstrdup(key);
	index_add(&registry->index, text, account); /* the old key keeps working */
	return true;
}

struct account *registry_apply(struct registry *registry, const json_t *settings,
			       struct err *err)
{
	const char *vendor_name = json_string_value(json_object_get(settings, "vendor"));
	const struct vendor *vendor = registry_vendor(registry, vendor_name ? vendor_name : "");

	if (!vendor) {
		err_fill(err, ERR_PERMANENT, "vendor: unknown or missing");
		return NULL;
	}
	const char *key = json_string_value(json_object_get(settings, vendor->key));
	const char *name = json_string_value(json_object_get(settings, "account"));
	char text[KEY_ROOM];

	name = name ? name : key;
	if (!name || !*name || !index_key(text, vendor, name)) {
		err_fill(err, ERR_PERMANENT, "account: missing, empty or over 128 bytes");
		return NULL;
	}
	pthread_rwlock_wrlock(&registry->lock);
	struct account *account = find_locked(registry, vendor, name);
	bool ok = true;

	if (!account && key && find_locked(registry, vendor, key))
		ok = err_set(err, ERR_PERMANENT, "%s: %s is taken", vendor->key, key);
	else if (!account)
		account = add_account(registry, vendor, name, key ? key : name);
	else if (key)
		ok = rekey(registry, account, key, err);
	if (ok) {
		pthread_mutex_lock(&account->lock);
		ok = vendor->configure(account, settings, err);
		pthread_mutex_unlock(&account->lock);
	}
	if (ok)
		json_object_update(*settings_of(registry, account), (json_t *)settings);
	pthread_rwlock_unlock(&registry->lock);
	return ok ? account : NULL;
}

bool registry_reset(struct registry *registry, struct account *account, struct err *err)
{
	pthread_rwlock_wrlock(&registry->lock);
	json_t *settings = *settings_of(registry, account);

	pthread_mutex_lock(&account->lock);
	account->vendor->close(account->state);
	account->state = account->vendor->open(account);
	bool ok = account->vendor->configure(account, settings, err);

	pthread_mutex_unlock(&account->lock);
	pthread_rwlock_unlock(&registry->lock);
	return ok;
}

void registry_each(struct registry *registry,
		   void (*visit)(struct account *account, void *opaque), void *opaque)
{
	pthread_rwlock_rdlock(&registry->lock);
	size_t count = registry->count;

	for (size_t i = 0; i < count; i++)
		visit(registry->account[i], opaque);
	pthread_rwlock_unlock(&registry->lock);
}

bool setting_number(const json_t *settings, const char *key, uint64_t *value, struct err *err)
{
	json_t *found = json_object_get(settings, key);

	if (!found)
		return true;
	if (!json_is_integer(found) || json_integer_value(found) < 0)
		return err_set(err, ERR_PERMANENT, "%s: must be a whole number", key);
	*value = (uint64_t)json_integer_value(found);
	return true;
}

bool setting_bool(const json_t *settings, const char *key, bool *value, struct err *err)
{
	json_t *found = json_object_get(settings, key);

	if (!found)
		return true;
	if (!json_is_boolean(found))
		return err_set(err, ERR_PERMANENT, "%s: must be true or false", key);
	*value = json_is_true(found);
	return true;
}

bool setting_text(const json_t *settings, const char *key, char **value, struct err *err)
{
	json_t *found = json_object_get(settings, key);

	if (!found)
		return true;
	if (!json_is_string(found))
		return err_set(err, ERR_PERMANENT, "%s: must be text", key);
	free(*value);
	*value = xstrdup(json_string_value(found));
	return true;
}
