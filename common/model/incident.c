/*
 * The incident's hash: one table of columns drives decoding, encoding and the difference
 * between two states, so that a field is named in one place only.
 */
#include "model/incident.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "model/finding.h"

enum column_type {
	COLUMN_TEXT,   /* const char * */
	COLUMN_NUMBER, /* uint64_t */
	COLUMN_COUNT,  /* unsigned */
	COLUMN_INT,    /* int */
	COLUMN_FLAG,   /* bool: "1" */
	COLUMN_STATE,
	COLUMN_RELEASE,
	COLUMN_STEP,
};

struct column {
	const char *name;
	enum column_type type;
	size_t offset;
};

#define AT(member) offsetof(struct incident, member)

static const struct column columns[] = {
	{ "id", COLUMN_TEXT, AT(id) },
	{ "customer", COLUMN_TEXT, AT(customer) },
	{ "group", COLUMN_TEXT, AT(group) },
	{ "uid", COLUMN_TEXT, AT(uid) },
	{ "event_id", COLUMN_TEXT, AT(event_id) },
	{ "source", COLUMN_TEXT, AT(source) },
	{ "trace", COLUMN_TEXT, AT(trace) },
	{ "policy", COLUMN_TEXT, AT(policy) },
	{ "storm", COLUMN_TEXT, AT(storm) },
	{ "event_ms", COLUMN_NUMBER, AT(event_ms) },
	{ "observed_ms", COLUMN_NUMBER, AT(observed_ms) },
	{ "fence", COLUMN_NUMBER, AT(fence) },
	{ "created_ms", COLUMN_NUMBER, AT(created_ms) },
	{ "changed_ms", COLUMN_NUMBER, AT(changed_ms) },
	{ "findings", COLUMN_NUMBER, AT(findings) },
	{ "severity", COLUMN_INT, AT(severity_id) },
	{ "previous", COLUMN_TEXT, AT(previous) },
	{ "state", COLUMN_STATE, AT(state) },
	{ "reason", COLUMN_TEXT, AT(reason) },
	{ "closed_ms", COLUMN_NUMBER, AT(closed_ms) },
	{ "shadow", COLUMN_FLAG, AT(shadow) },
	{ "wake_ms", COLUMN_NUMBER, AT(wake_ms) },
	{ "title", COLUMN_TEXT, AT(title) },
	{ "host", COLUMN_TEXT, AT(host) },
	{ "servicenow.account", COLUMN_TEXT, AT(servicenow_account) },
	{ "threat_response.account", COLUMN_TEXT, AT(threat_response_account) },
	{ "servicenow.table", COLUMN_TEXT, AT(ticket_table) },
	{ "servicenow.template", COLUMN_TEXT, AT(template) },
	{ "servicenow.sys_id", COLUMN_TEXT, AT(sys_id) },
	{ "servicenow.number", COLUMN_TEXT, AT(number) },
	{ "servicenow.url", COLUMN_TEXT, AT(ticket_url) },
	{ "priority", COLUMN_COUNT, AT(priority) },
	{ "servicenow.impact", COLUMN_COUNT, AT(impact) },
	{ "servicenow.urgency", COLUMN_COUNT, AT(urgency) },
	{ "servicenow.known_ms", COLUMN_NUMBER, AT(ticket_ms) },
	{ "servicenow.stray", COLUMN_TEXT, AT(stray) },
	{ "servicenow.told_severity", COLUMN_INT, AT(told_severity_id) },
	{ "threat_response.id", COLUMN_TEXT, AT(ctim_id) },
	{ "threat_response.merged", COLUMN_TEXT, AT(merged) },
	{ "opening", COLUMN_TEXT, AT(opening) },
	{ "observables", COLUMN_TEXT, AT(observables) },
	{ "waiting", COLUMN_TEXT, AT(waiting) },
	{ "waiting.count", COLUMN_COUNT, AT(waiting_count) },
	{ "waiting.since_ms", COLUMN_NUMBER, AT(waiting_since_ms) },
	{ "writing", COLUMN_TEXT, AT(writing) },
	{ "writing.count", COLUMN_COUNT, AT(writing_count) },
	{ "notes", COLUMN_COUNT, AT(notes) },
	{ "notes.last_ms", COLUMN_NUMBER, AT(note_ms) },
	{ "notes.day", COLUMN_COUNT, AT(note_day) },
	{ "notes.today", COLUMN_COUNT, AT(notes_today) },
	{ "contain.machine", COLUMN_TEXT, AT(containment.machine) },
	{ "contain.account", COLUMN_TEXT, AT(containment.account) },
	{ "contain.event_ms", COLUMN_NUMBER, AT(containment.event_ms) },
	{ "contain.origin", COLUMN_TEXT, AT(containment.origin) },
	{ "contain.severity", COLUMN_INT, AT(containment.severity_id) },
	{ "contain.decided", COLUMN_FLAG, AT(containment.decided) },
	{ "undo", COLUMN_TEXT, AT(containment.ledger) },
	{ "undo.due", COLUMN_COUNT, AT(containment.due) },
	{ "contain.since_ms", COLUMN_NUMBER, AT(containment.since_ms) },
	{ "approval.asked_ms", COLUMN_NUMBER, AT(containment.asked_ms) },
	{ "approval.expires_ms", COLUMN_NUMBER, AT(containment.expires_ms) },
	{ "approval.reason", COLUMN_TEXT, AT(containment.asked) },
	{ "approval.wrong_codes", COLUMN_COUNT, AT(containment.wrong_codes) },
	{ "approval.mailed", COLUMN_FLAG, AT(containment.mailed) },
	{ "approval.by", COLUMN_TEXT, AT(containment.approved) },
	{ "release.by", COLUMN_TEXT, AT(containment.release) },
	{ "write_off.by", COLUMN_TEXT, AT(containment.write_off) },
	{ "write_off.forced", COLUMN_FLAG, AT(containment.write_off_forced) },
	{ "contain.warned", COLUMN_COUNT, AT(containment.warned) },
	{ "contain.telling", COLUMN_TEXT, AT(containment.telling) },
	{ "contain.writing", COLUMN_TEXT, AT(containment.writing) },
	{ "contain.notes", COLUMN_COUNT, AT(containment.notes) },
	{ "closing.via", COLUMN_TEXT, AT(closing.via) },
	{ "closing.verdict", COLUMN_TEXT, AT(closing.verdict) },
	{ "closing.actor", COLUMN_TEXT, AT(closing.actor) },
	{ "closing.note", COLUMN_TEXT, AT(closing.note) },
	{ "closing.hint_ms", COLUMN_NUMBER, AT(closing.hint_ms) },
	{ "closing.since_ms", COLUMN_NUMBER, AT(closing.since_ms) },
	{ "closing.seen", COLUMN_TEXT, AT(closing.seen) },
	{ "closing.seen_ms", COLUMN_NUMBER, AT(closing.seen_ms) },
	{ "closing.past_ms", COLUMN_NUMBER, AT(closing.past_ms) },
	{ "closing.survivor", COLUMN_TEXT, AT(closing.survivor) },
	{ "closing.release", COLUMN_RELEASE, AT(closing.release) },
	{ "closing.confirmed", COLUMN_TEXT, AT(closing.confirmed) },
	{ "closing.used", COLUMN_TEXT, AT(closing.used) },
	{ "closing.wrong_codes", COLUMN_COUNT, AT(closing.wrong_codes) },
	{ "closing.reports", COLUMN_COUNT, AT(closing.reports) },
	{ "closing.why", COLUMN_TEXT, AT(closing.why) },
	{ "closing.forced", COLUMN_FLAG, AT(closing.forced) },
	{ "reopened", COLUMN_COUNT, AT(reopened) },
	{ "adopted", COLUMN_FLAG, AT(adopted) },
	{ "step.inspect", COLUMN_STEP, AT(steps[STEP_INSPECT]) },
	{ "step.threat_response.create", COLUMN_STEP, AT(steps[STEP_THREAT_RESPONSE_CREATE]) },
	{ "step.servicenow.cancel", COLUMN_STEP, AT(steps[STEP_SERVICENOW_CANCEL]) },
	{ "step.servicenow.create", COLUMN_STEP, AT(steps[STEP_SERVICENOW_CREATE]) },
	{ "step.servicenow.link", COLUMN_STEP, AT(steps[STEP_SERVICENOW_LINK]) },
	{ "step.threat_response.link", COLUMN_STEP, AT(steps[STEP_THREAT_RESPONSE_LINK]) },
	{ "step.notify", COLUMN_STEP, AT(steps[STEP_NOTIFY]) },
	{ "step.servicenow.note", COLUMN_STEP, AT(steps[STEP_SERVICENOW_NOTE]) },
	{ "step.contain.isolate", COLUMN_STEP, AT(steps[STEP_CONTAIN_ISOLATE]) },
	{ "step.contain.move_group", COLUMN_STEP, AT(steps[STEP_CONTAIN_MOVE_GROUP]) },
	{ "step.contain.watch", COLUMN_STEP, AT(steps[STEP_CONTAIN_WATCH]) },
	{ "step.contain.note", COLUMN_STEP, AT(steps[STEP_CONTAIN_NOTE]) },
	{ "step.servicenow.verify", COLUMN_STEP, AT(steps[STEP_SERVICENOW_VERIFY]) },
	{ "step.threat_response.reopen", COLUMN_STEP, AT(steps[STEP_THREAT_RESPONSE_REOPEN]) },
	{ "step.threat_response.close", COLUMN_STEP, AT(steps[STEP_THREAT_RESPONSE_CLOSE]) },
	{ "step.servicenow.resolve", COLUMN_STEP, AT(steps[STEP_SERVICENOW_RESOLVE]) },
	{ "step.defender.resolve", COLUMN_STEP, AT(steps[STEP_DEFENDER_RESOLVE]) },
	{ "step.release.write_off", COLUMN_STEP, AT(steps[STEP_RELEASE_WRITE_OFF]) },
	{ "step.release.isolate", COLUMN_STEP, AT(steps[STEP_RELEASE_ISOLATE]) },
	{ "step.release.move_group", COLUMN_STEP, AT(steps[STEP_RELEASE_MOVE_GROUP]) },
	{ "step.servicenow.report", COLUMN_STEP, AT(steps[STEP_SERVICENOW_REPORT]) },
};

