/*
 * page_threat: incidents of a Threat Response organisation, with their sightings and links.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "account.h"
#include "base/buf.h"
#include "ctia.h"
#include "html.h"
#include "page.h"
#include "threat_response.h"

enum { ROWS_MAX = 100 };

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static const char *severity_class(const char *severity)
{
	static const char *const names[][2] = {
		{ "Critical", "p1" }, { "High", "p2" }, { "Medium", "p3" }, { "Low", "p4" }
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(names[i][0], severity) == 0)
			return names[i][1];
	}
	return "p5";
}

static const char *status_class(const char *status)
{
	if (strncmp(status, "New", 3) == 0)
		return "new";
	if (strncmp(status, "Closed", 6) == 0)
		return "done";
	return strncmp(status, "Rejected", 8) == 0 ? "off" : "work";
}

static void marks(struct buf *out, const json_t *incident, const char *before,
		  const char *after)
{
	const char *severity = text_of(incident, "severity");

	buf_addf(out, "%s<span class=\"dot %s\">", before, severity_class(severity));
	html_text(out, *severity ? severity : "No severity");
	buf_addf(out, "</span>%s%s<span class=\"tag %s\">", after, before,
		 status_class(text_of(incident, "status")));
	html_text(out, text_of(incident, "status"));
	buf_addf(out, "</span>%s", after);
}

/* Whether a relationship ties the two, in either direction. */
static bool tied(const json_t *relationship, const char *a, const char *b)
{
	const char *source = text_of(relationship, "source_ref");
	const char *target = text_of(relationship, "target_ref");

	return (strcmp(source, a) == 0 && strcmp(target, b) == 0) ||
	       (strcmp(source, b) == 0 && strcmp(target, a) == 0);
}

static void list_row(struct buf *out, const struct ctia_entity *entity)
{
	const json_t *incident = entity->now;

	buf_adds(out, "<tr><td class=\"title\"><a href=\"incident/");
	html_text(out, entity->name);
	buf_adds(out, "\">");
	html_text(out, *text_of(incident, "title") ? text_of(incident, "title") : entity->name);
	buf_adds(out, "</a></td>");
	marks(out, incident, "<td class=\"tight\">", "</td>");
	html_cell(out, "extra", text_of(incident, "confidence"));
	html_cell(out, "extra", text_of(incident, "tlp"));
	buf_addf(out, "<td class=\"tight extra\">%.19s</td></tr>",
		 text_of(incident, "created"));
}

bool page_threats(struct account *account, struct buf *out)
{
	const struct ctia *ctia = threat_response_ctia(account);
	size_t listed = 0, count = ctia->count[CTIM_INCIDENT];
	char title[160];

	snprintf(title, sizeof(title), "Incidents of %.120s", account->name);
	html_begin(out, title, "Threat Response");
	buf_adds(out, "<h1>");
	html_text(out, title);
	buf_addf(
	    out,
	    "</h1><p class=\"sub\">%zu incidents, %zu sightings, %zu relationships</p><div "
	    "class=\"card\"><table class=\"list\"><thead><tr><th>Title</th><th>Severity</th>"
	    "<th>Status</th><th>Confidence</th><th>TLP</th><th>Created (UTC)</th></tr>"
	    "</thead><tbody>",
	    count, ctia->count[CTIM_SIGHTING], ctia->count[CTIM_RELATIONSHIP]);
	for (size_t i = count; i-- > 0 && listed < ROWS_MAX;) {
		if (ctia->entity[CTIM_INCIDENT][i]->deleted)
			continue;
		list_row(out, ctia->entity[CTIM_INCIDENT][i]);
		listed++;
	}
	buf_adds(out, "</tbody></table>");
	if (listed == 0)
		buf_adds(out, "<div class=\"empty\">No incidents here.</div>");
	buf_adds(out, "</div>");
	html_end(out);
	return true;
}

/* ---- one incident ------------------------------------------------------------------- */

static void observables(struct buf *out, const json_t *list, const char *title)
{
	size_t i;
	json_t *item;

	if (json_array_size(list) == 0)
		return;
	buf_addf(out, "<h2>%s</h2><div class=\"card\"><table><tbody>", title);
	json_array_foreach(list, i, item)
	{
		buf_adds(out, "<tr>");
		html_cell(out, "kind", text_of(item, "type"));
		buf_adds(out, "<td><code>");
		html_text(out, text_of(item, "value"));
		buf_adds(out, "</code></td></tr>");
	}
	buf_adds(out, "</tbody></table></div>");
}

static void sighting(struct buf *out, const json_t *seen)
{
	const json_t *time = json_object_get(seen, "observed_time");
	size_t i;
	json_t *target;

	buf_adds(out, "<h2>Sighting</h2><div class=\"card pad\"><dl class=\"form\">");
	html_field(out, "Title", text_of(seen, "title"));
	html_field(out, "Observed", text_of(time, "start_time"));
	html_field(out, "Until", text_of(time, "end_time"));
	html_field(out, "Severity", text_of(seen, "severity"));
	html_field(out, "Confidence", text_of(seen, "confidence"));
	html_field(out, "Sensor", text_of(seen, "sensor"));
	html_field(out, "Resolution", text_of(seen, "resolution"));
	html_field(out, "Description", text_of(seen, "description"));
	buf_adds(out, "</dl></div>");
	observables(out, json_object_get(seen, "observables"), "Observables");
	json_array_foreach(json_object_get(seen, "targets"), i, target)
	    observables(out, json_object_get(target, "observables"), "Target");
}

