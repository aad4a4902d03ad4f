/*
 * Cisco Secure Endpoint: one event of GET /v1/events, or of an event stream.
 *
 * Field by field: api-docs.amp.cisco.com (GET /v1/events), CiscoSecurity/
 * amp-00-integration-workflows (query_events.rst, ingest_events.rst), recorded events. What
 * surprises: `detection_id` is what a detection and its quarantine share;
 * `timestamp_nanoseconds` is only the part below a second; paths come in three spellings;
 * ATT&CK ids come as texts or as objects; quarantine events know nothing of the file but its
 * hash; threat hunting incidents may have no id.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/clock.h"
#include "model/finding.h"
#include "model/json_tree.h"
#include "model/raw.h"

#include "normalize/attack.h"
#include "normalize/file_path.h"
#include "normalize/mapper.h"
#include "normalize/record.h"
#include "normalize/secure_endpoint_types.h"
#include "normalize/text.h"

static const struct ocsf_product product = {
	.vendor_name = "Cisco",
	.name = "Secure Endpoint",
	.full_name = "Cisco Secure Endpoint",
	.uid = "cisco_secure_endpoint",
	.log_name = "/v1/events",
	.log_provider = "Cisco Secure Endpoint API",
	.agent = true,
};

struct mapping {
	const struct raw *raw;
	struct json_node *record;
	struct arena *arena;
	struct ocsf_finding *finding;
	const struct secure_endpoint_type *type; /* NULL: unknown id */
	const char *type_name;
};

/* ---- what kind of event ---- */

static bool has_items(const struct json_node *object, const char *name)
{
	const struct json_node *list = json_tree_get(object, name);

	return list && list->kind == JSON_NODE_ARRAY && list->size > 0;
}

/* An event of a type nobody told us about is a finding when it talks of a threat. */
static bool looks_like_threat(const struct json_node *record)
{
	const char *disposition =
	    record_peek_text(json_tree_get(record, "file"), "disposition");

	return record_peek_text(record, "detection") ||
	       (disposition && strcasecmp(disposition, "Malicious") == 0) ||
	       has_items(record, "tactics") || has_items(record, "techniques");
}

static bool is_finding(const struct mapping *mapping)
{
	if (mapping->raw->asked && mapping->raw->asked[0] == '1')
		return true;
	return mapping->type ? mapping->type->outcome != SECURE_ENDPOINT_NO_DETECTION
			     : looks_like_threat(mapping->record);
}

static void read_type(struct mapping *mapping)
{
	struct json_node *record = mapping->record;
	const char *id = record_id(record, "event_type_id");
	const char *stated = record_text(record, "event_type");

	mapping->type = id && strlen(id) <= 10 ? secure_endpoint_type(atoll(id)) : NULL;
	mapping->finding->event_code = id;
	if (stated)
		mapping->type_name = stated;
	else if (mapping->type)
		mapping->type_name = mapping->type->name;
	else
		mapping->type_name = id ? arena_printf(mapping->arena, "Event type %s", id)
					: "Event of unknown type";
}

/* ---- ids, times, severity ---- */

static void read_ids(struct mapping *mapping)
{
	struct ocsf_finding *finding = mapping->finding;
	struct json_node *hunting = json_tree_get(mapping->record, "threat_hunting");
	const char *detection = record_id(mapping->record, "detection_id");

	finding->event_uid = record_id(mapping->record, "id");
	if (!finding->event_uid)
		finding->event_uid = record_id(hunting, "incident_report_guid");
	if (!finding->event_uid)
		finding->event_uid = mapping->raw->event_id;
	finding->correlation_uid = detection;
	finding->uid = detection ? detection : finding->event_uid;
}

