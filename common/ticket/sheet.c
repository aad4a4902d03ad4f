/* The facts by name, and the document of which they are a part. */
#include "ticket/sheet.h"

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "ticket/facts.h"
#include "ticket/prose.h"
#include "ticket/ticket.h"

enum { VALUE_CHARS = 300, LONG_CHARS = 2000 };

const char *const sheet_ticket_names[] = { "incident_id",
					   "customer",
					   "severity",
					   "impact",
					   "urgency",
					   "priority",
					   "short_description",
					   "description",
					   "alert_short_description",
					   "alert_description",
					   "work_notes",
					   "headline",
					   "table",
					   "category",
					   "subcategory",
					   "cmdb_ci",
					   "correlation_id",
					   "event_type",
					   "event_id",
					   "source",
					   "host",
					   "time",
					   "local_time",
					   "investigate_url",
					   "title",
					   "about",
					   "comment",
					   "product",
					   "detected_by",
					   "status",
					   "verdict",
					   "machine_id",
					   "os",
					   "user",
					   "file_name",
					   "correlation",
					   "console_url",
					   "observables",
					   NULL };

const char *const sheet_note_names[] = { "incident_id", "customer", "severity",	  "impact",
					 "urgency",	"priority", "later_note", "lines",
					 "count",	"note",	    "host",	  "source",
					 "event_id",	"time",	    "local_time", NULL };

static void put(struct sheet *sheet, const char *name, const char *value)
{
	if (sheet->count < SHEET_FACTS)
		sheet->list[sheet->count++] = (struct sheet_fact){ name, value };
}

static void put_line(struct sheet *sheet, const char *name, const char *value, size_t chars,
		     struct arena *arena)
{
	put(sheet, name, value && *value ? prose_line(arena, value, chars) : NULL);
}

unsigned sheet_priority(const struct customer_priority *priority)
{
	/* The sum tells: 1 and 1 is 1, 3 and 3 is 5. */
	return priority->impact + priority->urgency - 1;
}

/* What both kinds of text can use. */
static void put_common(struct sheet *sheet, struct arena *arena)
{
	const struct incident *incident = sheet->incident;
	const struct customer_priority priority = ticket_priority(sheet->customer, incident);

	put(sheet, "incident_id", incident->id);
	put(sheet, "customer", prose_line(arena, sheet->customer->name, VALUE_CHARS));
	put(sheet, "severity", finding_severity_name(incident->severity_id));
	put(sheet, "impact", arena_printf(arena, "%u", priority.impact));
	put(sheet, "urgency", arena_printf(arena, "%u", priority.urgency));
	put(sheet, "priority", arena_printf(arena, "%u", sheet_priority(&priority)));
}

static void put_view(struct sheet *sheet, const struct finding_view *view, struct arena *arena)
{
	put_line(sheet, "title", view->title, VALUE_CHARS, arena);
	put_line(sheet, "about", view->description, LONG_CHARS, arena);
	put_line(sheet, "comment", view->comment, LONG_CHARS, arena);
	put_line(sheet, "product", view->product, VALUE_CHARS, arena);
	put_line(sheet, "detected_by", view->feature, VALUE_CHARS, arena);
	put_line(sheet, "status", view->status, VALUE_CHARS, arena);
	put_line(sheet, "verdict", view->verdict, VALUE_CHARS, arena);
	put_line(sheet, "machine_id", view->host_uid, VALUE_CHARS, arena);
	put_line(sheet, "os", view->os, VALUE_CHARS, arena);
	put_line(sheet, "user", view->user, VALUE_CHARS, arena);
	put_line(sheet, "file_name", view->file_name, VALUE_CHARS, arena);
	put_line(sheet, "correlation", view->correlation_uid, VALUE_CHARS, arena);
	put(sheet, "console_url", prose_is_uri(view->console_url) ? view->console_url : NULL);
}

void sheet_of_ticket(struct sheet *ret_sheet, const struct facts *facts, const char *table,
		     const char *cmdb_ci, struct arena *arena)
{
	const struct customer_servicenow *servicenow = &facts->customer->servicenow;
	struct sheet *sheet = ret_sheet;

	*sheet = (struct sheet){ facts, facts->incident, facts->customer };
	put_common(sheet, arena);
	put(sheet, "short_description", ticket_short_description(facts, arena));
	put(sheet, "description", ticket_description(facts, arena));
	put(sheet, "alert_short_description", ticket_alert_short_description(facts, arena));
	put(sheet, "alert_description", ticket_alert_description(facts, arena));
	put(sheet, "work_notes", ticket_first_note(facts, arena));
	put(sheet, "headline", ticket_title(facts, arena));
	put(sheet, "table", table);
	put(sheet, "category", servicenow->category);
	put(sheet, "subcategory", servicenow->subcategory);
	put(sheet, "cmdb_ci", cmdb_ci);
	put(sheet, "correlation_id", facts->key);
	put(sheet, "event_type", facts->event_type);
	put(sheet, "event_id", facts->finding.event_id);
	put(sheet, "source", facts->finding.source);
	put(sheet, "host", facts->host);
	put(sheet, "time", facts->time);
	put(sheet, "local_time", facts->local_time);
	put(sheet, "investigate_url", facts->investigate_url);
	put_view(sheet, &facts->view, arena);
}

