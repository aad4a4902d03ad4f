/*
 * page_incident: tickets of a ServiceNow instance as an analyst sees them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "base/arena.h"
#include "base/buf.h"
#include "html.h"
#include "page.h"
#include "page_act.h"
#include "request.h"
#include "servicenow.h"
#include "snow.h"

enum { ROWS_MAX = 100 };

static const struct {
	const char *key, *label, *states;
} views[] = {
	{ "", "All", "" },
	{ "open", "Open", "1,2,3" },
	{ "resolved", "Resolved", "6" },
	{ "closed", "Closed", "7,8" },
};

static bool in_view(const struct snow_row *row, const char *states)
{
	return !*states || strstr(states, snow_row_named(row, "state")) != NULL;
}

static const char *state_class(const char *state)
{
	switch (*state) {
	case '1':
		return "new";
	case '2':
	case '3':
		return "work";
	case '6':
		return "done";
	default:
		return "off";
	}
}

/* The value as people see it, in the arena of nobody: caller frees. */
static char *shown(const struct snow *snow, const struct snow_row *row, const char *name)
{
	return snow_display_text(snow, row, snow_column_find(row->table, name));
}

static void shown_cell(struct buf *out, const struct snow *snow, const struct snow_row *row,
		       const char *class_name, const char *name)
{
	char *text = shown(snow, row, name);

	html_cell(out, class_name, text);
	free(text);
}

static void priority_mark(struct buf *out, const struct snow *snow, const struct snow_row *row)
{
	char *text = shown(snow, row, "priority");
	const char *priority = snow_row_named(row, "priority");

	buf_addf(out, "<span class=\"dot p%c\">",
		 *priority >= '1' && *priority <= '5' ? *priority : '5');
	html_text(out, text);
	buf_adds(out, "</span>");
	free(text);
}

static void state_mark(struct buf *out, const struct snow *snow, const struct snow_row *row)
{
	char *text = shown(snow, row, "state");

	buf_addf(out, "<span class=\"tag %s\">", state_class(snow_row_named(row, "state")));
	html_text(out, text);
	buf_adds(out, "</span>");
	free(text);
}

static unsigned note_count(const struct snow *snow, const struct snow_row *row)
{
	const struct snow_table *table = snow_table_find(&snow->tables, "sys_journal_field");
	struct index *index = table->column[snow_column_find(table, "element_id")].index;
	const char *id = snow_row_named(row, "sys_id");
	unsigned count = 0;

	for (struct index_entry *at = index_next(index, id, NULL); at;
	     at = index_next(index, id, at))
		count++;
	return count;
}

static void list_row(struct buf *out, const struct snow *snow, const struct snow_row *row)
{
	unsigned notes = note_count(snow, row);

	buf_adds(out, "<tr><td class=\"tight\"><a class=\"number\" href=\"incident/");
	html_text(out, snow_row_named(row, "sys_id"));
	buf_adds(out, "\">");
	html_text(out, snow_row_named(row, "number"));
	buf_adds(out, "</a></td><td class=\"tight\">");
	priority_mark(out, snow, row);
	buf_adds(out, "</td>");
	html_cell(out, "title", snow_row_named(row, "short_description"));
	buf_adds(out, "<td>");
	state_mark(out, snow, row);
	buf_adds(out, "</td>");
	shown_cell(out, snow, row, "extra", "company");
	buf_addf(out, "<td class=\"extra tight\">%u note%s</td>", notes, notes == 1 ? "" : "s");
	shown_cell(out, snow, row, "tight extra", "opened_at");
	buf_adds(out, "</tr>");
}

static void view_chips(struct buf *out, const struct snow_table *table, const char *chosen)
{
	buf_adds(out, "<ul class=\"chips\">");
	for (size_t i = 0; i < sizeof(views) / sizeof(*views); i++) {
		size_t count = 0;

		for (size_t at = 0; at < table->rows; at++)
			count += !table->row[at]->deleted &&
				 in_view(table->row[at], views[i].states);
		buf_addf(out, "<li><a%s href=\"?view=%s\">%s %zu</a></li>",
			 strcmp(views[i].key, chosen) == 0 ? " class=\"on\"" : "", views[i].key,
			 views[i].label, count);
	}
	buf_adds(out, "</ul>");
}

