/*
 * Cisco Umbrella: one record of GET .../activity (Reporting v2).
 *
 * A record is traffic first; it is a finding when it speaks of a threat, or when its category
 * was asked for by name. Field by field: CiscoDevNet/go-ciscosecureaccess specs/
 * cisco_secure_access_reports.yaml and recorded records. What surprises: there is no id;
 * `time` is a text or a number of seconds; retrospective records have no `type` and their
 * timestamp is in seconds; absent texts are ""; proxy records have a URL and no domain.
 *
 * What belongs together is a category on one host, never a domain: malware that tries 500
 * domains is one problem.
 */
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "model/finding.h"
#include "model/json_tree.h"
#include "model/raw.h"

#include "normalize/mapper.h"
#include "normalize/record.h"
#include "normalize/text.h"
#include "normalize/umbrella_category.h"
#include "normalize/umbrella_record.h"

static const struct ocsf_product product = {
	.vendor_name = "Cisco",
	.name = "Umbrella",
	.full_name = "Cisco Umbrella",
	.uid = "cisco_umbrella",
	.log_name = "/reports/v2/activity",
	.log_provider = "Cisco Umbrella Reporting API",
};

static const char retrospective[] = "amp-retrospective";

/* Every type of the reference. */
static const struct {
	const char *type;
	const char *feature;
	const char *noun; /* what was blocked or allowed */
} kinds[] = {
	{ "dns", "DNS Security", "DNS request" },
	{ "proxy", "Secure Web Gateway", "web request" },
	{ "firewall", "Cloud-Delivered Firewall", "connection" },
	{ "intrusion", "IPS", "connection" },
	{ "ip", "IP Layer Enforcement", "connection" },
	{ "ztna", "Zero Trust Access", "access" },
	{ "decryption", "Decryption", "connection" },
	{ retrospective, "Advanced Malware Protection", "file" },
};

/* ---- what kind of record ---- */

static void read_kind(struct umbrella_mapping *mapping)
{
	struct json_node *record = mapping->record;
	const char *type = record_text(record, "type");

	mapping->type = type ? text_lower(mapping->arena, type, strnlen(type, 64)) : NULL;
	if (!type && record_peek_text(record, "sha256") &&
	    record_peek_text(record, "disposition"))
		mapping->type = retrospective;
	mapping->noun = "activity";
	for (size_t i = 0; mapping->type && i < sizeof kinds / sizeof kinds[0]; i++) {
		if (strcmp(kinds[i].type, mapping->type) != 0)
			continue;
		mapping->noun = kinds[i].noun;
		mapping->finding->feature = kinds[i].feature;
	}
	const char *verdict = record_text(record, "verdict");
	mapping->verdict =
	    verdict ? text_lower(mapping->arena, verdict, strnlen(verdict, 64)) : NULL;
}

/* The worst threat wins, of two the smaller id: the order of the list means nothing. */
static bool outranks(const struct umbrella_category *one, const struct umbrella_category *other)
{
	if (!other->label || one->security != other->security)
		return !other->label || one->security;
	if (one->severity_id != other->severity_id)
		return one->severity_id > other->severity_id;
	if (!one->id || !other->id)
		return one->id && !other->id;
	size_t size = strlen(one->id), other_size = strlen(other->id);

	return size != other_size ? size < other_size : strcmp(one->id, other->id) < 0;
}

static void add_type(struct ocsf_finding *finding, const char *label)
{
	for (size_t i = 0; i < finding->more_type_count; i++) {
		if (strcmp(finding->more_types[i], label) == 0)
			return;
	}
	if (finding->more_type_count < OCSF_CATEGORIES_MAX)
		finding->more_types[finding->more_type_count++] = label;
}

static void read_list(struct umbrella_mapping *mapping, const char *name, bool security,
		      struct umbrella_category *best)
{
	struct ocsf_finding *finding = mapping->finding;
	struct json_node *list = json_tree_get(mapping->record, name);
	struct json_node *item = list && list->kind == JSON_NODE_ARRAY ? list->first : NULL;
	struct umbrella_category category;

	for (; item; item = item->next) {
		if (!umbrella_category_read(item, &category) || category.security != security)
			continue;
		if (outranks(&category, best))
			*best = category;
		add_type(finding, category.label);
		if (strcmp(name, "categories") != 0 ||
		    finding->url_category_count == OCSF_CATEGORIES_MAX)
			continue;
		finding->url_categories[finding->url_category_count] = category.label;
		finding->url_category_ids[finding->url_category_count++] = category.url_id;
	}
}

