/* A customer's file, read strictly: docs/customer-files.md is the same for people. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/zone.h"
#include "model/account.h"
#include "model/customer.h"
#include "model/customer_defaults.h"
#include "model/customer_section.h"
#include "model/finding.h"
#include "model/form.h"

enum { LABEL_MAX_BYTES = 32 };

static const char id_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

bool customer_id_valid(const char *id)
{
	size_t size = strspn(id, id_letters);

	return size >= 1 && size <= CUSTOMER_ID_MAX && id[size] == '\0' && id[0] != '-';
}

/* ---- accounts ---- */

static char *own_id(const struct customer *customer, enum account_kind kind)
{
	struct buf id;

	buf_init(&id, ACCOUNT_ID_MAX);
	buf_addf(&id, "%s.%s", customer->id, account_kind_name(kind));
	return buf_take(&id, NULL);
}

static bool read_accounts(struct customer *customer, const struct form *file, struct err *err)
{
	struct form accounts;

	if (!form_object(file, "accounts", &accounts, err) ||
	    !form_known(&accounts, account_kind_names, err))
		return false;
	customer->accounts = xcalloc(ACCOUNT_KINDS, sizeof *customer->accounts);
	for (unsigned kind = 0; kind < ACCOUNT_KINDS; kind++) {
		struct form form;
		if (!form_object(&accounts, account_kind_names[kind], &form, err))
			return false;
		if (!form.json)
			continue;
		if (form_has(&form, "id") || form_has(&form, "kind"))
			return form_refuse(&form, form_has(&form, "id") ? "id" : "kind", err,
					   "belongs in a file below accounts/ only");
		struct account *account = &customer->accounts[customer->account_count++];
		account->id = own_id(customer, (enum account_kind)kind);
		account->owner = xstrdup(customer->id);
		if (!account_read(account, (enum account_kind)kind, &form, err))
			return false;
	}
	return true;
}

/* ---- sources ---- */

/* What a source's list of numbers is called. */
struct id_list {
	const char *name;
	const char *what;
	size_t least;
};

static bool read_ids(struct customer_source *source, const struct form *form,
		     const struct id_list *ids, struct err *err)
{
	const json_t *list = json_object_get(form->json, ids->name), *item;
	size_t i;

	source->default_types = !form_has(form, ids->name);
	if (source->default_types)
		return true;
	if (!json_is_array(list) || json_array_size(list) < ids->least ||
	    json_array_size(list) > CUSTOMER_EVENT_TYPES_MAX)
		return form_refuse(form, ids->name, err,
				   "must list %zu to %d %s ids; without it the default "
				   "list is used",
				   ids->least, CUSTOMER_EVENT_TYPES_MAX, ids->what);
	source->event_types = xcalloc(json_array_size(list) + 1, sizeof *source->event_types);
	json_array_foreach(list, i, item)
	{
		json_int_t id = json_integer_value(item);
		if (!json_is_integer(item) || id < 1 || id > UINT32_MAX)
			return form_refuse(form, ids->name, err,
					   "item %zu must be an id, a whole number from 1 on",
					   i + 1);
		for (size_t k = 0; k < i; k++) {
			if (source->event_types[k] == (uint64_t)id)
				return form_refuse(form, ids->name, err, "lists %llu twice",
						   (unsigned long long)id);
		}
		source->event_types[i] = (uint64_t)id;
		source->event_type_count = i + 1;
	}
	return true;
}

static bool read_umbrella_members(struct customer_source *source, const struct form *form,
				  struct err *err)
{
	static const char *const members[] = { "account",	  "interval",	"look_back",
					       "first_look_back", "categories", "verdict",
					       "retrospective",	  NULL };
	static const struct id_list categories = { "categories", "category", 0 };
	const json_t *retrospective = json_object_get(form->json, "retrospective");
	unsigned verdict = CUSTOMER_VERDICT_BLOCKED;

	if (!form_known(form, members, err) || !read_ids(source, form, &categories, err) ||
	    !form_choice(form, "verdict", customer_verdict_names, &verdict, err))
		return false;
	source->verdict = (enum customer_verdict)verdict;
	source->retrospective = json_is_true(retrospective);
	return !form_has(form, "retrospective") || json_is_boolean(retrospective) ||
	       form_refuse(form, "retrospective", err, "must be true or false");
}

