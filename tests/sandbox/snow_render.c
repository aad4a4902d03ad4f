/*
 * snow_render: records as the Table API shows them: every scalar a string, references as link
 * and value, journal columns empty unless display values are asked for.
 */
#include "snow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "request.h"
#include "response.h"

enum { JOURNAL_TEXT_MAX = 16 * 1024 * 1024 };

/* A raw date, UTC, in the zone and format of the users of the instance. */
static void local_date(const struct snow *snow, const char *raw, char *out, size_t room)
{
	char iso[64], plain[CLOCK_TEXT_SIZE];
	uint64_t ms;

	snprintf(iso, sizeof(iso), "%.10sT%.8sZ", raw, strlen(raw) > 11 ? raw + 11 : "");
	if (!clock_parse(iso, &ms)) {
		snprintf(out, room, "%s", raw);
		return;
	}
	clock_format_plain((uint64_t)((int64_t)ms + snow->zone_minutes * 60000), plain);
	if (strcmp(snow->date_format, "dd/MM/yyyy") == 0)
		snprintf(out, room, "%.2s/%.2s/%.4s %.8s", plain + 8, plain + 5, plain,
			 plain + 11);
	else
		snprintf(out, room, "%s", plain);
}

static const char *full_name(const struct snow *snow, const char *user_name)
{
	const struct snow_user *user = snow_find_user(snow, user_name);

	return user ? user->full_name : user_name;
}

void snow_render_journal(const struct snow *snow, const struct snow_row *row,
			 const char *element, struct buf *out)
{
	const struct snow_table *table = snow_table_find(&snow->tables, "sys_journal_field");
	struct index *index = table->column[snow_column_find(table, "element_id")].index;
	bool both = strcmp(element, "comments_and_work_notes") == 0;
	const char *id = snow_row_named(row, "sys_id");
	char date[64];

	for (struct index_entry *at = index_next(index, id, NULL); at;
	     at = index_next(index, id, at)) {
		const struct snow_row *entry = at->value;
		const char *kind = snow_row_named(entry, "element");

		if (!both && strcmp(kind, element) != 0)
			continue;
		local_date(snow, snow_row_named(entry, "sys_created_on"), date, sizeof(date));
		buf_addf(out, "%s - %s (%s)\n", date,
			 full_name(snow, snow_row_named(entry, "sys_created_by")),
			 strcmp(kind, "comments") == 0 ? "Additional comments" : "Work notes");
		buf_adds(out, snow_row_named(entry, "value"));
		buf_adds(out, "\n\n");
	}
}

static const char *choice_label(const struct snow *snow, const struct snow_table *of,
				const char *element, const char *value)
{
	const struct snow_table *table = snow_table_find(&snow->tables, "sys_choice");

	for (size_t i = 0; i < table->rows; i++) {
		const struct snow_row *row = table->row[i];

		if (strcmp(snow_row_named(row, "value"), value) == 0 && !row->deleted &&
		    strcmp(snow_row_named(row, "name"), of->name) == 0 &&
		    strcmp(snow_row_named(row, "element"), element) == 0)
			return snow_row_named(row, "label");
	}
	return value;
}

static const struct snow_row *referenced(const struct snow *snow,
					 const struct snow_column *column, const char *value)
{
	const struct snow_table *table =
	    column->reference ? snow_table_find(&snow->tables, column->reference) : NULL;

	return table && *value ? snow_row_find(table, value) : NULL;
}

char *snow_display_text(const struct snow *snow, const struct snow_row *row, int column)
{
	const struct snow_column *about = &row->table->column[column];
	const char *value = snow_row_get(row, column);
	const struct snow_row *target;
	struct buf text;
	char date[64];

	switch (about->kind) {
	case SNOW_CHOICE:
		value = strcmp(about->name, "incident_state") == 0
			    ? choice_label(snow, row->table, "state", value)
			    : choice_label(snow, row->table, about->name, value);
		break;
	case SNOW_DATE:
		if (*value) {
			local_date(snow, value, date, sizeof(date));
			value = date;
		}
		break;
	case SNOW_REFERENCE:
		target = referenced(snow, about, value);
		if (target)
			value = snow_row_named(target, target->table->display);
		break;
	case SNOW_JOURNAL:
		buf_init(&text, JOURNAL_TEXT_MAX);
		snow_render_journal(snow, row, about->name, &text);
		return buf_take(&text, NULL);
	case SNOW_STRING:
		break;
	}
	return xstrdup(value);
}

