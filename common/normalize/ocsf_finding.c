/*
 * OCSF 1.8.0 Detection Finding, in a fixed order of attributes. What the schema wants that is
 * easily got wrong: an id's text sibling is its caption, a profile is declared exactly when one
 * of its attributes is there, objects are left out when what they require is absent, and the
 * name of an observable is the path of an attribute that exists.
 */
#include "normalize/ocsf_finding.h"

#include <string.h>

#include "base/arena.h"
#include "model/finding.h"
#include "model/json_tree.h"
#include "model/json_writer.h"

#include "normalize/ocsf_writer.h"
#include "normalize/text.h"

/* OCSF 1.8.0: enums of the class and its profiles. */
static const struct ocsf_caption activities[] = {
	{ OCSF_CREATE, "Create" }, { OCSF_UPDATE, "Update" }, { OCSF_CLOSE, "Close" }, { 0 }
};
static const struct ocsf_caption type_names[] = { { OCSF_CREATE, "Detection Finding: Create" },
						  { OCSF_UPDATE, "Detection Finding: Update" },
						  { OCSF_CLOSE, "Detection Finding: Close" },
						  { 0 } };
static const struct ocsf_caption statuses[] = {
	{ OCSF_STATUS_UNKNOWN, "Unknown" },  { OCSF_NEW, "New" },
	{ OCSF_IN_PROGRESS, "In Progress" }, { OCSF_SUPPRESSED, "Suppressed" },
	{ OCSF_RESOLVED, "Resolved" },	     { 0 }
};
static const struct ocsf_caption confidences[] = { { OCSF_CONFIDENCE_LOW, "Low" },
						   { OCSF_CONFIDENCE_HIGH, "High" },
						   { 0 } };
static const struct ocsf_caption actions[] = { { OCSF_ALLOWED, "Allowed" },
					       { OCSF_DENIED, "Denied" },
					       { OCSF_OBSERVED, "Observed" },
					       { OCSF_MODIFIED, "Modified" },
					       { 0 } };
static const struct ocsf_caption dispositions[] = {
	{ OCSF_LET_THROUGH, "Allowed" },     { OCSF_BLOCKED, "Blocked" },
	{ OCSF_QUARANTINED, "Quarantined" }, { OCSF_ISOLATED, "Isolated" },
	{ OCSF_DELETED, "Deleted" },	     { OCSF_RESTORED, "Restored" },
	{ OCSF_CORRECTED, "Corrected" },     { OCSF_UNCORRECTED, "Uncorrected" },
	{ OCSF_DETECTED, "Detected" },	     { OCSF_NO_ACTION, "No Action" },
	{ OCSF_CHALLENGED, "Challenge" },    { 0 }
};
static const struct ocsf_caption analytic_types[] = {
	{ OCSF_ANALYTIC_UNKNOWN, "Unknown" },
	{ OCSF_ANALYTIC_RULE, "Rule" },
	{ OCSF_ANALYTIC_BEHAVIORAL, "Behavioral" },
	{ OCSF_ANALYTIC_FINGERPRINTING, "Fingerprinting" },
	{ 0 }
};
static const struct ocsf_caption observable_types[] = {
	{ OCSF_OBSERVABLE_HOSTNAME, "Hostname" },
	{ OCSF_OBSERVABLE_IP, "IP Address" },
	{ OCSF_OBSERVABLE_MAC, "MAC Address" },
	{ OCSF_OBSERVABLE_USER_NAME, "User Name" },
	{ OCSF_OBSERVABLE_URL, "URL String" },
	{ OCSF_OBSERVABLE_FILE_NAME, "File Name" },
	{ OCSF_OBSERVABLE_HASH, "Hash" },
	{ OCSF_OBSERVABLE_FILE_PATH, "File Path" },
	{ OCSF_OBSERVABLE_REG_PATH, "Registry Key Path" },
	{ OCSF_OBSERVABLE_DEVICE_UID, "Device Object: uid" },
	{ 0 },
};

