/* What the callback service may know: made of the customers that were applied. */
#include <stdlib.h>
#include <string.h>

#include "bus/key.h"
#include "bus/redis.h"
#include "keeper_hash.h"
#include "model/callback_record.h"
#include "model/customer.h"

/* An account with its own name in the hash, if it is one that calls us. */
static void add_account(struct plan_fields *wanted, const struct account *account)
{
	char name[64] = "@";

	if (!account->callback.given)
		return;
	char *text = callback_instance_encode(account);
	strncat(name, account->id, sizeof name - 2);
	plan_fields_add(wanted, name, text);
	free(text);
}

static void add_customer(struct plan_fields *wanted, const struct customer *customer)
{
	char *text = callback_customer_encode(customer);

	plan_fields_add(wanted, customer->id, text);
	free(text);
	for (size_t i = 0; i < customer->account_count; i++)
		add_account(wanted, &customer->accounts[i]);
}

/* What was applied decodes: setup has just written it, or refused to. */
static void add_field(struct plan_fields *wanted, const struct plan_field *field)
{
	size_t size = strlen(field->value);

	if (field->name[0] == '@') {
		struct account *account = account_decode(field->value, size, field->name, NULL);
		if (account)
			add_account(wanted, account);
		account_free(account);
	} else {
		struct customer *customer =
		    customer_decode(field->value, size, field->name, NULL);
		if (customer)
			add_customer(wanted, customer);
		customer_free(customer);
	}
}

static const char *value_of(const struct plan_fields *fields, const char *name)
{
	for (size_t i = 0; i < fields->count; i++) {
		if (strcmp(fields->items[i].name, name) == 0)
			return fields->items[i].value;
	}
	return NULL;
}

static void compare(const struct plan_fields *wanted, const struct plan_fields *current,
		    struct plan_fields *ret_set, struct plan_fields *ret_remove)
{
	for (size_t i = 0; i < wanted->count; i++) {
		const struct plan_field *field = &wanted->items[i];
		const char *before = value_of(current, field->name);
		if (!before || strcmp(before, field->value) != 0)
			plan_fields_add(ret_set, field->name, field->value);
	}
	for (size_t i = 0; i < current->count; i++) {
		if (!value_of(wanted, current->items[i].name))
			plan_fields_add(ret_remove, current->items[i].name, NULL);
	}
}

bool keeper_apply_callback(struct redis *redis, uint64_t version, struct err *err)
{
	struct plan_fields customers = { 0 }, current = { 0 }, wanted = { 0 };
	struct plan_fields set = { 0 }, remove = { 0 };
	uint64_t customers_version = 0, before = 0;
	bool done = true;

	bool good =
	    keeper_hash_read(redis, KEY_CUSTOMERS, &customers, &customers_version, err) &&
	    keeper_hash_read(redis, KEY_CALLBACK_CREDENTIALS, &current, &before, err);
	for (size_t i = 0; good && i < customers.count; i++)
		add_field(&wanted, &customers.items[i]);
	compare(&wanted, &current, &set, &remove);
	if (good && (set.count + remove.count > 0 || before != version))
		good = keeper_hash_write(redis, KEY_CALLBACK_CREDENTIALS, &set, &remove, before,
					 version, &done, err);
	plan_fields_done(&customers);
	plan_fields_done(&current);
	plan_fields_done(&wanted);
	plan_fields_done(&set);
	plan_fields_done(&remove);
	return good;
}
