/*
 * snow_record: what happens when a record is written: which values survive, which rules refuse
 * it, what the instance computes by itself.
 */
#include "snow.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "request.h"
#include "response.h"
#include "snow_security.h"

/* A write on its way: the values that survived, one per column; NULL where none was sent. */
struct pending {
	const struct snow_call *call;
	struct snow_table *table;
	struct snow_row *row; /* NULL: a new one */
	char **value;
	unsigned columns;
};

void snow_refuse(struct response *response, unsigned status, const char *message,
		 const char *detail)
{
	response_clear(response);
	response_json(response, status,
		      json_pack("{s:{s:s, s:s?}, s:s}", "error", "message", message, "detail",
				detail, "status", "failure"));
}

static const char *merged(const struct pending *pending, const char *name)
{
	int column = snow_column_find(pending->table, name);

	if (column == SNOW_NO_COLUMN)
		return "";
	if (pending->value[column])
		return pending->value[column];
	return pending->row ? snow_row_get(pending->row, column)
			    : pending->table->column[column].fallback;
}

static const char *before(const struct pending *pending, const char *name)
{
	return pending->row ? snow_row_named(pending->row, name) : "";
}

static bool read_only(const struct snow_table *table, const char *name)
{
	return strncmp(name, "sys_", 4) == 0 ||
	       (strcmp(name, "priority") == 0 && !snow_is_security(table)) ||
	       strcmp(name, "opened_by") == 0 || strcmp(name, "reopen_count") == 0;
}

static bool forgotten(const struct request *request, const char *name)
{
	size_t i;
	json_t *item;

	json_array_foreach(request->forgotten, i, item)
	{
		if (json_is_string(item) && strcmp(json_string_value(item), name) == 0)
			return true;
	}
	return false;
}

/* A reference is kept as a sys_id of its table; a name is looked up; anything else is lost
 * without a word. */
static const char *resolve_reference(const struct snow *snow, const struct snow_column *column,
				     const char *text)
{
	const struct snow_table *table = snow_table_find(&snow->tables, column->reference);
	const struct snow_row *row = table && *text ? snow_row_find(table, text) : NULL;

	if (!row && table && *text)
		row = snow_row_where(table, table->display, text);
	if (!row && table && *text && strcmp(table->name, "sys_user") == 0)
		row = snow_row_where(table, "user_name", text);
	return row ? snow_row_named(row, "sys_id") : "";
}

static bool choice_exists(const struct snow *snow, const char *of, const char *element,
			  const char *value)
{
	const struct snow_table *table = snow_table_find(&snow->tables, "sys_choice");

	for (size_t i = 0; i < table->rows; i++) {
		const struct snow_row *row = table->row[i];

		if (!row->deleted && strcmp(snow_row_named(row, "name"), of) == 0 &&
		    strcmp(snow_row_named(row, "element"), element) == 0 &&
		    strcmp(snow_row_named(row, "value"), value) == 0 &&
		    strcmp(snow_row_named(row, "inactive"), "false") == 0)
			return true;
	}
	return false;
}

static void take_value(struct pending *pending, const char *key, const json_t *value)
{
	const struct snow *snow = pending->call->snow;
	int position = snow_column_find(pending->table, key);
	char *text = snow_scalar_text(value);

	if (position == SNOW_NO_COLUMN || !text || read_only(pending->table, key) ||
	    forgotten(pending->call->request, key)) {
		free(text); /* silently ignored, as the real one does */
		return;
	}
	const struct snow_column *column = &pending->table->column[position];

	if (column->kind == SNOW_REFERENCE) {
		char *id = xstrdup(resolve_reference(snow, column, text));

		free(text);
		text = id;
	} else if (strcmp(key, "close_code") == 0 &&
		   !choice_exists(snow, pending->table->name, key, text)) {
		*text = '\0';
	}
	free(pending->value[position]);
	pending->value[position] = text;
}

static void set_pending(struct pending *pending, const char *name, const char *text)
{
	int column = snow_column_find(pending->table, name);

	if (column == SNOW_NO_COLUMN)
		return;
	free(pending->value[column]);
	pending->value[column] = xstrdup(text);
}

static void pending_done(struct pending *pending)
{
	for (unsigned i = 0; i < pending->columns; i++)
		free(pending->value[i]);
	free(pending->value);
}