const char *ocsf_caption(const struct ocsf_caption *captions, int id)
{
	for (; captions->text; captions++) {
		if (captions->id == id)
			return captions->text;
	}
	return NULL;
}

void ocsf_put_id(struct buf *out, const char *id_name, const char *text_name,
		 const struct ocsf_caption *captions, int id)
{
	json_put_int(out, id_name, id);
	json_put_string(out, text_name, ocsf_caption(captions, id));
}

/* At most max bytes, cut between two characters. */
void ocsf_put_cut(struct buf *out, const char *name, const char *text, size_t max)
{
	size_t size = text ? strnlen(text, max + 1) : 0;

	if (size > max) {
		size = max;
		while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80)
			size--;
	}
	json_put_text(out, name, text, size);
}

void ocsf_put(struct buf *out, const char *name, const char *text)
{
	ocsf_put_cut(out, name, text, OCSF_TEXT_MAX_BYTES);
}

/* Remembers a value that was just written at path, a literal. A value that was cut differs from
 * the attribute's and is no observable. */
void ocsf_observe(struct ocsf_writer *writer, const char *path, int type_id, const char *value)
{
	if (value && value[0] != '\0' && writer->observable_count < OCSF_OBSERVABLES_MAX &&
	    strnlen(value, OCSF_TEXT_MAX_BYTES + 1) <= OCSF_TEXT_MAX_BYTES)
		writer->observables[writer->observable_count++] =
		    (struct ocsf_observable){ path, type_id, value };
}

/* ---- head, metadata ---- */

static bool has_actor(const struct ocsf_finding *finding)
{
	return finding->process.known || finding->user.name;
}

static void put_head(const struct ocsf_writer *writer)
{
	const struct ocsf_finding *finding = writer->finding;
	struct buf *out = writer->out;

	ocsf_put_id(out, "activity_id", "activity_name", activities, finding->activity_id);
	json_put_int(out, "category_uid", 2);
	json_put_string(out, "category_name", "Findings");
	json_put_int(out, "class_uid", FINDING_CLASS_UID);
	json_put_string(out, "class_name", "Detection Finding");
	json_put_int(out, "type_uid", FINDING_CLASS_UID * 100 + (int)finding->activity_id);
	json_put_string(out, "type_name", ocsf_caption(type_names, finding->activity_id));
	json_put_int(out, "time", (int64_t)finding->time_ms);
	if (finding->start_ms)
		json_put_int(out, "start_time", (int64_t)finding->start_ms);
	if (finding->end_ms && finding->end_ms >= finding->start_ms)
		json_put_int(out, "end_time", (int64_t)finding->end_ms);
	json_put_int(out, "severity_id", finding->severity_id);
	if (finding->severity_id == SEVERITY_OTHER)
		ocsf_put_cut(out, "severity", finding->severity_text, OCSF_TITLE_MAX_BYTES);
	else
		json_put_string(out, "severity", finding_severity_name(finding->severity_id));
	ocsf_put_id(out, "status_id", "status", statuses, finding->status_id);
	if (finding->is_alert)
		json_put_bool(out, "is_alert", true);
	if (finding->confidence_id)
		ocsf_put_id(out, "confidence_id", "confidence", confidences,
			    finding->confidence_id);
	if (finding->action_id)
		ocsf_put_id(out, "action_id", "action", actions, finding->action_id);
	if (finding->disposition_id == OCSF_DISPOSITION_OTHER) {
		json_put_int(out, "disposition_id", OCSF_DISPOSITION_OTHER);
		ocsf_put_cut(out, "disposition", finding->disposition_text,
			     OCSF_TITLE_MAX_BYTES);
	} else if (finding->disposition_id)
		ocsf_put_id(out, "disposition_id", "disposition", dispositions,
			    finding->disposition_id);
	ocsf_put_cut(out, "message", finding->message, OCSF_TITLE_MAX_BYTES);
	ocsf_put(out, "comment", finding->comment);
}