/* The category that decided, if the policy says which, else the worst. Threats come first in
 * the lists. */
static void read_categories(struct umbrella_mapping *mapping)
{
	struct ocsf_finding *finding = mapping->finding;
	struct umbrella_category policy = { 0 }, any = { 0 };

	for (int pass = 0; pass < 2; pass++) {
		read_list(mapping, "policycategories", pass == 0, &policy);
		read_list(mapping, "categories", pass == 0, &any);
	}
	mapping->category = policy.label && (policy.security || !any.security) ? policy : any;
	if (!mapping->category.label)
		return;
	/* The first of the types is what tickets call the event. */
	finding->type = mapping->category.label;
	for (size_t i = 0; i < finding->more_type_count; i++) {
		if (strcmp(finding->more_types[i], finding->type) != 0)
			continue;
		finding->more_type_count--;
		memmove(&finding->more_types[i], &finding->more_types[i + 1],
			(finding->more_type_count - i) * sizeof finding->more_types[0]);
	}
}

static bool is_finding(const struct umbrella_mapping *mapping)
{
	return mapping->threat || (mapping->raw->asked && mapping->raw->asked[0] == '1');
}

static const char *why_not(const struct umbrella_mapping *mapping)
{
	const char *verdict =
	    mapping->verdict ? mapping->verdict : mapping->finding->verdict_text;

	return arena_printf(mapping->arena, "not a detection: %.40s%s%.40s%s%.80s",
			    mapping->type ? mapping->type : "activity without a type",
			    verdict ? " " : "", verdict ? verdict : "",
			    mapping->category.label ? ", " : "",
			    mapping->category.label ? mapping->category.label : "");
}

/* ---- ids, times, severity, outcome ---- */

static void read_ids(struct umbrella_mapping *mapping)
{
	struct ocsf_finding *finding = mapping->finding;

	finding->event_uid = mapping->raw->event_id;
	finding->uid = mapping->raw->event_id;
	finding->event_code = mapping->type;
	if (mapping->type)
		finding->log_name =
		    text_join(mapping->arena, product.log_name, "/", mapping->type);
	finding->time_ms = umbrella_time(mapping->record, "timestamp");
	if (!finding->time_ms)
		finding->time_ms = umbrella_date_time(mapping->record, mapping->arena);
	if (!finding->time_ms)
		finding->time_ms = mapping->raw->observed_ms;
	finding->first_seen_ms = umbrella_time(mapping->record, "firstseenat");
}

static void read_outcome(struct umbrella_mapping *mapping)
{
	static const struct {
		const char *verdict;
		enum ocsf_disposition disposition_id;
		enum ocsf_action action_id;
	} outcomes[] = {
		{ "blocked", OCSF_BLOCKED, OCSF_DENIED },
		{ "allowed", OCSF_LET_THROUGH, OCSF_ALLOWED },
		{ "isolated", OCSF_ISOLATED, OCSF_DENIED },
		{ "detected", OCSF_DETECTED, OCSF_OBSERVED },
		{ "warn", OCSF_CHALLENGED, OCSF_OBSERVED },
		/* to the intelligent proxy: nothing was stopped */
		{ "proxied", OCSF_DISPOSITION_OTHER, OCSF_MODIFIED },
	};
	struct ocsf_finding *finding = mapping->finding;
	const char *state =
	    record_peek_text(json_tree_get(mapping->record, "isolated"), "state");

	finding->activity_id = OCSF_CREATE;
	finding->status_id = OCSF_NEW;
	if (!mapping->verdict)
		return;
	finding->disposition_id = OCSF_DISPOSITION_OTHER;
	finding->disposition_text = mapping->verdict;
	for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
		if (strcmp(outcomes[i].verdict, mapping->verdict) != 0)
			continue;
		finding->disposition_id = outcomes[i].disposition_id;
		finding->action_id = outcomes[i].action_id;
	}
	if (state && strcasecmp(state, "not-isolated") != 0) {
		finding->disposition_id = OCSF_ISOLATED;
		finding->action_id = OCSF_DENIED;
	}
}