static void references(struct buf *out, const json_t *list)
{
	size_t i;
	json_t *item;

	if (json_array_size(list) == 0)
		return;
	buf_adds(out, "<h2>Links</h2><div class=\"card\"><table><tbody>");
	json_array_foreach(list, i, item)
	{
		buf_adds(out, "<tr>");
		html_cell(out, "kind", text_of(item, "source_name"));
		html_cell(out, "tight", text_of(item, "external_id"));
		buf_adds(out, "<td>");
		html_linked(out, *text_of(item, "url") ? text_of(item, "url")
						       : text_of(item, "description"));
		buf_adds(out, "</td></tr>");
	}
	buf_adds(out, "</tbody></table></div>");
}

static void related_sightings(struct buf *out, const struct ctia *ctia, const char *id)
{
	for (size_t i = 0; i < ctia->count[CTIM_RELATIONSHIP]; i++) {
		const struct ctia_entity *link = ctia->entity[CTIM_RELATIONSHIP][i];
		const char *source = text_of(link->now, "source_ref");
		const char *slash = strrchr(source, '/');
		const struct ctia_entity *other =
		    slash ? index_get(&ctia->by_name, slash + 1) : NULL;

		if (!link->deleted && other && !other->deleted &&
		    other->type == CTIM_SIGHTING && tied(link->now, source, id))
			sighting(out, other->now);
	}
}

static void times(struct buf *out, const json_t *time)
{
	static const struct {
		const char *key, *label;
	} names[] = {
		{ "opened", "Opened" },		{ "discovered", "Discovered" },
		{ "reported", "Reported" },	{ "contained", "Contained" },
		{ "remediated", "Remediated" }, { "closed", "Closed" },
		{ "rejected", "Rejected" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		html_field(out, names[i].label, text_of(time, names[i].key));
}

static void external_ids(struct buf *out, const json_t *list)
{
	size_t i;
	json_t *item;

	json_array_foreach(list, i, item)
	    html_wide_field(out, "External id", json_string_value(item));
}

bool page_threat(struct account *account, const char *id, struct buf *out)
{
	struct ctia *ctia = threat_response_ctia(account);
	const struct ctia_entity *entity = ctia_find(ctia, id);
	struct buf trail;

	if (!entity || entity->type != CTIM_INCIDENT)
		return false;
	const json_t *incident = entity->now;

	buf_init(&trail, 4096);
	buf_adds(&trail, "<a href=\"/tr/");
	buf_add_url(&trail, account->name);
	buf_adds(&trail, "/\">Threat Response of ");
	html_text(&trail, account->name);
	buf_adds(&trail, "</a>");
	html_begin(out, text_of(incident, "title"), buf_text(&trail));
	buf_done(&trail);
	buf_adds(out, "<h1>");
	html_text(out, text_of(incident, "title"));
	buf_adds(out, "</h1><ul class=\"chips\">");
	marks(out, incident, "<li>", "</li>");
	buf_adds(out, "</ul><div class=\"card pad\"><dl class=\"form\">");
	html_field(out, "Confidence", text_of(incident, "confidence"));
	html_field(out, "TLP", text_of(incident, "tlp"));
	html_field(out, "Source", text_of(incident, "source"));
	times(out, json_object_get(incident, "incident_time"));
	external_ids(out, json_object_get(incident, "external_ids"));
	html_wide_field(out, "Id", text_of(incident, "id"));
	buf_adds(out, "</dl></div><h2>Description</h2><div class=\"card pad text\">");
	html_markdown(out, text_of(incident, "description"));
	buf_adds(out, "</div>");
	references(out, json_object_get(incident, "external_references"));
	related_sightings(out, ctia, text_of(incident, "id"));
	html_end(out);
	return true;
}

bool page_has_threat(struct account *account, const char *id)
{
	const struct ctia_entity *entity = ctia_find(threat_response_ctia(account), id);

	return entity && entity->type == CTIM_INCIDENT;
}

/* ---- looking for observables ---------------------------------------------------------- */

static bool saw(const json_t *seen, const char *value)
{
	size_t i;
	json_t *observable;

	json_array_foreach(json_object_get(seen, "observables"), i, observable)
	{
		if (strcasecmp(text_of(observable, "value"), value) == 0)
			return true;
	}
	return false;
}

static void seen_row(struct buf *out, const struct account *account,
		     const struct ctia_entity *incident)
{
	buf_adds(out, "<tr><td class=\"title\"><a href=\"/tr/");
	buf_add_url(out, account->name);
	buf_addf(out, "/incident/%s\">", incident->name);
	html_text(out, *text_of(incident->now, "title") ? text_of(incident->now, "title")
							: incident->name);
	buf_adds(out, "</a></td>");
	marks(out, incident->now, "<td class=\"tight\">", "</td>");
	buf_adds(out, "</tr>");
}

size_t page_add_seen(struct account *account, const char *value, struct buf *out)
{
	struct ctia *ctia = threat_response_ctia(account);
	size_t found = 0;

	for (size_t i = ctia->count[CTIM_RELATIONSHIP]; i-- > 0 && found < ROWS_MAX;) {
		const json_t *link = ctia->entity[CTIM_RELATIONSHIP][i]->now;
		const struct ctia_entity *source = ctia_find(ctia, text_of(link, "source_ref"));
		const struct ctia_entity *target = ctia_find(ctia, text_of(link, "target_ref"));

		if (!source || !target || source->type != CTIM_SIGHTING ||
		    target->type != CTIM_INCIDENT || !saw(source->now, value))
			continue;
		seen_row(out, account, target);
		found++;
	}
	return found;
}