/* ---- what refuses a write ----------------------------------------------------------- */

static bool privileged(const struct snow_user *user)
{
	return snow_has_role(user, "admin") || snow_has_role(user, "itil_admin");
}

static bool may_write(const struct pending *pending)
{
	const struct snow_user *user = pending->call->user;

	if (snow_is_security(pending->table))
		return snow_security_may_write(user);
	if (strcmp(pending->table->name, "incident") != 0)
		return snow_has_role(user, "admin");
	return privileged(user) || snow_has_role(user, "itil") ||
	       snow_has_role(user, "sn_incident_write");
}

static bool is_closed(const char *state)
{
	return strcmp(state, "7") == 0 || strcmp(state, "8") == 0;
}

/* Adds a label to "The following fields are mandatory: A, B". */
static void miss(struct buf *missing, const char *label)
{
	buf_addf(missing, "%s%s", missing->size ? ", " : "", label);
}

static void find_missing(const struct pending *pending, struct buf *missing)
{
	const struct snow *snow = pending->call->snow;
	const char *state = merged(pending, "state");
	const char *demanded = pending->call->request->demanded;
	bool done = strcmp(state, "6") == 0 || strcmp(state, "7") == 0;

	if (done && snow->data_policy && !*merged(pending, "close_code"))
		miss(missing, "Resolution code");
	if (done && snow->data_policy && !*merged(pending, "close_notes"))
		miss(missing, "Close notes");
	if (strcmp(state, "3") == 0 && strcmp(merged(pending, "hold_reason"), "1") == 0 &&
	    strcmp(before(pending, "state"), "3") != 0 && !*merged(pending, "comments"))
		miss(missing, "Additional comments");
	for (unsigned i = 0; i < pending->table->columns; i++) {
		const struct snow_column *column = &pending->table->column[i];
		bool wanted =
		    column->mandatory || (demanded && strcmp(demanded, column->name) == 0);

		if (wanted && !*merged(pending, column->name))
			miss(missing, column->label);
	}
	if (demanded && snow_column_find(pending->table, demanded) == SNOW_NO_COLUMN)
		miss(missing, demanded);
}

static bool passes_data_policy(const struct pending *pending)
{
	struct buf missing;

	buf_init(&missing, 4096);
	find_missing(pending, &missing);
	bool ok = missing.size == 0;

	if (!ok) {
		const char *detail = arena_printf(
		    pending->call->request->arena,
		    "Data Policy Exception: \n\tThe following fields are mandatory: %s",
		    buf_text(&missing));

		snow_refuse(pending->call->response, 403, "Operation Failed", detail);
	}
	buf_done(&missing);
	return ok;
}

static bool refuse_acl(const struct pending *pending)
{
	snow_refuse(pending->call->response, 403, "Operation Failed",
		    pending->row ? "ACL Exception Update Failed due to security constraints"
				 : "ACL Exception Insert Failed due to security constraints");
	return false;
}

static bool passes_security(const struct pending *pending)
{
	const struct snow_security_change change = {
		.from = before(pending, "state"),
		.to = merged(pending, "state"),
		.close_code = merged(pending, "close_code"),
		.close_notes = merged(pending, "close_notes"),
		.assigned_to = merged(pending, "assigned_to"),
		.assignment_group = merged(pending, "assignment_group"),
	};
	const char *refusal = snow_security_refusal(&change);

	if (refusal)
		snow_refuse(pending->call->response, 403, "Operation Failed", refusal);
	return !refusal;
}

static bool passes_rules(const struct pending *pending)
{
	const struct snow *snow = pending->call->snow;
	const struct snow_user *user = pending->call->user;
	const char *from = before(pending, "state"), *to = merged(pending, "state");
	const char *key = merged(pending, "correlation_id");

	if (!may_write(pending))
		return refuse_acl(pending);
	if (snow_is_security(pending->table))
		return passes_security(pending);
	if (strcmp(pending->table->name, "incident") != 0)
		return true;
	if (pending->row && is_closed(from) && snow->closed_abort && !privileged(user)) {
		snow_refuse(
		    pending->call->response, 403, "Operation Failed",
		    "Operation against file 'incident' was aborted by Business Rule "
		    "'Abort changes on closed^3d4f0a5b1b2c6010a1b2c3d4e5f60718'. Business "
		    "Rule Stack:Abort changes on closed");
		return false;
	}
	if (strcmp(to, "7") == 0 && strcmp(from, "7") != 0 && !privileged(user))
		return refuse_acl(pending);
	if (snow->unique_correlation && !pending->row && *key &&
	    snow_row_where(pending->table, "correlation_id", key)) {
		snow_refuse(
		    pending->call->response, 403, "Operation Failed",
		    "Unique Key violation detected by database (Duplicate entry for key "
		    "'correlation_id')");
		return false;
	}
	return passes_data_policy(pending);
}

