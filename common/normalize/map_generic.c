/*
 * Any other product: what a person or a program says about an event in five fields, those of
 * the workflow that this system replaces.
 *
 *	customer_name           who it is about; the sender is known anyway
 *	event_type              "Malware", or a list
 *	datetime_event          RFC 3339, "2026-11-21 - 18:16:05", or seconds since 1970
 *	target_device           a host's name or address, or whatever they call it
 *	raw_observables_string  any text that names addresses, hashes, files ...
 *
 * Names may be written with blanks. Beside them `severity` may say how bad it is.
 */
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "model/finding.h"
#include "model/json_tree.h"
#include "model/raw.h"

#include "normalize/mapper.h"
#include "normalize/observables.h"
#include "normalize/record.h"
#include "normalize/text.h"

enum { HOSTNAME_MAX = 253, OBSERVABLES_MAX = 20, TYPE_MAX_BYTES = 256 };

static const struct ocsf_product product = {
	.vendor_name = "Unknown",
	.name = "Generic",
	.full_name = "Pushed event",
	.uid = "generic",
	.log_name = "push",
	.log_provider = "Tocsin",
};

/* ---- members ---- */

/* By its name, or with blanks instead of underscores; NULL when there is no text. */
static const char *read_text(struct json_node *record, const char *name, struct arena *arena)
{
	const char *text = record_text(record, name);
	char *spaced;

	if (text)
		return text;
	spaced = arena_strdup(arena, name);
	for (char *c = spaced; *c; c++)
		*c = *c == '_' ? ' ' : *c;
	return record_text(record, spaced);
}

/* A list's texts, with commas. */
static const char *read_list(struct json_node *node, struct arena *arena)
{
	const char *joined = NULL;

	for (struct json_node *item = node->first; item; item = item->next) {
		if (item->kind != JSON_NODE_TEXT || item->size == 0)
			continue;
		joined = joined ? text_join(arena, joined, ", ", item->text) : item->text;
		if (strlen(joined) > TYPE_MAX_BYTES)
			break;
	}
	node->used = joined != NULL;
	return joined;
}

static const char *read_type(struct json_node *record, struct arena *arena)
{
	struct json_node *node = json_tree_get(record, "event_type");

	if (node && node->kind == JSON_NODE_ARRAY)
		return read_list(node, arena);
	if (node && node->kind == JSON_NODE_NUMBER)
		return record_id(record, "event_type");
	return read_text(record, "event_type", arena);
}

/* "2026-11-21 - 18:16:05" and "2026-11-21 18:16:05", which is UTC. */
static uint64_t parse_plain(const char *text)
{
	char rfc3339[24];
	uint64_t ms;
	size_t gap = strlen(text) >= 19 ? strspn(text + 10, " -") : 0;

	if (gap == 0 || strlen(text) != 10 + gap + 8)
		return 0;
	memcpy(rfc3339, text, 10);
	rfc3339[10] = 'T';
	memcpy(rfc3339 + 11, text + 10 + gap, 8);
	memcpy(rfc3339 + 19, "Z", 2);
	return clock_parse(rfc3339, &ms) ? ms : 0;
}

static void read_time(struct json_node *record, struct arena *arena, const struct raw *raw,
		      struct ocsf_finding *finding)
{
	static const char *const names[] = { "datetime_event", "datetime event" };

	for (size_t i = 0; i < 2 && finding->time_ms == 0; i++)
		finding->time_ms = record_time(record, names[i]);
	finding->original_time = record_peek_text(record, "datetime_event");
	if (finding->time_ms == 0) {
		const char *text = read_text(record, "datetime_event", arena);
		finding->time_ms = text ? parse_plain(text) : 0;
		finding->original_time = text;
	}
	if (finding->time_ms == 0)
		finding->time_ms = raw->observed_ms;
}

