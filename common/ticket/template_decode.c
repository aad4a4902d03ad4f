/* Files of templates, read strictly: every refusal says where in the file and why. */
#include "ticket/template.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/control.h"
#include "base/nearest.h"
#include "model/form.h"
#include "model/json_place.h"
#include "ticket/sheet.h"

enum { LINES_MAX = 200, SOURCES_MAX = 50, PATH_DEPTH = 6, COLUMN_NAME_MAX = 80 };

static const char name_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";

bool template_name_valid(const char *name)
{
	size_t size = strspn(name, name_letters);

	return size >= 1 && size <= TEMPLATE_NAME_MAX && name[size] == '\0' && name[0] != '-' &&
	       name[0] != '_';
}

/* ---- what is not for templates ---- */

static const struct {
	const char *column, *why;
} refused[] = {
	{ "correlation_id", "by it Tocsin finds its ticket again" },
	{ "correlation_display", "by it the instance's rules know Tocsin's tickets" },
	{ "caller_id", "comes from the customer's file or a rule's route" },
	{ "caller", "comes from the customer's file or a rule's route" },
	{ "company", "comes from the customer's file or a rule's route" },
	{ "assignment_group", "comes from the customer's file or a rule's route" },
	{ "sys_domain", "comes from the customer's file or a rule's route" },
	{ "state", "is moved by people, and by closing" },
	{ "incident_state", "is moved by people, and by closing" },
	{ "substate", "is moved by people, and by closing" },
	{ "active", "follows the state" },
	{ "hold_reason", "belongs to On Hold, where Tocsin puts no ticket" },
	{ "close_code", "is set when the ticket is closed" },
	{ "close_notes", "is set when the ticket is closed" },
	{ "closed_at", "is set when the ticket is closed" },
	{ "closed_by", "is set when the ticket is closed" },
	{ "resolved_at", "is set when the ticket is closed" },
	{ "resolved_by", "is set when the ticket is closed" },
	{ "parent", "would close this ticket with another" },
	{ "parent_incident", "would close this ticket with another" },
	{ "number", "is the instance's" },
	{ "opened_at", "is the instance's" },
	{ "opened_by", "is the instance's" },
	{ "comments_and_work_notes", "shows work_notes and comments, it holds nothing" },
};

/* Why no template may set this column; NULL: it may. */
static const char *column_refusal(const char *column, const char *table)
{
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		if (strcmp(refused[i].column, column) == 0)
			return refused[i].why;
	}
	if (strncmp(column, "sys_", 4) == 0)
		return "is the instance's";
	if (strcmp(column, "priority") == 0 && (!table || strcmp(table, "sn_si_incident") != 0))
		return "the instance computes it from impact and urgency, except in "
		       "sn_si_incident (say so with \"table\")";
	return NULL;
}

/* ---- refusing ---- */

/* Where the reader is: the file, and the members on the way to the value in hand. */
struct reader {
	const char *where, *text;
	size_t size;
	const char *path[PATH_DEPTH + 1];
	size_t depth;
	struct err *err;
};

static void enter(struct reader *reader, const char *name)
{
	reader->path[reader->depth++] = name;
	reader->path[reader->depth] = NULL;
}

static void leave(struct reader *reader)
{
	reader->path[--reader->depth] = NULL;
}

static unsigned line_of(const struct reader *reader)
{
	return json_place_line(reader->text, reader->size, reader->path);
}