enum { COLUMNS = sizeof(columns) / sizeof(columns[0]) };
_Static_assert((int)COLUMNS <= (int)INCIDENT_FIELDS, "INCIDENT_FIELDS is too small");

static const char *const state_names[] = {
	[INCIDENT_OPENING] = "opening", [INCIDENT_OPEN] = "open",
	[INCIDENT_CLOSING] = "closing", [INCIDENT_CLOSED] = "closed",
	[INCIDENT_HELD] = "held",	[INCIDENT_FAILED] = "failed",
};

static const char *const release_names[] = {
	[RELEASE_UNDECIDED] = "",	 [RELEASE_NOW] = "now",	  [RELEASE_ASK] = "ask",
	[RELEASE_SURVIVOR] = "survivor", [RELEASE_KEEP] = "keep",
};

static const char *const status_names[] = {
	[STEP_NEW] = "new",	    [STEP_INTENT] = "intent",	[STEP_WAITING] = "waiting",
	[STEP_DONE] = "done",	    [STEP_SKIPPED] = "skipped", [STEP_FAILED] = "failed",
	[STEP_PENDING] = "pending",
};

enum {
	STATES = sizeof(state_names) / sizeof(state_names[0]),
	RELEASES = sizeof(release_names) / sizeof(release_names[0]),
	STATUSES = sizeof(status_names) / sizeof(status_names[0]),
};

