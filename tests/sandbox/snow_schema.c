/*
 * snow_schema: what a fresh instance has: the columns of its tables, its choice lists, users
 * with their roles.
 */
#include "snow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

struct column_row {
	const char *name;
	enum snow_kind kind;
	const char *detail; /* SNOW_REFERENCE: table; otherwise the default */
	unsigned max;
	const char *label; /* NULL: from the name */
};

static const struct column_row incident_columns[] = {
	{ "number", SNOW_STRING, "", 40 },
	{ "short_description", SNOW_STRING, "", 160 },
	{ "description", SNOW_STRING, "", 4000 },
	{ "state", SNOW_CHOICE, "1" },
	{ "incident_state", SNOW_CHOICE, "1" },
	{ "impact", SNOW_CHOICE, "3" },
	{ "urgency", SNOW_CHOICE, "3" },
	{ "priority", SNOW_CHOICE, "5" },
	{ "severity", SNOW_CHOICE, "3" },
	{ "category", SNOW_CHOICE, "inquiry" },
	{ "subcategory", SNOW_CHOICE, "" },
	{ "caller_id", SNOW_REFERENCE, "sys_user", 0, "Caller" },
	{ "company", SNOW_REFERENCE, "core_company" },
	{ "cmdb_ci", SNOW_REFERENCE, "cmdb_ci", 0, "Configuration item" },
	{ "business_service", SNOW_REFERENCE, "cmdb_ci" },
	{ "service_offering", SNOW_REFERENCE, "cmdb_ci" },
	{ "location", SNOW_REFERENCE, "cmn_location" },
	{ "assignment_group", SNOW_REFERENCE, "sys_user_group" },
	{ "assigned_to", SNOW_REFERENCE, "sys_user" },
	{ "opened_by", SNOW_REFERENCE, "sys_user" },
	{ "opened_at", SNOW_DATE, "" },
	{ "resolved_by", SNOW_REFERENCE, "sys_user" },
	{ "resolved_at", SNOW_DATE, "" },
	{ "closed_by", SNOW_REFERENCE, "sys_user" },
	{ "closed_at", SNOW_DATE, "" },
	{ "close_code", SNOW_CHOICE, "", 40, "Resolution code" },
	{ "close_notes", SNOW_STRING, "", 4000 },
	{ "hold_reason", SNOW_CHOICE, "" },
	{ "contact_type", SNOW_CHOICE, "", 0, "Channel" },
	{ "correlation_id", SNOW_STRING, "", 100 },
	{ "correlation_display", SNOW_STRING, "", 100 },
	{ "work_notes", SNOW_JOURNAL, "" },
	{ "comments", SNOW_JOURNAL, "", 0, "Additional comments" },
	{ "comments_and_work_notes", SNOW_JOURNAL, "" },
	{ "active", SNOW_STRING, "true" },
	{ "reopen_count", SNOW_STRING, "0" },
	{ "reopened_by", SNOW_REFERENCE, "sys_user" },
	{ "reopened_time", SNOW_DATE, "" },
	{ "parent", SNOW_REFERENCE, "incident" },
	{ "parent_incident", SNOW_REFERENCE, "incident" },
	{ "child_incidents", SNOW_STRING, "0" },
	{ "caused_by", SNOW_STRING, "" },
	{ "problem_id", SNOW_STRING, "" },
	{ "rfc", SNOW_STRING, "" },
	{ "watch_list", SNOW_STRING, "", 4000 },
	{ "work_notes_list", SNOW_STRING, "", 4000 },
	{ "additional_assignee_list", SNOW_STRING, "", 4000 },
	{ "group_list", SNOW_STRING, "", 4000 },
	{ "notify", SNOW_STRING, "1" },
	{ "escalation", SNOW_STRING, "0" },
	{ "made_sla", SNOW_STRING, "true" },
	{ "sla_due", SNOW_DATE, "" },
	{ "due_date", SNOW_DATE, "" },
	{ "expected_start", SNOW_DATE, "" },
	{ "work_start", SNOW_DATE, "" },
	{ "work_end", SNOW_DATE, "" },
	{ "follow_up", SNOW_DATE, "" },
	{ "activity_due", SNOW_DATE, "" },
	{ "business_duration", SNOW_STRING, "" },
	{ "business_stc", SNOW_STRING, "" },
	{ "calendar_duration", SNOW_STRING, "" },
	{ "calendar_stc", SNOW_STRING, "" },
	{ "time_worked", SNOW_STRING, "" },
	{ "reassignment_count", SNOW_STRING, "0" },
	{ "approval", SNOW_STRING, "not requested" },
	{ "approval_history", SNOW_STRING, "" },
	{ "approval_set", SNOW_DATE, "" },
	{ "upon_approval", SNOW_STRING, "proceed" },
	{ "upon_reject", SNOW_STRING, "cancel" },
	{ "knowledge", SNOW_STRING, "false" },
	{ "order", SNOW_STRING, "" },
	{ "delivery_plan", SNOW_STRING, "" },
	{ "delivery_task", SNOW_STRING, "" },
	{ "user_input", SNOW_STRING, "" },
	{ "sys_class_name", SNOW_STRING, "incident" },
	{ "sys_domain", SNOW_REFERENCE, "sys_user_group" },
	{ "sys_domain_path", SNOW_STRING, "/" },
	{ NULL },
};

