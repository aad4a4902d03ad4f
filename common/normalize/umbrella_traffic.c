/* What was asked of whom: names, URLs, connections, files; and the times of it. */
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/clock.h"
#include "model/json_tree.h"

#include "normalize/ocsf_finding.h"
#include "normalize/ocsf_url.h"
#include "normalize/record.h"
#include "normalize/text.h"
#include "normalize/umbrella_record.h"

/* Numbers below are seconds: those of retrospective records. The last is the year 2286. */
static const int64_t seconds_below = 100000000000, time_max_ms = 10000000000000;

/* ---- times ---- */

uint64_t umbrella_time(struct json_node *record, const char *name)
{
	int64_t number = 0;

	if (!json_tree_int(json_tree_get(record, name), &number) || number <= 0)
		return 0;
	if (number < seconds_below)
		number *= 1000;
	/* OCSF's times are milliseconds; what is older than 1973 is no time of ours. */
	if (number < seconds_below || number >= time_max_ms)
		return 0;
	json_tree_get(record, name)->used = true;
	return (uint64_t)number;
}

uint64_t umbrella_date_time(const struct json_node *record, struct arena *arena)
{
	const char *date = record_peek_text(record, "date");
	const char *clock = record_peek_text(record, "time");
	int64_t seconds = 0;
	uint64_t time_ms = 0;

	if (!date || strlen(date) != 10)
		return 0;
	if (json_tree_int(json_tree_get(record, "time"), &seconds) && seconds >= 0 &&
	    seconds < 86400)
		clock = arena_printf(arena, "%02d:%02d:%02d", (int)(seconds / 3600),
				     (int)(seconds / 60 % 60), (int)(seconds % 60));
	if (!clock || strlen(clock) != 8 ||
	    !clock_parse(arena_printf(arena, "%sT%sZ", date, clock), &time_ms) ||
	    time_ms < (uint64_t)seconds_below || time_ms >= (uint64_t)time_max_ms)
		return 0;
	return time_ms;
}

/* ---- names ---- */

static void add_data(struct ocsf_finding *finding, const char *name,
		     const struct json_node *node)
{
	if (finding->data_count == OCSF_DATA_MAX)
		return;
	finding->data[finding->data_count].name = name;
	finding->data[finding->data_count++].node = node;
}

/* RFC 1035, section 4.1.1 */
static void read_rcode(struct umbrella_mapping *mapping)
{
	static const char *const names[] = { "NoError",	 "FormError", "ServError",
					     "NXDomain", "NotImp",    "Refused" };
	struct json_node *node = json_tree_get(mapping->record, "returncode");
	int64_t code = 0;

	if (!json_tree_int(node, &code))
		return;
	node->used = true;
	add_data(mapping->finding, "returncode", node);
	if (code < 0 || code >= (int64_t)(sizeof names / sizeof names[0]))
		return;
	struct json_node *name = arena_alloc(mapping->arena, sizeof *name);

	*name = (struct json_node){ .kind = JSON_NODE_TEXT,
				    .text = names[code],
				    .size = strlen(names[code]) };
	add_data(mapping->finding, "rcode", name);
}

/* "1 (A)" gives "A". */
static const char *query_type(struct umbrella_mapping *mapping)
{
	const char *text = record_text(mapping->record, "querytype");
	const char *open = text ? strchr(text, '(') : NULL;

	return open && open[1] != '\0' && open[1] != ')'
		   ? arena_strndup(mapping->arena, open + 1, strcspn(open + 1, ")"))
		   : text;
}

static bool is_name(const char *text)
{
	return text[0] != '\0' &&
	       text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-_.")] == '\0' &&
	       text[strspn(text, "0123456789.")] != '\0' && strlen(text) <= 253;
}

static void read_domain(struct umbrella_mapping *mapping)
{
	struct ocsf_finding *finding = mapping->finding;
	const char *domain = record_peek_text(mapping->record, "domain");
	size_t size = domain ? strlen(domain) : 0;

	if (size > 1 && domain[size - 1] == '.')
		size--;
	const char *name = domain ? text_lower(mapping->arena, domain, size) : "";

	if (!is_name(name))
		return;
	(void)record_text(mapping->record, "domain");
	finding->destination.hostname = name;
	if (mapping->type && strcmp(mapping->type, "dns") != 0)
		return;
	finding->web.query_hostname = name;
	finding->web.query_type = query_type(mapping);
	read_rcode(mapping);
}

/* ---- HTTP ---- */

static const char *method_of(struct umbrella_mapping *mapping)
{
	static const char *const methods[] = { "GET",	  "HEAD",    "POST",  "PUT",  "DELETE",
					       "CONNECT", "OPTIONS", "TRACE", "PATCH" };
	const char *text = record_peek_text(mapping->record, "requestmethod");

	for (size_t i = 0; text && i < sizeof methods / sizeof methods[0]; i++) {
		if (strcasecmp(text, methods[i]) != 0)
			continue;
		(void)record_text(mapping->record, "requestmethod");
		return methods[i];
	}
	return NULL;
}

