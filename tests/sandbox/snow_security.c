/*
 * snow_security: what sn_si_incident has that incident has not. States go one way, from Draft
 * to Closed; the code that closes it is a number; the caller is in `caller`; priority is typed
 * in.
 */
#include "snow_security.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "snow.h"

static const struct {
	const char *name;
	enum snow_kind kind;
	const char *detail; /* SNOW_REFERENCE: table; otherwise the default */
	unsigned max;
} columns[] = {
	{ "number", SNOW_STRING, "", 40 },
	{ "short_description", SNOW_STRING, "", 160 },
	{ "description", SNOW_STRING, "", 4000 },
	{ "state", SNOW_CHOICE, "10" },
	{ "substate", SNOW_CHOICE, "" },
	{ "active", SNOW_STRING, "true" },
	{ "impact", SNOW_CHOICE, "3" },
	{ "urgency", SNOW_CHOICE, "3" },
	{ "priority", SNOW_CHOICE, "4" },
	{ "severity", SNOW_CHOICE, "3" },
	{ "business_criticality", SNOW_CHOICE, "3" },
	{ "risk_score", SNOW_STRING, "0" },
	{ "category", SNOW_CHOICE, "" },
	{ "subcategory", SNOW_CHOICE, "" },
	{ "attack_vector", SNOW_STRING, "", 40 },
	{ "caller", SNOW_REFERENCE, "sys_user" },
	{ "affected_user", SNOW_REFERENCE, "sys_user" },
	{ "opened_for", SNOW_REFERENCE, "sys_user" },
	{ "company", SNOW_REFERENCE, "core_company" },
	{ "cmdb_ci", SNOW_REFERENCE, "cmdb_ci" },
	{ "location", SNOW_REFERENCE, "cmn_location" },
	{ "assignment_group", SNOW_REFERENCE, "sys_user_group" },
	{ "assigned_to", SNOW_REFERENCE, "sys_user" },
	{ "opened_by", SNOW_REFERENCE, "sys_user" },
	{ "opened_at", SNOW_DATE, "" },
	{ "closed_by", SNOW_REFERENCE, "sys_user" },
	{ "closed_at", SNOW_DATE, "" },
	{ "close_code", SNOW_CHOICE, "", 40 },
	{ "close_notes", SNOW_STRING, "", 4000 },
	{ "contact_type", SNOW_CHOICE, "" },
	{ "correlation_id", SNOW_STRING, "", 100 },
	{ "correlation_display", SNOW_STRING, "", 100 },
	{ "alert_id", SNOW_STRING, "", 100 },
	{ "alert_rule", SNOW_STRING, "", 255 },
	{ "alert_sensor", SNOW_STRING, "", 100 },
	{ "incident", SNOW_REFERENCE, "incident" },
	{ "parent_security_incident", SNOW_REFERENCE, SNOW_SECURITY_TABLE },
	{ "mitre_tactic", SNOW_STRING, "", 4000 },
	{ "mitre_technique", SNOW_STRING, "", 4000 },
	{ "work_notes", SNOW_JOURNAL, "" },
	{ "comments", SNOW_JOURNAL, "" },
	{ "sys_class_name", SNOW_STRING, SNOW_SECURITY_TABLE },
	{ "sys_domain", SNOW_REFERENCE, "sys_user_group" },
};

static const struct {
	const char *element, *value, *label;
} choices[] = {
	{ "state", "10", "Draft" },
	{ "state", "16", "Analysis" },
	{ "state", "18", "Contain" },
	{ "state", "19", "Eradicate" },
	{ "state", "20", "Recover" },
	{ "state", "100", "Review" },
	{ "state", "3", "Closed" },
	{ "state", "7", "Cancelled" },
	{ "priority", "1", "1 - Critical" },
	{ "priority", "2", "2 - High" },
	{ "priority", "3", "3 - Moderate" },
	{ "priority", "4", "4 - Low" },
	{ "priority", "5", "5 - Planning" },
	{ "category", "Malicious code activity", "Malicious code activity" },
	{ "category", "Phishing", "Phishing" },
	{ "close_code", "-100", "Investigation completed" },
	{ "close_code", "-101", "Threat mitigated" },
	{ "close_code", "-102", "False positive" },
	{ "close_code", "-103", "Invalid vulnerability" },
	{ "close_code", "-104", "Not resolved" },
};