static void read_severity(struct json_node *record, struct ocsf_finding *finding)
{
	const char *word = record_text(record, "severity");
	int64_t number = -1;

	if (word)
		number = finding_severity_parse(word);
	else if (!record_int(record, "severity", &number) || number > SEVERITY_FATAL)
		number = -1;
	finding->severity_id = number < 0 ? SEVERITY_UNKNOWN : (int)number;
	if (word && number < 0) {
		finding->severity_id = SEVERITY_OTHER;
		finding->severity_text = word;
	}
}

/* ---- where and what ---- */

static bool is_hostname(const char *text)
{
	return strlen(text) <= HOSTNAME_MAX &&
	       text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "0123456789-_.")] == '\0';
}

static void read_device(struct json_node *record, struct arena *arena,
			struct ocsf_finding *finding)
{
	struct json_node *node = json_tree_get(record, "target_device");
	const char *ip = record_ip(record, "target_device");
	const char *text = node && node->kind == JSON_NODE_ARRAY
			       ? read_list(node, arena)
			       : read_text(record, "target_device", arena);

	finding->place = text;
	if (ip)
		finding->interfaces[finding->interface_count++] =
		    (struct ocsf_interface){ .ip = ip };
	else if (text && is_hostname(text))
		finding->hostname = text;
	else
		finding->device_name = text;
}

static struct ocsf_evidence evidence_of(const struct observables_item *item)
{
	switch (item->kind) {
	case OBSERVABLE_IP:
		return (struct ocsf_evidence){ .name = "ip", .ip = item->value };
	case OBSERVABLE_DOMAIN:
		return (struct ocsf_evidence){ .name = "domain", .hostname = item->value };
	case OBSERVABLE_URL:
		return (struct ocsf_evidence){ .name = "url", .url = item->value };
	case OBSERVABLE_EMAIL:
		return (struct ocsf_evidence){ .name = "email",
					       .user = { .name = item->value,
							 .email_addr = item->value } };
	case OBSERVABLE_FILE_NAME:
		return (struct ocsf_evidence){ .name = "file", .file.name = item->value };
	case OBSERVABLE_MD5:
		return (struct ocsf_evidence){ .name = "md5", .file.md5 = item->value };
	case OBSERVABLE_SHA1:
		return (struct ocsf_evidence){ .name = "sha1", .file.sha1 = item->value };
	case OBSERVABLE_SHA256:
		break;
	}
	return (struct ocsf_evidence){ .name = "sha256", .file.sha256 = item->value };
}

/* The text itself stays under unmapped: it is all that some senders say. */
static void read_observables(struct json_node *record, struct arena *arena,
			     struct ocsf_finding *finding)
{
	struct observables_item items[OBSERVABLES_MAX];
	const char *text = record_peek_text(record, "raw_observables_string");

	if (!text)
		text = record_peek_text(record, "raw observables string");
	if (!text)
		return;
	size_t count = observables_find(text, strlen(text), arena, items, OBSERVABLES_MAX);
	struct ocsf_evidence *evidences = arena_alloc(arena, count * sizeof *evidences + 1);
	for (size_t i = 0; i < count; i++)
		evidences[i] = evidence_of(&items[i]);
	finding->evidences = evidences;
	finding->evidence_count = count;
}

const char *map_generic(const struct raw *raw, struct json_node *record, struct arena *arena,
			struct ocsf_finding *ret_finding)
{
	const char *type = read_type(record, arena);

	ret_finding->product = &product;
	ret_finding->record = record;
	ret_finding->activity_id = OCSF_CREATE;
	ret_finding->status_id = OCSF_NEW;
	ret_finding->is_alert = true;
	ret_finding->uid = raw->event_id;
	ret_finding->event_uid = raw->event_id;
	ret_finding->type = type;
	ret_finding->title = type ? type : "Event";
	ret_finding->group_name = "event_type";
	ret_finding->group_value = ret_finding->title;
	read_severity(record, ret_finding);
	read_time(record, arena, raw, ret_finding);
	read_device(record, arena, ret_finding);
	read_observables(record, arena, ret_finding);
	ret_finding->message =
	    ret_finding->place
		? arena_printf(arena, "%s on %s", ret_finding->title, ret_finding->place)
		: ret_finding->title;
	return NULL;
}