const char *incident_state_name(enum incident_state state)
{
	return state_names[state];
}

const char *incident_release_name(enum incident_release release)
{
	return release_names[release];
}

const char *incident_step_status_name(enum incident_step_status status)
{
	return status_names[status];
}

const char *incident_phase_name(enum incident_phase phase)
{
	static const char *const names[] = { "opening", "containment", "closing" };

	return names[phase];
}

enum incident_phase incident_step_phase(enum incident_step_id step)
{
	if (step < STEP_CONTAIN_ISOLATE)
		return PHASE_OPENING;
	return step < STEP_SERVICENOW_VERIFY ? PHASE_CONTAINMENT : PHASE_CLOSING;
}

const char *incident_step_name(enum incident_step_id step)
{
	for (size_t i = 0; i < COLUMNS; i++) {
		if (columns[i].offset == AT(steps[0]) + step * sizeof(struct incident_step))
			return columns[i].name + strlen("step.");
	}
	return "?";
}

static bool name_index(const char *const *names, size_t count, const char *text, size_t size,
		       unsigned *ret_index)
{
	for (size_t i = 0; i < count; i++) {
		if (strlen(names[i]) == size && memcmp(names[i], text, size) == 0) {
			*ret_index = (unsigned)i;
			return true;
		}
	}
	return false;
}