static void read_times(struct mapping *mapping)
{
	struct json_node *record = mapping->record;
	struct json_node *hunting = json_tree_get(record, "threat_hunting");
	struct ocsf_finding *finding = mapping->finding;
	int64_t nanoseconds = 0;
	uint64_t date_ms = 0;

	finding->original_time = record_text(record, "date");
	if (finding->original_time && !clock_parse(finding->original_time, &date_ms))
		date_ms = 0;
	finding->time_ms = record_time(record, "timestamp");
	if (!finding->time_ms)
		finding->time_ms = date_ms;
	else if (json_tree_int(json_tree_get(record, "timestamp_nanoseconds"), &nanoseconds) &&
		 nanoseconds >= 0 && nanoseconds < 1000000000 &&
		 record_int(record, "timestamp_nanoseconds", &nanoseconds))
		finding->time_ms += (uint64_t)nanoseconds / 1000000;
	if (!finding->time_ms)
		finding->time_ms = mapping->raw->observed_ms;

	uint64_t started = record_time(record, "start_timestamp");
	uint64_t started_date = record_time(record, "start_date");
	finding->start_ms = started ? started : started_date;
	if (!finding->start_ms)
		finding->start_ms = record_time(hunting, "incident_start_time");
	finding->end_ms = record_time(hunting, "incident_end_time");
}

static void read_severity(struct mapping *mapping)
{
	static const struct {
		const char *word;
		int id;
	} words[] = { { "Low", SEVERITY_LOW },
		      { "Medium", SEVERITY_MEDIUM },
		      { "High", SEVERITY_HIGH },
		      { "Critical", SEVERITY_CRITICAL } };
	struct ocsf_finding *finding = mapping->finding;
	const char *text = record_text(mapping->record, "severity");

	if (!text)
		text =
		    record_text(json_tree_get(mapping->record, "threat_hunting"), "severity");
	if (!text) {
		finding->severity_id =
		    mapping->type ? mapping->type->severity_id : SEVERITY_UNKNOWN;
		return;
	}
	finding->severity_id = SEVERITY_OTHER;
	finding->severity_text = text;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strcasecmp(text, words[i].word) == 0)
			finding->severity_id = words[i].id;
	}
}

/* ---- what it says about the threat ---- */

static void read_outcome(struct mapping *mapping)
{
	static const struct {
		enum ocsf_disposition disposition_id;
		enum ocsf_action action_id;
	} outcomes[] = {
		[SECURE_ENDPOINT_DETECTED] = { OCSF_DETECTED, OCSF_OBSERVED },
		[SECURE_ENDPOINT_BLOCKED] = { OCSF_BLOCKED, OCSF_DENIED },
		[SECURE_ENDPOINT_QUARANTINED] = { OCSF_QUARANTINED, OCSF_DENIED },
		[SECURE_ENDPOINT_UNCORRECTED] = { OCSF_UNCORRECTED, OCSF_OBSERVED },
		[SECURE_ENDPOINT_LET_PASS] = { OCSF_NO_ACTION, OCSF_ALLOWED },
		[SECURE_ENDPOINT_RESTORED] = { OCSF_RESTORED, OCSF_MODIFIED },
		[SECURE_ENDPOINT_DELETED] = { OCSF_DELETED, OCSF_DENIED },
	};
	struct ocsf_finding *finding = mapping->finding;
	enum secure_endpoint_outcome outcome =
	    mapping->type ? mapping->type->outcome : SECURE_ENDPOINT_NO_DETECTION;

	if (!mapping->type && looks_like_threat(mapping->record))
		outcome = SECURE_ENDPOINT_DETECTED;
	bool restored = outcome == SECURE_ENDPOINT_RESTORED;
	bool settled = restored || outcome == SECURE_ENDPOINT_DELETED;
	finding->disposition_id = outcomes[outcome].disposition_id;
	finding->action_id = outcomes[outcome].action_id;
	finding->activity_id = settled ? OCSF_UPDATE : OCSF_CREATE;
	finding->status_id = restored ? OCSF_SUPPRESSED : OCSF_NEW;
	/* Nobody needs to look at what is over, or was let pass on purpose. */
	finding->is_alert = !settled && outcome != SECURE_ENDPOINT_LET_PASS;
}

static void read_analytic(struct mapping *mapping, const char *detection, const char *ioc)
{
	struct ocsf_finding *finding = mapping->finding;
	struct json_node *hunting = json_tree_get(mapping->record, "threat_hunting");
	enum secure_endpoint_method method =
	    mapping->type ? mapping->type->method : SECURE_ENDPOINT_METHOD_UNKNOWN;

	finding->analytic_name = ioc ? ioc : detection;
	finding->analytic_uid = record_text(hunting, "incident_hunt_guid");
	if (method == SECURE_ENDPOINT_BY_HASH)
		finding->analytic_type_id = OCSF_ANALYTIC_FINGERPRINTING;
	else if (method == SECURE_ENDPOINT_BY_BEHAVIOR)
		finding->analytic_type_id = OCSF_ANALYTIC_BEHAVIORAL;
}