static bool has_incident(const struct ocsf_finding *finding)
{
	return finding->is_judged || finding->assignee || finding->incident_uid;
}

/* What OCSF's profile "incident" has room for. */
static void put_incident(const struct ocsf_writer *writer)
{
	const struct ocsf_finding *finding = writer->finding;
	struct buf *out = writer->out;

	if (finding->is_judged) {
		json_put_int(out, "verdict_id", finding->judged_id);
		json_put_string(out, "verdict", ocsf_verdict_caption(finding->judged_id));
	}
	ocsf_put_user(out, "assignee", &(struct ocsf_user){ .name = finding->assignee }, false);
	if (!finding->incident_uid)
		return;
	json_begin(out, "tickets", '[');
	json_begin(out, NULL, '{');
	ocsf_put_cut(out, "uid", finding->incident_uid, OCSF_ID_MAX_BYTES);
	json_put_int(out, "type_id", 2);
	json_put_string(out, "type", "External");
	json_end(out, '}');
	json_end(out, ']');
}

static void put_metadata(const struct ocsf_writer *writer)
{
	const struct ocsf_finding *finding = writer->finding;
	const struct ocsf_product *product = finding->product;
	struct buf *out = writer->out;

	json_begin(out, "metadata", '{');
	json_put_string(out, "version", "1.8.0");
	json_put_string(
	    out, "uid",
	    text_join(writer->arena, product->uid, ":",
		      finding->metadata_uid ? finding->metadata_uid : finding->event_uid));
	json_begin(out, "product", '{');
	json_put_string(out, "vendor_name", product->vendor_name);
	json_put_string(out, "name", product->name);
	json_put_string(out, "uid", product->uid);
	if (finding->feature) {
		json_begin(out, "feature", '{');
		ocsf_put_cut(out, "name", finding->feature, OCSF_ID_MAX_BYTES);
		json_end(out, '}');
	}
	json_end(out, '}');
	size_t begun = json_begin(out, "profiles", '[');
	if (has_actor(finding))
		json_put_string(out, NULL, "host");
	if (finding->action_id || finding->disposition_id || finding->attack_count > 0 ||
	    finding->policy_uid || finding->rule_uid || finding->rule_name)
		json_put_string(out, NULL, "security_control");
	if (has_incident(finding))
		json_put_string(out, NULL, "incident");
	json_end_unless_empty(out, begun, ']');
	ocsf_put(out, "original_event_uid", finding->event_uid);
	ocsf_put(out, "original_time", finding->original_time);
	ocsf_put(out, "event_code", finding->event_code);
	ocsf_put(out, "correlation_uid", finding->correlation_uid);
	ocsf_put_cut(out, "tenant_uid", finding->tenant_uid, OCSF_ID_MAX_BYTES);
	if (finding->modified_ms)
		json_put_int(out, "modified_time", (int64_t)finding->modified_ms);
	ocsf_put(out, "log_name", finding->log_name ? finding->log_name : product->log_name);
	json_put_string(out, "log_provider", product->log_provider);
	json_end(out, '}');
}

/* ---- ATT&CK ---- */

static void put_attack(struct buf *out, const struct ocsf_attack *attack)
{
	json_begin(out, NULL, '{');
	if (attack->tactic_uid || attack->tactic_name) {
		json_begin(out, "tactic", '{');
		ocsf_put_cut(out, "uid", attack->tactic_uid, OCSF_ID_MAX_BYTES);
		ocsf_put_cut(out, "name", attack->tactic_name, OCSF_ID_MAX_BYTES);
		json_end(out, '}');
	}
	if (attack->technique_uid || attack->technique_name) {
		const char *uid = attack->technique_uid;
		const char *point = uid ? strchr(uid, '.') : NULL;
		json_begin(out, "technique", '{');
		if (uid)
			json_put_text(out, "uid", uid,
				      point ? (size_t)(point - uid) : strlen(uid));
		if (!point) /* else the name is the narrower one's */
			ocsf_put_cut(out, "name", attack->technique_name, OCSF_ID_MAX_BYTES);
		json_end(out, '}');
		if (point) {
			json_begin(out, "sub_technique", '{');
			ocsf_put(out, "uid", uid);
			ocsf_put_cut(out, "name", attack->technique_name, OCSF_ID_MAX_BYTES);
			json_end(out, '}');
		}
	}
	json_end(out, '}');
}