void sheet_of_note(struct sheet *ret_sheet, const struct incident *incident,
		   const struct customer *customer, struct arena *arena)
{
	uint64_t now = incident->note_ms > 0 ? incident->note_ms : clock_wall_ms();
	struct sheet *sheet = ret_sheet;

	*sheet = (struct sheet){ NULL, incident, customer };
	put_common(sheet, arena);
	put(sheet, "later_note", ticket_later_text(incident, arena));
	put(sheet, "lines", incident->writing);
	put(sheet, "count", arena_printf(arena, "%u", incident->writing_count));
	put(sheet, "note", arena_printf(arena, "%u", incident->notes));
	put(sheet, "host", incident->host);
	put(sheet, "source", incident->source);
	put(sheet, "event_id", incident->event_id);
	put(sheet, "time", facts_time(arena, now));
	put(sheet, "local_time", facts_local_time(customer, arena, now));
}

bool sheet_find(const struct sheet *sheet, const char *name, const char **ret_value)
{
	for (size_t i = 0; i < sheet->count; i++) {
		if (strcmp(sheet->list[i].name, name) == 0) {
			*ret_value = sheet->list[i].value;
			return true;
		}
	}
	return false;
}

/* ---- the document ---- */

static void add_text(struct buf *out, const char *name, const char *value)
{
	buf_addf(out, "%s\"%s\":", out->size > 0 && out->data[out->size - 1] != '{' ? "," : "",
		 name);
	if (!value) {
		buf_adds(out, "null");
		return;
	}
	buf_adds(out, "\"");
	buf_add_json(out, value, strlen(value));
	buf_adds(out, "\"");
}

static void add_number(struct buf *out, const char *name, uint64_t value)
{
	buf_addf(out, ",\"%s\":%llu", name, (unsigned long long)value);
}

static void add_time(struct buf *out, const char *name, uint64_t wall_ms)
{
	char text[CLOCK_TEXT_SIZE];

	if (wall_ms > 0)
		clock_format(wall_ms, text);
	add_text(out, name, wall_ms > 0 ? text : NULL);
}

static void add_incident(struct buf *out, const struct incident *incident)
{
	buf_adds(out, ",\"incident\":{");
	add_text(out, "id", incident->id);
	add_text(out, "group", incident->group);
	add_text(out, "source", incident->source);
	add_text(out, "event_id", incident->event_id);
	add_text(out, "title", incident->title);
	add_text(out, "host", incident->host);
	add_text(out, "severity", finding_severity_name(incident->severity_id));
	add_number(out, "severity_id", (uint64_t)incident->severity_id);
	add_number(out, "findings", incident->findings);
	add_text(out, "previous", incident->previous);
	add_text(out, "storm", incident->storm);
	add_text(out, "number", incident->number);
	add_text(out, "threat_response_id", incident->ctim_id);
	add_time(out, "event_time", incident->event_ms);
	add_time(out, "observed_time", incident->observed_ms);
	buf_adds(out, "}");
}

static void add_customer(struct buf *out, const struct customer *customer)
{
	const struct customer_servicenow *servicenow = &customer->servicenow;

	buf_adds(out, ",\"customer\":{");
	add_text(out, "id", customer->id);
	add_text(out, "name", customer->name);
	add_text(out, "label", customer->label);
	add_text(out, "time_zone", customer->time_zone);
	buf_adds(out, ",\"servicenow\":{");
	add_text(out, "account", servicenow->account);
	add_text(out, "table", servicenow->table);
	add_text(out, "company", servicenow->company);
	add_text(out, "assignment_group", servicenow->assignment_group);
	add_text(out, "category", servicenow->category);
	add_text(out, "subcategory", servicenow->subcategory);
	buf_adds(out, "}}");
}

static void add_observables(struct buf *out, const struct facts *facts)
{
	buf_adds(out, ",\"observables\":[");
	for (size_t i = 0; i < facts->observable_count; i++) {
		buf_adds(out, i > 0 ? ",{" : "{");
		add_text(out, "type", facts->observables[i].type);
		add_text(out, "value", facts->observables[i].value);
		buf_adds(out, "}");
	}
	buf_adds(out, "]");
}

void sheet_add_document(struct buf *out, const struct sheet *sheet)
{
	const struct facts *facts = sheet->facts;

	buf_adds(out, "{\"finding\":");
	if (facts)
		buf_add(out, facts->finding.payload, facts->finding.payload_size);
	else
		buf_adds(out, "null");
	add_incident(out, sheet->incident);
	add_customer(out, sheet->customer);
	buf_adds(out, ",\"facts\":{");
	for (size_t i = 0; i < sheet->count; i++)
		add_text(out, sheet->list[i].name, sheet->list[i].value);
	if (facts)
		add_observables(out, facts);
	buf_adds(out, "}}");
}