static void read_words(struct mapping *mapping)
{
	struct ocsf_finding *finding = mapping->finding;
	struct json_node *record = mapping->record;
	struct json_node *ioc = json_tree_get(record, "cloud_ioc");
	struct json_node *hunting = json_tree_get(record, "threat_hunting");
	const char *detection = record_text(record, "detection");
	const char *ioc_name = record_text(ioc, "short_description");
	const char *hunt = record_text(hunting, "incident_title");
	const char *what = hunt ? hunt : ioc_name ? ioc_name : detection;

	finding->type = mapping->type_name;
	finding->title = what ? text_join(mapping->arena, mapping->type_name, ": ", what)
			      : mapping->type_name;
	finding->message = finding->hostname ? arena_printf(mapping->arena, "%s on %s",
							    finding->title, finding->hostname)
					     : finding->title;
	finding->description = record_text(ioc, "description");
	if (!finding->description)
		finding->description = record_text(hunting, "incident_summary");
	finding->remediation = record_text(hunting, "incident_remediation");
	finding->malware_name = detection;
	read_analytic(mapping, detection, ioc_name);
}

/* ---- ATT&CK ---- */

static void read_attacks(struct mapping *mapping)
{
	struct json_node *from = mapping->record;

	if (!has_items(from, "tactics") && !has_items(from, "techniques"))
		from = json_tree_get(from, "threat_hunting");
	attack_read(mapping->finding, json_tree_get(from, "tactics"),
		    json_tree_get(from, "techniques"));
}

/* ---- the computer and its user ---- */

static void read_addresses(struct mapping *mapping, struct json_node *computer)
{
	struct ocsf_finding *finding = mapping->finding;
	struct json_node *list = json_tree_get(computer, "network_addresses");
	struct json_node *item = list && list->kind == JSON_NODE_ARRAY ? list->first : NULL;

	/* The last place is for the external address. */
	for (; item && finding->interface_count < OCSF_INTERFACES_MAX - 1; item = item->next) {
		struct ocsf_interface interface = { .ip = record_ip(item, "ip"),
						    .mac = record_mac(item, "mac") };
		if (interface.ip || interface.mac)
			finding->interfaces[finding->interface_count++] = interface;
	}
	/* What others see does not name a computer: alone it stays unmapped. */
	if (!finding->device_uid && !finding->hostname && finding->interface_count == 0)
		return;
	const char *external = record_ip(computer, "external_ip");
	if (external)
		finding->interfaces[finding->interface_count++] =
		    (struct ocsf_interface){ .ip = external, .external = true };
}

static void read_computer(struct mapping *mapping)
{
	struct ocsf_finding *finding = mapping->finding;
	struct json_node *computer = json_tree_get(mapping->record, "computer");
	struct json_node *groups = json_tree_get(mapping->record, "group_guids");
	const char *top = record_text(mapping->record, "connector_guid");
	const char *inner = record_peek_text(computer, "connector_guid");

	if (inner && (!top || strcmp(top, inner) == 0))
		inner = record_text(computer, "connector_guid");
	finding->device_uid = top ? top : inner;
	finding->hostname = record_text(computer, "hostname");
	read_addresses(mapping, computer);
	finding->src_url = record_peek_text(json_tree_get(computer, "links"), "trajectory");
	struct json_node *item =
	    groups && groups->kind == JSON_NODE_ARRAY ? groups->first : NULL;
	for (; item && finding->group_count < OCSF_GROUPS_MAX; item = item->next) {
		if (item->kind != JSON_NODE_TEXT || item->size == 0)
			continue;
		item->used = true;
		finding->groups[finding->group_count++] = item->text;
	}
}

