/* Files against the hash of customers: what to set, what to delete, what is wrong. */
#include "plan.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "change.h"
#include "model/customer.h"

void plan_fields_add(struct plan_fields *fields, const char *name, const char *value)
{
	if ((fields->count & (fields->count - 1)) == 0)
		fields->items =
		    xrealloc(fields->items,
			     (fields->count ? fields->count * 2 : 1) * sizeof *fields->items);
	fields->items[fields->count++] =
	    (struct plan_field){ xstrdup(name), value ? xstrdup(value) : NULL };
}

void plan_fields_done(struct plan_fields *fields)
{
	for (size_t i = 0; i < fields->count; i++) {
		free(fields->items[i].name);
		free(fields->items[i].value);
	}
	free(fields->items);
	*fields = (struct plan_fields){ 0 };
}

void plan_done(struct plan *plan)
{
	plan_fields_done(&plan->set);
	plan_fields_done(&plan->remove);
	for (size_t i = 0; i < plan->problem_count; i++)
		free(plan->problems[i].where);
	free(plan->problems);
	*plan = (struct plan){ 0 };
}

static const char *value_of(const struct plan_fields *fields, const char *name)
{
	for (size_t i = 0; i < fields->count; i++) {
		if (strcmp(fields->items[i].name, name) == 0)
			return fields->items[i].value;
	}
	return NULL;
}

void plan_add_problem(struct plan *plan, const char *where, const struct err *err)
{
	plan->problems =
	    xrealloc(plan->problems, (plan->problem_count + 1) * sizeof *plan->problems);
	plan->problems[plan->problem_count++] = (struct plan_problem){ xstrdup(where), *err };
}

/* ---- what each file comes to ---- */

/* One file on its way: what the hash will say under name. */
struct item {
	const struct store_file *file;
	char *name;
	char *value;	    /* NULL: what Redis has stays */
	const char *before; /* borrowed; NULL: nothing yet */
};

static bool says_partition(const char *text)
{
	json_t *json = json_loads(text, 0, NULL);
	bool says = json_is_integer(json_object_get(json, "partition"));

	json_decref(json);
	return says;
}

static bool settle_partition(struct customer *customer, const struct item *item,
			     unsigned partitions, struct err *err)
{
	struct customer *before =
	    item->before ? customer_decode(item->before, strlen(item->before), "", NULL) : NULL;
	bool says = says_partition(item->file->text);
	bool good = true;

	if (before && says && before->partition != customer->partition)
		good = err_set(err, ERR_PERMANENT,
			       "%s: partition: was fixed as %u when the customer was added",
			       item->file->where, before->partition);
	else if (before)
		customer->partition = before->partition;
	else if (!says)
		customer->partition = change_partition(customer->id, partitions);
	customer_free(before);
	if (good && customer->partition >= partitions)
		return err_set(err, ERR_PERMANENT,
			       "%s: partition: is %u, but TOCSIN_PARTITIONS is %u",
			       item->file->where, customer->partition, partitions);
	return good;
}

static char *customer_value(const struct item *item, unsigned partitions, struct err *err)
{
	struct customer *customer =
	    customer_decode(item->file->text, strlen(item->file->text), item->file->where, err);
	char *value = NULL;

	if (customer && settle_partition(customer, item, partitions, err))
		value = customer_encode(customer);
	customer_free(customer);
	return value;
}

static char *account_value(const struct item *item, struct err *err)
{
	struct account *account =
	    account_decode(item->file->text, strlen(item->file->text), item->file->where, err);
	char *value = account ? account_encode(account) : NULL;

	account_free(account);
	return value;
}

static void prepare(struct plan *plan, struct item *item, const struct store_file *file,
		    const struct plan_fields *current, unsigned partitions)
{
	struct err err = file->err;
	struct buf name;

	buf_init(&name, 128);
	buf_addf(&name, "%s%s", file->kind == STORE_ACCOUNT ? "@" : "", file->id);
	*item = (struct item){ .file = file, .name = buf_take(&name, NULL) };
	item->before = value_of(current, item->name);
	if (err.kind == ERR_NONE)
		item->value = file->kind == STORE_CUSTOMER
				  ? customer_value(item, partitions, &err)
				  : account_value(item, &err);
	if (!item->value)
		plan_add_problem(plan, file->where, &err);
}

/* ---- references ---- */

