/*
 * Microsoft Defender for Endpoint: one alert of GET /api/alerts, in the shapes of 2018 to
 * today.
 *
 * Field by field: MicrosoftDocs/defender-docs defender-endpoint/api/alerts.md, and recorded
 * alerts. What surprises: anything may be null, and a category the word "null"; times have 1 to
 * 7 fraction digits; the alert comes again, whole, whenever it changes, under the same id, so
 * an event is the alert at the time of a change; classification and determination are people's.
 */
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/clock.h"
#include "model/finding.h"
#include "model/incident.h"
#include "model/json_tree.h"
#include "model/raw.h"

#include "normalize/attack.h"
#include "normalize/map_defender.h"
#include "normalize/mapper.h"
#include "normalize/record.h"
#include "normalize/text.h"

static const struct ocsf_product product = {
	.vendor_name = "Microsoft",
	.name = "Microsoft Defender for Endpoint",
	.full_name = "Microsoft Defender for Endpoint",
	.uid = "microsoft_defender_endpoint",
	.log_name = "/api/alerts",
	.log_provider = "Microsoft Defender for Endpoint API",
	.agent = true,
};

/* A comment and the change it came with have one time; clocks of one service differ a little.
 */
enum { OWN_CHANGE_MS = 2000 };

struct mapping {
	const struct raw *raw;
	struct json_node *record;
	struct arena *arena;
	struct ocsf_finding *finding;
};

/* ---- ids and times ---- */

static bool is_plain(const char *id)
{
	for (const char *c = id; *c; c++) {
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-",
			    *c))
			return false;
	}
	return true;
}

static void read_ids(struct mapping *mapping)
{
	struct ocsf_finding *finding = mapping->finding;
	const char *id = record_id(mapping->record, "id");

	finding->uid = id ? id : mapping->raw->event_id;
	finding->event_uid = finding->uid;
	finding->metadata_uid = finding->modified_ms
				    ? arena_printf(mapping->arena, "%s:%" PRIu64, finding->uid,
						   finding->modified_ms)
				    : mapping->raw->event_id;
	finding->incident_uid = record_id(mapping->record, "incidentId");
	finding->correlation_uid = finding->incident_uid;
	finding->tenant_uid = record_text(mapping->record, "aadTenantId");
	finding->group_name = "id";
	finding->group_value = finding->uid;
	if (!id || !is_plain(id))
		return;
	finding->subject = id;
	finding->src_url =
	    text_join(mapping->arena, "https://security.microsoft.com/alerts/", "", id);
}

static void read_times(struct mapping *mapping)
{
	struct json_node *record = mapping->record;
	struct ocsf_finding *finding = mapping->finding;

	finding->original_time = record_peek_text(record, "alertCreationTime");
	finding->created_ms = record_date(record, "alertCreationTime");
	finding->modified_ms = record_date(record, "lastUpdateTime");
	finding->start_ms = record_date(record, "firstEventTime");
	finding->end_ms = record_date(record, "lastEventTime");
	finding->time_ms =
	    finding->activity_id == OCSF_CREATE ? finding->created_ms : finding->modified_ms;
	if (!finding->time_ms)
		finding->time_ms =
		    finding->created_ms ? finding->created_ms : finding->modified_ms;
	if (!finding->time_ms)
		finding->time_ms = mapping->raw->observed_ms;
}

/* ---- state, severity, verdict ---- */

static void read_status(struct mapping *mapping)
{
	static const struct {
		const char *word;
		enum ocsf_status status_id;
		enum ocsf_activity activity_id;
	} states[] = { { "New", OCSF_NEW, OCSF_CREATE },
		       { "InProgress", OCSF_IN_PROGRESS, OCSF_UPDATE },
		       { "Resolved", OCSF_RESOLVED, OCSF_CLOSE } };
	struct ocsf_finding *finding = mapping->finding;
	const char *text = record_peek_text(mapping->record, "status");

	finding->status_id = text ? OCSF_STATUS_UNKNOWN : OCSF_NEW;
	finding->activity_id = OCSF_CREATE;
	for (size_t i = 0; text && i < sizeof states / sizeof states[0]; i++) {
		if (strcasecmp(text, states[i].word) != 0)
			continue;
		(void)record_text(mapping->record, "status");
		finding->status_id = states[i].status_id;
		finding->activity_id = states[i].activity_id;
	}
	finding->is_alert = finding->activity_id != OCSF_CLOSE;
}