/* "name@DOMAIN", "DOMAIN\name", "name". */
static void read_user(struct mapping *mapping)
{
	struct json_node *computer = json_tree_get(mapping->record, "computer");
	struct ocsf_user *user = &mapping->finding->user;
	const char *text = record_peek_text(computer, "user");

	if (!text || text[strspn(text, " ")] == '\0' || strcasecmp(text, "Not Available") == 0)
		return;
	(void)record_text(computer, "user");
	const char *at = strrchr(text, '@');
	const char *backslash = strchr(text, '\\');
	user->name = text;
	if (at && at > text && at[1] != '\0') {
		user->name = arena_strndup(mapping->arena, text, (size_t)(at - text));
		user->domain = at + 1;
	} else if (backslash && backslash > text && backslash[1] != '\0') {
		user->name = backslash + 1;
		user->domain = arena_strndup(mapping->arena, text, (size_t)(backslash - text));
	}
	if (user->domain && strcasecmp(user->domain, "NT AUTHORITY") == 0)
		user->type_id = OCSF_USER_SYSTEM;
}

/* ---- files ---- */

static void read_file(struct json_node *object, struct arena *arena, struct ocsf_file *ret_file)
{
	struct json_node *identity = json_tree_get(object, "identity");
	const char *path = record_text(object, "file_path");

	ret_file->name = record_text(object, "file_name");
	ret_file->path = path ? file_path_plain(path, arena) : NULL;
	ret_file->sha256 = record_hash(identity, "sha256", 32, arena);
	ret_file->sha1 = record_hash(identity, "sha1", 20, arena);
	ret_file->md5 = record_hash(identity, "md5", 16, arena);
}

/* The parent of what was found. Without a pid OCSF has no process: it stays unmapped. */
static bool read_parent(struct mapping *mapping, struct json_node *parent)
{
	struct ocsf_process *process = &mapping->finding->process;
	int64_t pid;

	if (process->known || !json_tree_int(json_tree_get(parent, "process_id"), &pid) ||
	    pid < 0)
		return false;
	process->known = record_int(parent, "process_id", &process->pid);
	read_file(parent, mapping->arena, &process->file);
	return true;
}

/* The verdict needs evidence to stand in; the confidence does not. */
static void read_disposition(struct mapping *mapping, struct json_node *file)
{
	struct ocsf_finding *finding = mapping->finding;
	const char *text = record_peek_text(file, "disposition");

	if (!text)
		return;
	bool malicious = strcasecmp(text, "Malicious") == 0;
	bool unknown = strcasecmp(text, "Unknown") == 0;
	if (malicious)
		finding->confidence_id = OCSF_CONFIDENCE_HIGH;
	else if (unknown)
		finding->confidence_id = OCSF_CONFIDENCE_LOW;
	if (!ocsf_file_name(&finding->file))
		return;
	finding->has_verdict = true;
	finding->verdict_text = text; /* the vendor's word stays under unmapped as well */
	finding->verdict_id = strcasecmp(text, "Clean") == 0 ? OCSF_VERDICT_BENIGN
			      : unknown			     ? OCSF_VERDICT_UNKNOWN
							     : OCSF_VERDICT_OTHER;
}

static void add_data(struct ocsf_finding *finding, const char *name, struct json_node *node)
{
	if (!node || node->kind == JSON_NODE_NULL || node->used ||
	    finding->data_count == OCSF_DATA_MAX)
		return;
	finding->data[finding->data_count].name = name;
	finding->data[finding->data_count++].node = node;
	node->used = true;
}

static void read_evidence(struct mapping *mapping)
{
	struct ocsf_finding *finding = mapping->finding;
	struct json_node *file = json_tree_get(mapping->record, "file");
	struct json_node *command = json_tree_get(mapping->record, "command_line");

	read_file(file, mapping->arena, &finding->file);
	read_disposition(mapping, file);
	read_parent(mapping, json_tree_get(file, "parent"));
	add_data(finding, "attack_details", json_tree_get(file, "attack_details"));
	add_data(finding, "command_line", json_tree_get(command, "arguments"));
}

/* ---- the network ---- */

static void read_protocol(struct mapping *mapping, struct json_node *nfm)
{
	struct ocsf_finding *finding = mapping->finding;
	const char *protocol = record_text(nfm, "protocol");

	if (!protocol)
		return;
	finding->protocol_name = text_lower(mapping->arena, protocol, strlen(protocol));
	finding->protocol_num = strcmp(finding->protocol_name, "tcp") == 0   ? 6
				: strcmp(finding->protocol_name, "udp") == 0 ? 17
									     : 0;
}

