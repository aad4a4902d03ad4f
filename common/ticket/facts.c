/* What is known about an incident, read once for all the texts made of it. */
#include "ticket/facts.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/zone.h"
#include "ticket/prose.h"

enum { INVESTIGATE_MAX = 800, TYPE_CHARS = 80, HOST_CHARS = 64 };

const char *facts_time(struct arena *arena, uint64_t wall_ms)
{
	char text[CLOCK_TEXT_SIZE];

	clock_format_plain(wall_ms, text);
	return arena_printf(arena, "%s UTC", text);
}

const char *facts_local_time(const struct customer *customer, struct arena *arena,
			     uint64_t wall_ms)
{
	const struct zone *zone =
	    customer->time_zone ? zone_find(customer->time_zone, NULL) : NULL;
	char text[ZONE_TEXT_SIZE];

	if (!zone)
		return NULL;
	zone_format(zone, wall_ms, text);
	return arena_strdup(arena, text);
}

static bool known(const struct observable *list, size_t count, const char *type,
		  const char *value)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(list[i].type, type) == 0 && strcasecmp(list[i].value, value) == 0)
			return true;
	}
	return false;
}

static void observables_read(struct facts *facts, struct arena *arena)
{
	const struct finding_view *view = &facts->view;
	const char *text = facts->incident->observables;
	json_t *found = text ? json_loads(text, 0, NULL) : NULL, *pair;
	size_t i, count = view->observable_count;

	memcpy(facts->observables, view->observables, count * sizeof(view->observables[0]));
	json_array_foreach(found, i, pair)
	{
		const char *type = json_string_value(json_array_get(pair, 0));
		const char *value = json_string_value(json_array_get(pair, 1));

		if (!type || !value || count == FINDING_OBSERVABLES_MAX ||
		    known(facts->observables, count, type, value) ||
		    known(view->targets, view->target_count, type, value))
			continue;
		facts->observables[count++] = (struct observable){
			arena_strdup(arena, type),
			arena_strdup(arena, value),
		};
	}
	json_decref(found);
	facts->observable_count = count;
}

/* The ancestors' link: what to search for as type=value&type=value, percent-encoded whole. */
static const char *investigate_url(const struct facts *facts, const char *base,
				   struct arena *arena)
{
	static const char proxy[] = "/iroh";
	size_t size = strlen(base);
	struct buf query, url;

	if (size > strlen(proxy) && strcmp(base + size - strlen(proxy), proxy) == 0)
		size -= strlen(proxy);
	buf_init(&query, INVESTIGATE_MAX);
	for (size_t i = 0; i < facts->observable_count; i++) {
		const struct observable *seen = &facts->observables[i];

		if (query.size + strlen(seen->type) + strlen(seen->value) + 2 > INVESTIGATE_MAX)
			break;
		buf_addf(&query, "%s%s=%s", query.size > 0 ? "&" : "", seen->type, seen->value);
	}
	buf_init(&url, 4UL * INVESTIGATE_MAX);
	buf_add(&url, base, size);
	buf_adds(&url, "/investigate?q=");
	buf_add_url(&url, buf_text(&query));

	const char *text = buf_ok(&url) ? arena_strdup(arena, buf_text(&url)) : NULL;

	buf_done(&url);
	buf_done(&query);
	return text;
}

bool facts_read(struct facts *ret_facts, const struct incident *incident,
		const struct customer *customer, const struct account *threat_response,
		const char *installation, struct arena *arena, struct err *err)
{
	struct facts *facts = ret_facts;
	struct incident_item item;

	if (!incident->opening)
		return err_set(err, ERR_PERMANENT, "the opening finding is no longer kept");
	if (!incident_item_decode(&item, incident->opening, incident, arena, err) ||
	    !finding_view(&facts->view, item.finding.payload, item.finding.payload_size, arena,
			  err))
		return false;
	facts->incident = incident;
	facts->customer = customer;
	facts->finding = item.finding;
	incident_key(installation, incident, facts->key);
	incident_group_key(installation, incident, facts->group_key);
	facts->event_type = prose_line(
	    arena, facts->view.event_type ? facts->view.event_type : "Detection", TYPE_CHARS);
	facts->host = prose_line(arena, facts->view.host ? facts->view.host : "unknown device",
				 HOST_CHARS);
	facts->time = facts_time(arena, incident->event_ms);
	facts->local_time = facts_local_time(customer, arena, incident->event_ms);
	observables_read(facts, arena);
	facts->investigate_url =
	    threat_response ? investigate_url(facts, threat_response->url, arena) : NULL;
	return true;
}
