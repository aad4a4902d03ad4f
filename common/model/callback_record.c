/* The callback's share of customers and accounts. */
#include "model/callback_record.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "model/account.h"
#include "model/customer_defaults.h"
#include "model/form.h"

static const char id_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-._";
static const char owner_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-:";

/* ---- writing ---- */

static char *dump(json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);

	json_decref(object);
	return text;
}

char *callback_customer_encode(const struct customer *customer)
{
	json_t *object = json_pack("{s:I}", "partition", (json_int_t)customer->partition);

	account_put_text(object, "name", customer->name, NULL);
	account_put_text(object, "servicenow", customer->servicenow.account, NULL);
	if (customer->push.given)
		json_object_set_new(object, "push", customer_push_write(&customer->push));
	return dump(object);
}

char *callback_instance_encode(const struct account *account)
{
	json_t *object = json_pack("{s:s}", "owner", account->owner);

	if (account->callback.given)
		json_object_set_new(object, "callback",
				    account_callback_write(&account->callback));
	return dump(object);
}

/* ---- reading ---- */

static json_t *parse(const char *name, const char *text, size_t size, char *where, size_t room,
		     struct err *err)
{
	snprintf(where, room, "credentials of %.60s", name);
	return form_parse(text, size, where, err);
}

struct callback_customer *callback_customer_decode(const char *name, const char *text,
						   size_t size, struct err *err)
{
	static const char *const members[] = { "partition", "name", "servicenow", "push",
					       NULL };
	char where[96];
	json_t *root = parse(name, text, size, where, sizeof where, err);
	const struct form form = { .where = where, .json = root };

	if (!root)
		return NULL;
	struct callback_customer *customer = xcalloc(1, sizeof *customer);
	customer->id = xstrdup(name);
	bool read = form_known(&form, members, err) && form_need(&form, "partition", err) &&
		    form_unsigned(&form, "partition", CUSTOMER_PARTITIONS_MAX - 1,
				  &customer->partition, err) &&
		    form_text(&form, "name", CUSTOMER_NAME_MAX, NULL, &customer->name, err) &&
		    form_text(&form, "servicenow", ACCOUNT_ID_MAX, id_letters,
			      &customer->servicenow, err) &&
		    customer_push_read(&customer->push, &form, err);
	if (read && !customer_id_valid(name))
		read = err_set(err, ERR_PERMANENT, "%s: not a customer's id", where);
	json_decref(root);
	if (read)
		return customer;
	callback_customer_free(customer);
	return NULL;
}

struct callback_instance *callback_instance_decode(const char *name, const char *text,
						   size_t size, struct err *err)
{
	static const char *const members[] = { "owner", "callback", NULL };
	char where[96];
	json_t *root = parse(name, text, size, where, sizeof where, err);
	const struct form form = { .where = where, .json = root };

	if (!root)
		return NULL;
	struct callback_instance *instance = xcalloc(1, sizeof *instance);
	instance->id = xstrdup(name);
	bool read = form_known(&form, members, err) && form_need(&form, "owner", err) &&
		    form_text(&form, "owner", 64, owner_letters, &instance->owner, err) &&
		    account_callback_read(&instance->callback, &form, err);
	json_decref(root);
	if (read)
		return instance;
	callback_instance_free(instance);
	return NULL;
}

void callback_customer_free(struct callback_customer *customer)
{
	if (!customer)
		return;
	free(customer->id);
	free(customer->name);
	free(customer->servicenow);
	customer_push_clear(&customer->push);
	free(customer);
}

void callback_instance_free(struct callback_instance *instance)
{
	if (!instance)
		return;
	free(instance->id);
	free(instance->owner);
	account_callback_clear(&instance->callback);
	free(instance);
}