static void read_severity(struct mapping *mapping)
{
	static const struct {
		const char *word;
		int id;
	} words[] = { { "UnSpecified", SEVERITY_UNKNOWN },
		      { "Informational", SEVERITY_INFORMATIONAL },
		      { "Low", SEVERITY_LOW },
		      { "Medium", SEVERITY_MEDIUM },
		      { "High", SEVERITY_HIGH } };
	struct ocsf_finding *finding = mapping->finding;
	const char *text = record_text(mapping->record, "severity");

	finding->severity_id = text ? SEVERITY_OTHER : SEVERITY_UNKNOWN;
	finding->severity_text = text;
	for (size_t i = 0; text && i < sizeof words / sizeof words[0]; i++) {
		if (strcasecmp(text, words[i].word) == 0)
			finding->severity_id = words[i].id;
	}
}

/* The determination refines the classification; both stay under unmapped as they are. */
static void read_verdict(struct mapping *mapping)
{
	static const struct {
		const char *word;
		enum ocsf_verdict id;
	} words[] = {
		{ "SecurityTesting", OCSF_VERDICT_TEST },
		{ "SecurityPersonnel", OCSF_VERDICT_TEST },
		{ "InsufficientData", OCSF_VERDICT_INSUFFICIENT_DATA },
		{ "NotEnoughDataToValidate", OCSF_VERDICT_INSUFFICIENT_DATA },
		{ "NoEnoughDataToValidate", OCSF_VERDICT_INSUFFICIENT_DATA },
		{ "UnwantedSoftware", OCSF_VERDICT_SECURITY_RISK },
		{ "TruePositive", OCSF_VERDICT_TRUE_POSITIVE },
		{ "FalsePositive", OCSF_VERDICT_FALSE_POSITIVE },
		{ "InformationalExpectedActivity", OCSF_VERDICT_BENIGN },
		{ "Informational, expected activity", OCSF_VERDICT_BENIGN },
	};
	struct ocsf_finding *finding = mapping->finding;
	const char *said[] = { record_peek_text(mapping->record, "determination"),
			       record_peek_text(mapping->record, "classification") };

	for (size_t k = 0; k < 2; k++) {
		for (size_t i = 0; said[k] && i < sizeof words / sizeof words[0]; i++) {
			if (finding->is_judged || strcasecmp(said[k], words[i].word) != 0)
				continue;
			finding->is_judged = true;
			finding->judged_id = words[i].id;
		}
	}
	finding->assignee = record_text(mapping->record, "assignedTo");
}

/* ---- words ---- */

static const char *read_category(struct mapping *mapping)
{
	const char *text = record_peek_text(mapping->record, "category");

	if (!text || strcasecmp(text, "null") == 0)
		return NULL;
	return record_text(mapping->record, "category");
}

/* The newest of the comments, of which the alert always carries all. */
static const struct json_node *last_comment(const struct json_node *record)
{
	const struct json_node *list = json_tree_get(record, "comments"), *last = NULL;

	if (!list || list->kind != JSON_NODE_ARRAY)
		return NULL;
	for (const struct json_node *item = list->first; item; item = item->next) {
		if (record_peek_text(item, "comment"))
			last = item;
	}
	return last;
}

/* Closing an incident resolves its alerts, with a comment that carries the incident's key: the
 * change that follows is our own, and no news. What somebody changes later moves the alert's
 * time away from that of the comment. */
static bool is_own_change(const struct json_node *record)
{
	const struct json_node *comment = last_comment(record);
	const char *updated = record_peek_text(record, "lastUpdateTime");
	const char *created = comment ? record_peek_text(comment, "createdTime") : NULL;
	uint64_t updated_ms, created_ms;

	return created && updated && clock_parse(updated, &updated_ms) &&
	       clock_parse(created, &created_ms) &&
	       strstr(record_peek_text(comment, "comment"), INCIDENT_KEY_PREFIX) &&
	       updated_ms <= created_ms + OWN_CHANGE_MS;
}

static void read_words(struct mapping *mapping)
{
	struct ocsf_finding *finding = mapping->finding;
	struct json_node *record = mapping->record;
	const struct json_node *comment = last_comment(record);
	const char *threat = record_text(record, "threatName");

	finding->title = record_text(record, "title");
	if (!finding->title)
		finding->title = text_join(mapping->arena, "Alert ", "", finding->uid);
	finding->message = finding->hostname ? arena_printf(mapping->arena, "%s on %s",
							    finding->title, finding->hostname)
					     : finding->title;
	finding->description = record_text(record, "description");
	finding->remediation = record_text(record, "recommendedAction");
	finding->malware_name = threat ? threat : record_text(record, "threatFamilyName");
	finding->feature = record_text(record, "detectionSource");
	finding->comment = comment ? record_peek_text(comment, "comment") : NULL;
	finding->analytic_uid = record_text(record, "detectorId");
	if (!finding->analytic_uid)
		return;
	finding->analytic_name = finding->title;
	finding->analytic_category = finding->type;
	finding->analytic_type_id =
	    finding->feature && strcmp(finding->feature, "WindowsDefenderAtp") == 0
		? OCSF_ANALYTIC_BEHAVIORAL
		: OCSF_ANALYTIC_RULE;
}