/* At the top and again in finding_info, as the class asks. ret_attacks is the array. */
static void put_attacks(const struct ocsf_writer *writer, const char **ret_attacks)
{
	const struct ocsf_finding *finding = writer->finding;
	struct buf *out = writer->out;

	*ret_attacks = NULL;
	if (finding->attack_count == 0)
		return;
	json_begin(out, "attacks", '[');
	size_t from = out->size - 1;
	for (size_t i = 0; i < finding->attack_count; i++)
		put_attack(out, &finding->attacks[i]);
	json_end(out, ']');
	if (buf_ok(out))
		*ret_attacks = arena_strndup(writer->arena, out->data + from, out->size - from);
}

/* ---- the finding ---- */

static void put_analytic(const struct ocsf_writer *writer)
{
	const struct ocsf_finding *finding = writer->finding;
	struct buf *out = writer->out;

	if (!finding->analytic_name && !finding->analytic_uid)
		return;
	json_begin(out, "analytic", '{');
	ocsf_put(out, "name", finding->analytic_name);
	ocsf_put(out, "uid", finding->analytic_uid);
	ocsf_put_id(out, "type_id", "type", analytic_types, finding->analytic_type_id);
	ocsf_put_cut(out, "category", finding->analytic_category, OCSF_ID_MAX_BYTES);
	json_end(out, '}');
}

/* When what it is about began and ended, for findings that live longer than a moment. */
static void put_seen(const struct ocsf_finding *finding, struct buf *out)
{
	if (finding->start_ms)
		json_put_int(out, "first_seen_time", (int64_t)finding->start_ms);
	if (finding->end_ms && finding->end_ms >= finding->start_ms)
		json_put_int(out, "last_seen_time", (int64_t)finding->end_ms);
}

static void put_relations(const struct ocsf_finding *finding, struct buf *out)
{
	if (finding->feature) {
		json_begin(out, "data_sources", '[');
		ocsf_put_cut(out, NULL, finding->feature, OCSF_ID_MAX_BYTES);
		json_end(out, ']');
	}
	if (finding->incident_uid) {
		json_begin(out, "related_events", '[');
		json_begin(out, NULL, '{');
		ocsf_put_cut(out, "uid", finding->incident_uid, OCSF_ID_MAX_BYTES);
		json_put_string(out, "type", "Incident");
		json_end(out, '}');
		json_end(out, ']');
	}
}

static void put_info(const struct ocsf_writer *writer, const char *attacks)
{
	const struct ocsf_finding *finding = writer->finding;
	struct buf *out = writer->out;

	json_begin(out, "finding_info", '{');
	ocsf_put(out, "uid", finding->uid);
	ocsf_put_cut(out, "title", finding->title, OCSF_TITLE_MAX_BYTES);
	ocsf_put(out, "desc", finding->description);
	size_t begun = json_begin(out, "types", '[');
	ocsf_put_cut(out, NULL, finding->type, OCSF_TITLE_MAX_BYTES);
	for (size_t i = 0; i < finding->more_type_count; i++)
		ocsf_put_cut(out, NULL, finding->more_types[i], OCSF_TITLE_MAX_BYTES);
	json_end_unless_empty(out, begun, ']');
	json_put_int(out, "created_time",
		     (int64_t)(finding->created_ms ? finding->created_ms : finding->time_ms));
	if (finding->first_seen_ms)
		json_put_int(out, "first_seen_time", (int64_t)finding->first_seen_ms);
	if (finding->modified_ms) {
		json_put_int(out, "modified_time", (int64_t)finding->modified_ms);
		put_seen(finding, out);
	}
	ocsf_put(out, "src_url", finding->src_url);
	put_analytic(writer);
	put_relations(finding, out);
	if (attacks)
		json_put_raw(out, "attacks", attacks, strlen(attacks));
	json_begin(out, "product", '{');
	json_put_string(out, "vendor_name", finding->product->vendor_name);
	json_put_string(out, "name", finding->product->name);
	json_end(out, '}');
	json_end(out, '}');
}

