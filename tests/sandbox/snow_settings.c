/*
 * snow_settings: what a test may set about an instance: users, OAuth applications, records,
 * rules of the customer's own.
 */
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "base/buf.h"
#include "base/err.h"
#include "snow.h"
#include "snow_security.h"

static const char *text_of(const json_t *object, const char *key, const char *fallback)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : fallback;
}

static bool add_users(struct snow *snow, const json_t *users, struct err *err)
{
	size_t i, j;
	json_t *user, *role;

	json_array_foreach(users, i, user)
	{
		const char *name = text_of(user, "user_name", NULL);
		struct buf roles;

		if (!name)
			return err_set(err, ERR_PERMANENT, "users: each needs a user_name");
		buf_init(&roles, 4096);
		buf_adds(&roles, ",");
		json_array_foreach(json_object_get(user, "roles"), j, role) buf_addf(
		    &roles, "%s,", json_is_string(role) ? json_string_value(role) : "");
		snow_add_user(snow, name, text_of(user, "password", ""),
			      text_of(user, "name", name), buf_text(&roles));
		buf_done(&roles);
	}
	return true;
}

static bool add_clients(struct snow *snow, const json_t *clients, struct err *err)
{
	size_t i;
	json_t *client;

	json_array_foreach(clients, i, client)
	{
		const char *id = text_of(client, "client_id", NULL);
		const char *user = text_of(client, "user", "");

		if (!id)
			return err_set(err, ERR_PERMANENT, "oauth: each needs a client_id");
		snow->client =
		    xrealloc(snow->client, (snow->clients + 1) * sizeof(*snow->client));
		snow->client[snow->clients++] = (struct snow_client){
			.id = xstrdup(id),
			.secret = xstrdup(text_of(client, "client_secret", "")),
			.user = xstrdup(user),
			.scope = xstrdup(text_of(client, "scope", "useraccount")),
			.client_credentials = *user != '\0',
		};
	}
	return true;
}

static bool add_records(struct snow *snow, const json_t *tables, struct err *err)
{
	const char *name;
	json_t *rows, *row;
	size_t i;

	json_object_foreach((json_t *)tables, name, rows)
	{
		struct snow_table *table = snow_table_find(&snow->tables, name);

		if (!table)
			table = snow_table_make(&snow->tables, name, "name");
		json_array_foreach(rows, i, row)
		{
			if (!json_is_object(row))
				return err_set(err, ERR_PERMANENT,
					       "tables: a record must be an object");
			struct snow_row *made = snow_row_seed(table, row);

			if (strcmp(name, table->name) != 0) /* a class below cmdb_ci */
				snow_row_set_named(made, "sys_class_name", name);
		}
	}
	return true;
}

/* With its row of the dictionary. */
static void add_column(struct snow *snow, struct snow_table *table, const char *name)
{
	struct snow_row *about;

	if (snow_column_find(table, name) != SNOW_NO_COLUMN)
		return;
	snow_column_make(table, name, SNOW_STRING);
	about = snow_row_add(snow_table_find(&snow->tables, "sys_dictionary"), NULL);
	snow_row_set_named(about, "name", table->name);
	snow_row_set_named(about, "element", name);
}

static void add_columns(struct snow *snow, const json_t *columns)
{
	const char *name;
	json_t *list, *column;
	size_t i;

	json_object_foreach((json_t *)columns, name, list)
	{
		struct snow_table *table = snow_table_find(&snow->tables, name);

		json_array_foreach(list, i, column)
		{
			if (table && json_is_string(column))
				add_column(snow, table, json_string_value(column));
		}
	}
}

/* The whole list each time, so that [] makes nothing mandatory again. */
static void set_mandatory(struct snow *snow, const json_t *names)
{
	struct snow_table *table = snow_table_find(&snow->tables, "incident");
	struct snow_table *dictionary = snow_table_find(&snow->tables, "sys_dictionary");

	for (unsigned i = 0; i < table->columns; i++) {
		struct snow_column *column = &table->column[i];
		struct snow_row *about = snow_row_where(dictionary, "element", column->name);
		size_t at;
		json_t *name;

		column->mandatory = false;
		json_array_foreach(names, at, name)
		{
			const char *text = json_string_value(name);

			column->mandatory |= text && strcmp(text, column->name) == 0;
		}
		if (about)
			snow_row_set_named(about, "mandatory",
					   column->mandatory ? "true" : "false");
	}
}

static void set_close_codes(struct snow *snow, const json_t *codes)
{
	struct snow_table *table = snow_table_find(&snow->tables, "sys_choice");
	size_t at;
	json_t *code;

	for (size_t i = 0; i < table->rows; i++) {
		struct snow_row *row = table->row[i];

		if (!row->deleted && strcmp(snow_row_named(row, "name"), "incident") == 0 &&
		    strcmp(snow_row_named(row, "element"), "close_code") == 0)
			snow_row_delete(row);
	}
	json_array_foreach(codes, at, code)
	{
		const char *text = json_string_value(code);
		struct snow_row *row = text ? snow_row_add(table, NULL) : NULL;

		if (!row)
			continue;
		snow_row_set_named(row, "name", "incident");
		snow_row_set_named(row, "element", "close_code");
		snow_row_set_named(row, "value", text);
		snow_row_set_named(row, "label", text);
	}
}

static bool set_switches(struct snow *snow, const json_t *settings, struct err *err)
{
	json_t *zone = json_object_get(settings, "display_offset_minutes");
	uint64_t token_s = snow->token_ms / 1000;
	const char *wording = text_of(settings, "wording", NULL);
	bool ok =
	    setting_bool(settings, "invalid_query_returns_no_rows", &snow->strict_queries,
			 err) &&
	    setting_bool(settings, "data_policy", &snow->data_policy, err) &&
	    setting_bool(settings, "abort_on_closed", &snow->closed_abort, err) &&
	    setting_bool(settings, "unique_correlation_id", &snow->unique_correlation, err) &&
	    setting_bool(settings, "restrict_basic", &snow->restrict_basic, err) &&
	    setting_number(settings, "auto_close_ms", &snow->auto_close_ms, err) &&
	    setting_number(settings, "rate_limit", &snow->rate_limit, err) &&
	    setting_number(settings, "next_number", &snow->next_number, err) &&
	    setting_number(settings, "token_s", &token_s, err) &&
	    setting_text(settings, "journal_roles", &snow->journal_roles, err) &&
	    setting_text(settings, "date_format", &snow->date_format, err);

	snow->token_ms = token_s * 1000;
	if (json_is_integer(zone))
		snow->zone_minutes = json_integer_value(zone);
	if (wording)
		snow->old_wording = strcmp(wording, "2021") == 0;
	return ok;
}

bool snow_configure(struct snow *snow, const json_t *settings, struct err *err)
{
	if (json_is_true(json_object_get(settings, "security_incident_response")))
		snow_security_install(snow);
	if (!set_switches(snow, settings, err) ||
	    !add_users(snow, json_object_get(settings, "users"), err) ||
	    !add_clients(snow, json_object_get(settings, "oauth"), err) ||
	    !add_records(snow, json_object_get(settings, "tables"), err))
		return false;
	add_columns(snow, json_object_get(settings, "columns"));
	if (json_object_get(settings, "mandatory"))
		set_mandatory(snow, json_object_get(settings, "mandatory"));
	if (json_object_get(settings, "close_codes"))
		set_close_codes(snow, json_object_get(settings, "close_codes"));
	return true;
}
