/* Records of a table: made, changed, read and found. */
#include "vendor/servicenow.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "vendor/servicenow_call.h"
#include "vendor/session.h"

enum { ROWS_MAX = 1000, FIELDS_MAX_BYTES = 4096 };

/* ---- writing ---- */

static void add_columns(struct buf *body, const struct servicenow_column *columns, size_t count)
{
	const char *before = "{\"";

	for (size_t i = 0; i < count; i++) {
		if (!columns[i].value)
			continue;
		buf_adds(body, before);
		buf_add_json(body, columns[i].name, strlen(columns[i].name));
		buf_adds(body, "\":\"");
		buf_add_json(body, columns[i].value, strlen(columns[i].value));
		before = "\",\"";
	}
	buf_adds(body, *before == '{' ? "{}" : "\"}");
}

/* What the answer must show to be compared; a journal column never shows. */
static void add_fields(struct servicenow_call *call, const struct servicenow_column *columns,
		       size_t count)
{
	struct buf fields;

	buf_init(&fields, FIELDS_MAX_BYTES);
	buf_adds(&fields, "sys_id,number");
	for (size_t i = 0; i < count; i++) {
		if (columns[i].value && columns[i].kind != SERVICENOW_JOURNAL)
			buf_addf(&fields, ",%s", columns[i].name);
	}
	servicenow_call_param(call, "sysparm_fields", buf_text(&fields));
	servicenow_call_param(call, "sysparm_exclude_reference_link", "true");
	buf_done(&fields);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static const char *skip_blanks(const char *text)
{
	while (is_blank(*text))
		text++;
	return text;
}

/* Instances trim values and write line ends their own way. */
static bool same_text(const char *ours, const char *theirs)
{
	if (strcmp(ours, theirs) == 0)
		return true;
	ours = skip_blanks(ours);
	theirs = skip_blanks(theirs);
	while (*ours && *theirs) {
		if (*ours == '\r')
			ours++;
		else if (*theirs == '\r')
			theirs++;
		else if (*ours == *theirs)
			ours++, theirs++;
		else
			break;
	}
	return *skip_blanks(ours) == '\0' && *skip_blanks(theirs) == '\0';
}

static bool compare_column(const struct servicenow_column *column, const json_t *result,
			   struct arena *arena, struct servicenow_mismatch *ret_mismatch)
{
	const json_t *answered = json_object_get(result, column->name);
	const char *plain = json_string_value(answered);
	enum servicenow_difference difference;

	if (plain && strcmp(column->value, plain) == 0)
		return true;
	const char *value = servicenow_value_text(answered, arena);

	if (!answered)
		difference = SERVICENOW_DROPPED;
	else if (same_text(column->value, value))
		return true;
	else
		difference = *value ? SERVICENOW_CHANGED : SERVICENOW_EMPTIED;
	*ret_mismatch = (struct servicenow_mismatch){ .column = column->name,
						      .kind = column->kind,
						      .difference = difference,
						      .value = value };
	return false;
}

static void compare(const struct servicenow_column *columns, size_t count, const json_t *result,
		    struct arena *arena, struct servicenow_created *ret_created)
{
	struct servicenow_mismatch *mismatches =
	    arena_alloc(arena, count * sizeof *mismatches + 1);

	for (size_t i = 0; i < count; i++) {
		if (!columns[i].value || columns[i].kind == SERVICENOW_JOURNAL)
			continue;
		if (!compare_column(&columns[i], result, arena,
				    &mismatches[ret_created->mismatch_count]))
			ret_created->mismatch_count++;
	}
	ret_created->mismatches = mismatches;
}

static bool write_record(struct servicenow_call *call, struct vendor_session *session,
			 const struct servicenow_column *columns, size_t count,
			 struct arena *arena, struct servicenow_created *ret_created,
			 struct servicenow_answer *ret_answer, struct err *err)
{
	*ret_created = (struct servicenow_created){ "", "", NULL, 0 };
	add_fields(call, columns, count);
	add_columns(&call->body, columns, count);
	if (!servicenow_call_run(call, session, arena, ret_answer, err))
		return false;

	const json_t *result = call->reply.result;
	const char *sys_id = servicenow_value_text(json_object_get(result, "sys_id"), arena);

	if (!servicenow_sys_id_valid(sys_id)) {
		servicenow_call_refuse(ret_answer, SERVICENOW_UNEXPECTED, ERR_TRANSIENT,
				       "ServiceNow answered success without a sys_id", err);
		if (err)
			err->ambiguous = true;
		return false;
	}
	ret_created->sys_id = sys_id;
	ret_created->number = servicenow_value_text(json_object_get(result, "number"), arena);
	compare(columns, count, result, arena, ret_created);
	return true;
}

bool servicenow_create(struct vendor_session *session, const char *table,
		       const struct servicenow_column *columns, size_t count,
		       struct arena *arena, struct servicenow_created *ret_created,
		       struct servicenow_answer *ret_answer, struct err *err)
{
	struct servicenow_call call;

	servicenow_call_init(&call, session, table, NULL);
	call.what = "creating the record";
	call.method = "POST";
	call.act = SERVICENOW_CREATE;
	bool ok =
	    write_record(&call, session, columns, count, arena, ret_created, ret_answer, err);
	servicenow_call_done(&call);
	return ok;
}

bool servicenow_patch(struct vendor_session *session, const struct servicenow_place *place,
		      const struct servicenow_column *columns, size_t count,
		      struct arena *arena, struct servicenow_created *ret_changed,
		      struct servicenow_answer *ret_answer, struct err *err)
{
	struct servicenow_created changed;
	struct servicenow_call call;

	if (!ret_changed)
		ret_changed = &changed;
	servicenow_call_init(&call, session, place->table, place->sys_id);
	call.what = "changing the record";
	call.method = "PATCH";
	call.act = SERVICENOW_CHANGE;
	bool ok =
	    write_record(&call, session, columns, count, arena, ret_changed, ret_answer, err);
	servicenow_call_done(&call);
	if (!ok || strcmp(ret_changed->sys_id, place->sys_id) == 0)
		return ok;
	servicenow_call_refuse(ret_answer, SERVICENOW_UNEXPECTED, ERR_TRANSIENT,
			       "ServiceNow answered with another record than the one changed",
			       err);
	if (err)
		err->ambiguous = true;
	return false;
}

/* ---- reading ---- */

bool servicenow_get(struct vendor_session *session, const struct servicenow_place *place,
		    const char *fields, struct arena *arena, bool *ret_found,
		    struct servicenow_record *ret_record, struct servicenow_answer *ret_answer,
		    struct err *err)
{
	struct servicenow_answer answer;
	struct servicenow_call call;

	*ret_found = false;
	*ret_record = (struct servicenow_record){ NULL, 0 };
	servicenow_call_init(&call, session, place->table, place->sys_id);
	call.what = "reading the record";
	call.act = SERVICENOW_READ;
	servicenow_call_param(&call, "sysparm_fields",
			      arena_printf(arena, "sys_id,%s", fields));
	servicenow_call_param(&call, "sysparm_exclude_reference_link", "true");
	bool ok = servicenow_call_run(&call, session, arena, &answer, err);
	if (ok)
		servicenow_record_read(call.reply.result, arena, ret_record);
	servicenow_call_done(&call);
	if (ret_answer)
		*ret_answer = answer;
	if (!ok && answer.outcome == SERVICENOW_NOT_FOUND) {
		if (err)
			*err = (struct err){ 0 };
		return true;
	}
	if (!ok)
		return false;

	const char *returned = servicenow_record_value(ret_record, "sys_id");

	if (!returned || strcmp(returned, place->sys_id) != 0)
		return servicenow_call_refuse(
		    ret_answer, SERVICENOW_UNEXPECTED, ERR_TRANSIENT,
		    "ServiceNow answered with another record than the one asked for", err);
	*ret_found = true;
	return true;
}

static bool run_query(struct vendor_session *session, const struct servicenow_query *query,
		      bool optional, struct arena *arena,
		      struct servicenow_record **ret_records, size_t *ret_count,
		      struct servicenow_answer *ret_answer, struct err *err)
{
	struct servicenow_call call;
	char limit[16];

	*ret_records = NULL;
	*ret_count = 0;
	snprintf(limit, sizeof limit, "%u",
		 query->limit && query->limit < ROWS_MAX ? query->limit : ROWS_MAX);
	servicenow_call_init(&call, session, query->table, NULL);
	call.what = "searching records";
	call.optional = optional;
	servicenow_call_param(&call, "sysparm_query", query->query);
	servicenow_call_param(&call, "sysparm_fields", query->fields);
	servicenow_call_param(&call, "sysparm_limit", limit);
	servicenow_call_param(&call, "sysparm_exclude_reference_link", "true");
	servicenow_call_param(&call, "sysparm_no_count", "true");
	if (query->display_values)
		servicenow_call_param(&call, "sysparm_display_value", "true");
	bool ok = servicenow_call_run(&call, session, arena, ret_answer, err);

	if (ok && !json_is_array(call.reply.result))
		ok = servicenow_call_refuse(ret_answer, SERVICENOW_UNEXPECTED, ERR_TRANSIENT,
					    "ServiceNow answered a search without a list", err);
	if (ok) {
		size_t count = json_array_size(call.reply.result);
		struct servicenow_record *records =
		    arena_alloc(arena, count * sizeof *records + 1);

		for (size_t i = 0; i < count; i++)
			servicenow_record_read(json_array_get(call.reply.result, i), arena,
					       &records[i]);
		*ret_records = records;
		*ret_count = count;
	}
	servicenow_call_done(&call);
	return ok;
}

bool servicenow_query(struct vendor_session *session, const struct servicenow_query *query,
		      struct arena *arena, struct servicenow_record **ret_records,
		      size_t *ret_count, struct servicenow_answer *ret_answer, struct err *err)
{
	return run_query(session, query, query->optional, arena, ret_records, ret_count,
			 ret_answer, err);
}

/* ---- finding by our key ---- */

static bool key_valid(const char *key)
{
	size_t size = strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789:._-");

	return size > 0 && size <= 100 && key[size] == '\0';
}

/* The instance compares without regard to case, we do not. */
enum carries { CARRIES, CARRIES_OTHER_CASE, CARRIES_NOT };

static enum carries carries_key(const struct servicenow_record *record,
				const struct servicenow_search *search)
{
	const char *key = servicenow_record_value(record, "correlation_id");
	size_t size = strlen(search->correlation_id) + !search->prefix;

	if (!key)
		return CARRIES_NOT;
	if (strncmp(key, search->correlation_id, size) == 0)
		return CARRIES;
	return strncasecmp(key, search->correlation_id, size) == 0 ? CARRIES_OTHER_CASE
								   : CARRIES_NOT;
}

/* Keeps the rows that carry the key. A row that does not shows that the instance ignored that
 * part of the query (it does so with what it does not know or does not let us read): then an
 * empty rest proves nothing, and creating on its word would make a duplicate of every ticket.
 */
static bool keep_ours(const struct servicenow_search *search, struct servicenow_record *records,
		      size_t *count)
{
	size_t kept = 0;
	bool ignored = false;

	for (size_t i = 0; i < *count; i++) {
		enum carries carries = carries_key(&records[i], search);

		if (carries == CARRIES)
			records[kept++] = records[i];
		else if (carries == CARRIES_NOT)
			ignored = true;
	}
	*count = kept;
	return kept > 0 || !ignored;
}

bool servicenow_find(struct vendor_session *session, const struct servicenow_search *search,
		     struct arena *arena, struct servicenow_record **ret_records,
		     size_t *ret_count, struct servicenow_answer *ret_answer, struct err *err)
{
	static const char ignored[] =
	    "ServiceNow ignored the search by correlation_id: may the integration user read "
	    "that column of the table?";
	const struct servicenow_query query = {
		.table = search->table,
		.query = arena_printf(arena, "correlation_id%s%s%s%s^ORDERBYsys_created_on",
				      search->prefix ? "STARTSWITH" : "=",
				      search->correlation_id, search->and_query ? "^" : "",
				      search->and_query ? search->and_query : ""),
		.fields = arena_printf(arena, "sys_id,number,state,correlation_id%s%s",
				       search->fields ? "," : "",
				       search->fields ? search->fields : ""),
		.limit = search->limit,
	};

	*ret_records = NULL;
	*ret_count = 0;
	if (!key_valid(search->correlation_id)) {
		session->refusal = VENDOR_ATTEMPTED;
		return servicenow_call_refuse(ret_answer, SERVICENOW_NOT_SENT, ERR_PERMANENT,
					      "this is no key of ours", err);
	}
	if (!run_query(session, &query, false, arena, ret_records, ret_count, ret_answer, err))
		return false;
	if (keep_ours(search, *ret_records, ret_count))
		return true;
	if (!session->probe)
		vendor_park(session, ignored, NULL);
	return servicenow_call_refuse(ret_answer, SERVICENOW_UNEXPECTED, ERR_ACCOUNT, ignored,
				      err);
}
