/* What a ticket refers to, and what verify wants to know: notes, configuration items, choices,
 * users, roles. */
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/buf.h"
#include "model/customer.h"
#include "vendor/servicenow_call.h"
#include "vendor/servicenow_table.h"
#include "vendor/session.h"

enum {
	NOTES_MAX = 200,
	NOTES_BYTES = 8 << 20,
	ITEMS_MAX = 20,
	CHOICES_MAX = 1000,
	ROLES_MAX = 1000
};

/* What separates the parts of an encoded query cannot be quoted in it. */
static bool queryable(const char *text)
{
	size_t size = strcspn(text, "^\r\n\t");

	return size > 0 && size <= 255 && text[size] == '\0';
}

/* ---- journal ---- */

/* Rows of sys_journal_field; NULL in ret_notes when there are none, or none may be read. */
static bool in_journal(struct vendor_session *session, const struct servicenow_place *place,
		       struct arena *arena, const char **ret_notes,
		       struct servicenow_answer *ret_answer, struct err *err)
{
	const struct servicenow_query query = {
		.table = "sys_journal_field",
		.query = arena_printf(
		    arena, "element_id=%s^element=work_notes^ORDERBYDESCsys_created_on",
		    place->sys_id),
		.fields = "element_id,value",
		.limit = NOTES_MAX,
		.optional = true,
	};
	struct servicenow_answer answer;
	struct servicenow_record *rows;
	struct err failure = { 0 };
	struct buf notes;
	size_t count;
	bool ok = servicenow_query(session, &query, arena, &rows, &count, &answer, &failure);

	if (!ok &&
	    (answer.outcome == SERVICENOW_FORBIDDEN || answer.outcome == SERVICENOW_NO_TABLE))
		return true;
	if (ret_answer)
		*ret_answer = answer;
	if (!ok) {
		if (err)
			*err = failure;
		return false;
	}
	buf_init(&notes, NOTES_BYTES);
	for (size_t i = 0; i < count; i++) {
		const char *element = servicenow_record_value(&rows[i], "element_id");
		const char *value = servicenow_record_value(&rows[i], "value");

		if (element && strcmp(element, place->sys_id) == 0 && value)
			buf_addf(&notes, "%s\n", value);
	}
	*ret_notes = notes.size > 0 ? arena_strdup(arena, notes.data) : NULL;
	buf_done(&notes);
	return true;
}

/* The displayed column holds every note, newest first, with headers. */
static bool in_record(struct vendor_session *session, const struct servicenow_place *place,
		      struct arena *arena, const char **ret_notes,
		      struct servicenow_answer *ret_answer, struct err *err)
{
	struct servicenow_call call;

	servicenow_call_init(&call, session, place->table, place->sys_id);
	call.what = "reading the work notes";
	call.act = SERVICENOW_READ;
	servicenow_call_param(&call, "sysparm_fields", "sys_id,work_notes");
	servicenow_call_param(&call, "sysparm_display_value", "true");
	bool ok = servicenow_call_run(&call, session, arena, ret_answer, err);

	if (ok) {
		const char *notes = servicenow_value_text(
		    json_object_get(call.reply.result, "work_notes"), arena);

		*ret_notes = *notes ? notes : NULL;
	}
	servicenow_call_done(&call);
	return ok;
}

bool servicenow_notes(struct vendor_session *session, const struct servicenow_place *place,
		      struct arena *arena, const char **ret_notes,
		      struct servicenow_answer *ret_answer, struct err *err)
{
	*ret_notes = NULL;
	if (!in_journal(session, place, arena, ret_notes, ret_answer, err))
		return false;
	return *ret_notes || in_record(session, place, arena, ret_notes, ret_answer, err);
}

bool servicenow_note_exists(struct vendor_session *session,
			    const struct servicenow_place *place, const char *marker,
			    struct arena *arena, bool *ret_found,
			    struct servicenow_answer *ret_answer, struct err *err)
{
	const char *notes;
	bool ok = servicenow_notes(session, place, arena, &notes, ret_answer, err);

	*ret_found = ok && notes && strstr(notes, marker);
	return ok;
}

/* ---- configuration items ---- */

/* install_status 7 and operational_status 6 are "Retired" out of the box. */
static bool item_usable(const struct servicenow_record *row, const char *name)
{
	const char *found = servicenow_record_value(row, "name");
	const char *installed = servicenow_record_value(row, "install_status");
	const char *operational = servicenow_record_value(row, "operational_status");
	const char *sys_id = servicenow_record_value(row, "sys_id");

	return found && strcasecmp(found, name) == 0 && servicenow_sys_id_valid(sys_id) &&
	       !(installed && strcmp(installed, "7") == 0) &&
	       !(operational && strcmp(operational, "6") == 0);
}

