/* The texts and columns of a ticket. */
#include "ticket/ticket.h"

#include <inttypes.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "model/closing_url.h"
#include "model/policy.h"
#include "ticket/facts.h"
#include "ticket/prose.h"
#include "vendor/servicenow.h"
#include "vendor/servicenow_table.h"

enum {
	ALERT_TITLE_LEAST = 20, /* characters of an alert's title */
	NOTE_MAX = 16 << 10,
	LIST_MAX = 30,	   /* observables shown on each side */
	VALUE_CHARS = 300, /* of one of them */
	DESCRIPTION_CHARS = 2000,
	NAME_CHARS = 60,  /* of the customer, in the title */
	LINE_CHARS = 400, /* of a later finding */
	STATUS_CHARS = 40,
};

static const char *take(struct buf *buf, struct arena *arena)
{
	const char *text = arena_strndup(arena, buf_text(buf), buf->size);

	buf_done(buf);
	return text;
}

/* ---- title and description ---- */

/* Cisco's are called as they always were: people have filters. */
static const char *product_of(const struct facts *facts, struct arena *arena)
{
	const char *product = facts->view.product;

	return !product || strncmp(product, "Cisco ", 6) == 0
		   ? "Cisco Secure"
		   : prose_line(arena, product, NAME_CHARS);
}

static const char *title_of(const struct facts *facts, const char *what, struct arena *arena)
{
	if (facts->incident->storm)
		return arena_printf(arena,
				    "[%s] - Storm: too many incidents at once, from [%s] "
				    "event for [%s] @ [%s] on",
				    prose_line(arena, facts->customer->name, NAME_CHARS), what,
				    facts->host, facts->time);
	return arena_printf(arena, "[%s] - New %s event [%s] event for [%s] @ [%s]",
			    prose_line(arena, facts->customer->name, NAME_CHARS),
			    product_of(facts, arena), what, facts->host, facts->time);
}

const char *ticket_title(const struct facts *facts, struct arena *arena)
{
	return title_of(facts, facts->event_type, arena);
}

const char *ticket_with_suffix(const struct customer *customer, const char *text,
			       struct arena *arena)
{
	const char *suffix = customer->servicenow.suffix;
	size_t suffix_size = suffix ? strlen(suffix) : 0;
	size_t taken = suffix_size > 0 ? prose_length(suffix) + 1 : 0;
	const char *line = prose_line(arena, text, SIZE_MAX);
	size_t size = strlen(line);

	if (taken == 0)
		return prose_line(arena, line, TICKET_SHORT_MAX);
	if (taken > TICKET_SHORT_MAX)
		return suffix;
	if (size >= suffix_size && strcmp(line + size - suffix_size, suffix) == 0)
		line = arena_strndup(arena, line, size - suffix_size);
	return arena_printf(arena, "%s %s", prose_line(arena, line, TICKET_SHORT_MAX - taken),
			    suffix);
}

const char *ticket_short_description(const struct facts *facts, struct arena *arena)
{
	return ticket_with_suffix(facts->customer, ticket_title(facts, arena), arena);
}

const char *ticket_alert_short_description(const struct facts *facts, struct arena *arena)
{
	const char *title = facts->view.title ? facts->view.title : facts->event_type;
	const char *suffix = facts->customer->servicenow.suffix;
	size_t rest = prose_length(title_of(facts, "", arena));
	size_t taken = rest + (suffix && *suffix ? prose_length(suffix) + 1 : 0);
	size_t room = taken + ALERT_TITLE_LEAST < TICKET_SHORT_MAX ? TICKET_SHORT_MAX - taken
								   : ALERT_TITLE_LEAST;

	/* Device and time are told whole as long as anything is left of the title. */
	return ticket_with_suffix(
	    facts->customer, title_of(facts, prose_line(arena, title, room), arena), arena);
}

/* Of the one ticket that stands for all beyond a limit. */
static const char *storm_description(const struct incident *incident, struct arena *arena)
{
	char span[CLOCK_TEXT_SIZE] = "an hour";
	struct policy policy;

	if (!policy_decode(&policy, incident->policy, arena, NULL))
		policy_clear(&policy);
	if (policy.storm.per_ms > 0)
		clock_format_span(policy.storm.per_ms, span);
	return arena_printf(arena,
			    "More than %u incidents within %s: the limit of rule %s. Each "
			    "further one is a line in the work notes here instead of a ticket "
			    "of its own. Opened by Tocsin.",
			    policy.storm.limit, span, incident->storm);
}