static const struct column_row user_columns[] = {
	{ "user_name", SNOW_STRING, "", 40 },
	{ "name", SNOW_STRING, "", 151 },
	{ "first_name", SNOW_STRING, "", 50 },
	{ "last_name", SNOW_STRING, "", 50 },
	{ "email", SNOW_STRING, "", 100 },
	{ "active", SNOW_STRING, "true" },
	{ "locked_out", SNOW_STRING, "false" },
	{ "company", SNOW_REFERENCE, "core_company" },
	{ "time_zone", SNOW_STRING, "" },
	{ "date_format", SNOW_STRING, "" },
	{ "web_service_access_only", SNOW_STRING, "false" },
	{ "password_needs_reset", SNOW_STRING, "false" },
	{ NULL },
};
static const struct column_row group_columns[] = { { "name", SNOW_STRING, "", 80 },
						   { "description", SNOW_STRING, "", 1000 },
						   { "active", SNOW_STRING, "true" },
						   { "manager", SNOW_REFERENCE, "sys_user" },
						   { NULL } };
static const struct column_row company_columns[] = { { "name", SNOW_STRING, "", 80 },
						     { "stock_symbol", SNOW_STRING, "", 40 },
						     { "customer", SNOW_STRING, "true" },
						     { NULL } };
static const struct column_row ci_columns[] = { { "name", SNOW_STRING, "", 255 },
						{ "sys_class_name", SNOW_STRING, "cmdb_ci" },
						{ "company", SNOW_REFERENCE, "core_company" },
						{ "asset_tag", SNOW_STRING, "", 40 },
						{ "serial_number", SNOW_STRING, "", 255 },
						{ "ip_address", SNOW_STRING, "", 255 },
						{ "mac_address", SNOW_STRING, "", 18 },
						{ "fqdn", SNOW_STRING, "", 255 },
						{ "os", SNOW_STRING, "", 255 },
						{ "operational_status", SNOW_STRING, "1" },
						{ "install_status", SNOW_STRING, "1" },
						{ NULL } };
static const struct column_row choice_columns[] = {
	{ "name", SNOW_STRING, "", 80 },      { "element", SNOW_STRING, "", 80 },
	{ "label", SNOW_STRING, "", 100 },    { "value", SNOW_STRING, "", 100 },
	{ "inactive", SNOW_STRING, "false" }, { "language", SNOW_STRING, "en" },
	{ "sequence", SNOW_STRING, "" },      { NULL }
};
static const struct column_row journal_columns[] = { { "name", SNOW_STRING, "incident", 80 },
						     { "element", SNOW_STRING, "", 80 },
						     { "element_id", SNOW_STRING, "", 32 },
						     { "value", SNOW_STRING, "" },
						     { NULL } };
static const struct column_row role_columns[] = { { "name", SNOW_STRING, "", 100 }, { NULL } };
static const struct column_row has_role_columns[] = { { "user", SNOW_REFERENCE, "sys_user" },
						      { "role", SNOW_REFERENCE,
							"sys_user_role" },
						      { "state", SNOW_STRING, "active" },
						      { "inherited", SNOW_STRING, "false" },
						      { NULL } };