/* Always false. Names are the file's own: one line must stay one. */
static bool refuse(const struct reader *reader, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static bool refuse(const struct reader *reader, const char *fmt, ...)
{
	char path[160] = "", place[16] = "", reason[160];
	unsigned line = line_of(reader);
	size_t used = 0;
	va_list args;

	va_start(args, fmt);
	vsnprintf(reason, sizeof reason, fmt, args);
	va_end(args);
	for (size_t i = 0; i < reader->depth && used < sizeof path - 1; i++) {
		int more = snprintf(path + used, sizeof path - used, "%s%.40s", i ? "." : "",
				    reader->path[i]);

		used += more > 0 ? (size_t)more : 0;
	}
	mask_controls(path);
	if (line > 0)
		snprintf(place, sizeof place, ":%u", line);
	err_fill(reader->err, ERR_PERMANENT, "%s%s: %s%s%s", reader->where, place, path,
		 *path ? ": " : "", reason);
	return false;
}

static bool known(struct reader *reader, const json_t *object, const char *const *names)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)object, name, value)
	{
		const char *const *one = names;

		while (*one && strcmp(*one, name) != 0)
			one++;
		if (*one)
			continue;
		enter(reader, name);
		const char *near = nearest_name(names, name);

		return refuse(reader, "unknown member%s%s%s", near ? ", did you mean " : "",
			      near ? near : "", near ? "?" : "");
	}
	return true;
}

/* ---- expressions ---- */

static bool read_lines(struct reader *reader, const json_t *list, struct buf *text)
{
	size_t i;
	json_t *line;

	if (json_array_size(list) > LINES_MAX)
		return refuse(reader, "has more than %d lines", LINES_MAX);
	json_array_foreach(list, i, line)
	{
		const char *one = json_string_value(line);

		if (!one || strchr(one, '\n'))
			return refuse(reader, "line %zu must be text without a line feed",
				      i + 1);
		buf_addf(text, "%s%s", i > 0 ? "\n" : "", one);
	}
	return true;
}

/* Whether `.facts.<name>`, alone, names one that there is. */
static bool check_fact(struct reader *reader, const char *text, const char *const *names)
{
	static const char prefix[] = ".facts.";
	const char *fact = text + strlen(prefix), *near;

	if (strncmp(text, prefix, strlen(prefix)) != 0 ||
	    fact[strspn(fact, "abcdefghijklmnopqrstuvwxyz0123456789_")] != '\0')
		return true;
	for (const char *const *one = names; *one; one++) {
		if (strcmp(*one, fact) == 0)
			return true;
	}
	near = nearest_name(names, fact);
	return refuse(reader, "there is no fact %.40s%s%s%s", fact,
		      near ? ", did you mean " : "", near ? near : "", near ? "?" : "");
}

static bool read_expression(struct reader *reader, const char *name, const json_t *value,
			    struct template_expression *ret)
{
	bool is_note = strcmp(name, "later_note") == 0;
	struct buf text;
	bool good = true;

	buf_init(&text, TEMPLATE_EXPRESSION_MAX);
	if (json_is_array(value)) {
		good = read_lines(reader, value, &text);
	} else if (json_is_string(value)) {
		buf_adds(&text, json_string_value(value));
	} else if (!json_is_object(value)) { /* a number, truth value or null is itself */
		char *plain = json_dumps(value, JSON_ENCODE_ANY);

		buf_adds(&text, plain);
		free(plain);
	} else {
		good = refuse(reader, "must be a jq expression: text, or a list of lines");
	}
	if (good && !buf_ok(&text))
		good = refuse(reader, "has more than %d bytes", TEMPLATE_EXPRESSION_MAX);
	if (good && buf_text(&text)[strspn(buf_text(&text), " \t\r\n")] == '\0')
		good = refuse(reader, "is empty; null leaves the column out");
	if (good)
		good = check_fact(reader, buf_text(&text),
				  is_note ? sheet_note_names : sheet_ticket_names);
	if (good)
		*ret = (struct template_expression){ xstrdup(name), buf_take(&text, NULL),
						     line_of(reader) };
	buf_done(&text);
	return good;
}

static bool column_name_valid(const char *name)
{
	size_t size = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return size >= 1 && size <= COLUMN_NAME_MAX && name[size] == '\0' && name[0] >= 'a';
}

static bool read_column(struct reader *reader, const char *table, const char *name,
			const json_t *value, struct template_part *part)
{
	const char *refusal = column_refusal(name, table);

	if (!column_name_valid(name))
		return refuse(reader, "is not the name of a column, of a-z 0-9 _");
	if (refusal)
		return refuse(reader, "is not for templates: %s", refusal);
	if (!read_expression(reader, name, value, &part->columns[part->count]))
		return false;
	part->count++;
	return true;
}