static const char *states_of(const char *view)
{
	for (size_t i = 0; i < sizeof(views) / sizeof(*views); i++) {
		if (strcmp(views[i].key, view) == 0)
			return views[i].states;
	}
	return "";
}

static void pager(struct buf *out, const char *view, uint64_t skip, size_t shown_rows,
		  size_t total)
{
	buf_addf(out,
		 "<div class=\"pager\"><span>%llu to %llu of %zu, newest first</span><span>",
		 (unsigned long long)skip + (shown_rows > 0),
		 (unsigned long long)(skip + shown_rows), total);
	if (skip > 0)
		buf_addf(out, "<a href=\"?view=%s&amp;skip=%llu\">newer</a> ", view,
			 (unsigned long long)(skip > ROWS_MAX ? skip - ROWS_MAX : 0));
	if (skip + shown_rows < total)
		buf_addf(out, "<a href=\"?view=%s&amp;skip=%llu\">older</a>", view,
			 (unsigned long long)(skip + shown_rows));
	buf_adds(out, "</span></div>");
}

static void list_table(struct buf *out, const struct snow *snow, const struct snow_table *table,
		       const char *view, uint64_t skip)
{
	size_t matched = 0, listed = 0;

	buf_adds(out,
		 "<div class=\"card\"><table class=\"list\"><thead><tr><th>Number</th>"
		 "<th>Priority</th><th>Short description</th><th>State</th><th>Company</th>"
		 "<th>Notes</th><th>Opened</th></tr></thead><tbody>");
	for (size_t i = table->rows; i-- > 0;) {
		const struct snow_row *row = table->row[i];

		if (row->deleted || !in_view(row, states_of(view)))
			continue;
		if (matched++ >= skip && listed < ROWS_MAX) {
			list_row(out, snow, row);
			listed++;
		}
	}
	buf_adds(out, "</tbody></table>");
	if (matched == 0)
		buf_adds(out, "<div class=\"empty\">No incidents here.</div>");
	buf_adds(out, "</div>");
	if (matched > 0)
		pager(out, view, skip, listed, matched);
}

bool page_incidents(struct account *account, const struct request *request, struct buf *out)
{
	const struct snow *snow = servicenow_instance(account);
	const struct snow_table *table = snow_table_find(&snow->tables, "incident");
	const char *view = request_param(request, "view");
	char title[160];

	for (size_t i = 0; view && i < sizeof(views) / sizeof(*views); i++) {
		if (strcmp(views[i].key, view) == 0) {
			view = views[i].key;
			break;
		}
		if (i + 1 == sizeof(views) / sizeof(*views))
			view = NULL;
	}
	view = view ? view : "";
	snprintf(title, sizeof(title), "Incidents of %.120s", account->name);
	html_begin(out, title, "ServiceNow");
	buf_adds(out, "<h1>");
	html_text(out, title);
	buf_adds(out, "</h1>");
	view_chips(out, table, view);
	list_table(out, snow, table, view,
		   request_param_number(request, "skip", 0, UINT32_MAX));
	html_end(out);
	return true;
}

/* ---- one record --------------------------------------------------------------------- */

static void shown_field(struct buf *out, const struct snow *snow, const struct snow_row *row,
			const char *name)
{
	int column = snow_column_find(row->table, name);

	if (column == SNOW_NO_COLUMN)
		return;
	char *text = snow_display_text(snow, row, column);

	html_field(out, row->table->column[column].label, text);
	free(text);
}

/* Columns of the customer's own, which no list here can know. */
static void own_fields(struct buf *out, const struct snow *snow, const struct snow_row *row)
{
	for (unsigned i = 0; i < row->table->columns; i++) {
		if (strncmp(row->table->column[i].name, "u_", 2) == 0)
			shown_field(out, snow, row, row->table->column[i].name);
	}
}