static const struct column_row dictionary_columns[] = {
	{ "name", SNOW_STRING, "", 80 },	 { "element", SNOW_STRING, "", 80 },
	{ "column_label", SNOW_STRING, "", 80 }, { "internal_type", SNOW_STRING, "string" },
	{ "max_length", SNOW_STRING, "40" },	 { "mandatory", SNOW_STRING, "false" },
	{ "active", SNOW_STRING, "true" },	 { NULL }
};
static const struct column_row property_columns[] = { { "name", SNOW_STRING, "", 100 },
						      { "value", SNOW_STRING, "", 4000 },
						      { NULL } };
static const struct column_row location_columns[] = { { "name", SNOW_STRING, "", 100 },
						      { NULL } };

static const struct {
	const char *name;
	const char *display;
	const struct column_row *columns;
} tables[] = {
	{ "incident", "number", incident_columns },
	{ "sys_user", "name", user_columns },
	{ "sys_user_group", "name", group_columns },
	{ "core_company", "name", company_columns },
	{ "cmdb_ci", "name", ci_columns },
	{ "cmn_location", "name", location_columns },
	{ "sys_choice", "label", choice_columns },
	{ "sys_journal_field", "element", journal_columns },
	{ "sys_user_role", "name", role_columns },
	{ "sys_user_has_role", "role", has_role_columns },
	{ "sys_dictionary", "element", dictionary_columns },
	{ "sys_properties", "name", property_columns },
};

static const struct {
	const char *element, *value, *label;
} choices[] = {
	{ "state", "1", "New" },
	{ "state", "2", "In Progress" },
	{ "state", "3", "On Hold" },
	{ "state", "6", "Resolved" },
	{ "state", "7", "Closed" },
	{ "state", "8", "Canceled" },
	{ "impact", "1", "1 - High" },
	{ "impact", "2", "2 - Medium" },
	{ "impact", "3", "3 - Low" },
	{ "urgency", "1", "1 - High" },
	{ "urgency", "2", "2 - Medium" },
	{ "urgency", "3", "3 - Low" },
	{ "priority", "1", "1 - Critical" },
	{ "priority", "2", "2 - High" },
	{ "priority", "3", "3 - Moderate" },
	{ "priority", "4", "4 - Low" },
	{ "priority", "5", "5 - Planning" },
	{ "severity", "1", "1 - High" },
	{ "severity", "2", "2 - Medium" },
	{ "severity", "3", "3 - Low" },
	{ "category", "inquiry", "Inquiry / Help" },
	{ "category", "software", "Software" },
	{ "category", "hardware", "Hardware" },
	{ "category", "network", "Network" },
	{ "category", "database", "Database" },
	{ "category", "security", "Security" },
	{ "hold_reason", "1", "Awaiting Caller" },
	{ "hold_reason", "3", "Awaiting Problem" },
	{ "hold_reason", "4", "Awaiting Vendor" },
	{ "hold_reason", "5", "Awaiting Change" },
	{ "contact_type", "phone", "Phone" },
	{ "contact_type", "email", "Email" },
	{ "contact_type", "monitoring", "Monitoring" },
	{ "contact_type", "self-service", "Self-service" },
	{ "close_code", "Duplicate", "Duplicate" },
	{ "close_code", "Known error", "Known error" },
	{ "close_code", "No resolution provided", "No resolution provided" },
	{ "close_code", "Resolved by caller", "Resolved by caller" },
	{ "close_code", "Resolved by change", "Resolved by change" },
	{ "close_code", "Resolved by problem", "Resolved by problem" },
	{ "close_code", "Resolved by request", "Resolved by request" },
	{ "close_code", "Solution provided", "Solution provided" },
	{ "close_code", "Workaround provided", "Workaround provided" },
	{ "close_code", "User error", "User error" },
};

static void replace(char **field, const char *text)
{
	free(*field);
	*field = xstrdup(text);
}

static void add_columns(struct snow_table *table, const struct column_row *rows)
{
	for (; rows->name; rows++) {
		struct snow_column *column = snow_column_make(table, rows->name, rows->kind);

		column->kind = rows->kind;
		column->max = rows->max;
		if (rows->label)
			replace(&column->label, rows->label);
		if (rows->kind == SNOW_REFERENCE)
			replace(&column->reference, rows->detail);
		else
			replace(&column->fallback, rows->detail);
	}
}

