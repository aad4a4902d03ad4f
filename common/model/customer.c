/* Customers: their life, and the canonical form of their files. */
#include "model/customer.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/zone.h"
#include "model/account.h"
#include "model/customer_defaults.h"
#include "model/customer_section.h"

const uint64_t customer_note_intervals[CUSTOMER_NOTE_INTERVALS] = { 0, 5 * MINUTE_MS,
								    30 * MINUTE_MS,
								    4 * HOUR_MS };

const char *const customer_verdict_names[] = { "blocked", "allowed", "proxied", "all", NULL };

void customer_free(struct customer *customer)
{
	if (!customer)
		return;
	for (size_t i = 0; i < customer->source_count; i++) {
		free(customer->sources[i].name);
		free(customer->sources[i].account);
		free(customer->sources[i].event_types);
	}
	for (size_t i = 0; i < customer->account_count; i++)
		account_clear(&customer->accounts[i]);
	free(customer->sources);
	free(customer->accounts);
	free(customer->id);
	free(customer->name);
	free(customer->label);
	free(customer->time_zone);
	customer_servicenow_clear(customer);
	free(customer->threat_response.account);
	customer_closing_done(&customer->closing);
	customer_mail_clear(&customer->mail);
	customer_push_clear(&customer->push);
	customer_containment_clear(&customer->containment);
	free(customer);
}

const struct customer_source *customer_source(const struct customer *customer, const char *name)
{
	for (size_t i = 0; i < customer->source_count; i++) {
		if (strcmp(customer->sources[i].name, name) == 0)
			return &customer->sources[i];
	}
	return NULL;
}

bool customer_check_zone(const struct customer *customer, const char *where, struct err *err)
{
	if (!customer->time_zone || zone_find(customer->time_zone, err))
		return true;
	err_prefix(err, "%s: time_zone", where);
	return false;
}

/* ---- writing ---- */

static void put_span(json_t *object, const char *name, uint64_t ms, uint64_t fallback_ms)
{
	char text[CLOCK_TEXT_SIZE];

	if (ms == fallback_ms)
		return;
	clock_format_span(ms, text);
	json_object_set_new(object, name, json_string(text));
}

static void put_object(json_t *object, const char *name, json_t *child)
{
	if (json_object_size(child) > 0)
		json_object_set(object, name, child);
	json_decref(child);
}

static json_t *write_accounts(const struct customer *customer)
{
	json_t *accounts = json_object();

	for (size_t i = 0; i < customer->account_count; i++)
		json_object_set_new(accounts, account_kind_name(customer->accounts[i].kind),
				    account_write(&customer->accounts[i]));
	return accounts;
}

static void write_ids(json_t *object, const struct customer_source *source)
{
	bool umbrella = account_kind_named(source->name) == ACCOUNT_UMBRELLA;

	if (source->default_types)
		return;
	json_t *ids = json_array();

	for (size_t i = 0; i < source->event_type_count; i++)
		json_array_append_new(ids, json_integer((json_int_t)source->event_types[i]));
	json_object_set_new(object, umbrella ? "categories" : "event_types", ids);
}

static json_t *write_sources(const struct customer *customer)
{
	json_t *sources = json_object();

	for (size_t i = 0; i < customer->source_count; i++) {
		const struct customer_source *source = &customer->sources[i];
		json_t *object = json_object();
		customer_put_account(object, customer, account_kind_named(source->name),
				     source->account);
		put_span(object, "interval", source->interval_ms, 0);
		put_span(object, "look_back", source->look_back_ms, 0);
		put_span(object, "first_look_back", source->first_look_back_ms,
			 SOURCE_FIRST_LOOK_BACK_MS);
		write_ids(object, source);
		if (source->verdict != CUSTOMER_VERDICT_BLOCKED)
			account_put_text(object, "verdict",
					 customer_verdict_names[source->verdict], NULL);
		if (source->retrospective)
			json_object_set_new(object, "retrospective", json_true());
		json_object_set_new(sources, source->name, object);
	}
	return sources;
}

static json_t *write_notes(const struct customer *customer)
{
	json_t *notes = json_object();

	if (memcmp(customer->note_interval_ms, customer_note_intervals,
		   sizeof customer_note_intervals) != 0) {
		json_t *list = json_array();
		for (size_t i = 0; i < CUSTOMER_NOTE_INTERVALS; i++) {
			char text[CLOCK_TEXT_SIZE];
			clock_format_span(customer->note_interval_ms[i], text);
			json_array_append_new(list, json_string(text));
		}
		json_object_set_new(notes, "intervals", list);
	}
	if (customer->notes_per_day != CUSTOMER_NOTES_PER_DAY)
		json_object_set_new(notes, "per_day", json_integer(customer->notes_per_day));
	return notes;
}

static json_t *write_threat_response(const struct customer *customer)
{
	json_t *object = json_object();

	if (!customer->threat_response.account && !customer->threat_response.create)
		return object;
	if (customer->threat_response.create)
		customer_put_account(object, customer, ACCOUNT_THREAT_RESPONSE,
				     customer->threat_response.account);
	else
		account_put_text(object, "account", customer->threat_response.account, NULL);
	account_put_text(object, "mode", customer->threat_response.create ? "create" : "off",
			 NULL);
	return object;
}

static const char *mode_name(enum customer_mode mode)
{
	switch (mode) {
	case CUSTOMER_LIVE:
		return "live";
	case CUSTOMER_PAUSED:
		return "paused";
	case CUSTOMER_SHADOW:
		break;
	}
	return "shadow";
}

char *customer_encode(const struct customer *customer)
{
	char severity[16];
	size_t i = 0;
	json_t *file = json_object();

	for (const char *s = finding_severity_name(customer->minimum_severity);
	     *s && i < sizeof severity - 1; s++)
		severity[i++] = (char)tolower((unsigned char)*s);
	severity[i] = '\0';

	account_put_text(file, "id", customer->id, NULL);
	account_put_text(file, "name", customer->name, NULL);
	account_put_text(file, "mode", mode_name(customer->mode), NULL);
	json_object_set_new(file, "partition", json_integer(customer->partition));
	account_put_text(file, "label", customer->label, NULL);
	account_put_text(file, "time_zone", customer->time_zone, NULL);
	account_put_text(file, "minimum_severity", severity, NULL);
	put_object(file, "notes", write_notes(customer));
	put_object(file, "accounts", write_accounts(customer));
	put_object(file, "sources", write_sources(customer));
	put_object(file, "servicenow", customer_servicenow_write(customer));
	put_object(file, "threat_response", write_threat_response(customer));
	put_object(file, "closing", customer_closing_write(&customer->closing));
	put_object(file, "mail", customer_mail_write(&customer->mail));
	put_object(file, "push", customer_push_write(&customer->push));
	put_object(file, "containment", customer_containment_write(&customer->containment));

	char *text = json_dumps(file, JSON_INDENT(2));
	json_decref(file);
	return text;
}
