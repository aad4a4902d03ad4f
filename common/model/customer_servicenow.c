/* The section "servicenow" of a customer's file: where its tickets go and what they say. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "model/account.h"
#include "model/customer_defaults.h"
#include "model/customer_section.h"

enum { TEXT_MAX_BYTES = 40, TEMPLATE_MAX_BYTES = 40 };

static const char account_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-._";

bool customer_read_account(const struct customer *customer, const struct form *form,
			   enum account_kind kind, char **ret_id, struct err *err)
{
	if (form_has(form, "account"))
		return form_text(form, "account", ACCOUNT_ID_MAX, account_letters, ret_id, err);
	for (size_t i = 0; i < customer->account_count; i++) {
		if (customer->accounts[i].kind != kind)
			continue;
		free(*ret_id);
		*ret_id = xstrdup(customer->accounts[i].id);
		return true;
	}
	return form_refuse(form, "account", err, "name a shared account, or give accounts.%s",
			   account_kind_name(kind));
}

void customer_put_account(json_t *object, const struct customer *customer,
			  enum account_kind kind, const char *id)
{
	for (size_t i = 0; id && i < customer->account_count; i++) {
		if (customer->accounts[i].kind == kind &&
		    strcmp(customer->accounts[i].id, id) == 0)
			return;
	}
	account_put_text(object, "account", id, NULL);
}

/* ---- priority ---- */

/* From informational to critical. */
static const char *const severities[] = { "informational", "low",      "medium",
					  "high",	   "critical", NULL };

_Static_assert(sizeof severities / sizeof severities[0] == CUSTOMER_PRIORITIES + 1,
	       "one name for each");

const struct customer_priority customer_priorities_by_severity[CUSTOMER_PRIORITIES] = {
	{ 3, 3 }, { 3, 3 }, { 3, 2 }, { 2, 2 }, { 2, 1 }
};

/* The ancestors' tickets were all of the highest. */
static const struct customer_priority ancestors[CUSTOMER_PRIORITIES] = {
	{ 1, 1 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 1, 1 }
};

static bool read_level(const json_t *pair, size_t index, unsigned *ret)
{
	const json_t *level = json_array_get(pair, index);
	json_int_t number = json_integer_value(level);

	*ret = (unsigned)number;
	return json_is_integer(level) && number >= 1 && number <= 3;
}

static bool read_priority_table(struct customer_servicenow *servicenow, const struct form *form,
				struct err *err)
{
	struct form table;

	if (!form_object(form, "priority", &table, err) || !form_known(&table, severities, err))
		return false;
	for (size_t i = 0; i < CUSTOMER_PRIORITIES; i++) {
		const json_t *pair = json_object_get(table.json, severities[i]);
		struct customer_priority *priority = &servicenow->priorities[i];

		if (!pair)
			continue;
		if (json_array_size(pair) != 2 || !read_level(pair, 0, &priority->impact) ||
		    !read_level(pair, 1, &priority->urgency))
			return form_refuse(&table, severities[i], err,
					   "must be [impact, urgency], each 1 to 3");
	}
	return true;
}

static bool read_priority(struct customer_servicenow *servicenow, const struct form *form,
			  struct err *err)
{
	static const char *const presets[] = { "severity", "ancestors", NULL };
	unsigned preset = 0;

	if (json_is_object(json_object_get(form->json, "priority")))
		return read_priority_table(servicenow, form, err);
	if (!form_choice(form, "priority", presets, &preset, err))
		return false;
	if (preset == 1)
		memcpy(servicenow->priorities, ancestors, sizeof ancestors);
	return true;
}

static bool same_priority(const struct customer_priority *a, const struct customer_priority *b)
{
	return a->impact == b->impact && a->urgency == b->urgency;
}

static void put_priority(json_t *object, const struct customer_servicenow *servicenow)
{
	json_t *table = json_object();

	for (size_t i = 0; i < CUSTOMER_PRIORITIES; i++) {
		const struct customer_priority *priority = &servicenow->priorities[i];

		if (!same_priority(priority, &customer_priorities_by_severity[i]))
			json_object_set_new(
			    table, severities[i],
			    json_pack("[ii]", (int)priority->impact, (int)priority->urgency));
	}
	if (memcmp(servicenow->priorities, ancestors, sizeof ancestors) == 0)
		account_put_text(object, "priority", "ancestors", NULL);
	else if (json_object_size(table) > 0)
		json_object_set(object, "priority", table);
	json_decref(table);
}

