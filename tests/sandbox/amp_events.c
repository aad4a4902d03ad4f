/*
 * amp_events: GET /v1/events and /v1/event_types. The list grows at its front while it is read:
 * pages drift, as the real ones do.
 */
#include "amp_envelope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "amp_state.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "request.h"
#include "response.h"

static const struct {
	uint32_t id;
	const char *name;
} event_types[] = {
	{ 553648130, "Policy Update" },
	{ 553648143, "Threat Quarantined" },
	{ 553648147, "Cloud Recall Detection" },
	{ 553648155, "Cloud Recall Quarantine Successful" },
	{ 553648173, "File Fetch Completed" },
	{ 553648202, "Endpoint Isolation Start Success" },
	{ 553648204, "Endpoint Isolation Stop Success" },
	{ 553648206, "Endpoint Isolation Update Success" },
	{ 553648215, "Endpoint Isolation Unlock Limit Reached" },
	{ 1090519054, "Threat Detected" },
	{ 1090519081, "Rootkit Detection" },
	{ 1090519084, "DFC Threat Detected" },
	{ 1090519102, "iOS Network Detection" },
	{ 1090519103, "Exploit Prevention" },
	{ 1090519105, "Malicious Activity Detection" },
	{ 1090524040, "APK Threat Detected" },
	{ 1090524041, "APK Custom Threat Detected" },
	{ 1091567670, "Endpoint IOC Scan Completed With Detections" },
	{ 1107296257, "Potential Dropper Infection" },
	{ 1107296258, "Multiple Infected Files" },
	{ 1107296261, "Adobe Reader compromise" },
	{ 1107296262, "Microsoft Word compromise" },
	{ 1107296263, "Microsoft Excel compromise" },
	{ 1107296264, "Microsoft PowerPoint compromise" },
	{ 1107296266, "Adobe Reader launched a shell" },
	{ 1107296267, "Microsoft Word launched a shell" },
	{ 1107296268, "Microsoft Excel launched a shell" },
	{ 1107296269, "Microsoft PowerPoint launched a shell" },
	{ 1107296270, "Apple QuickTime compromise" },
	{ 1107296271, "Apple QuickTime launched a shell" },
	{ 1107296272, "Executed malware" },
	{ 1107296273, "Suspected botnet connection" },
	{ 1107296274, "Cloud IOC" },
	{ 1107296275, "Microsoft Calculator compromise" },
	{ 1107296276, "Microsoft Notepad compromise" },
	{ 1107296277, "Connection to suspicious domain" },
	{ 1107296278, "Threat Detected in Low Prevalence Executable" },
	{ 1107296279, "Vulnerable Application Detected" },
	{ 1107296280, "Suspicious Download" },
	{ 1107296281, "Microsoft CHM Compromise" },
	{ 1107296282, "Suspicious Cscript Launch" },
	{ 1107296283, "Possible Webshell" },
	{ 1107296284, "Potential Ransomware" },
	{ 1107296285, "Cognitive Incident" },
	{ 1107296344, "SecureX Threat Hunting Incident" },
	{ 2164260880, "Quarantine Failure" },
	{ 2164260893, "Cloud Recall Quarantine Attempt Failed" },
	{ 2164260931, "Critical Fault Raised" },
	{ 2164260939, "Endpoint Isolation Start Failure" },
	{ 2164260941, "Endpoint Isolation Stop Failure" },
};

struct event_filter {
	int64_t start;
	int64_t type[256];
	unsigned types;
	const struct request *request; /* for the rarer criteria */
	bool rare;
};

/* Dates may come without a zone, or as a date only. */
static bool read_date(const char *text, int64_t *ret_seconds)
{
	uint64_t ms;
	char full[64];

	if (clock_parse(text, &ms)) {
		/* Inclusive to the second; with a fraction the next second is the first. */
		*ret_seconds = (int64_t)((ms + 999) / 1000);
		return true;
	}
	snprintf(full, sizeof(full), strchr(text, 'T') ? "%.40sZ" : "%.40sT00:00:00Z", text);
	if (!clock_parse(full, &ms))
		return false;
	*ret_seconds = (int64_t)((ms + 999) / 1000);
	return true;
}