const char *ticket_description(const struct facts *facts, struct arena *arena)
{
	if (facts->incident->storm)
		return storm_description(facts->incident, arena);

	const char *product = facts->view.product ? facts->view.product : "security";

	return arena_printf(arena,
			    "New %s event. The facts are in the work notes. Opened by Tocsin.",
			    prose_line(arena, product, NAME_CHARS));
}

/* ---- work notes ---- */

static void add_list(struct buf *buf, const char *title, const struct observable *list,
		     size_t count, struct arena *arena)
{
	if (count == 0)
		return;
	buf_addf(buf, "%s:\n", title);
	for (size_t i = 0; i < count && i < LIST_MAX; i++)
		buf_addf(buf, "  %s: %s\n", list[i].type,
			 prose_line(arena, list[i].value, VALUE_CHARS));
	if (count > LIST_MAX)
		buf_addf(buf, "  and %zu more\n", count - LIST_MAX);
}

/* "42 s", "7 min", "3 h", "2 d": rounded down, for people. */
static const char *span(struct arena *arena, uint64_t ms)
{
	static const struct {
		uint64_t ms;
		const char *unit;
	} units[] = { { 86400000, "d" }, { 3600000, "h" }, { 60000, "min" }, { 1000, "s" } };

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (ms >= 2 * units[i].ms || (units[i].ms == 1000 && ms >= 1000))
			return arena_printf(arena, "%" PRIu64 " %s", ms / units[i].ms,
					    units[i].unit);
	}
	return "less than a second";
}

static void add_line(struct buf *buf, const char *label, const char *text, struct arena *arena)
{
	if (text && *text)
		buf_addf(buf, "%s: %s\n", label, prose_line(arena, text, VALUE_CHARS));
}

static void add_long(struct buf *buf, const char *label, const char *text, struct arena *arena)
{
	if (text && *text)
		buf_addf(buf, "%s: %s\n", label, prose_line(arena, text, DESCRIPTION_CHARS));
}

const char *ticket_alert_description(const struct facts *facts, struct arena *arena)
{
	const struct finding_view *view = &facts->view;
	struct buf buf;

	buf_init(&buf, NOTE_MAX);
	add_line(&buf, "Alert", view->title, arena);
	add_long(&buf, "Description", view->description, arena);
	add_line(&buf, "Category", facts->event_type, arena);
	add_line(&buf, "Detected by", view->feature, arena);
	add_line(&buf, "Machine id", view->host_uid, arena);
	add_line(&buf, "Alert id", facts->finding.event_id, arena);
	buf_adds(&buf, "The facts are in the work notes. Opened by Tocsin.");
	return take(&buf, arena);
}

const char *ticket_first_note(const struct facts *facts, struct arena *arena)
{
	const struct finding_view *view = &facts->view;
	const struct incident *incident = facts->incident;
	struct buf buf;

	buf_init(&buf, NOTE_MAX);
	add_line(&buf, "Customer name", facts->customer->name, arena);
	add_line(&buf, "Event type", facts->event_type, arena);
	add_line(&buf, "Title", view->title, arena);
	add_line(&buf, "Severity", finding_severity_name(view->severity_id), arena);
	add_line(&buf, "Datetime", facts->time, arena);
	add_line(&buf, "Local time", facts->local_time, arena);
	add_line(&buf, "Device", facts->host, arena);
	add_line(&buf, "Operating system", view->os, arena);
	add_line(&buf, "User", view->user, arena);
	add_line(&buf, "Product", view->product, arena);
	add_line(&buf, "Detected by", view->feature, arena);
	add_line(&buf, "Event id", facts->finding.event_id, arena);
	if (view->event_uid && strcmp(view->event_uid, facts->finding.event_id) != 0)
		add_line(&buf, "Id at the source", view->event_uid, arena);
	if (view->activity_id > 1)
		add_line(&buf, "Status at the source", view->status, arena);
	add_line(&buf, "Verdict at the source", view->verdict, arena);
	add_long(&buf, "Description", view->description, arena);
	add_long(&buf, "Comment", view->comment, arena);
	if (incident->observed_ms >= incident->event_ms && incident->event_ms > 0)
		buf_addf(&buf, "Seen by Tocsin: %s after the event\n",
			 span(arena, incident->observed_ms - incident->event_ms));
	add_list(&buf, "Observables", facts->observables, facts->observable_count, arena);
	add_list(&buf, "Affected", view->targets, view->target_count, arena);
	if (facts->investigate_url)
		buf_addf(&buf, "Investigate: %s\n", facts->investigate_url);
	if (prose_is_uri(view->console_url))
		buf_addf(&buf, "Console: %s\n", view->console_url);
	if (incident->previous && *incident->previous)
		buf_addf(&buf, "Follows Tocsin incident %s\n", incident->previous);
	buf_addf(&buf, "Tocsin incident: %s", incident->id);
	return take(&buf, arena);
}