/* Members that this source alone has, and that it has no others. */
static bool read_own_members(struct customer_source *source, enum account_kind kind,
			     const struct form *form, struct err *err)
{
	static const char *const members[] = { "account",	  "interval",	 "look_back",
					       "first_look_back", "event_types", NULL };
	static const char *const plain_members[] = { "account", "interval", "look_back",
						     "first_look_back", NULL };
	static const struct id_list types = { "event_types", "event type", 1 };

	if (kind == ACCOUNT_UMBRELLA)
		return read_umbrella_members(source, form, err);
	if (kind == ACCOUNT_SECURE_ENDPOINT)
		return form_known(form, members, err) && read_ids(source, form, &types, err);
	source->default_types = true;
	return form_known(form, plain_members, err);
}

static bool read_source(struct customer *customer, enum account_kind kind,
			const struct form *form, struct err *err)
{
	struct customer_source *source = &customer->sources[customer->source_count++];

	source->name = xstrdup(form->name);
	source->interval_ms = SOURCE_INTERVAL_MS;
	source->look_back_ms = SOURCE_LOOK_BACK_MS;
	source->first_look_back_ms = SOURCE_FIRST_LOOK_BACK_MS;
	return read_own_members(source, kind, form, err) &&
	       customer_read_account(customer, form, kind, &source->account, err) &&
	       form_span(form, "interval", SOURCE_INTERVAL_LEAST_MS, DAY_MS,
			 &source->interval_ms, err) &&
	       form_span(form, "look_back", 1000, 7 * DAY_MS, &source->look_back_ms, err) &&
	       form_span(form, "first_look_back", 0, 30 * DAY_MS, &source->first_look_back_ms,
			 err);
}

static bool read_sources(struct customer *customer, const struct form *file, struct err *err)
{
	/* Each polls with an account of the same name. */
	static const enum account_kind pollable[] = { ACCOUNT_SECURE_ENDPOINT, ACCOUNT_UMBRELLA,
						      ACCOUNT_DEFENDER };
	enum { COUNT = sizeof pollable / sizeof pollable[0] };
	const char *names[COUNT + 1] = { 0 };
	struct form sources;

	for (size_t i = 0; i < COUNT; i++)
		names[i] = account_kind_name(pollable[i]);
	if (!form_object(file, "sources", &sources, err) || !form_known(&sources, names, err))
		return false;
	customer->sources = xcalloc(COUNT, sizeof *customer->sources);
	for (size_t i = 0; i < COUNT; i++) {
		struct form form;
		if (!form_object(&sources, names[i], &form, err))
			return false;
		if (form.json && !read_source(customer, pollable[i], &form, err))
			return false;
	}
	return true;
}

/* ---- where incidents go ---- */

static bool read_threat_response(struct customer *customer, const struct form *file,
				 struct err *err)
{
	static const char *const members[] = { "account", "mode", NULL };
	static const char *const modes[] = { "off", "create", NULL };
	unsigned mode = 1;
	struct form form;

	if (!form_object(file, "threat_response", &form, err))
		return false;
	if (!form.json)
		return true;
	if (!form_known(&form, members, err) || !form_choice(&form, "mode", modes, &mode, err))
		return false;
	customer->threat_response.create = mode == 1;
	if (mode == 0 && !form_has(&form, "account"))
		return true;
	return customer_read_account(customer, &form, ACCOUNT_THREAT_RESPONSE,
				     &customer->threat_response.account, err);
}

/* ---- the customer itself ---- */

static bool read_severity(struct customer *customer, const struct form *file, struct err *err)
{
	static const char *const names[] = { "informational", "low",	  "medium",
					     "high",	      "critical", NULL };
	unsigned index = CUSTOMER_MINIMUM_SEVERITY - SEVERITY_INFORMATIONAL;

	if (!form_choice(file, "minimum_severity", names, &index, err))
		return false;
	customer->minimum_severity = SEVERITY_INFORMATIONAL + (int)index;
	return true;
}

static bool read_note_intervals(struct customer *customer, const struct form *notes,
				struct err *err)
{
	const json_t *list = json_object_get(notes->json, "intervals"), *item;
	uint64_t before = 0;
	size_t i;

