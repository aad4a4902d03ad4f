/* All customers and accounts, found by id. Both lists stay sorted while they are built. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "model/account.h"
#include "model/customer.h"

struct shelf {
	const struct account *account;
	struct account *owned; /* shared ones; NULL for those inside a customer */
};

struct directory {
	struct customer **customers;
	size_t customer_count, customer_room;
	struct shelf *accounts;
	size_t account_count, account_room;
};

struct directory *directory_new(void)
{
	return xcalloc(1, sizeof(struct directory));
}

void directory_free(struct directory *directory)
{
	if (!directory)
		return;
	for (size_t i = 0; i < directory->account_count; i++)
		account_free(directory->accounts[i].owned);
	for (size_t i = 0; i < directory->customer_count; i++)
		customer_free(directory->customers[i]);
	free(directory->accounts);
	free(directory->customers);
	free(directory);
}

/* Where id is, or belongs. */
static size_t customer_place(const struct directory *directory, const char *id, bool *ret_found)
{
	size_t low = 0, high = directory->customer_count;

	*ret_found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(id, directory->customers[middle]->id);
		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static size_t account_place(const struct directory *directory, const char *id, bool *ret_found)
{
	size_t low = 0, high = directory->account_count;

	*ret_found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(id, directory->accounts[middle].account->id);
		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* Room for one more at place; the caller fills it. */
static void *open_place(void *list, size_t item_size, size_t *count, size_t *room, size_t place)
{
	if (*count == *room) {
		*room = *room ? *room * 2 : 16;
		list = xrealloc(list, *room * item_size);
	}
	char *at = (char *)list + place * item_size;
	memmove(at + item_size, at, (*count - place) * item_size);
	(*count)++;
	return list;
}

static void remove_account(struct directory *directory, const char *id)
{
	bool found;
	size_t place = account_place(directory, id, &found);

	if (!found)
		return;
	struct account *owned = directory->accounts[place].owned;
	directory->account_count--;
	memmove(&directory->accounts[place], &directory->accounts[place + 1],
		(directory->account_count - place) * sizeof *directory->accounts);
	account_free(owned);
}

static void insert_account(struct directory *directory, const struct account *account,
			   struct account *owned)
{
	bool found;

	remove_account(directory, account->id);
	size_t place = account_place(directory, account->id, &found);
	directory->accounts =
	    open_place(directory->accounts, sizeof *directory->accounts,
		       &directory->account_count, &directory->account_room, place);
	directory->accounts[place] = (struct shelf){ account, owned };
}

void directory_add_customer(struct directory *directory, struct customer *customer)
{
	bool found;
	size_t place = customer_place(directory, customer->id, &found);

	if (found) {
		struct customer *old = directory->customers[place];
		for (size_t i = 0; i < old->account_count; i++)
			remove_account(directory, old->accounts[i].id);
		customer_free(old);
	} else {
		directory->customers =
		    open_place(directory->customers, sizeof(struct customer *),
			       &directory->customer_count, &directory->customer_room, place);
	}
	directory->customers[place] = customer;
	for (size_t i = 0; i < customer->account_count; i++)
		insert_account(directory, &customer->accounts[i], NULL);
}

void directory_add_account(struct directory *directory, struct account *account)
{
	insert_account(directory, account, account);
}

static bool check_reference(const struct directory *directory, const struct customer *customer,
			    const char *section, const char *id, enum account_kind kind,
			    struct err *err)
{
	if (!id)
		return true;
	const struct account *account = directory_account(directory, id);
	if (!account)
		return err_set(err, ERR_PERMANENT,
			       "customers/%s.json: %s.account: there is no account %s",
			       customer->id, section, id);
	if (account->kind != kind)
		return err_set(err, ERR_PERMANENT,
			       "customers/%s.json: %s.account: %s is for %s, not %s",
			       customer->id, section, id, account_kind_name(account->kind),
			       account_kind_name(kind));
	/* One customer's credentials must never serve another by a slip of the pen. */
	if (strncmp(account->owner, "account:", 8) != 0 &&
	    strcmp(account->owner, customer->id) != 0)
		return err_set(err, ERR_PERMANENT,
			       "customers/%s.json: %s.account: %s belongs to customer %s",
			       customer->id, section, id, account->owner);
	return true;
}

bool directory_check(const struct directory *directory, struct err *err)
{
	for (size_t i = 0; i < directory->customer_count; i++) {
		const struct customer *customer = directory->customers[i];
		for (size_t k = 0; k < customer->source_count; k++) {
			struct buf section;
			buf_init(&section, 64);
			buf_addf(&section, "sources.%s", customer->sources[k].name);
			bool right =
			    check_reference(directory, customer, buf_text(&section),
					    customer->sources[k].account,
					    account_kind_named(customer->sources[k].name), err);
			buf_done(&section);
			if (!right)
				return false;
		}
		if (!check_reference(directory, customer, "servicenow",
				     customer->servicenow.account, ACCOUNT_SERVICENOW, err) ||
		    !check_reference(directory, customer, "threat_response",
				     customer->threat_response.account, ACCOUNT_THREAT_RESPONSE,
				     err))
			return false;
	}
	return true;
}

size_t directory_count(const struct directory *directory)
{
	return directory->customer_count;
}

const struct customer *directory_at(const struct directory *directory, size_t index)
{
	return directory->customers[index];
}

const struct customer *directory_customer(const struct directory *directory, const char *id)
{
	bool found;
	size_t place = customer_place(directory, id, &found);

	return found ? directory->customers[place] : NULL;
}

const struct account *directory_account(const struct directory *directory, const char *id)
{
	bool found;
	size_t place = account_place(directory, id, &found);

	return found ? directory->accounts[place].account : NULL;
}

size_t directory_account_count(const struct directory *directory)
{
	return directory->account_count;
}

const struct account *directory_account_at(const struct directory *directory, size_t index)
{
	return directory->accounts[index].account;
}