const char *ticket_link_note(const struct incident *incident, const struct customer *customer,
			     const struct ticket_link *link, struct arena *arena)
{
	const struct closing_value value = {
		.sys_id = incident->sys_id,
		.ctim_id = incident->ctim_id,
		.customer_name = customer->name,
		.incident = incident->id,
		.token = link->token,
	};
	struct buf buf;

	buf_init(&buf, NOTE_MAX);
	buf_addf(&buf, "%s\n", closing_url(&value, arena));
	if (link->public_url)
		buf_addf(&buf, "Closing posts this below %s/iroh/iroh-response/\n",
			 link->public_url);
	if (incident->ctim_id)
		buf_addf(&buf, "Threat Response incident: %s\n", incident->ctim_id);
	buf_adds(&buf, ticket_link_marker(incident, arena));
	return take(&buf, arena);
}

/* What a source says that tells of a finding again when it changes. */
static const char *changes(const struct finding_view *view, struct arena *arena)
{
	const char *status = view->activity_id > 1 ? view->status : NULL;
	const char *verdict = view->verdict, *comment = view->comment;

	return arena_printf(arena, "%s%s%s%s%s%s", status ? ", now " : "",
			    status ? prose_line(arena, status, STATUS_CHARS) : "",
			    verdict ? ", verdict " : "",
			    verdict ? prose_line(arena, verdict, STATUS_CHARS) : "",
			    comment ? ", comment: " : "",
			    comment ? prose_line(arena, comment, VALUE_CHARS) : "");
}

const char *ticket_finding_line(const struct customer *customer, const struct finding *finding,
				const struct finding_view *view, struct arena *arena)
{
	const char *local = facts_local_time(customer, arena, finding->time_ms);
	const char *line = arena_printf(
	    arena, "%s%s%s  %s (%s): %s", facts_time(arena, finding->time_ms),
	    local ? ", local " : "", local ? local : "",
	    view->event_type ? view->event_type : "Detection",
	    finding_severity_name(finding->severity_id), view->title ? view->title : "");

	return arena_printf(arena, "%s%s, event %s", prose_line(arena, line, LINE_CHARS),
			    changes(view, arena),
			    prose_line(arena, finding->event_id, VALUE_CHARS));
}

const char *ticket_later_text(const struct incident *incident, struct arena *arena)
{
	unsigned count = incident->writing_count;

	if (incident->storm)
		return arena_printf(arena, "%u more %s attached:\n%s", count,
				    count == 1 ? "event" : "events",
				    incident->writing ? incident->writing : "");
	return arena_printf(arena, "%u more %s of the same detection on this device:\n%s",
			    count, count == 1 ? "event" : "events",
			    incident->writing ? incident->writing : "");
}

const char *ticket_link_marker(const struct incident *incident, struct arena *arena)
{
	return arena_printf(arena, "[tocsin:%s:link]", incident->id);
}

const char *ticket_note_marker(const struct incident *incident, struct arena *arena)
{
	return arena_printf(arena, "[tocsin:%s:note:%u]", incident->id, incident->notes);
}

/* ---- columns ---- */

struct customer_priority ticket_priority(const struct customer *customer,
					 const struct incident *incident)
{
	int index = incident->severity_id - SEVERITY_INFORMATIONAL;

	if (incident->priority > 0)
		return policy_priority(incident->priority);
	if (incident->severity_id == SEVERITY_FATAL)
		index = SEVERITY_CRITICAL - SEVERITY_INFORMATIONAL;
	if (index < 0 || index >= CUSTOMER_PRIORITIES) /* unknown, other */
		index = 0;
	return customer->servicenow.priorities[index];
}

size_t ticket_cancel_columns(const char *table, struct servicenow_column *ret_columns)
{
	const struct servicenow_column columns[] = {
		{ "short_description", "Cancelled: opened without a company", SERVICENOW_TEXT },
		{ "description",
		  "This ticket was opened by an integration and could not be given to a "
		  "company. "
		  "Nothing is to be done.",
		  SERVICENOW_TEXT },
		{ "correlation_id", "", SERVICENOW_TEXT },
		/* NULL where states are not known: neutral and not ours is enough. */
		{ "state", servicenow_table(table)->cancel_state, SERVICENOW_TEXT },
	};

	memcpy(ret_columns, columns, sizeof(columns));
	return sizeof(columns) / sizeof(columns[0]);
}
