/* What a ServiceNow user can do, and whether a customer's references exist there. */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "model/customer.h"
#include "template_use.h"
#include "vendor/servicenow.h"
#include "vendor/servicenow_table.h"
#include "vendor/session.h"
#include "verify.h"

enum { ROWS_MAX = 200 };

/* ServiceNow hides what one may not see: an empty answer proves little. */

static void verify_roles(struct vendor_session *session, struct arena *arena, json_t *checks)
{
	static const char *const enough[] = { "itil", "sn_incident_write", "admin" };
	struct servicenow_answer answer = { 0 };
	struct err err = { 0 };
	const char **roles;
	size_t count = 0;

	if (!servicenow_roles(session, arena, &roles, &count, &answer, &err)) {
		verify_add_failure(checks, "create incidents", &err);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < sizeof enough / sizeof enough[0]; k++) {
			if (strcmp(roles[i], enough[k]) == 0) {
				verify_add(checks, VERIFY_YES, "create incidents", "role %s",
					   roles[i]);
				return;
			}
		}
	}
	if (count > 0)
		verify_add(checks, VERIFY_NO, "create incidents",
			   "none of the roles itil, sn_incident_write, admin, unless your own "
			   "access lists allow it");
	else
		verify_add(checks, VERIFY_UNKNOWN, "create incidents",
			   "the user may not read its own roles (sys_user_has_role)");
}

static void verify_time_zone(struct vendor_session *session, struct arena *arena,
			     json_t *checks)
{
	const char *user = session->account->username;
	struct servicenow_answer answer = { 0 };
	struct servicenow_record *records;
	struct err err = { 0 };
	struct buf query;
	size_t count = 0;

	if (!user || user[strcspn(user, "^&=")] != '\0')
		return;
	buf_init(&query, 256);
	buf_addf(&query, "user_name=%s", user);
	const struct servicenow_query question = { .table = "sys_user",
						   .query = buf_text(&query),
						   .fields = "user_name,time_zone",
						   .limit = 2 };
	bool asked =
	    servicenow_query(session, &question, arena, &records, &count, &answer, &err);
	const char *zone =
	    asked && count == 1 ? servicenow_record_value(&records[0], "time_zone") : NULL;
	bool is_utc = zone && (strcmp(zone, "GMT") == 0 || strcmp(zone, "UTC") == 0 ||
			       strcmp(zone, "Etc/UTC") == 0);
	if (zone && !is_utc)
		verify_add(checks, VERIFY_NOTE, "time zone",
			   "%s: work notes show the user's zone; set it to GMT, the times that "
			   "we write are UTC",
			   zone[0] ? zone : "the instance's");
	else if (zone)
		verify_add(checks, VERIFY_YES, "time zone", "%s", zone);
	buf_done(&query);
}

bool verify_servicenow(struct vendor_session *session, const char *table, json_t *checks)
{
	struct arena *arena = arena_new();
	const struct servicenow_query query = {
		.table = table,
		.query = "ORDERBYDESCsys_created_on",
		.fields = "sys_id,number,state,correlation_id",
		.limit = 1,
	};
	struct servicenow_answer answer = { 0 };
	struct servicenow_record *records;
	struct err err = { 0 };
	size_t count = 0;
	bool in = servicenow_query(session, &query, arena, &records, &count, &answer, &err);

	if (!in) {
		if (session->status == 403)
			verify_add(checks, VERIFY_YES, "log in", "the instance knows the user");
		verify_add_failure(checks, session->status == 403 ? "read incidents" : "log in",
				   &err);
		arena_free(arena);
		return false;
	}
	verify_add(checks, VERIFY_YES, "log in", "the instance answers");
	if (count == 0)
		verify_add(checks, VERIFY_UNKNOWN, "read incidents",
			   "table %s shows no rows: it is empty, or the user may not read it",
			   table);
	else if (!servicenow_record_value(&records[0], "correlation_id"))
		verify_add(checks, VERIFY_NO, "read incidents",
			   "correlation_id is not readable: tickets could not be found again");
	else
		verify_add(checks, VERIFY_YES, "read incidents", "table %s", table);
	verify_roles(session, arena, checks);
	verify_time_zone(session, arena, checks);
	arena_free(arena);
	return true;
}

/* ---- a customer's own values ---- */