	memcpy(customer->note_interval_ms, customer_note_intervals,
	       sizeof customer->note_interval_ms);
	if (!form_has(notes, "intervals"))
		return true;
	if (!json_is_array(list) || json_array_size(list) != CUSTOMER_NOTE_INTERVALS)
		return form_refuse(notes, "intervals", err,
				   "must list %d times, like [\"0s\", \"5m\", \"30m\", \"4h\"]",
				   CUSTOMER_NOTE_INTERVALS);
	json_array_foreach(list, i, item)
	{
		json_t *holder = json_pack("{sO}", "intervals", item);
		const struct form form = { notes->where, notes->parent, notes->name, holder };
		uint64_t *field = &customer->note_interval_ms[i];
		bool read = form_span(&form, "intervals", 0, 7 * DAY_MS, field, err);
		json_decref(holder);
		if (!read)
			return false;
		if (*field < before)
			return form_refuse(notes, "intervals", err, "must not become shorter");
		before = *field;
	}
	return true;
}

static bool read_notes(struct customer *customer, const struct form *file, struct err *err)
{
	static const char *const members[] = { "intervals", "per_day", NULL };
	struct form notes;

	customer->notes_per_day = CUSTOMER_NOTES_PER_DAY;
	return form_object(file, "notes", &notes, err) && form_known(&notes, members, err) &&
	       read_note_intervals(customer, &notes, err) &&
	       form_unsigned(&notes, "per_day", 1000, &customer->notes_per_day, err);
}

static bool read_head(struct customer *customer, const struct form *file, struct err *err)
{
	static const char *const members[] = { "id",	    "name",	   "mode",
					       "partition", "label",	   "time_zone",
					       "accounts",  "sources",	   "minimum_severity",
					       "notes",	    "servicenow",  "threat_response",
					       "closing",   "containment", "push",
					       "mail",	    NULL };
	static const char *const modes[] = { "shadow", "live", "paused", NULL };
	unsigned mode = CUSTOMER_SHADOW;

	if (!form_known(file, members, err) || !form_need(file, "id", err) ||
	    !form_text(file, "id", CUSTOMER_ID_MAX, id_letters, &customer->id, err))
		return false;
	if (!customer_id_valid(customer->id))
		return form_refuse(file, "id", err, "must start with a letter or digit");
	customer->name = xstrdup(customer->id);
	if (!form_text(file, "name", CUSTOMER_NAME_MAX, NULL, &customer->name, err) ||
	    !form_choice(file, "mode", modes, &mode, err) ||
	    !form_unsigned(file, "partition", CUSTOMER_PARTITIONS_MAX - 1, &customer->partition,
			   err) ||
	    !form_text(file, "label", LABEL_MAX_BYTES, id_letters, &customer->label, err) ||
	    !form_text(file, "time_zone", ZONE_NAME_MAX, NULL, &customer->time_zone, err))
		return false;
	if (customer->time_zone && !zone_name_valid(customer->time_zone))
		return form_refuse(file, "time_zone", err,
				   "must be a name like Europe/Berlin or UTC");
	customer->mode = (enum customer_mode)mode;
	return true;
}

struct customer *customer_decode(const char *text, size_t size, const char *where,
				 struct err *err)
{
	json_t *root = form_parse(text, size, where, err);
	const struct form file = { .where = where, .json = root };

	if (!root)
		return NULL;
	struct customer *customer = xcalloc(1, sizeof *customer);

	customer_containment_init(&customer->containment);
	customer_mail_init(&customer->mail);
	bool read =
	    read_head(customer, &file, err) && read_severity(customer, &file, err) &&
	    read_notes(customer, &file, err) && read_accounts(customer, &file, err) &&
	    read_sources(customer, &file, err) &&
	    customer_servicenow_read(customer, &file, err) &&
	    read_threat_response(customer, &file, err) &&
	    customer_containment_read(&customer->containment, &file, err) &&
	    customer_closing_read(&customer->closing, &file, err) &&
	    customer_mail_read(&customer->mail, &file, customer->servicenow.account, err) &&
	    customer_push_read(&customer->push, &file, err);
	json_decref(root);
	if (read)
		return customer;
	customer_free(customer);
	return NULL;
}
