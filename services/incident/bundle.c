/* CTIM entities. Cuts are by bytes: CTIA counts UTF-16 units, of which UTF-8 never has fewer.
 */
#include "bundle.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "ticket/facts.h"
#include "ticket/prose.h"
#include "ticket/ticket.h"

enum {
	TITLE_MAX = 1024,
	SHORT_MAX = 2048,
	DESCRIPTION_MAX = 5000,
	VALUE_MAX = 2048, /* of an observable: beyond it is left out, never altered */
	LISTED_MAX = 200, /* of an observable in the description */
};

struct maker {
	const struct facts *facts;
	struct arena *arena;
	const char *sighting_key, *relationship_key;
};

/* OCSF severity_id to CTIM: recommended mapping, 6 is Critical, 99 Unknown. */
static const char *severity(int severity_id)
{
	static const char *const names[] = { "Unknown", "Info",	    "Low",     "Medium",
					     "High",	"Critical", "Critical" };

	return severity_id >= 0 && severity_id <= 6 ? names[severity_id] : "Unknown";
}

static const char *confidence(int confidence_id)
{
	static const char *const names[] = { "Unknown", "Low", "Medium", "High" };

	return confidence_id >= 0 && confidence_id <= 3 ? names[confidence_id] : "Unknown";
}

/* OCSF disposition_id */
static const char *resolution(int disposition_id)
{
	switch (disposition_id) {
	case 2:	 /* blocked */
	case 6:	 /* dropped */
	case 25: /* rejected */
		return "blocked";
	case 3:	 /* quarantined */
	case 4:	 /* isolated */
	case 5:	 /* deleted */
	case 11: /* corrected */
		return "contained";
	case 1:	 /* allowed */
	case 16: /* no action */
		return "allowed";
	default:
		return "detected";
	}
}

static json_t *text(const char *s)
{
	json_t *value = json_string(s);

	return value ? value : json_string("?"); /* not UTF-8 */
}

static json_t *time_of(uint64_t wall_ms)
{
	char formatted[CLOCK_TEXT_SIZE];

	clock_format(wall_ms, formatted);
	return json_string(formatted);
}

static json_t *transient(const struct maker *maker, const char *key)
{
	return text(arena_printf(maker->arena, "transient:%s", key));
}

/* What every entity starts with; its external id is key. */
static json_t *entity(const struct maker *maker, const char *type, const char *key)
{
	json_t *made = json_pack("{s:s, s:o, s:[o], s:s, s:s, s:o}", "type", type, "id",
				 transient(maker, key), "external_ids", text(key), "tlp",
				 "amber", "source", "Tocsin", "timestamp",
				 time_of(maker->facts->incident->event_ms));

	if (prose_is_uri(maker->facts->view.console_url) &&
	    strlen(maker->facts->view.console_url) <= SHORT_MAX)
		json_object_set_new(made, "source_uri", text(maker->facts->view.console_url));
	return made;
}

static json_t *texts(const struct maker *maker, const char *const *list, size_t count)
{
	json_t *made = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(made, text(prose_cut(maker->arena, list[i], TITLE_MAX)));
	return made;
}

static json_t *observables(const struct observable *list, size_t count)
{
	json_t *made = json_array();

	for (size_t i = 0; i < count; i++) {
		if (list[i].value[0] != '\0' && strlen(list[i].value) <= VALUE_MAX)
			json_array_append_new(made, json_pack("{s:o, s:o}", "type",
							      text(list[i].type), "value",
							      text(list[i].value)));
	}
	return made;
}

/* As code, so that nothing of it is read as Markdown. */
static const char *code(const struct maker *maker, const char *s)
{
	char *line = arena_strdup(maker->arena, prose_line(maker->arena, s, LISTED_MAX));

	for (char *c = line; *c; c++) {
		if (*c == '`')
			*c = '\'';
	}
	return arena_printf(maker->arena, "`%s`", line);
}

/* The ancestors' five facts. */
static const char *description(const struct maker *maker)
{
	const struct facts *facts = maker->facts;
	struct buf buf;

	buf_init(&buf, 1 << 20);
	buf_addf(&buf, "# %s\n\n", code(maker, ticket_title(facts, maker->arena)));
	buf_addf(&buf, "- **Customer name:** %s\n", code(maker, facts->customer->name));
	buf_addf(&buf, "- **Event type:** %s\n", code(maker, facts->event_type));
	buf_addf(&buf, "- **Datetime:** %s\n", facts->time);
	if (facts->investigate_url)
		buf_addf(&buf, "- **Investigate:** [search for these observables](%s)\n",
			 facts->investigate_url);
	buf_adds(&buf, "- **Observables:**\n");
	for (size_t i = 0; i < facts->observable_count; i++) {
		const struct observable *seen = &facts->observables[i];
		const char *line = arena_printf(maker->arena, "  - %s %s\n", seen->type,
						code(maker, seen->value));

		if (buf.size + strlen(line) > DESCRIPTION_MAX)
			break;
		buf_adds(&buf, line);
	}

	const char *made = prose_cut(maker->arena, arena_strdup(maker->arena, buf_text(&buf)),
				     DESCRIPTION_MAX);

	buf_done(&buf);
	return made;
}