/* ---- what the instance computes ----------------------------------------------------- */

static void compute_priority(struct pending *pending)
{
	static const char table[3][3] = { { '1', '2', '3' },
					  { '2', '3', '4' },
					  { '3', '4', '5' } };
	const char *impact = merged(pending, "impact"), *urgency = merged(pending, "urgency");
	char text[2] = "5";

	if (*impact >= '1' && *impact <= '3' && *urgency >= '1' && *urgency <= '3')
		*text = table[*impact - '1'][*urgency - '1'];
	set_pending(pending, "priority", text);
}

static void compute_state(struct pending *pending)
{
	const char *from = before(pending, "state"), *to;
	const char *user = pending->call->user->sys_id;
	char now[CLOCK_TEXT_SIZE], count[24];
	int state = snow_column_find(pending->table, "state");
	int old = snow_column_find(pending->table, "incident_state");

	if (!pending->value[state] && pending->value[old])
		set_pending(pending, "state", pending->value[old]);
	to = arena_strdup(pending->call->request->arena, merged(pending, "state"));
	set_pending(pending, "incident_state", to);
	set_pending(pending, "active", is_closed(to) ? "false" : "true");
	clock_format_plain(clock_wall_ms(), now);
	if (strcmp(from, to) == 0)
		return;
	if (strcmp(to, "6") == 0) {
		set_pending(pending, "resolved_at", now);
		set_pending(pending, "resolved_by", user);
	} else if (is_closed(to)) {
		set_pending(pending, "closed_at", now);
		set_pending(pending, "closed_by", user);
	} else if (strcmp(from, "6") == 0 || is_closed(from)) {
		snprintf(count, sizeof(count), "%d", atoi(before(pending, "reopen_count")) + 1);
		set_pending(pending, "reopen_count", count);
		set_pending(pending, "resolved_at", "");
		set_pending(pending, "resolved_by", "");
	}
}

static void compute_security_state(struct pending *pending)
{
	const char *to = merged(pending, "state");
	char now[CLOCK_TEXT_SIZE];

	set_pending(pending, "active", snow_security_is_over(to) ? "false" : "true");
	if (strcmp(before(pending, "state"), to) == 0 || !snow_security_is_over(to))
		return;
	clock_format_plain(clock_wall_ms(), now);
	set_pending(pending, "closed_at", now);
	set_pending(pending, "closed_by", pending->call->user->sys_id);
}

static void add_journal(struct snow *snow, const struct snow_row *row, const char *element,
			const char *text, const char *user)
{
	struct snow_row *entry =
	    snow_row_add(snow_table_find(&snow->tables, "sys_journal_field"), NULL);

	snow_row_set_named(entry, "name", row->table->name);
	snow_row_set_named(entry, "element", element);
	snow_row_set_named(entry, "element_id", snow_row_named(row, "sys_id"));
	snow_row_set_named(entry, "value", text);
	snow_row_set_named(entry, "sys_created_by", user);
}

static void store(struct pending *pending)
{
	struct snow *snow = pending->call->snow;
	struct snow_row *row = pending->row;
	const char *user = pending->call->user->name;
	char text[CLOCK_TEXT_SIZE];

	for (unsigned i = 0; i < pending->columns; i++) {
		const struct snow_column *column = &pending->table->column[i];

		if (!pending->value[i])
			continue;
		if (column->kind != SNOW_JOURNAL)
			snow_row_set(row, (int)i, pending->value[i]);
		else if (*pending->value[i] &&
			 strcmp(column->name, "comments_and_work_notes") != 0)
			add_journal(snow, row, column->name, pending->value[i], user);
	}
	row->changed_ms = clock_wall_ms();
	clock_format_plain(row->changed_ms, text);
	snow_row_set(row, SNOW_UPDATED_ON, text);
	snow_row_set(row, SNOW_UPDATED_BY, user);
}