/* A category that is a tactic of ATT&CK, written as one word. */
static void read_attacks(struct mapping *mapping)
{
	static const struct {
		const char *category, *uid;
	} tactics[] = {
		{ "InitialAccess", "TA0001" },	     { "Execution", "TA0002" },
		{ "Persistence", "TA0003" },	     { "PrivilegeEscalation", "TA0004" },
		{ "DefenseEvasion", "TA0005" },	     { "CredentialAccess", "TA0006" },
		{ "Discovery", "TA0007" },	     { "LateralMovement", "TA0008" },
		{ "Collection", "TA0009" },	     { "Exfiltration", "TA0010" },
		{ "CommandAndControl", "TA0011" },   { "Impact", "TA0040" },
		{ "ResourceDevelopment", "TA0042" }, { "Reconnaissance", "TA0043" },
	};
	struct ocsf_finding *finding = mapping->finding;

	attack_read(finding, NULL, json_tree_get(mapping->record, "mitreTechniques"));
	for (size_t i = 0; finding->type && i < sizeof tactics / sizeof tactics[0]; i++) {
		if (strcasecmp(finding->type, tactics[i].category) == 0)
			attack_add_tactic(finding, tactics[i].uid);
	}
}

/* ---- the machine and its users ---- */

static void read_machine(struct mapping *mapping)
{
	struct ocsf_finding *finding = mapping->finding;
	struct json_node *record = mapping->record;

	finding->device_uid = record_id(record, "machineId");
	finding->hostname = record_text(record, "computerDnsName");
	const char *point = finding->hostname ? strchr(finding->hostname, '.') : NULL;
	if (point && point > finding->hostname && point[1] != '\0')
		finding->device_domain = point + 1;
	finding->device_group = record_text(record, "rbacGroupName");
}

static void read_users(struct mapping *mapping)
{
	struct ocsf_finding *finding = mapping->finding;
	struct json_node *related = json_tree_get(mapping->record, "relatedUser");
	struct json_node *older = json_tree_get(mapping->record, "alertUser");
	struct json_node *present = json_tree_get(mapping->record, "loggedOnUsers");

	finding->user.name = record_text(related, "userName");
	if (finding->user.name) {
		finding->user.domain = record_text(related, "domainName");
	} else {
		finding->user.name = record_text(older, "accountName");
		finding->user.domain =
		    finding->user.name ? record_text(older, "domainName") : NULL;
	}
	if (finding->user.domain && strcasecmp(finding->user.domain, "NT AUTHORITY") == 0)
		finding->user.type_id = OCSF_USER_SYSTEM;
	/* All of them stay under unmapped. */
	if (!present || present->kind != JSON_NODE_ARRAY || !present->first)
		return;
	finding->device_owner.name = record_peek_text(present->first, "accountName");
	finding->device_owner.domain = record_peek_text(present->first, "domainName");
}

/* Every member is always there, null where it does not apply: half of a record says nothing. */
static void forget_nulls(struct json_node *object)
{
	for (struct json_node *node = object->first; node; node = node->next) {
		if (node->kind == JSON_NODE_NULL)
			node->used = true;
		else if (!node->used)
			forget_nulls(node);
	}
}

const char *map_defender(const struct raw *raw, struct json_node *record, struct arena *arena,
			 struct ocsf_finding *ret_finding)
{
	struct mapping mapping = {
		.raw = raw, .record = record, .arena = arena, .finding = ret_finding
	};

	if (!*raw->asked && is_own_change(record))
		return "our own change of the alert";
	ret_finding->product = &product;
	ret_finding->record = record;
	read_status(&mapping);
	read_times(&mapping);
	read_ids(&mapping);
	read_severity(&mapping);
	read_verdict(&mapping);
	read_machine(&mapping);
	read_users(&mapping);
	ret_finding->type = read_category(&mapping);
	read_words(&mapping);
	read_attacks(&mapping);
	map_defender_evidence(record, arena, ret_finding);
	forget_nulls(record);
	return NULL;
}
