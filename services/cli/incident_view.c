/* Incidents out of Redis, as JSON. */
#include "incident_view.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/field.h"
#include "bus/key.h"
#include "bus/redis.h"
#include "model/finding.h"
#include "model/incident.h"
#include "table.h"
#include "view.h"

enum { FIELDS_MAX = 512, WORDS_MAX = 1024 };

/* ---- one ---- */

static json_t *view_step(const struct incident *incident, enum incident_step_id id)
{
	const struct incident_step *step = &incident->steps[id];

	return json_pack("{s:s,s:s,s:s,s:I,s:o,s:o,s:o}", "step", incident_step_name(id),
			 "phase", incident_phase_name(incident_step_phase(id)), "status",
			 incident_step_status_name(step->status), "attempts",
			 (json_int_t)step->attempt, "intent_ms", view_ms(step->intent_ms),
			 "due_ms", view_ms(step->due_ms), "note", view_text(step->note));
}

/* Who closed it, and what becomes of its hosts; null while nobody has said anything. */
static json_t *view_closing(const struct incident *incident)
{
	const struct incident_closing *closing = &incident->closing;

	if (!closing->via)
		return json_null();
	return json_pack(
	    "{s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "via", closing->via, "actor",
	    view_text(closing->actor), "verdict", view_text(closing->verdict), "note",
	    view_text(closing->note), "since_ms", view_ms(closing->since_ms), "hosts",
	    view_text(incident_release_name(closing->release)), "survivor",
	    view_text(closing->survivor), "confirmed", view_text(closing->confirmed));
}

/* In shadow mode nothing goes on outside, so the saga's own state would say the wrong thing. */
static const char *shown_state(const struct incident *incident)
{
	return incident->shadow ? INCIDENT_SHADOW : incident_state_name(incident->state);
}

/* What was done to its host, or waits for a person; null when nothing was. */
static json_t *view_containment(const struct incident *incident)
{
	const struct incident_containment *containment = &incident->containment;
	json_t *ledger = containment->ledger ? json_loads(containment->ledger, 0, NULL) : NULL;

	if (!containment->machine)
		return json_null();
	return json_pack(
	    "{s:o,s:i,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "machine", view_text(containment->machine),
	    "due", (int)containment->due, "since_ms", view_ms(containment->since_ms), "ledger",
	    ledger ? ledger : json_array(), "asked_ms", view_ms(containment->asked_ms),
	    "expires_ms", view_ms(containment->expires_ms), "asked",
	    view_text(containment->asked), "approved", view_text(containment->approved),
	    "release", view_text(containment->release));
}

static json_t *view_head(const struct incident *incident, unsigned partition, const char *id)
{
	json_t *view = json_pack(
	    "{s:s,s:o,s:i,s:s,s:o,s:b,s:s,s:o,s:o,s:I,s:o,s:o,s:o,s:o,s:o}", "id", id,
	    "customer", view_text(incident->customer), "partition", (int)partition, "state",
	    shown_state(incident), "reason", view_text(incident->reason), "shadow",
	    incident->shadow, "severity", finding_severity_name(incident->severity_id), "title",
	    view_text(incident->title), "host", view_text(incident->host), "findings",
	    (json_int_t)incident->findings, "opened_ms", view_ms(incident->created_ms),
	    "changed_ms", view_ms(incident->changed_ms), "event_ms",
	    view_ms(incident->event_ms), "observed_ms", view_ms(incident->observed_ms),
	    "ticket_ms", view_ms(incident->ticket_ms));

	json_object_set_new(view, "closing", view_closing(incident));
	json_object_set_new(view, "closed_by", view_text(incident->closing.actor));
	json_object_set_new(view, "verdict", view_text(incident->closing.verdict));
	json_object_set_new(view, "closing_note", view_text(incident->closing.note));
	json_object_set_new(view, "number", view_text(incident->number));
	json_object_set_new(view, "sys_id", view_text(incident->sys_id));
	json_object_set_new(view, "ticket_url", view_text(incident->ticket_url));
	json_object_set_new(view, "servicenow_account",
			    view_text(incident->servicenow_account));
	json_object_set_new(view, "impact", json_integer(incident->impact));
	json_object_set_new(view, "urgency", json_integer(incident->urgency));
	json_object_set_new(view, "notes", json_integer(incident->notes));
	json_object_set_new(view, "ctim_id", view_text(incident->ctim_id));
	json_object_set_new(view, "containment", view_containment(incident));
	json_object_set_new(view, "threat_response_account",
			    view_text(incident->threat_response_account));
	return view;
}

static json_t *read_list(struct redis *redis, unsigned partition, const char *id,
			 const char *name, struct err *err)
{
	struct key key;

	key_format(&key, partition, "incident:%s:%s", id, name);
	struct redis_reply *reply = redis_command(redis, err, "LRANGE %s 0 -1", key.text);
	if (!reply)
		return NULL;
	json_t *list = json_array();
	for (size_t i = 0; i < reply_count(reply); i++) {
		const char *entry = reply_text(reply_at(reply, i));
		json_t *parsed = entry[0] == '{' ? json_loads(entry, 0, NULL) : NULL;

		json_array_append_new(list, parsed ? parsed : view_text(entry));
	}
	reply_free(reply);
	return list;
}

/* "time what" of each line of each entry, so that what ran together is told apart again. */
static json_t *split_lines(json_t *entries)
{
	json_t *lines = json_array(), *entry;
	size_t i;

	json_array_foreach(entries, i, entry)
	{
		const char *at = json_string_value(entry);

		while (at && *at) {
			size_t size = strcspn(at, "\n");
			json_t *line = json_stringn(at, size);
			json_array_append_new(lines, line ? line : json_null());
			at += size + (at[size] == '\n');
		}
	}
	json_decref(entries);
	return lines;
}