bool servicenow_cmdb_ci(struct vendor_session *session, const char *name, struct arena *arena,
			const char **ret_sys_id, struct err *err)
{
	const struct servicenow_query query = {
		.table = "cmdb_ci",
		.query = arena_printf(arena, "name=%s^ORDERBYsys_id", name),
		.fields = "sys_id,name,install_status,operational_status",
		.limit = ITEMS_MAX,
		.optional = true,
	};
	struct servicenow_answer answer;
	struct servicenow_record *rows;
	struct err failure = { 0 };
	size_t count;

	*ret_sys_id = NULL;
	session->refusal = VENDOR_ATTEMPTED;
	if (!queryable(name))
		return true;
	if (!servicenow_query(session, &query, arena, &rows, &count, &answer, &failure)) {
		if (answer.outcome == SERVICENOW_FORBIDDEN ||
		    answer.outcome == SERVICENOW_NO_TABLE)
			return true;
		if (err)
			*err = failure;
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (!item_usable(&rows[i], name))
			continue;
		if (*ret_sys_id) { /* two of that name: neither is known to be it */
			*ret_sys_id = NULL;
			return true;
		}
		*ret_sys_id = servicenow_record_value(&rows[i], "sys_id");
	}
	return true;
}

/* ---- for verify ---- */

bool servicenow_choices(struct vendor_session *session, const char *table, const char *element,
			struct arena *arena, struct servicenow_record **ret_records,
			size_t *ret_count, struct servicenow_answer *ret_answer,
			struct err *err)
{
	const struct servicenow_query query = {
		.table = "sys_choice",
		.query =
		    arena_printf(arena, "name=%s^element=%s^inactive=false", table, element),
		.fields = "label,value,element",
		.limit = CHOICES_MAX,
		.optional = true,
	};
	size_t kept = 0;

	if (!servicenow_query(session, &query, arena, ret_records, ret_count, ret_answer, err))
		return false;
	for (size_t i = 0; i < *ret_count; i++) {
		const char *of = servicenow_record_value(&(*ret_records)[i], "element");

		if (of && strcmp(of, element) == 0)
			(*ret_records)[kept++] = (*ret_records)[i];
	}
	*ret_count = kept;
	return true;
}

static bool is_hidden(enum servicenow_outcome outcome)
{
	return outcome == SERVICENOW_FORBIDDEN || outcome == SERVICENOW_NO_TABLE ||
	       outcome == SERVICENOW_NOT_FOUND || outcome == SERVICENOW_BAD_REQUEST;
}

bool servicenow_close_code(struct vendor_session *session, const char *table,
			   const char *verdict, struct arena *arena, const char **ret_code,
			   struct err *err)
{
	const struct servicenow_table *known = servicenow_table(table);
	struct servicenow_record *choices;
	struct servicenow_answer answer;
	size_t count;

	*ret_code = NULL;
	if (!known->close_code)
		return true;
	if (!servicenow_choices(session, table, known->close_code, arena, &choices, &count,
				&answer, err))
		return is_hidden(answer.outcome);
	*ret_code = servicenow_table_close_code(known, verdict, choices, count);
	return true;
}

bool servicenow_exists(struct vendor_session *session, const char *table, const char *sys_id,
		       struct arena *arena, bool *ret_exists,
		       struct servicenow_answer *ret_answer, struct err *err)
{
	struct servicenow_record record;
	struct servicenow_call call;
	struct servicenow_answer answer;

	*ret_exists = false;
	servicenow_call_init(&call, session, table, sys_id);
	call.what = "looking for the record";
	call.act = SERVICENOW_READ;
	call.optional = true;
	servicenow_call_param(&call, "sysparm_fields", "sys_id");
	bool ok = servicenow_call_run(&call, session, arena, &answer, err);
	if (ok) {
		servicenow_record_read(call.reply.result, arena, &record);
		const char *returned = servicenow_record_value(&record, "sys_id");

		*ret_exists = returned && strcmp(returned, sys_id) == 0;
	}
	servicenow_call_done(&call);
	if (ret_answer)
		*ret_answer = answer;
	if (!ok && answer.outcome == SERVICENOW_NOT_FOUND) {
		if (err)
			*err = (struct err){ 0 };
		return true;
	}
	return ok;
}

bool servicenow_roles(struct vendor_session *session, struct arena *arena,
		      const char ***ret_roles, size_t *ret_count,
		      struct servicenow_answer *ret_answer, struct err *err)
{
	const char *user = session->account->username;
	/* A client's own user is known to the instance only. */
	const struct servicenow_query query = {
		.table = "sys_user_has_role",
		.query = user && queryable(user)
			     ? arena_printf(arena, "user.user_name=%s^state=active", user)
			     : "user=javascript:gs.getUserID()^state=active",
		.fields = "role.name,user.user_name",
		.limit = ROLES_MAX,
		.optional = true,
	};
	struct servicenow_record *rows;
	size_t count;

	*ret_roles = NULL;
	*ret_count = 0;
	if (!servicenow_query(session, &query, arena, &rows, &count, ret_answer, err))
		return false;
	const char **roles = arena_alloc(arena, count * sizeof *roles + 1);

	for (size_t i = 0; i < count; i++) {
		const char *role = servicenow_record_value(&rows[i], "role.name");
		const char *of = servicenow_record_value(&rows[i], "user.user_name");

		if (role && *role && (!user || !of || strcasecmp(of, user) == 0))
			roles[(*ret_count)++] = role;
	}
	*ret_roles = roles;
	return true;
}