/* The API has none, but for intrusions. A threat that was not stopped is one worse. */
static void read_severity(struct umbrella_mapping *mapping)
{
	static const struct {
		const char *word;
		int id;
	} words[] = { { "LOW", SEVERITY_LOW },
		      { "MEDIUM", SEVERITY_MEDIUM },
		      { "HIGH", SEVERITY_HIGH },
		      { "VERY HIGH", SEVERITY_CRITICAL },
		      { "CRITICAL", SEVERITY_CRITICAL } };
	struct ocsf_finding *finding = mapping->finding;
	const char *stated = record_text(mapping->record, "severity");
	bool stopped = finding->disposition_id == OCSF_BLOCKED ||
		       finding->disposition_id == OCSF_ISOLATED || !mapping->verdict;
	int severity =
	    mapping->category.security ? mapping->category.severity_id : SEVERITY_INFORMATIONAL;

	if (mapping->threat_severity_id > severity)
		severity = mapping->threat_severity_id;
	if (mapping->threat && !stopped && severity < SEVERITY_CRITICAL)
		severity++;
	for (size_t i = 0; stated && i < sizeof words / sizeof words[0]; i++) {
		if (strcasecmp(stated, words[i].word) == 0)
			severity = words[i].id;
	}
	finding->severity_id = severity;
	finding->is_alert = severity >= SEVERITY_MEDIUM;
}

/* ---- words and grouping ---- */

static void read_words(struct umbrella_mapping *mapping)
{
	struct ocsf_finding *finding = mapping->finding;
	const char *what = mapping->signature ? mapping->signature : finding->type;
	const char *verdict = mapping->verdict ? mapping->verdict : "reported";

	if (!what)
		what = finding->malware_name;
	if (!finding->type)
		finding->type = mapping->signature	    ? "Intrusion"
				: mapping->is_retrospective ? "Retrospective detection"
							    : mapping->noun;
	finding->title =
	    what ? arena_printf(mapping->arena, "%.400s: %s %s", what, mapping->noun, verdict)
		 : arena_printf(mapping->arena, "%s %s", mapping->noun, verdict);
	const char *host = finding->hostname ? finding->hostname : finding->device_name;
	finding->message = host ? arena_printf(mapping->arena, "%s on %s", finding->title, host)
				: finding->title;
	if (finding->analytic_name || !mapping->category.label)
		return;
	finding->analytic_name = mapping->category.label;
	finding->analytic_uid = mapping->category.id;
	finding->analytic_category = mapping->category.type;
	finding->analytic_type_id = OCSF_ANALYTIC_RULE;
}

static void read_group(struct umbrella_mapping *mapping)
{
	struct ocsf_finding *finding = mapping->finding;
	const struct umbrella_category *category = &mapping->category;
	const struct {
		const char *name, *value;
	} keys[] = {
		{ "signature", mapping->signature ? finding->analytic_uid : NULL },
		{ "category",
		  category->security ? category->id ? category->id : category->label : NULL },
		{ "malware", finding->malware_name },
		{ "sha256", finding->file.sha256 },
		{ "category", category->id ? category->id : category->label },
		{ "rule", finding->rule_uid ? finding->rule_uid : finding->rule_name },
		{ "type", mapping->type },
	};

	for (size_t i = 0; i < sizeof keys / sizeof keys[0] && !finding->group_value; i++) {
		finding->group_name = keys[i].name;
		finding->group_value = keys[i].value;
	}
}

const char *map_umbrella(const struct raw *raw, struct json_node *record, struct arena *arena,
			 struct ocsf_finding *ret_finding)
{
	struct umbrella_mapping mapping = {
		.raw = raw, .record = record, .arena = arena, .finding = ret_finding
	};

	read_kind(&mapping);
	read_categories(&mapping);
	mapping.is_retrospective = mapping.type && strcmp(mapping.type, retrospective) == 0;
	mapping.threat = mapping.category.security;
	umbrella_read_threats(&mapping);
	if (!is_finding(&mapping))
		return why_not(&mapping);
	ret_finding->product = &product;
	ret_finding->record = record;
	read_ids(&mapping);
	umbrella_read_identities(&mapping);
	umbrella_read_traffic(&mapping);
	read_outcome(&mapping);
	read_severity(&mapping);
	read_words(&mapping);
	read_group(&mapping);
	return NULL;
}