/* ---- the section ---- */

/* Without these a ticket would be nobody's, or mail the wrong person. */
static bool read_needed_ids(struct customer_servicenow *servicenow, const struct form *form,
			    struct err *err)
{
	const struct {
		const char *name;
		char **field;
	} ids[] = {
		{ "caller_id", &servicenow->caller_id },
		{ "company", &servicenow->company },
		{ "assignment_group", &servicenow->assignment_group },
	};

	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		if (!form_need(form, ids[i].name, err) ||
		    !form_sys_id(form, ids[i].name, ids[i].field, err))
			return false;
	}
	return true;
}

static bool read_domain(struct customer_servicenow *servicenow, const struct form *form,
			struct err *err)
{
	const char *text = json_string_value(json_object_get(form->json, "domain"));

	if (text && strcmp(text, "global") == 0)
		servicenow->domain = xstrdup(text);
	else if (!form_sys_id(form, "domain", &servicenow->domain, err))
		return false;
	return true;
}

bool customer_servicenow_read(struct customer *customer, const struct form *file,
			      struct err *err)
{
	static const char *const members[] = {
		"account",	    "table",	"caller_id",   "company",
		"assignment_group", "category", "subcategory", "domain",
		"suffix",	    "priority", "template",    NULL
	};
	struct customer_servicenow *servicenow = &customer->servicenow;
	struct form form;

	servicenow->table = xstrdup(SERVICENOW_TABLE);
	servicenow->suffix = xstrdup(SERVICENOW_SUFFIX);
	memcpy(servicenow->priorities, customer_priorities_by_severity,
	       sizeof customer_priorities_by_severity);
	if (!form_object(file, "servicenow", &form, err))
		return false;
	if (!form.json)
		return true;
	return form_known(&form, members, err) &&
	       customer_read_account(customer, &form, ACCOUNT_SERVICENOW, &servicenow->account,
				     err) &&
	       form_text(&form, "table", 80, "abcdefghijklmnopqrstuvwxyz0123456789_",
			 &servicenow->table, err) &&
	       read_needed_ids(servicenow, &form, err) && read_domain(servicenow, &form, err) &&
	       form_text(&form, "category", TEXT_MAX_BYTES, NULL, &servicenow->category, err) &&
	       form_text(&form, "subcategory", TEXT_MAX_BYTES, NULL, &servicenow->subcategory,
			 err) &&
	       form_text(&form, "suffix", TEXT_MAX_BYTES, NULL, &servicenow->suffix, err) &&
	       form_text(&form, "template", TEMPLATE_MAX_BYTES,
			 "abcdefghijklmnopqrstuvwxyz0123456789-_", &servicenow->template,
			 err) &&
	       read_priority(servicenow, &form, err);
}

json_t *customer_servicenow_write(const struct customer *customer)
{
	const struct customer_servicenow *servicenow = &customer->servicenow;
	json_t *object = json_object();

	if (!servicenow->account)
		return object;
	customer_put_account(object, customer, ACCOUNT_SERVICENOW, servicenow->account);
	account_put_text(object, "table", servicenow->table, SERVICENOW_TABLE);
	account_put_text(object, "caller_id", servicenow->caller_id, NULL);
	account_put_text(object, "company", servicenow->company, NULL);
	account_put_text(object, "assignment_group", servicenow->assignment_group, NULL);
	account_put_text(object, "category", servicenow->category, NULL);
	account_put_text(object, "subcategory", servicenow->subcategory, NULL);
	account_put_text(object, "domain", servicenow->domain, NULL);
	account_put_text(object, "suffix", servicenow->suffix, SERVICENOW_SUFFIX);
	account_put_text(object, "template", servicenow->template, NULL);
	put_priority(object, servicenow);
	return object;
}

void customer_servicenow_clear(struct customer *customer)
{
	struct customer_servicenow *servicenow = &customer->servicenow;

	free(servicenow->account);
	free(servicenow->table);
	free(servicenow->caller_id);
	free(servicenow->company);
	free(servicenow->assignment_group);
	free(servicenow->category);
	free(servicenow->subcategory);
	free(servicenow->domain);
	free(servicenow->suffix);
	free(servicenow->template);
}