static void verify_reference(struct vendor_session *session, struct arena *arena,
			     const char *column, const char *table, const char *sys_id,
			     json_t *checks)
{
	struct servicenow_answer answer = { 0 };
	struct err err = { 0 };
	bool exists = false;
	char check[64];

	if (!sys_id || strcmp(sys_id, "global") == 0)
		return;
	snprintf(check, sizeof check, "%s exists", column);
	if (!servicenow_exists(session, table, sys_id, arena, &exists, &answer, &err))
		verify_add_failure(checks, check, &err);
	else if (exists)
		verify_add(checks, VERIFY_YES, check, "%s", sys_id);
	else
		verify_add(checks, VERIFY_NO, check,
			   "%s is not in %s, or the user may not read it", sys_id, table);
}

static void verify_choice(struct vendor_session *session, struct arena *arena,
			  const char *table, const char *element, const char *wanted,
			  json_t *checks)
{
	struct servicenow_answer answer = { 0 };
	struct servicenow_record *records;
	struct err err = { 0 };
	size_t count = 0;
	char check[64];

	if (!wanted)
		return;
	snprintf(check, sizeof check, "%s exists", element);
	if (!servicenow_choices(session, table, element, arena, &records, &count, &answer,
				&err)) {
		verify_add_failure(checks, check, &err);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const char *value = servicenow_record_value(&records[i], "value");
		if (value && strcmp(value, wanted) == 0) {
			verify_add(checks, VERIFY_YES, check, "%s", wanted);
			return;
		}
	}
	if (count > 0)
		verify_add(checks, VERIFY_NO, check,
			   "'%s' is not in the choice list: it would be left empty", wanted);
	else
		verify_add(checks, VERIFY_UNKNOWN, check,
			   "the user may not read the choice list (sys_choice)");
}

static bool is_own(const struct template_use *use, const char *column)
{
	for (size_t i = 0; i < use->count; i++) {
		if (strcmp(use->names[i], column) == 0)
			return use->own[i];
	}
	return false;
}

/* What every ticket of ours has a value for, whatever its template says. */
static bool is_sent(const struct template_use *use,
		    const struct customer_servicenow *servicenow, const char *column)
{
	static const char *const always[] = { "short_description",
					      "company",
					      "assignment_group",
					      "work_notes",
					      "correlation_id",
					      "correlation_display",
					      "number",
					      "state",
					      "priority",
					      NULL };
	const char *caller = servicenow_table(use->table)->caller;

	for (const char *const *name = always; *name; name++) {
		if (strcmp(column, *name) == 0)
			return true;
	}
	if (strcmp(column, "category") == 0 && !servicenow->category)
		return is_own(use, column);
	if (strcmp(column, "subcategory") == 0 && !servicenow->subcategory)
		return is_own(use, column);
	return template_use_has(use, column) || (caller && strcmp(column, caller) == 0) ||
	       (servicenow->domain && strcmp(column, "sys_domain") == 0);
}

/* Columns that the dictionary of the table makes mandatory; data policies are added to it. */
static bool list_mandatory(struct vendor_session *session, struct arena *arena,
			   const struct servicenow_query *query, const struct template_use *use,
			   const struct customer_servicenow *servicenow, struct buf *missing,
			   size_t *ret_seen)
{
	/* sys_dictionary and sys_data_policy_rule call it differently. */
	const char *column = strstr(query->fields, "element") ? "element" : "field";
	struct servicenow_answer answer = { 0 };
	struct servicenow_record *records;
	size_t count = 0;

	if (!servicenow_query(session, query, arena, &records, &count, &answer, NULL))
		return false;
	for (size_t i = 0; i < count; i++) {
		const char *name = servicenow_record_value(&records[i], column);
		const char *mandatory = servicenow_record_value(&records[i], "mandatory");

		/* The instance ignores conditions that it does not know. */
		if (!name || !name[0] || !mandatory || strcmp(mandatory, "true") != 0)
			continue;
		(*ret_seen)++;
		if (!is_sent(use, servicenow, name) && !strstr(buf_text(missing), name))
			buf_addf(missing, " %s", name);
	}
	return true;
}