static void read_endpoint(struct json_node *network, const char *ip, const char *port,
			  struct ocsf_endpoint *ret_endpoint)
{
	int64_t number = 0;

	ret_endpoint->ip = record_ip(network, ip);
	if (!ret_endpoint->ip || !json_tree_int(json_tree_get(network, port), &number) ||
	    number < 1 || number > 65535)
		return;
	(void)record_int(network, port, &number);
	ret_endpoint->port = (unsigned)number;
}

static void read_network(struct mapping *mapping)
{
	struct ocsf_finding *finding = mapping->finding;
	struct json_node *network = json_tree_get(mapping->record, "network_info");
	struct json_node *nfm = json_tree_get(network, "nfm");
	const char *direction = record_text(nfm, "direction");
	bool inbound = direction && strncasecmp(direction, "Incoming", 8) == 0;

	if (!network)
		return;
	if (inbound)
		finding->direction_id = OCSF_INBOUND;
	else if (direction && strncasecmp(direction, "Outgoing", 8) == 0)
		finding->direction_id = OCSF_OUTBOUND;
	read_protocol(mapping, nfm);
	finding->has_connection = direction || finding->protocol_name;
	read_endpoint(network, "remote_ip", "remote_port",
		      inbound ? &finding->source : &finding->destination);
	read_endpoint(network, "local_ip", "local_port",
		      inbound ? &finding->destination : &finding->source);
	finding->url = record_text(network, "dirty_url");
	read_parent(mapping, json_tree_get(network, "parent"));
}

/* ---- vulnerable applications ---- */

static bool is_cve(const char *text)
{
	if (!text || strncasecmp(text, "CVE-", 4) != 0)
		return false;
	size_t year = strspn(text + 4, "0123456789");
	if (year != 4 || text[8] != '-')
		return false;
	size_t number = strspn(text + 9, "0123456789");
	return number >= 4 && number <= 19 && text[9 + number] == '\0';
}

static void add_cve(struct mapping *mapping, struct json_node *holder, const char *name)
{
	struct ocsf_finding *finding = mapping->finding;
	const char *text = record_peek_text(holder, name);

	if (!is_cve(text) || finding->cve_count == OCSF_CVES_MAX)
		return;
	char *upper = arena_strdup(mapping->arena, record_text(holder, name));
	memcpy(upper, "CVE", 3);
	for (size_t i = 0; i < finding->cve_count; i++) {
		if (strcmp(finding->cves[i], upper) == 0)
			return;
	}
	finding->cves[finding->cve_count++] = upper;
}

/* Items hold "cve": "CVE-..." or {"id": ...}, or "cves": [{"id": ...}]. */
static void read_vulnerabilities(struct mapping *mapping)
{
	struct json_node *list = json_tree_get(mapping->record, "vulnerabilities");

	if (!list || list->kind != JSON_NODE_ARRAY)
		return;
	for (struct json_node *item = list->first; item; item = item->next) {
		struct json_node *cves = json_tree_get(item, "cves");
		add_cve(mapping, item, "cve");
		add_cve(mapping, json_tree_get(item, "cve"), "id");
		if (!cves || cves->kind != JSON_NODE_ARRAY)
			continue;
		for (struct json_node *cve = cves->first; cve; cve = cve->next)
			add_cve(mapping, cve, "id");
	}
}

const char *map_secure_endpoint(const struct raw *raw, struct json_node *record,
				struct arena *arena, struct ocsf_finding *ret_finding)
{
	struct mapping mapping = {
		.raw = raw, .record = record, .arena = arena, .finding = ret_finding
	};

	read_type(&mapping);
	if (!is_finding(&mapping))
		return arena_printf(arena, "not a detection: %.80s", mapping.type_name);
	ret_finding->product = &product;
	ret_finding->record = record;
	read_ids(&mapping);
	read_times(&mapping);
	read_severity(&mapping);
	read_outcome(&mapping); /* looks at what the next ones take */
	read_computer(&mapping);
	read_user(&mapping);
	read_words(&mapping);
	read_attacks(&mapping);
	read_evidence(&mapping);
	read_network(&mapping);
	read_vulnerabilities(&mapping);
	return NULL;
}