static bool add_rest(json_t *view, const struct incident *incident, struct redis *redis,
		     unsigned partition, const char *id, struct err *err)
{
	json_t *steps = json_array();

	for (enum incident_step_id step = 0; step < INCIDENT_STEPS; step++)
		json_array_append_new(steps, view_step(incident, step));
	json_object_set_new(view, "steps", steps);
	json_object_set_new(view, "source", view_text(incident->source));
	json_object_set_new(view, "event_id", view_text(incident->event_id));
	json_object_set_new(view, "group", view_text(incident->group));
	json_object_set_new(view, "uid", view_text(incident->uid));
	json_object_set_new(view, "trace", view_text(incident->trace));
	json_object_set_new(view, "previous", view_text(incident->previous));
	json_object_set_new(view, "ticket_table", view_text(incident->ticket_table));
	json_object_set_new(view, "wake_ms", view_ms(incident->wake_ms));
	json_object_set_new(view, "notes_waiting", json_integer(incident->waiting_count));
	json_object_set_new(view, "observables",
			    incident->observables && incident->observables[0]
				? json_loads(incident->observables, 0, NULL)
				: NULL);
	json_t *timeline = read_list(redis, partition, id, "timeline", err);
	json_t *findings = timeline ? read_list(redis, partition, id, "findings", err) : NULL;
	if (timeline)
		json_object_set_new(view, "timeline", split_lines(timeline));
	if (findings)
		json_object_set_new(view, "entries", findings);
	return timeline && findings;
}

json_t *incident_view(struct redis *redis, unsigned partition, const char *id, bool whole,
		      bool *ret_found, struct err *err)
{
	struct field fields[FIELDS_MAX];
	struct incident incident;
	struct key key;
	size_t count = 0;

	*ret_found = false;
	key_format(&key, partition, "incident:%s", id);
	struct redis_reply *reply = redis_command(redis, err, "HGETALL %s", key.text);
	if (!reply)
		return NULL;
	for (size_t i = 0; i + 1 < reply_count(reply) && count < FIELDS_MAX; i += 2) {
		const struct redis_reply *value = reply_at(reply, i + 1);
		fields[count++] = (struct field){ reply_text(reply_at(reply, i)),
						  reply_text(value), reply_size(value) };
	}
	json_t *view = NULL;
	*ret_found = count > 0;
	if (count > 0 && incident_decode(&incident, fields, count, err)) {
		view = view_head(&incident, partition, id);
		if (whole && !add_rest(view, &incident, redis, partition, id, err)) {
			json_decref(view);
			view = NULL;
		}
	}
	reply_free(reply);
	return view;
}

/* ---- words ---- */

static const char *step_words(const char *step)
{
	static const char *const words[][2] = {
		{ "inspect", "look for observables" },
		{ "threat_response.create", "open it in Threat Response" },
		{ "servicenow.cancel", "cancel a ticket that came out wrong" },
		{ "servicenow.create", "open a ticket in ServiceNow" },
		{ "servicenow.link", "write the links into the ticket" },
		{ "threat_response.link", "write the ticket into Threat Response" },
		{ "servicenow.note", "write later findings into the ticket" },
		{ "contain.isolate", "isolate the host" },
		{ "contain.move_group", "move the host to another group" },
		{ "contain.watch", "watch how long it lasts" },
		{ "contain.note", "tell the ticket of it" },
		{ "servicenow.verify", "read whether the ticket is over" },
		{ "threat_response.reopen", "open it again in Threat Response" },
		{ "threat_response.close", "close it in Threat Response" },
		{ "servicenow.resolve", "resolve the ticket" },
		{ "defender.resolve", "resolve the alerts in Defender" },
		{ "release.write_off", "write the host off" },
		{ "release.isolate", "release the host from isolation" },
		{ "release.move_group", "move the host back to its group" },
		{ "servicenow.report", "write the outcome into the ticket" },
	};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strcmp(words[i][0], step) == 0)
			return words[i][1];
	}
	return step;
}

static const char *status_words(const char *status)
{
	static const char *const words[][2] = {
		{ "new", "not begun" },
		{ "intent", "under way; a call may have been made" },
		{ "waiting", "to be tried again" },
		{ "done", "done" },
		{ "skipped", "not wanted" },
		{ "failed", "cannot succeed until someone changes something" },
	};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strcmp(words[i][0], status) == 0)
			return words[i][1];
	}
	return status;
}

char *incident_step_words(const json_t *step, uint64_t now_ms)
{
	const char *name = json_string_value(json_object_get(step, "step"));
	const char *status = json_string_value(json_object_get(step, "status"));
	const char *note = json_string_value(json_object_get(step, "note"));
	json_int_t attempts = json_integer_value(json_object_get(step, "attempts"));
	uint64_t due_ms = (uint64_t)json_integer_value(json_object_get(step, "due_ms"));
	struct buf words;
	char span[32];

	buf_init(&words, WORDS_MAX);
	buf_addf(&words, "%s: %s", step_words(name ? name : ""),
		 status_words(status ? status : ""));
	if (due_ms > now_ms) {
		table_span(due_ms - now_ms, span);
		buf_addf(&words, " in %s", span);
	}
	if (attempts > 1)
		buf_addf(&words, ", %lld attempts", (long long)attempts);
	if (note)
		buf_addf(&words, ": %.400s", note);
	return buf_take(&words, NULL);
}