static void open_record(struct pending *pending)
{
	struct snow *snow = pending->call->snow;
	char text[CLOCK_TEXT_SIZE];

	pending->row = snow_row_add(pending->table, NULL);
	snow_row_set_named(pending->row, "sys_created_by", pending->call->user->name);
	if (strcmp(pending->table->name, "incident") != 0 && !snow_is_security(pending->table))
		return;
	clock_format_plain(pending->row->created_ms, text);
	snow_row_set_named(pending->row, "opened_at", text);
	snow_row_set_named(pending->row, "opened_by", pending->call->user->sys_id);
	snprintf(text, sizeof(text), "%s%07llu",
		 snow_is_security(pending->table) ? "SIR" : "INC",
		 (unsigned long long)snow->next_number++);
	snow_row_set_named(pending->row, "number", text);
}

/* What resolves a parent resolves its children, as the instance's own rule does. */
static void resolve_children(const struct snow_call *call, const struct snow_row *parent)
{
	struct snow_table *table = parent->table;
	const char *id = snow_row_named(parent, "sys_id");
	json_t *body = json_pack("{s:s, s:s, s:s}", "state", "6", "close_code",
				 snow_row_named(parent, "close_code"), "close_notes",
				 "Resolved with its parent");

	for (size_t i = 0; i < table->rows; i++) {
		struct snow_row *child = table->row[i];
		const char *state = snow_row_named(child, "state");

		if (!child->deleted && child != parent &&
		    strcmp(snow_row_named(child, "parent_incident"), id) == 0 &&
		    strcmp(state, "6") != 0 && !is_closed(state))
			snow_write(call, table, child, body);
	}
	json_decref(body);
}

static void state_changed(const struct snow_call *call, struct snow_row *row, const char *from)
{
	const char *to = snow_row_named(row, "state");

	if (strcmp(row->table->name, "incident") == 0 && strcmp(to, "6") == 0 &&
	    strcmp(from, to) != 0)
		resolve_children(call, row);
	if (call->snow->account)
		snow_rule_run(call->snow->account, call->snow, row, from, call->user->name);
}

struct snow_row *snow_write(const struct snow_call *call, struct snow_table *table,
			    struct snow_row *row, const json_t *body)
{
	struct pending pending = {
		.call = call, .table = table, .row = row, .columns = table->columns
	};
	const char *key;
	json_t *value;
	char count[24];

	pending.value = xcalloc(table->columns, sizeof(char *));
	json_object_foreach((json_t *)body, key, value) take_value(&pending, key, value);
	if (strcmp(table->name, "incident") == 0) {
		compute_state(&pending);
		compute_priority(&pending);
	}
	if (snow_is_security(table))
		compute_security_state(&pending);
	if (!passes_rules(&pending)) {
		pending_done(&pending);
		return NULL;
	}
	if (row) {
		snprintf(count, sizeof(count), "%d",
			 atoi(snow_row_named(row, "sys_mod_count")) + 1);
		snow_row_set_named(row, "sys_mod_count", count);
	} else {
		open_record(&pending);
	}
	char *from = row ? xstrdup(snow_row_named(row, "state")) : xstrdup("");

	store(&pending);
	pending_done(&pending);
	if (row)
		state_changed(call, row, from);
	free(from);
	return pending.row;
}

void snow_settle(struct snow *snow)
{
	struct snow_table *table = snow_table_find(&snow->tables, "incident");
	char text[CLOCK_TEXT_SIZE];

	if (snow->auto_close_ms == 0)
		return;
	uint64_t now_ms = clock_wall_ms();

	clock_format_plain(now_ms, text);
	for (size_t i = 0; i < table->rows; i++) {
		struct snow_row *row = table->row[i];

		if (row->deleted || strcmp(snow_row_named(row, "state"), "6") != 0 ||
		    now_ms < row->changed_ms + snow->auto_close_ms)
			continue;
		snow_row_set_named(row, "state", "7");
		snow_row_set_named(row, "incident_state", "7");
		snow_row_set_named(row, "active", "false");
		snow_row_set_named(row, "closed_at", text);
		snow_row_set_named(row, "sys_updated_on", text);
		snow_row_set_named(row, "sys_updated_by", "system");
		row->changed_ms = now_ms;
	}
}
