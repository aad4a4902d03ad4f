/* What a record of Umbrella says about malware and attacks. */
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "model/finding.h"
#include "model/json_tree.h"

#include "normalize/ocsf_finding.h"
#include "normalize/record.h"
#include "normalize/umbrella_record.h"

static struct json_node *items_of(struct json_node *object, const char *name)
{
	struct json_node *list = json_tree_get(object, name);

	return list && list->kind == JSON_NODE_ARRAY ? list->first : NULL;
}

static void found(struct umbrella_mapping *mapping, int severity_id)
{
	mapping->threat = true;
	if (severity_id > mapping->threat_severity_id)
		mapping->threat_severity_id = severity_id;
}

static void read_named(struct umbrella_mapping *mapping)
{
	struct ocsf_finding *finding = mapping->finding;
	struct json_node *item = items_of(mapping->record, "threats");

	if (!item)
		return;
	found(mapping, SEVERITY_HIGH);
	finding->malware_name = record_text(item, "label");
	finding->malware_kind = record_text(item, "type");
}

/* The disposition of a file: of the request, or of a retrospective record. */
static void read_disposition(struct umbrella_mapping *mapping, struct json_node *object)
{
	struct ocsf_finding *finding = mapping->finding;
	const char *text = record_peek_text(object, "disposition");

	if (!text)
		return;
	finding->has_verdict = true;
	finding->verdict_text = text;
	if (strcasecmp(text, "clean") == 0) {
		finding->verdict_id = OCSF_VERDICT_BENIGN;
	} else if (strcasecmp(text, "unknown") == 0) {
		finding->verdict_id = OCSF_VERDICT_UNKNOWN;
	} else {
		finding->verdict_id = OCSF_VERDICT_OTHER;
		if (strcasecmp(text, "malicious") == 0)
			found(mapping, SEVERITY_HIGH);
	}
}

static void read_amp(struct umbrella_mapping *mapping)
{
	struct ocsf_finding *finding = mapping->finding;
	struct json_node *amp = json_tree_get(mapping->record, "amp");

	if (mapping->is_retrospective) {
		read_disposition(mapping, mapping->record);
		if (!finding->malware_name && mapping->threat)
			finding->malware_name = record_text(mapping->record, "malwarename");
		return;
	}
	read_disposition(mapping, amp);
	if (!finding->malware_name)
		finding->malware_name = record_text(amp, "malware");
}

/* Names of what a scanner found, as texts. */
static void read_antivirus(struct umbrella_mapping *mapping)
{
	static const struct {
		const char *list;
		int severity_id;
	} lists[] = { { "viruses", SEVERITY_HIGH },
		      { "others", SEVERITY_HIGH },
		      { "puas", SEVERITY_LOW } };
	struct ocsf_finding *finding = mapping->finding;
	struct json_node *scan = json_tree_get(mapping->record, "antivirusthreats");

	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		struct json_node *item = items_of(scan, lists[i].list);

		if (!item)
			continue;
		found(mapping, lists[i].severity_id);
		if (finding->malware_name || item->kind != JSON_NODE_TEXT || item->size == 0)
			continue;
		item->used = true;
		finding->malware_name = item->text;
	}
}

static void add_cve(struct umbrella_mapping *mapping, struct json_node *item)
{
	struct ocsf_finding *finding = mapping->finding;

	if (item->kind != JSON_NODE_TEXT || finding->cve_count == OCSF_CVES_MAX ||
	    strncasecmp(item->text, "CVE-", 4) != 0 ||
	    strspn(item->text + 4, "0123456789-") != item->size - 4 || item->size > 32)
		return;
	char *upper = arena_strdup(mapping->arena, item->text);

	memcpy(upper, "CVE", 3);
	for (size_t i = 0; i < finding->cve_count; i++) {
		if (strcmp(finding->cves[i], upper) == 0)
			return;
	}
	item->used = true;
	finding->cves[finding->cve_count++] = upper;
}

/* Of an intrusion: which rule saw it. Its severity is its own. */
static void read_signature(struct umbrella_mapping *mapping)
{
	struct ocsf_finding *finding = mapping->finding;
	struct json_node *signature = json_tree_get(mapping->record, "signature");

	if (!mapping->type || strcmp(mapping->type, "intrusion") != 0)
		return;
	found(mapping, SEVERITY_MEDIUM);
	const char *generator = record_id(signature, "generatorid");
	const char *id = record_id(signature, "id");

	mapping->signature = record_text(signature, "label");
	if (!mapping->signature && id)
		mapping->signature = arena_printf(mapping->arena, "Signature %s", id);
	if (!mapping->signature)
		mapping->signature = "Intrusion";
	finding->analytic_name = mapping->signature;
	finding->analytic_uid =
	    id && generator ? arena_printf(mapping->arena, "%s:%s", generator, id) : id;
	finding->analytic_category = record_text(mapping->record, "classification");
	finding->analytic_type_id = OCSF_ANALYTIC_RULE;
	for (struct json_node *item = items_of(signature, "cves"); item; item = item->next)
		add_cve(mapping, item);
	for (struct json_node *item = items_of(mapping->record, "cves"); item;
	     item = item->next)
		add_cve(mapping, item);
}

void umbrella_read_threats(struct umbrella_mapping *mapping)
{
	read_named(mapping);
	read_amp(mapping);
	read_antivirus(mapping);
	read_signature(mapping);
}