/* Reads digits at *text and the blank after them, if there is one. */
static bool number_take(const char **text, uint64_t *ret_number)
{
	char *end;

	if (**text < '0' || **text > '9')
		return false;
	errno = 0;
	*ret_number = strtoull(*text, &end, 10);
	if (errno != 0 || (*end != '\0' && *end != ' '))
		return false;
	*text = *end == ' ' ? end + 1 : end;
	return true;
}

static bool number_decode(const char *text, uint64_t max, uint64_t *ret_number)
{
	return number_take(&text, ret_number) && *text == '\0' && *ret_number <= max;
}

/* "<status> <fence> <attempt> <intent ms> <due ms> <note>" */
static bool step_decode(const char *text, struct incident_step *ret_step)
{
	const char *rest = strchr(text, ' ');
	unsigned status;
	uint64_t attempt;

	if (!rest || !name_index(status_names, STATUSES, text, (size_t)(rest - text), &status))
		return false;
	rest++;
	if (!number_take(&rest, &ret_step->fence) || !number_take(&rest, &attempt) ||
	    attempt > UINT32_MAX || !number_take(&rest, &ret_step->intent_ms) ||
	    !number_take(&rest, &ret_step->due_ms))
		return false;
	ret_step->status = (enum incident_step_status)status;
	ret_step->attempt = (unsigned)attempt;
	ret_step->note = *rest ? rest : NULL;
	return true;
}

static bool column_decode(const struct column *column, const char *text, void *slot)
{
	uint64_t number;
	unsigned index;

	switch (column->type) {
	case COLUMN_TEXT:
		*(const char **)slot = text;
		return true;
	case COLUMN_NUMBER:
		return number_decode(text, UINT64_MAX, slot);
	case COLUMN_COUNT:
		if (!number_decode(text, UINT32_MAX, &number))
			return false;
		*(unsigned *)slot = (unsigned)number;
		return true;
	case COLUMN_INT:
		if (!number_decode(text, INT32_MAX, &number))
			return false;
		*(int *)slot = (int)number;
		return true;
	case COLUMN_FLAG:
		*(bool *)slot = strcmp(text, "1") == 0;
		return true;
	case COLUMN_STATE:
		if (!name_index(state_names, STATES, text, strlen(text), &index))
			return false;
		*(enum incident_state *)slot = (enum incident_state)index;
		return true;
	case COLUMN_RELEASE:
		if (!name_index(release_names, RELEASES, text, strlen(text), &index))
			return false;
		*(enum incident_release *)slot = (enum incident_release)index;
		return true;
	case COLUMN_STEP:
		return step_decode(text, slot);
	}
	return false;
}

static const struct column *column_find(const char *name)
{
	for (size_t i = 0; i < COLUMNS; i++) {
		if (strcmp(columns[i].name, name) == 0)
			return &columns[i];
	}
	return NULL;
}

bool incident_decode(struct incident *ret_incident, const struct field *fields, size_t count,
		     struct err *err)
{
	*ret_incident = (struct incident){ 0 };
	for (size_t i = 0; i < count; i++) {
		const struct column *column = column_find(fields[i].name);

		if (!column || fields[i].size == 0)
			continue;
		if (!column_decode(column, fields[i].value,
				   (char *)ret_incident + column->offset))
			return err_set(err, ERR_PERMANENT,
				       "incident: field %s is malformed: \"%.80s\"",
				       column->name, fields[i].value);
	}
	if (!ret_incident->id || !ret_incident->customer || !ret_incident->group)
		return err_set(err, ERR_PERMANENT,
			       "incident: id, customer or group is missing");
	return true;
}

static const char *number_encode(uint64_t number, struct arena *arena)
{
	return number == 0 ? NULL : arena_printf(arena, "%" PRIu64, number);
}

/* The value as text; NULL when it is empty. */
static const char *column_encode(const struct column *column, const void *slot,
				 struct arena *arena)
{
	const struct incident_step *step;