static void add_choices(struct snow *snow)
{
	struct snow_table *table = snow_table_find(&snow->tables, "sys_choice");

	for (size_t i = 0; i < sizeof(choices) / sizeof(*choices); i++) {
		struct snow_row *row = snow_row_add(table, NULL);

		snow_row_set_named(row, "name", "incident");
		snow_row_set_named(row, "element", choices[i].element);
		snow_row_set_named(row, "value", choices[i].value);
		snow_row_set_named(row, "label", choices[i].label);
	}
}

static void add_dictionary(struct snow *snow)
{
	struct snow_table *incident = snow_table_find(&snow->tables, "incident");
	struct snow_table *table = snow_table_find(&snow->tables, "sys_dictionary");

	for (unsigned i = 0; i < incident->columns; i++) {
		struct snow_row *row = snow_row_add(table, NULL);
		char length[16];

		snprintf(length, sizeof(length), "%u", incident->column[i].max);
		snow_row_set_named(row, "name", "incident");
		snow_row_set_named(row, "element", incident->column[i].name);
		snow_row_set_named(row, "column_label", incident->column[i].label);
		snow_row_set_named(row, "max_length", incident->column[i].max ? length : "40");
	}
}

void snow_schema_apply(struct snow *snow)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		add_columns(snow_table_make(&snow->tables, tables[i].name, tables[i].display),
			    tables[i].columns);
	struct snow_row *global =
	    snow_row_add(snow_table_find(&snow->tables, "sys_user_group"), "global");

	snow_row_set_named(global, "name", "global");
	struct snow_table *incident = snow_table_find(&snow->tables, "incident");

	replace(&incident->column[snow_column_find(incident, "sys_domain")].fallback, "global");
	add_choices(snow);
	add_dictionary(snow);
}

struct snow_user *snow_find_user(const struct snow *snow, const char *name)
{
	for (size_t i = 0; i < snow->users; i++) {
		if (strcasecmp(snow->user[i].name, name) == 0)
			return &snow->user[i];
	}
	return NULL;
}

bool snow_has_role(const struct snow_user *user, const char *role)
{
	char wanted[128];

	snprintf(wanted, sizeof(wanted), ",%.100s,", role);
	return strstr(user->roles, wanted) != NULL;
}

static struct snow_row *named_row(struct snow_table *table, const char *column,
				  const char *name)
{
	struct snow_row *row = snow_row_where(table, column, name);

	if (!row) {
		row = snow_row_add(table, NULL);
		snow_row_set_named(row, column, name);
	}
	return row;
}

static void grant_roles(struct snow *snow, const char *user_id, const char *roles)
{
	struct snow_table *role = snow_table_find(&snow->tables, "sys_user_role");
	struct snow_table *table = snow_table_find(&snow->tables, "sys_user_has_role");

	for (size_t i = 0; i < table->rows; i++) {
		if (strcmp(snow_row_named(table->row[i], "user"), user_id) == 0)
			snow_row_delete(table->row[i]);
	}
	while (*roles) {
		size_t size = strcspn(roles, ",");

		if (size > 0) {
			char *name = xstrndup(roles, size);
			struct snow_row *row = snow_row_add(table, NULL);

			snow_row_set_named(row, "user", user_id);
			snow_row_set_named(
			    row, "role",
			    snow_row_named(named_row(role, "name", name), "sys_id"));
			free(name);
		}
		roles += size;
		roles += *roles == ',';
	}
}

void snow_add_user(struct snow *snow, const char *name, const char *password,
		   const char *full_name, const char *roles)
{
	struct snow_user *user = snow_find_user(snow, name);
	struct snow_row *row =
	    named_row(snow_table_find(&snow->tables, "sys_user"), "user_name", name);

	if (!user) {
		snow->user = xrealloc(snow->user, (snow->users + 1) * sizeof(*snow->user));
		user = &snow->user[snow->users++];
		*user = (struct snow_user){ .name = xstrdup(name) };
	}
	replace(&user->password, password);
	replace(&user->full_name, full_name);
	replace(&user->sys_id, snow_row_named(row, "sys_id"));
	replace(&user->roles, roles);
	snow_row_set_named(row, "name", full_name);
	grant_roles(snow, user->sys_id, roles);
}