/* The accounts that will be there: from files, and from Redis where the file is bad. */
static struct directory *accounts_of(const struct item *items, size_t count)
{
	struct directory *directory = directory_new();

	for (size_t i = 0; i < count; i++) {
		const char *value = items[i].value ? items[i].value : items[i].before;
		struct account *account = NULL;

		if (items[i].file->kind == STORE_ACCOUNT && value)
			account = account_decode(value, strlen(value), "", NULL);
		if (account)
			directory_add_account(directory, account);
	}
	return directory;
}

static bool all_right(const struct item *items, size_t count)
{
	struct directory *directory = accounts_of(items, count);

	for (size_t i = 0; i < count; i++) {
		if (items[i].file->kind == STORE_CUSTOMER && items[i].value)
			directory_add_customer(
			    directory,
			    customer_decode(items[i].value, strlen(items[i].value), "", NULL));
	}
	bool right = directory_check(directory, NULL);
	directory_free(directory);
	return right;
}

/* When something is wrong, customers are added and checked one at a time: each answers for
 * itself only. */
static void check_references(struct plan *plan, struct item *items, size_t count)
{
	if (all_right(items, count))
		return;
	struct directory *directory = accounts_of(items, count);

	for (size_t i = 0; i < count; i++) {
		struct err err = { 0 };

		if (items[i].file->kind != STORE_CUSTOMER || !items[i].value)
			continue;
		directory_add_customer(
		    directory,
		    customer_decode(items[i].value, strlen(items[i].value), "", NULL));
		if (directory_check(directory, &err))
			continue;
		plan_add_problem(plan, items[i].file->where, &err);
		free(items[i].value);
		items[i].value = NULL;
		directory_free(directory);
		directory = accounts_of(items, count);
	}
	directory_free(directory);
}

static bool mentions(const struct customer *customer, const char *account)
{
	const char *const named[] = { customer->servicenow.account,
				      customer->threat_response.account };

	for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
		if (named[i] && strcmp(named[i], account) == 0)
			return true;
	}
	for (size_t i = 0; i < customer->source_count; i++) {
		if (strcmp(customer->sources[i].account, account) == 0)
			return true;
	}
	return false;
}

/* Whether a customer that stays as it was still needs an account whose file is gone. */
static bool is_needed(const struct item *items, size_t count, const char *account)
{
	for (size_t i = 0; i < count; i++) {
		struct customer *kept = NULL;

		if (items[i].file->kind == STORE_CUSTOMER && !items[i].value && items[i].before)
			kept =
			    customer_decode(items[i].before, strlen(items[i].before), "", NULL);
		bool needed = kept && mentions(kept, account);
		customer_free(kept);
		if (needed)
			return true;
	}
	return false;
}

/* ---- the plan ---- */

static bool has_item(const struct item *items, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(items[i].name, name) == 0)
			return true;
	}
	return false;
}

static void add_removals(struct plan *plan, const struct item *items, size_t count,
			 const struct plan_fields *current)
{
	for (size_t i = 0; i < current->count; i++) {
		const char *name = current->items[i].name;

		if (has_item(items, count, name))
			continue;
		if (name[0] == '@' && is_needed(items, count, name + 1))
			continue;
		plan_fields_add(&plan->remove, name, NULL);
	}
}

static void add_changes(struct plan *plan, const struct item *items, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct item *item = &items[i];

		if (!item->value && !item->before)
			continue;
		if (item->file->kind == STORE_CUSTOMER)
			plan->customers++;
		else
			plan->accounts++;
		if (item->value && (!item->before || strcmp(item->value, item->before) != 0))
			plan_fields_add(&plan->set, item->name, item->value);
	}
}

void plan_make(struct plan *ret_plan, const struct store *store,
	       const struct plan_fields *current, unsigned partitions)
{
	struct item *items = xcalloc(store->count + 1, sizeof *items);

	*ret_plan = (struct plan){ 0 };
	for (size_t i = 0; i < store->count; i++)
		prepare(ret_plan, &items[i], &store->files[i], current, partitions);
	check_references(ret_plan, items, store->count);
	add_changes(ret_plan, items, store->count);
	add_removals(ret_plan, items, store->count, current);
	for (size_t i = 0; i < store->count; i++) {
		free(items[i].name);
		free(items[i].value);
	}
	free(items);
}
