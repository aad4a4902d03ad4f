/*
 * What tickets, notes and CTIM entities need of an OCSF Detection Finding.
 *
 * Read by attribute, not by vendor, so that a finding of any source works: the attacker's side
 * comes from evidences[], the victim's from device and actor.user. The one vendor-specific fact
 * is which CTIM type the product's own device id has.
 */
#include "model/finding.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/arena.h"
#include "model/json_tree.h"

struct reader {
	struct finding_view *view;
	struct arena *arena;
};

/* OCSF 1.8.0 network_connection_info.direction_id */
enum { DIRECTION_INBOUND = 1 };

/* Lives as long as the tree. */
static const char *peek(const struct json_node *object, const char *name)
{
	const struct json_node *value = json_tree_get(object, name);

	return value && value->kind == JSON_NODE_TEXT ? value->text : NULL;
}

static const char *text_of(const struct reader *reader, const struct json_node *object,
			   const char *name)
{
	const char *text = peek(object, name);

	return text && *text ? arena_strdup(reader->arena, text) : NULL;
}

static int64_t number_of(const struct json_node *object, const char *name)
{
	int64_t number = 0;

	return json_tree_int(json_tree_get(object, name), &number) ? number : 0;
}

static int id_of(const struct json_node *object, const char *name)
{
	int64_t number = number_of(object, name);

	return number >= 0 && number <= SEVERITY_OTHER ? (int)number : 0;
}

static uint64_t time_of(const struct json_node *object, const char *name)
{
	int64_t number = number_of(object, name);

	return number > 0 ? (uint64_t)number : 0;
}

/* The first item of a list; its next ones follow it. */
static const struct json_node *items_of(const struct json_node *object, const char *name)
{
	const struct json_node *list = json_tree_get(object, name);

	return list && list->kind == JSON_NODE_ARRAY ? list->first : NULL;
}

/* ---- observables ---- */

struct observable_list {
	struct observable *items;
	size_t *count;
};

static struct observable_list attacker_side(const struct reader *reader)
{
	return (struct observable_list){ reader->view->observables,
					 &reader->view->observable_count };
}

static struct observable_list victim_side(const struct reader *reader)
{
	return (struct observable_list){ reader->view->targets, &reader->view->target_count };
}

static void add(struct observable_list list, const char *type, const char *value)
{
	if (!value || value[0] == '\0' || *list.count == FINDING_OBSERVABLES_MAX)
		return;
	for (size_t i = 0; i < *list.count; i++) {
		if (strcmp(list.items[i].type, type) == 0 &&
		    strcmp(list.items[i].value, value) == 0)
			return;
	}
	list.items[(*list.count)++] = (struct observable){ type, value };
}

static void add_text(const struct reader *reader, struct observable_list list, const char *type,
		     const struct json_node *object, const char *name)
{
	add(list, type, text_of(reader, object, name));
}