/* ---- the rest ---- */

static void put_vulnerabilities(const struct ocsf_writer *writer)
{
	const struct ocsf_finding *finding = writer->finding;
	struct buf *out = writer->out;

	if (finding->cve_count == 0)
		return;
	json_begin(out, "vulnerabilities", '[');
	for (size_t i = 0; i < finding->cve_count; i++) {
		json_begin(out, NULL, '{');
		json_begin(out, "cve", '{');
		ocsf_put(out, "uid", finding->cves[i]);
		json_end(out, '}');
		json_end(out, '}');
	}
	json_end(out, ']');
}

/* What decided: one of the source's policies or rules. */
static void put_policy(const struct ocsf_writer *writer)
{
	const struct ocsf_finding *finding = writer->finding;
	struct buf *out = writer->out;

	if (finding->policy_uid) {
		json_begin(out, "policy", '{');
		ocsf_put(out, "uid", finding->policy_uid);
		json_end(out, '}');
	}
	if (!finding->rule_uid && !finding->rule_name)
		return;
	json_begin(out, "firewall_rule", '{');
	ocsf_put(out, "uid", finding->rule_uid);
	ocsf_put(out, "name", finding->rule_name);
	json_end(out, '}');
}

static void put_observables(const struct ocsf_writer *writer)
{
	struct buf *out = writer->out;

	if (writer->observable_count == 0)
		return;
	json_begin(out, "observables", '[');
	for (size_t i = 0; i < writer->observable_count; i++) {
		const struct ocsf_observable *row = &writer->observables[i];
		json_begin(out, NULL, '{');
		json_put_string(out, "name", row->name);
		ocsf_put_id(out, "type_id", "type", observable_types, row->type_id);
		json_put_string(out, "value", row->value);
		json_end(out, '}');
	}
	json_end(out, ']');
}

/* Last, so that it alone gives way when there is too much. */
static void put_unmapped(const struct ocsf_writer *writer)
{
	struct buf *out = writer->out;
	size_t begun = out->size;

	json_tree_write_rest(out, "unmapped", writer->finding->record);
	buf_add(out, "}", 1);
	if (buf_ok(out))
		return;
	json_rewind(out, begun);
	json_begin(out, "unmapped", '{');
	json_put_string(out, "left_out", "too large");
	json_end(out, '}');
	json_end(out, '}');
}

bool ocsf_finding_write(const struct ocsf_finding *finding, struct arena *arena,
			struct buf *out)
{
	struct ocsf_writer writer = { .finding = finding, .arena = arena, .out = out };
	const char *attacks;

	json_begin(out, NULL, '{');
	put_head(&writer);
	put_incident(&writer);
	put_metadata(&writer);
	put_attacks(&writer, &attacks);
	put_info(&writer, attacks);
	ocsf_put_evidence(&writer);
	ocsf_put_malware(&writer);
	ocsf_put_device(&writer);
	ocsf_put_actor(&writer);
	ocsf_put_resources(&writer);
	put_vulnerabilities(&writer);
	put_policy(&writer);
	if (finding->remediation) {
		json_begin(out, "remediation", '{');
		ocsf_put(out, "desc", finding->remediation);
		json_end(out, '}');
	}
	put_observables(&writer);
	if (!buf_ok(out))
		return false;
	put_unmapped(&writer);
	return buf_ok(out);
}