static void set_text(char **field, const char *text)
{
	free(*field);
	*field = xstrdup(text);
}

static void add_columns(struct snow *snow, struct snow_table *table)
{
	struct snow_table *dictionary = snow_table_find(&snow->tables, "sys_dictionary");

	for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++) {
		struct snow_column *column =
		    snow_column_make(table, columns[i].name, columns[i].kind);
		struct snow_row *about = snow_row_add(dictionary, NULL);

		column->kind = columns[i].kind;
		column->max = columns[i].max;
		set_text(columns[i].kind == SNOW_REFERENCE ? &column->reference
							   : &column->fallback,
			 columns[i].detail);
		snow_row_set_named(about, "name", table->name);
		snow_row_set_named(about, "element", column->name);
		snow_row_set_named(about, "column_label", column->label);
	}
	set_text(&table->column[snow_column_find(table, "sys_domain")].fallback, "global");
}

void snow_security_install(struct snow *snow)
{
	struct snow_table *table = snow_table_find(&snow->tables, SNOW_SECURITY_TABLE);
	struct snow_table *choice = snow_table_find(&snow->tables, "sys_choice");

	if (table)
		return;
	add_columns(snow, snow_table_make(&snow->tables, SNOW_SECURITY_TABLE, "number"));
	for (size_t i = 0; i < sizeof(choices) / sizeof(*choices); i++) {
		struct snow_row *row = snow_row_add(choice, NULL);

		snow_row_set_named(row, "name", SNOW_SECURITY_TABLE);
		snow_row_set_named(row, "element", choices[i].element);
		snow_row_set_named(row, "value", choices[i].value);
		snow_row_set_named(row, "label", choices[i].label);
	}
}

bool snow_is_security(const struct snow_table *table)
{
	return strcmp(table->name, SNOW_SECURITY_TABLE) == 0;
}

bool snow_security_may_write(const struct snow_user *user)
{
	return snow_has_role(user, "sn_si.basic") || snow_has_role(user, "sn_si.analyst") ||
	       snow_has_role(user, "sn_si.admin");
}

bool snow_security_may_read(const struct snow_user *user)
{
	return snow_has_role(user, "sn_si.read") || snow_security_may_write(user);
}

bool snow_security_is_over(const char *state)
{
	return strcmp(state, "3") == 0 || strcmp(state, "7") == 0;
}

/* How far a state is; over is furthest. */
static int rank(const char *state)
{
	return snow_security_is_over(state) ? 1000 : atoi(state);
}

const char *snow_security_refusal(const struct snow_security_change *change)
{
	if (*change->from && rank(change->to) < rank(change->from))
		return "Operation against file 'sn_si_incident' was aborted by Business Rule "
		       "'Process transition^8c1d0b7a9b2c6010a1b2c3d4e5f60718'. Business Rule "
		       "Stack:Process transition";
	if (*change->assigned_to && !*change->assignment_group)
		return "Operation against file 'sn_si_incident' was aborted by Business Rule "
		       "'Assignment group is needed^1a2b0b7a9b2c6010a1b2c3d4e5f60718'. "
		       "Business Rule Stack:Assignment group is needed";
	if (strcmp(change->to, "3") != 0 || (*change->close_code && *change->close_notes))
		return NULL;
	if (*change->close_code)
		return "Data Policy Exception: \n\tThe following fields are mandatory: Close "
		       "notes";
	if (*change->close_notes)
		return "Data Policy Exception: \n\tThe following fields are mandatory: Close "
		       "code";
	return "Data Policy Exception: \n\tThe following fields are mandatory: Close code, "
	       "Close notes";
}