static void add_lower(const struct reader *reader, struct observable_list list,
		      const char *type, const struct json_node *object, const char *name)
{
	const char *text = peek(object, name);

	if (!text)
		return;
	char *lower = arena_strdup(reader->arena, text);
	for (char *c = lower; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	add(list, type, lower);
}

static void add_ip(const struct reader *reader, struct observable_list list,
		   const struct json_node *object)
{
	const char *ip = text_of(reader, object, "ip");

	if (ip)
		add(list, strchr(ip, ':') ? "ipv6" : "ip", ip);
}

static void add_file(const struct reader *reader, struct observable_list list,
		     const struct json_node *file)
{
	static const struct {
		int algorithm_id;
		const char *type;
	} algorithms[] = { { 3, "sha256" }, { 2, "sha1" }, { 1, "md5" } };
	const struct json_node *hashes = items_of(file, "hashes");
	const char *name = peek(file, "name");
	bool named_by_hash = false;

	for (size_t i = 0; i < sizeof algorithms / sizeof algorithms[0]; i++) {
		for (const struct json_node *hash = hashes; hash; hash = hash->next) {
			const char *value = peek(hash, "value");
			if (id_of(hash, "algorithm_id") != algorithms[i].algorithm_id)
				continue;
			add_lower(reader, list, algorithms[i].type, hash, "value");
			if (name && value && strcmp(name, value) == 0)
				named_by_hash = true; /* the name stands in for a missing one */
		}
	}
	if (!named_by_hash)
		add_text(reader, list, "file_name", file, "name");
	add_text(reader, list, "file_path", file, "path");
}

static void add_url(const struct reader *reader, struct observable_list list,
		    const struct json_node *url)
{
	const char *text = text_of(reader, url, "url_string");
	const char *host = text_of(reader, url, "hostname");

	if (text && strstr(text, "://"))
		add(list, "url", text);
	if (!host)
		return;
	if (strchr(host, ':'))
		add(list, "ipv6", host);
	else if (host[strspn(host, "0123456789.")] == '\0')
		add(list, "ip", host);
	else
		add_lower(reader, list, "domain", url, "hostname");
}

static void add_evidence(const struct reader *reader, const struct json_node *evidence)
{
	struct observable_list list = attacker_side(reader);
	const struct json_node *process = json_tree_get(evidence, "process");
	const struct json_node *connection = json_tree_get(evidence, "connection_info");
	bool inbound = id_of(connection, "direction_id") == DIRECTION_INBOUND;
	const struct json_node *remote =
	    json_tree_get(evidence, inbound ? "src_endpoint" : "dst_endpoint");

	add_file(reader, list, json_tree_get(evidence, "file"));
	add_url(reader, list, json_tree_get(evidence, "url"));
	add_lower(reader, list, "domain", json_tree_get(evidence, "query"), "hostname");
	add_ip(reader, list, remote);
	add_lower(reader, list, "domain", remote, "hostname");
	add_text(reader, list, "process_name", process, "name");
	add_text(reader, list, "process_args", process, "cmd_line");
	add_text(reader, list, "process_path", json_tree_get(process, "file"), "path");
	add_text(reader, list, "registry_key", json_tree_get(evidence, "reg_key"), "path");
	add_text(reader, list, "registry_name", json_tree_get(evidence, "reg_value"), "name");
	add_text(reader, list, "user_agent", json_tree_get(evidence, "http_request"),
		 "user_agent");
	/* The address itself was found; of a user it would be the victim's. */
	const char *kind = peek(evidence, "name");
	if (kind && strcmp(kind, "email") == 0)
		add_text(reader, list, "email", json_tree_get(evidence, "user"), "email_addr");
}

/* "jdoe@LAB", the way the vendor's console writes it. */
static const char *user_name(const struct reader *reader, const struct json_node *user)
{
	const char *name = text_of(reader, user, "name");
	const char *domain = text_of(reader, user, "domain");

	return name && domain ? arena_printf(reader->arena, "%s@%s", name, domain) : name;
}

static void add_targets(const struct reader *reader, const struct json_node *device,
			const struct json_node *product)
{
	static const struct {
		const char *product_uid, *type;
	} device_ids[] = {
		{ "cisco_secure_endpoint", "amp_computer_guid" },
		{ "microsoft_defender_endpoint", "ms_machine_id" },
	};
	struct observable_list list = victim_side(reader);
	const char *product_uid = peek(product, "uid");
	const struct json_node *interface = items_of(device, "network_interfaces");

	add_text(reader, list, "hostname", device, "hostname");
	add_ip(reader, list, device);
	add_text(reader, list, "mac_address", device, "mac");
	for (; interface; interface = interface->next) {
		const char *name = peek(interface, "name");
		if (name && strcmp(name, "external") == 0)
			continue; /* shared by everything behind the same NAT */
		add_ip(reader, list, interface);
		add_text(reader, list, "mac_address", interface, "mac");
	}
	for (size_t i = 0; i < sizeof device_ids / sizeof device_ids[0]; i++) {
		if (product_uid && strcmp(product_uid, device_ids[i].product_uid) == 0)
			add_text(reader, list, device_ids[i].type, device, "uid");
	}
	add(list, "user", reader->view->user);
}

/* ---- the rest ---- */

static void add_unique(const char **list, size_t *count, size_t max, const char *text)
{
	for (size_t i = 0; i < *count; i++) {
		if (text && strcmp(list[i], text) == 0)
			return;
	}
	if (text && *count < max)
		list[(*count)++] = text;
}

static void read_attack(const struct reader *reader, const struct json_node *attack)
{
	struct finding_view *view = reader->view;
	const char *tactic = text_of(reader, json_tree_get(attack, "tactic"), "uid");
	const char *technique = text_of(reader, json_tree_get(attack, "technique"), "uid");
	const char *narrower = text_of(reader, json_tree_get(attack, "sub_technique"), "uid");
	const size_t tactics_max = sizeof view->tactics / sizeof view->tactics[0];
	const size_t techniques_max = sizeof view->techniques / sizeof view->techniques[0];

	add_unique(view->tactics, &view->tactic_count, tactics_max, tactic);
	add_unique(view->techniques, &view->technique_count, techniques_max, technique);
	add_unique(view->techniques, &view->technique_count, techniques_max, narrower);
}

static void read_product(const struct reader *reader, const struct json_node *product)
{
	const char *name = text_of(reader, product, "name");
	const char *vendor = text_of(reader, product, "vendor_name");

	if (name && vendor && strncmp(name, vendor, strlen(vendor)) != 0)
		name = arena_printf(reader->arena, "%s %s", vendor, name);
	reader->view->product = name ? name : vendor;
}

static void read_device(const struct reader *reader, const struct json_node *device)
{
	static const char *const names[] = { "hostname", "name", "ip", "uid" };
	struct finding_view *view = reader->view;

	for (size_t i = 0; !view->host && i < sizeof names / sizeof names[0]; i++)
		view->host = text_of(reader, device, names[i]);
	view->host_uid = text_of(reader, device, "uid");
	view->os = text_of(reader, json_tree_get(device, "os"), "name");
}

static void read_info(const struct reader *reader, const struct json_node *info)
{
	struct finding_view *view = reader->view;
	const struct json_node *type = items_of(info, "types");
	const struct json_node *attack = items_of(info, "attacks");

	view->title = text_of(reader, info, "title");
	view->description = text_of(reader, info, "desc");
	view->console_url = text_of(reader, info, "src_url");
	if (type && type->kind == JSON_NODE_TEXT && type->size > 0)
		view->event_type = arena_strdup(reader->arena, type->text);
	for (; attack; attack = attack->next)
		read_attack(reader, attack);
}

static void read_event(const struct reader *reader, const struct json_node *event)
{
	struct finding_view *view = reader->view;
	const struct json_node *metadata = json_tree_get(event, "metadata");
	const struct json_node *product = json_tree_get(metadata, "product");
	const struct json_node *device = json_tree_get(event, "device");
	const struct json_node *evidence = items_of(event, "evidences");

	view->severity_id = id_of(event, "severity_id");
	view->confidence_id = id_of(event, "confidence_id");
	view->disposition_id = id_of(event, "disposition_id");
	view->status_id = id_of(event, "status_id");
	view->activity_id = id_of(event, "activity_id");
	view->status = text_of(reader, event, "status");
	view->verdict = text_of(reader, event, "verdict");
	view->comment = text_of(reader, event, "comment");
	view->feature = text_of(reader, json_tree_get(product, "feature"), "name");
	view->time_ms = time_of(event, "time");
	view->start_ms = time_of(event, "start_time");
	view->end_ms = time_of(event, "end_time");
	view->event_uid = text_of(reader, metadata, "original_event_uid");
	view->correlation_uid = text_of(reader, metadata, "correlation_uid");
	view->user = user_name(reader, json_tree_get(json_tree_get(event, "actor"), "user"));
	read_product(reader, product);
	read_info(reader, json_tree_get(event, "finding_info"));
	read_device(reader, device);
	for (; evidence; evidence = evidence->next) {
		add_evidence(reader, evidence);
		if (!view->file_name)
			view->file_name =
			    text_of(reader, json_tree_get(evidence, "file"), "name");
	}
	add_targets(reader, device, product);
}

bool finding_view(struct finding_view *ret_view, const char *payload, size_t size,
		  struct arena *arena, struct err *err)
{
	const struct reader reader = { .view = ret_view, .arena = arena };
	struct err why = { 0 };

	*ret_view = (struct finding_view){ 0 };
	if (size > FINDING_PAYLOAD_MAX)
		return err_set(err, ERR_PERMANENT, "finding: payload has %zu bytes, over %d",
			       size, FINDING_PAYLOAD_MAX);
	/* The tree is several times as large as what is kept of it. */
	struct arena *trees = arena_new();
	const struct json_node *event = json_tree_parse(payload, size, trees, &why);
	bool right_class = number_of(event, "class_uid") == FINDING_CLASS_UID;
	if (right_class)
		read_event(&reader, event);
	arena_free(trees);
	if (!event)
		return err_set(err, ERR_PERMANENT, "finding: payload is %s", why.text);
	if (!right_class)
		return err_set(err, ERR_PERMANENT,
			       "finding: payload is not an OCSF Detection Finding");
	return true;
}