static json_t *references(const struct maker *maker)
{
	const struct finding_view *view = &maker->facts->view;
	const char *product = view->product ? view->product : maker->facts->finding.source;
	json_t *reference = json_pack("{s:o, s:o}", "source_name",
				      text(prose_cut(maker->arena, product, SHORT_MAX)),
				      "external_id", text(maker->facts->finding.event_id));

	if (prose_is_uri(view->console_url) && strlen(view->console_url) <= SHORT_MAX)
		json_object_set_new(reference, "url", text(view->console_url));
	return json_pack("[o]", reference);
}

static const char *title(const struct maker *maker)
{
	return prose_cut(maker->arena, ticket_title(maker->facts, maker->arena), TITLE_MAX);
}

static json_t *incident(const struct maker *maker)
{
	const struct facts *facts = maker->facts;
	const struct finding_view *view = &facts->view;
	const struct incident *state = facts->incident;
	json_t *made = entity(maker, "incident", facts->key);

	json_array_append_new(json_object_get(made, "external_ids"), text(facts->group_key));
	json_object_set_new(made, "title", text(title(maker)));
	json_object_set_new(
	    made, "short_description",
	    text(prose_line(maker->arena, view->title ? view->title : facts->event_type,
			    SHORT_MAX / 4)));
	json_object_set_new(made, "description", text(description(maker)));
	json_object_set_new(made, "status", json_string("New"));
	json_object_set_new(made, "confidence", json_string("High"));
	json_object_set_new(made, "severity", json_string(severity(state->severity_id)));
	json_object_set_new(made, "promotion_method", json_string("Automated"));
	json_object_set_new(made, "discovery_method", json_string("Security Alarm"));
	json_object_set_new(made, "incident_time",
			    json_pack("{s:o, s:o}", "opened", time_of(state->event_ms),
				      "discovered", time_of(state->event_ms)));
	if (view->product)
		json_object_set_new(made, "detection_sources", texts(maker, &view->product, 1));
	if (view->tactic_count > 0)
		json_object_set_new(made, "tactics",
				    texts(maker, view->tactics, view->tactic_count));
	if (view->technique_count > 0)
		json_object_set_new(made, "techniques",
				    texts(maker, view->techniques, view->technique_count));
	json_object_set_new(made, "external_references", references(maker));
	return made;
}

static json_t *observed_time(const struct finding_view *view, uint64_t event_ms)
{
	uint64_t start = view->start_ms > 0 ? view->start_ms : event_ms;
	uint64_t end = view->end_ms > start ? view->end_ms : start;

	return json_pack("{s:o, s:o}", "start_time", time_of(start), "end_time", time_of(end));
}

static json_t *sighting(const struct maker *maker)
{
	const struct facts *facts = maker->facts;
	const struct finding_view *view = &facts->view;
	uint64_t event_ms = facts->incident->event_ms;
	json_t *made = entity(maker, "sighting", maker->sighting_key);

	json_object_set_new(made, "title", text(title(maker)));
	json_object_set_new(made, "confidence", json_string(confidence(view->confidence_id)));
	json_object_set_new(made, "severity", json_string(severity(view->severity_id)));
	json_object_set_new(made, "count", json_integer(1));
	json_object_set_new(made, "internal", json_true());
	json_object_set_new(made, "sensor", json_string("endpoint"));
	json_object_set_new(made, "resolution", json_string(resolution(view->disposition_id)));
	json_object_set_new(made, "observed_time", observed_time(view, event_ms));
	json_object_set_new(made, "external_references", references(maker));
	if (facts->observable_count > 0)
		json_object_set_new(made, "observables",
				    observables(facts->observables, facts->observable_count));
	if (view->target_count > 0)
		json_object_set_new(made, "targets",
				    json_pack("[{s:s, s:o, s:o}]", "type", "endpoint",
					      "observables",
					      observables(view->targets, view->target_count),
					      "observed_time", observed_time(view, event_ms)));
	return made;
}

static json_t *relationship(const struct maker *maker)
{
	json_t *made = entity(maker, "relationship", maker->relationship_key);

	json_object_set_new(made, "relationship_type", json_string("member-of"));
	json_object_set_new(made, "source_ref", transient(maker, maker->sighting_key));
	json_object_set_new(made, "target_ref", transient(maker, maker->facts->key));
	return made;
}

const char *bundle_encode(const struct facts *facts, struct arena *arena, size_t *ret_size)
{
	struct maker maker = {
		.facts = facts,
		.arena = arena,
		.sighting_key = arena_printf(arena, "%s:sighting", facts->key),
		.relationship_key = arena_printf(arena, "%s:member-of", facts->key),
	};
	json_t *bundle =
	    json_pack("{s:s, s:s, s:[o], s:[o], s:[o]}", "type", "bundle", "source", "Tocsin",
		      "incidents", incident(&maker), "sightings", sighting(&maker),
		      "relationships", relationship(&maker));
	char *encoded = json_dumps(bundle, JSON_COMPACT);

	json_decref(bundle);
	*ret_size = strlen(encoded);

	const char *made = arena_strndup(arena, encoded, *ret_size);

	free(encoded);
	return made;
}