static void verify_mandatory(struct vendor_session *session, struct arena *arena,
			     const struct template_use *use,
			     const struct customer_servicenow *servicenow, json_t *checks)
{
	struct buf dictionary_query, policy_query, missing;
	size_t seen = 0;

	buf_init(&dictionary_query, 256);
	buf_init(&policy_query, 256);
	buf_init(&missing, 300);
	buf_addf(&dictionary_query, "nameIN%s,task^mandatory=true^active=true", use->table);
	buf_addf(&policy_query, "table=%s^mandatory=true", use->table);
	const struct servicenow_query dictionary = { .table = "sys_dictionary",
						     .query = buf_text(&dictionary_query),
						     .fields = "name,element,mandatory",
						     .limit = ROWS_MAX };
	const struct servicenow_query policies = { .table = "sys_data_policy_rule",
						   .query = buf_text(&policy_query),
						   .fields = "table,field,mandatory",
						   .limit = ROWS_MAX };
	bool readable =
	    list_mandatory(session, arena, &dictionary, use, servicenow, &missing, &seen);
	readable =
	    list_mandatory(session, arena, &policies, use, servicenow, &missing, &seen) ||
	    readable;
	if (missing.size > 0)
		verify_add(checks, VERIFY_NO, "mandatory columns",
			   "a ticket needs values for:%s", buf_text(&missing));
	else if (readable && seen > 0)
		verify_add(checks, VERIFY_YES, "mandatory columns", "all have values");
	else
		verify_add(checks, VERIFY_NOTE, "mandatory columns",
			   "none seen; the user may not be allowed to (sys_dictionary, "
			   "sys_data_policy_rule)");
	buf_done(&dictionary_query);
	buf_done(&policy_query);
	buf_done(&missing);
}

static bool has_row(const struct servicenow_record *records, size_t count, const char *element)
{
	for (size_t i = 0; i < count; i++) {
		const char *name = servicenow_record_value(&records[i], "element");

		if (name && strcmp(name, element) == 0)
			return true;
	}
	return false;
}

/* ServiceNow drops what it does not know, with status 200. */
static void verify_template(struct vendor_session *session, struct arena *arena,
			    const struct template_use *use, json_t *checks)
{
	struct servicenow_answer answer = { 0 };
	struct servicenow_record *records;
	struct buf query, missing;
	size_t count = 0, own = 0;

	buf_init(&query, 16 << 10);
	buf_init(&missing, 300);
	/* One that each table has shows whether the dictionary is readable at all. */
	buf_addf(&query, "nameIN%s,task^active=true^elementINshort_description", use->table);
	for (size_t i = 0; i < use->count; i++) {
		if (use->own[i]) {
			buf_addf(&query, ",%s", use->names[i]);
			own++;
		}
	}
	const struct servicenow_query dictionary = { .table = "sys_dictionary",
						     .query = buf_text(&query),
						     .fields = "name,element",
						     .limit = ROWS_MAX };

	if (own > 0 &&
	    (!servicenow_query(session, &dictionary, arena, &records, &count, &answer, NULL) ||
	     !has_row(records, count, "short_description"))) {
		verify_add(checks, VERIFY_UNKNOWN, "template columns",
			   "the user may not read the dictionary (sys_dictionary)");
		own = 0;
	}
	for (size_t i = 0; own > 0 && i < use->count; i++) {
		if (use->own[i] && !has_row(records, count, use->names[i]))
			buf_addf(&missing, " %s", use->names[i]);
	}
	if (missing.size > 0)
		verify_add(checks, VERIFY_NO, "template columns",
			   "table %s has none of these, they would be dropped:%s", use->table,
			   buf_text(&missing));
	else if (own > 0)
		verify_add(checks, VERIFY_YES, "template columns", "all are there");
	buf_done(&query);
	buf_done(&missing);
}

void verify_ticket_columns(struct vendor_session *session, const struct customer *customer,
			   const struct template_use *use, json_t *checks)
{
	const struct customer_servicenow *servicenow = &customer->servicenow;
	struct arena *arena = arena_new();

	verify_reference(session, arena, "caller_id", "sys_user", servicenow->caller_id,
			 checks);
	verify_reference(session, arena, "company", "core_company", servicenow->company,
			 checks);
	verify_reference(session, arena, "assignment_group", "sys_user_group",
			 servicenow->assignment_group, checks);
	verify_reference(session, arena, "domain", "domain", servicenow->domain, checks);
	verify_choice(session, arena, use->table, "category", servicenow->category, checks);
	verify_choice(session, arena, use->table, "subcategory", servicenow->subcategory,
		      checks);
	verify_mandatory(session, arena, use, servicenow, checks);
	verify_template(session, arena, use, checks);
	arena_free(arena);
}