static void fields(struct buf *out, const struct snow *snow, const struct snow_row *row)
{
	static const char *const names[] = {
		"caller_id",   "company",	  "assignment_group",
		"assigned_to", "cmdb_ci",	  "location",
		"category",    "subcategory",	  "contact_type",
		"impact",      "urgency",	  "hold_reason",
		"opened_at",   "opened_by",	  "resolved_at",
		"resolved_by", "close_code",	  "close_notes",
		"closed_at",   "parent_incident", "correlation_display"
	};

	buf_adds(out, "<div class=\"card pad\"><dl class=\"form\">");
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		shown_field(out, snow, row, names[i]);
	own_fields(out, snow, row);
	html_wide_field(out, "Correlation id", snow_row_named(row, "correlation_id"));
	buf_adds(out, "</dl></div>");
}

static void journal(struct buf *out, const struct snow *snow, const struct snow_row *row)
{
	const struct snow_table *table = snow_table_find(&snow->tables, "sys_journal_field");
	struct index *index = table->column[snow_column_find(table, "element_id")].index;
	const char *id = snow_row_named(row, "sys_id");
	unsigned count = 0;

	buf_adds(out, "<h2>Activities, newest first</h2>");
	for (struct index_entry *at = index_next(index, id, NULL); at;
	     at = index_next(index, id, at), count++) {
		const struct snow_row *entry = at->value;
		bool comment = strcmp(snow_row_named(entry, "element"), "comments") == 0;
		const char *by = snow_row_named(entry, "sys_created_by");
		const struct snow_user *user = snow_find_user(snow, by);

		buf_addf(out, "<article class=\"entry%s\"><h3>", comment ? " comment" : "");
		char *date = shown(snow, entry, "sys_created_on");

		html_text(out, date);
		free(date);
		buf_adds(out, " - ");
		html_text(out, user ? user->full_name : by);
		buf_addf(out, " (%s)</h3><p class=\"text\">",
			 comment ? "Additional comments" : "Work notes");
		html_linked(out, snow_row_named(entry, "value"));
		buf_adds(out, "</p></article>");
	}
	if (count == 0)
		buf_adds(out, "<p class=\"sub\">No entries.</p>");
}

bool page_incident(struct account *account, const char *id, struct buf *out)
{
	const struct snow *snow = servicenow_instance(account);
	const struct snow_table *table = snow_table_find(&snow->tables, "incident");
	const struct snow_row *row = snow_row_find(table, id);
	struct buf trail;

	row = row ? row : snow_row_where(table, "number", id);
	if (!row)
		return false;
	buf_init(&trail, 4096);
	buf_adds(&trail, "<a href=\"/snow/");
	buf_add_url(&trail, account->name);
	buf_adds(&trail, "/\">Incidents of ");
	html_text(&trail, account->name);
	buf_adds(&trail, "</a>");
	html_begin(out, snow_row_named(row, "number"), buf_text(&trail));
	buf_done(&trail);
	buf_adds(out, "<h1>");
	html_text(out, snow_row_named(row, "short_description"));
	buf_adds(out, "</h1><ul class=\"chips\"><li><span class=\"number\">");
	html_text(out, snow_row_named(row, "number"));
	buf_adds(out, "</span></li><li><span>");
	priority_mark(out, snow, row);
	buf_adds(out, "</span></li><li>");
	state_mark(out, snow, row);
	buf_adds(out, "</li></ul>");
	fields(out, snow, row);
	page_act_form(out, snow, row);
	if (*snow_row_named(row, "description")) {
		buf_adds(out, "<h2>Description</h2><div class=\"card pad text\">");
		html_linked(out, snow_row_named(row, "description"));
		buf_adds(out, "</div>");
	}
	journal(out, snow, row);
	html_end(out);
	return true;
}