static void add_string(struct buf *out, const char *text)
{
	buf_adds(out, "\"");
	buf_add_json(out, text, strlen(text));
	buf_adds(out, "\"");
}

static void add_link(const struct snow_call *call, const struct snow_column *column,
		     const char *value, struct buf *out)
{
	buf_adds(out, "\"link\":\"");
	buf_add_json(out, call->base, strlen(call->base));
	buf_adds(out, "/api/now/table/");
	buf_add_json(out, column->reference, strlen(column->reference));
	buf_adds(out, "/");
	buf_add_json(out, value, strlen(value));
	buf_adds(out, "\"");
}

/* How a call wants its records. */
struct look {
	enum snow_display display;
	bool no_links;
	const char *fields; /* NULL or "": all */
};

static struct look look_of(const struct snow_call *call)
{
	const char *display = request_param(call->request, "sysparm_display_value");
	const char *no_links = request_param(call->request, "sysparm_exclude_reference_link");
	struct look look = { .fields = request_param(call->request, "sysparm_fields") };

	if (display && strcmp(display, "true") == 0)
		look.display = SNOW_DISPLAY;
	else if (display && strcmp(display, "all") == 0)
		look.display = SNOW_ALL;
	look.no_links = no_links && strcmp(no_links, "true") == 0;
	return look;
}

static void render_shown(const struct snow_call *call, const struct snow_row *row, int column,
			 const struct look *look, struct buf *out)
{
	const struct snow_column *about = &row->table->column[column];
	const char *raw = about->kind == SNOW_JOURNAL ? "" : snow_row_get(row, column);
	bool link = about->kind == SNOW_REFERENCE && *raw && !look->no_links;
	char *text = snow_display_text(call->snow, row, column);

	if (look->display == SNOW_DISPLAY && !link) {
		add_string(out, text);
	} else {
		buf_adds(out, "{\"display_value\":");
		add_string(out, text);
		if (look->display == SNOW_ALL) {
			buf_adds(out, ",\"value\":");
			add_string(out, raw);
		}
		if (link) {
			buf_adds(out, ",");
			add_link(call, about, raw, out);
		}
		buf_adds(out, "}");
	}
	free(text);
}

static void render_value(const struct snow_call *call, const struct snow_row *row, int column,
			 const struct look *look, struct buf *out)
{
	const struct snow_column *about = &row->table->column[column];
	const char *raw = about->kind == SNOW_JOURNAL ? "" : snow_row_get(row, column);

	if (look->display != SNOW_RAW) {
		render_shown(call, row, column, look, out);
	} else if (about->kind == SNOW_REFERENCE && *raw && !look->no_links) {
		buf_adds(out, "{");
		add_link(call, about, raw, out);
		buf_adds(out, ",\"value\":");
		add_string(out, raw);
		buf_adds(out, "}");
	} else {
		add_string(out, raw);
	}
}

static void render_field(const struct snow_call *call, const struct snow_row *row,
			 const char *path, const struct look *look, bool *first,
			 struct buf *out)
{
	const struct snow_row *at;
	int column;

	if (!snow_row_path(&call->snow->tables, row, path, &at, &column))
		return; /* no such field: left out */
	buf_adds(out, *first ? "" : ",");
	*first = false;
	add_string(out, path);
	buf_adds(out, ":");
	if (at)
		render_value(call, at, column, look, out);
	else
		buf_adds(out, "\"\"");
}

void snow_render_row(const struct snow_call *call, const struct snow_row *row, struct buf *out)
{
	struct look look = look_of(call);
	const char *at = look.fields;
	bool first = true;
	char path[256];

	buf_adds(out, "{");
	for (unsigned i = 0; (!at || !*at) && i < row->table->columns; i++) {
		buf_adds(out, i ? "," : "");
		add_string(out, row->table->column[i].name);
		buf_adds(out, ":");
		render_value(call, row, (int)i, &look, out);
	}
	while (at && *at) {
		size_t size = strcspn(at, ",");

		if (size > 0 && size < sizeof(path)) {
			memcpy(path, at, size);
			path[size] = '\0';
			render_field(call, row, path, &look, &first, out);
		}
		at += size;
		at += *at == ',';
	}
	buf_adds(out, "}");
}