	switch (column->type) {
	case COLUMN_TEXT:
		return *(const char *const *)slot;
	case COLUMN_NUMBER:
		return number_encode(*(const uint64_t *)slot, arena);
	case COLUMN_COUNT:
		return number_encode(*(const unsigned *)slot, arena);
	case COLUMN_INT:
		return number_encode((uint64_t)(*(const int *)slot), arena);
	case COLUMN_FLAG:
		return *(const bool *)slot ? "1" : NULL;
	case COLUMN_STATE:
		return state_names[*(const enum incident_state *)slot];
	case COLUMN_RELEASE:
		return release_names[*(const enum incident_release *)slot];
	case COLUMN_STEP:
		step = slot;
		if (step->status == STEP_NEW && step->attempt == 0 && step->due_ms == 0)
			return NULL;
		return arena_printf(arena, "%s %" PRIu64 " %u %" PRIu64 " %" PRIu64 " %s",
				    status_names[step->status], step->fence, step->attempt,
				    step->intent_ms, step->due_ms,
				    step->note ? step->note : "");
	}
	return NULL;
}

size_t incident_encode(const struct incident *incident, struct arena *arena,
		       struct field *ret_fields)
{
	size_t count = 0;

	for (size_t i = 0; i < COLUMNS; i++) {
		const char *text = column_encode(
		    &columns[i], (const char *)incident + columns[i].offset, arena);

		if (text && *text)
			ret_fields[count++] = field_text(columns[i].name, text);
	}
	return count;
}

static bool text_equal(const char *a, const char *b)
{
	return a == b || strcmp(a ? a : "", b ? b : "") == 0;
}

static bool column_equal(const struct column *column, const void *a, const void *b)
{
	const struct incident_step *left = a, *right = b;

	switch (column->type) {
	case COLUMN_TEXT:
		return text_equal(*(const char *const *)a, *(const char *const *)b);
	case COLUMN_NUMBER:
		return *(const uint64_t *)a == *(const uint64_t *)b;
	case COLUMN_COUNT:
		return *(const unsigned *)a == *(const unsigned *)b;
	case COLUMN_INT:
		return *(const int *)a == *(const int *)b;
	case COLUMN_FLAG:
		return *(const bool *)a == *(const bool *)b;
	case COLUMN_STATE:
		return *(const enum incident_state *)a == *(const enum incident_state *)b;
	case COLUMN_RELEASE:
		return *(const enum incident_release *)a == *(const enum incident_release *)b;
	case COLUMN_STEP:
		return left->status == right->status && left->fence == right->fence &&
		       left->attempt == right->attempt && left->intent_ms == right->intent_ms &&
		       left->due_ms == right->due_ms && text_equal(left->note, right->note);
	}
	return false;
}

size_t incident_changes(const struct incident *before, const struct incident *after,
			struct arena *arena, struct field *ret_fields)
{
	size_t count = 0;

	for (size_t i = 0; i < COLUMNS; i++) {
		const struct column *column = &columns[i];
		const void *slot = (const char *)after + column->offset;

		if (column_equal(column, (const char *)before + column->offset, slot))
			continue;

		const char *text = column_encode(column, slot, arena);

		ret_fields[count++] = field_text(column->name, text ? text : "");
	}
	return count;
}

void incident_id(const char *customer, const char *group, const char *uid, char *ret_id)
{
	finding_digest((const char *const[]){ customer, group, uid, NULL }, ret_id);
}

void incident_key(const char *installation, const struct incident *incident, char *ret_key)
{
	snprintf(ret_key, INCIDENT_KEY_SIZE, INCIDENT_KEY_PREFIX "%.12s:%.24s:%.16s:%.16s",
		 installation, incident->customer, incident->group, incident->id);
}

void incident_group_key(const char *installation, const struct incident *incident,
			char *ret_key)
{
	snprintf(ret_key, INCIDENT_KEY_SIZE, "tocsin-g:%.12s:%.24s:%.16s", installation,
		 incident->customer, incident->group);
}

const char *incident_key_id(const char *installation, const char *key)
{
	size_t size = strlen(installation), length = strlen(key);
	const char *id;

	if (strncmp(key, INCIDENT_KEY_PREFIX, 9) != 0 ||
	    strncmp(key + 9, installation, size) != 0 || key[9 + size] != ':' ||
	    length < 9 + size + INCIDENT_ID_SIZE)
		return NULL;
	id = key + length - (INCIDENT_ID_SIZE - 1);
	return id[-1] == ':' && strspn(id, "0123456789abcdef") == INCIDENT_ID_SIZE - 1 ? id
										       : NULL;
}