static void read_answer(struct umbrella_mapping *mapping)
{
	struct ocsf_web *web = &mapping->finding->web;
	int64_t status = 0;

	if (!json_tree_int(json_tree_get(mapping->record, "statuscode"), &status) ||
	    status < 100 || status > 999)
		return;
	(void)record_int(mapping->record, "statuscode", &status);
	web->status = (int)status;
	web->content_type = record_text(mapping->record, "contenttype");
	(void)record_int(mapping->record, "responsesize", &web->length);
}

static void read_web(struct umbrella_mapping *mapping)
{
	struct ocsf_finding *finding = mapping->finding;
	struct ocsf_url parts;

	finding->url = record_text(mapping->record, "url");
	if (!finding->url) {
		finding->url_category_count = 0;
		return;
	}
	if (ocsf_url_split(finding->url, &parts, mapping->arena) && parts.host &&
	    is_name(parts.host))
		finding->destination.hostname = parts.host;
	finding->web.http_method = method_of(mapping);
	finding->web.user_agent = record_text(mapping->record, "useragent");
	finding->web.referrer = record_text(mapping->record, "referer");
	read_answer(mapping);
}

/* ---- connections ---- */

static unsigned port_of(struct json_node *record, const char *name)
{
	int64_t number = 0;

	if (!json_tree_int(json_tree_get(record, name), &number) || number < 1 ||
	    number > 65535)
		return 0;
	(void)record_int(record, name, &number);
	return (unsigned)number;
}

static void read_protocol(struct umbrella_mapping *mapping)
{
	struct ocsf_finding *finding = mapping->finding;
	struct json_node *protocol = json_tree_get(mapping->record, "protocol");
	const char *label = record_text(protocol, "label");
	int64_t number = 0;

	if (!label)
		label = record_text(mapping->record, "protocol");
	if (label)
		finding->protocol_name = text_lower(mapping->arena, label, strnlen(label, 64));
	if (json_tree_int(json_tree_get(protocol, "id"), &number) && number > 0 &&
	    number < 256) {
		(void)record_int(protocol, "id", &number);
		finding->protocol_num = (int)number;
	}
}

static void read_direction(struct umbrella_mapping *mapping)
{
	const char *text = record_text(mapping->record, "direction");

	if (!text)
		return;
	if (strcasestr(text, "egress") || strcasestr(text, "outbound"))
		mapping->finding->direction_id = OCSF_OUTBOUND;
	else if (strcasestr(text, "ingress") || strcasestr(text, "inbound"))
		mapping->finding->direction_id = OCSF_INBOUND;
}

static void read_connection(struct umbrella_mapping *mapping)
{
	struct ocsf_finding *finding = mapping->finding;
	struct json_node *record = mapping->record;

	finding->destination.ip = record_ip(record, "destinationip");
	if (finding->destination.ip || finding->destination.hostname) {
		finding->destination.port = port_of(record, "destinationport");
		if (!finding->destination.port)
			finding->destination.port = port_of(record, "port");
	}
	if (finding->source.ip)
		finding->source.port = port_of(record, "sourceport");
	read_protocol(mapping);
	read_direction(mapping);
	finding->has_connection = finding->protocol_name || finding->protocol_num ||
				  record_peek_text(record, "direction");
}

static const char *id_of(struct json_node *object, const char *name)
{
	const char *id = record_id(object, name);

	return id && strcmp(id, "0") != 0 ? id : NULL;
}

static void read_rule(struct umbrella_mapping *mapping)
{
	struct ocsf_finding *finding = mapping->finding;
	struct json_node *rule = json_tree_get(mapping->record, "rule");

	if (rule && rule->kind == JSON_NODE_ARRAY) /* of intrusions */
		rule = rule->first;
	finding->policy_uid = id_of(json_tree_get(mapping->record, "policy"), "ruleid");
	finding->rule_uid = id_of(rule, "id");
	finding->rule_name = record_text(rule, "label");
}

/* ---- files ---- */

static void read_file(struct umbrella_mapping *mapping)
{
	struct ocsf_finding *finding = mapping->finding;
	struct json_node *record = mapping->record;
	struct ocsf_url parts;

	finding->file.sha256 = record_hash(record, "sha256", 32, mapping->arena);
	finding->file.name = record_text(record, "responsefilename");
	if (!finding->file.name)
		finding->file.name = record_text(record, "filename");
	if (finding->file.name || !finding->file.sha256 || !finding->url)
		return;
	const char *path =
	    ocsf_url_split(finding->url, &parts, mapping->arena) ? parts.path : NULL;
	const char *last = path ? strrchr(path, '/') : NULL;

	if (last && last[1] != '\0')
		finding->file.name = last + 1;
}

void umbrella_read_traffic(struct umbrella_mapping *mapping)
{
	read_domain(mapping);
	read_web(mapping);
	read_connection(mapping);
	read_rule(mapping);
	read_file(mapping);
	/* A verdict stands in evidence of what it is about. */
	if (!ocsf_file_name(&mapping->finding->file))
		mapping->finding->has_verdict = false;
}