/* ---- parts ---- */

static bool read_columns(struct reader *reader, const char *table, const json_t *object,
			 struct template_part *part)
{
	const json_t *columns = json_object_get(object, "columns");
	const char *name;
	json_t *value;

	if (!columns)
		return true;
	enter(reader, "columns");
	if (!json_is_object(columns) || json_object_size(columns) > TEMPLATE_COLUMNS_MAX)
		return refuse(reader, "must be an object of at most %d columns",
			      TEMPLATE_COLUMNS_MAX);
	part->columns = xcalloc(json_object_size(columns) + 1, sizeof *part->columns);
	json_object_foreach((json_t *)columns, name, value)
	{
		enter(reader, name);
		if (!read_column(reader, table, name, value, part))
			return false;
		leave(reader);
	}
	leave(reader);
	return true;
}

static bool read_part(struct reader *reader, const char *table, const json_t *object,
		      struct template_part *part)
{
	const json_t *note = json_object_get(object, "later_note");

	if (!read_columns(reader, table, object, part))
		return false;
	if (!note)
		return true;
	enter(reader, "later_note");
	if (json_is_null(note))
		return refuse(reader,
			      "must be a jq expression: a later finding is always told");
	if (!read_expression(reader, "later_note", note, &part->later_note))
		return false;
	leave(reader);
	return true;
}

static bool read_sources(struct reader *reader, const json_t *root, struct template *template)
{
	static const char *const members[] = { "columns", "later_note", NULL };
	const json_t *sources = json_object_get(root, "sources");
	const char *name;
	json_t *value;

	if (!sources)
		return true;
	enter(reader, "sources");
	if (!json_is_object(sources) || json_object_size(sources) > SOURCES_MAX)
		return refuse(reader, "must be an object of at most %d sources", SOURCES_MAX);
	json_object_foreach((json_t *)sources, name, value)
	{
		struct template_part *part = &template->parts[template->part_count];

		enter(reader, name);
		if (!template_name_valid(name))
			return refuse(reader, "is not the name of a source, of a-z 0-9 - _");
		if (!json_is_object(value))
			return refuse(reader, "must be an object");
		part->source = xstrdup(name);
		template->part_count++;
		if (!known(reader, value, members) ||
		    !read_part(reader, template->table, value, part))
			return false;
		leave(reader);
	}
	leave(reader);
	return true;
}

static bool read_text(struct reader *reader, const json_t *root, const char *name,
		      const char *letters, char **ret)
{
	const json_t *value = json_object_get(root, name);
	const char *text = json_string_value(value);

	if (!value)
		return true;
	enter(reader, name);
	if (!text || !*text || strlen(text) > COLUMN_NAME_MAX ||
	    text[strspn(text, letters)] != '\0')
		return refuse(reader, "must be text of %s", letters);
	*ret = xstrdup(text);
	leave(reader);
	return true;
}

static bool read_template(struct reader *reader, const json_t *root, struct template *template)
{
	static const char *const members[] = { "extends",    "table",	"columns",
					       "later_note", "sources", NULL };
	const json_t *sources = json_object_get(root, "sources");

	template->parts = xcalloc(json_object_size(sources) + 1, sizeof *template->parts);
	if (!known(reader, root, members) ||
	    !read_text(reader, root, "extends", name_letters, &template->extends) ||
	    !read_text(reader, root, "table", "abcdefghijklmnopqrstuvwxyz0123456789_",
		       &template->table) ||
	    !read_sources(reader, root, template))
		return false;
	return read_part(reader, template->table, root,
			 &template->parts[template->part_count++]);
}

struct template *template_decode(const char *name, const char *text, size_t size,
				 const char *where, struct err *err)
{
	struct reader reader = { .where = where, .text = text, .size = size, .err = err };
	json_t *root = form_parse(text, size, where, err);
	struct template *template;

	if (!root)
		return NULL;
	template = xcalloc(1, sizeof *template);
	template->name = xstrdup(name);

	bool good = read_template(&reader, root, template);

	json_decref(root);
	if (good)
		return template;
	template_free(template);
	return NULL;
}