/* NULL when the query is fine, else what is wrong with it. */
static const char *read_filter(const struct request *request, struct event_filter *filter)
{
	static const char *const rare[] = { "connector_guid", "group_guid", "detection_sha256",
					    "application_sha256" };

	*filter = (struct event_filter){ .request = request, .start = INT64_MIN };
	for (unsigned i = 0; i < request->params; i++) {
		const char *name = request->param[i].name, *value = request->param[i].value;
		bool known = strcmp(name, "limit") == 0 || strcmp(name, "offset") == 0;

		if (strcmp(name, "start_date") == 0) {
			if (!read_date(value, &filter->start))
				return "start_date: not an ISO 8601 date";
			known = true;
		} else if (amp_is_param(name, "event_type")) {
			if (filter->types == 256 || !*value ||
			    value[strspn(value, "0123456789")])
				return "event_type: must be numbers";
			filter->type[filter->types++] = strtoll(value, NULL, 10);
			known = true;
		}
		for (unsigned j = 0; j < sizeof(rare) / sizeof(*rare); j++) {
			if (amp_is_param(name, rare[j]))
				known = filter->rare = true;
		}
		if (!known)
			return arena_printf(request->arena, "unexpected parameter %.60s", name);
	}
	return NULL;
}

static bool list_holds(const json_t *list, const char *value)
{
	size_t i;
	json_t *item;

	json_array_foreach(list, i, item)
	{
		const char *text = json_string_value(item);

		if (text && strcmp(text, value) == 0)
			return true;
	}
	return false;
}

static bool rare_hit(const struct amp_event *event, const char *name, const char *value)
{
	const json_t *object = event->object, *file = json_object_get(object, "file");

	if (amp_is_param(name, "connector_guid"))
		return amp_same_text(object, "connector_guid", value);
	if (amp_is_param(name, "group_guid"))
		return list_holds(json_object_get(object, "group_guids"), value);
	if (amp_is_param(name, "detection_sha256"))
		return amp_same_text(json_object_get(file, "identity"), "sha256", value);
	return amp_same_text(json_object_get(json_object_get(file, "parent"), "identity"),
			     "sha256", value);
}

/* OR inside one criterion, AND between criteria. */
static bool rare_wanted(const struct amp_event *event, const struct request *request)
{
	static const char *const names[] = { "connector_guid", "group_guid", "detection_sha256",
					     "application_sha256" };

	for (unsigned n = 0; n < sizeof(names) / sizeof(*names); n++) {
		bool asked = false, hit = false;

		for (unsigned i = 0; i < request->params && !hit; i++) {
			if (!amp_is_param(request->param[i].name, names[n]))
				continue;
			asked = true;
			hit = rare_hit(event, names[n], request->param[i].value);
		}
		if (asked && !hit)
			return false;
	}
	return true;
}

static bool event_wanted(const struct amp_event *event, const struct event_filter *filter)
{
	bool type = filter->types == 0;

	for (unsigned i = 0; i < filter->types && !type; i++)
		type = filter->type[i] == event->type;
	return type && (!filter->rare || rare_wanted(event, filter->request));
}

void amp_serve_events(struct amp_state *state, const struct request *request,
		      struct response *response)
{
	struct event_filter filter;
	struct amp_page page;
	const char *wrong = read_filter(request, &filter);
	struct buf rows;

	if (wrong) {
		amp_error(request, response, 400, "Bad Request", wrong);
		return;
	}
	if (!amp_read_page(request, response, &page))
		return;
	if (state->unfiltered)
		filter = (struct event_filter){ .request = request, .start = INT64_MIN };
	page.total = page.count = 0;
	buf_init(&rows, RESPONSE_BODY_MAX);
	for (size_t i = state->events; i-- > 0 && state->event[i]->timestamp >= filter.start;) {
		const struct amp_event *event = state->event[i];

		if (!event_wanted(event, &filter))
			continue;
		if (page.total >= page.offset && page.count < page.limit) {
			buf_adds(&rows, page.count++ ? "," : "");
			buf_add(&rows, event->text, event->size);
		}
		page.total++;
	}
	response->content_type = "application/json";
	amp_begin_page(&response->body, request, &page);
	buf_adds(&response->body, buf_text(&rows));
	buf_adds(&response->body, "]}");
	buf_done(&rows);
}

void amp_serve_event_types(const struct request *request, struct response *response)
{
	json_t *rows = json_array();
	size_t count = sizeof(event_types) / sizeof(*event_types);

	for (size_t i = 0; i < count; i++)
		json_array_append_new(rows, json_pack("{s:I, s:s, s:s}", "id",
						      (json_int_t)event_types[i].id, "name",
						      event_types[i].name, "description",
						      event_types[i].name));
	response_json(response, 200,
		      json_pack("{s:s, s:{s:{s:s+}, s:{s:i}}, s:o}", "version", "v1.2.0",
				"metadata", "links", "self", request_origin(request),
				request->path, "results", "total", (int)count, "data", rows));
}
