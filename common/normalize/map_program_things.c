/* Where it happened, who did it, and what was found: of the object that a program returned. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "model/json_tree.h"

#include "normalize/map_program.h"
#include "normalize/ocsf_finding.h"
#include "normalize/record.h"

/* NULL when it is no object. */
static struct json_node *object_of(const struct json_node *parent, const char *name)
{
	struct json_node *node = json_tree_get(parent, name);

	return node && node->kind == JSON_NODE_OBJECT ? node : NULL;
}

/* ---- hosts and users ---- */

static void add_interface(struct ocsf_finding *finding, const char *ip, const char *mac)
{
	if ((ip || mac) && finding->interface_count < OCSF_INTERFACES_MAX)
		finding->interfaces[finding->interface_count++] =
		    (struct ocsf_interface){ .ip = ip, .mac = mac };
}

/* A text is its name. */
static bool read_host(struct json_node *object, struct ocsf_finding *finding, struct err *err)
{
	static const char *const members[] = { "hostname", "uid", "name",  "domain",
					       "ip",	   "mac", "group", NULL };
	struct json_node *node = object_of(object, "host");

	finding->hostname = node ? record_text(node, "hostname") : record_text(object, "host");
	if (!node)
		return true;
	finding->device_uid = program_word(node, "uid");
	finding->device_name = record_text(node, "name");
	finding->device_domain = record_text(node, "domain");
	finding->device_group = record_text(node, "group");
	add_interface(finding, record_ip(node, "ip"), record_mac(node, "mac"));
	if (!finding->hostname && !finding->device_uid && finding->interface_count > 0)
		finding->place = finding->interfaces[0].ip;
	return program_known(node, "host", members, err);
}

static bool read_user(struct json_node *object, struct ocsf_user *ret_user, struct err *err)
{
	static const char *const members[] = { "name", "domain", "uid", "full_name", NULL };
	struct json_node *node = object_of(object, "user");

	if (!node) {
		ret_user->name = record_text(object, "user");
		return true;
	}
	ret_user->name = record_text(node, "name");
	ret_user->domain = record_text(node, "domain");
	ret_user->uid = program_word(node, "uid");
	ret_user->full_name = record_text(node, "full_name");
	return program_known(node, "user", members, err);
}

/* ---- files and processes ---- */

static void read_file_members(struct json_node *node, struct arena *arena,
			      struct ocsf_file *ret_file)
{
	ret_file->name = record_text(node, "name");
	ret_file->path = record_text(node, "path");
	ret_file->sha256 = record_hash(node, "sha256", 32, arena);
	ret_file->sha1 = record_hash(node, "sha1", 20, arena);
	ret_file->md5 = record_hash(node, "md5", 16, arena);
}

static bool read_file(struct json_node *object, struct arena *arena, struct ocsf_file *ret_file,
		      struct err *err)
{
	static const char *const members[] = { "name", "path", "sha256", "sha1", "md5", NULL };
	struct json_node *node = object_of(object, "file");

	if (!node) {
		ret_file->path = record_text(object, "file");
		return true;
	}
	read_file_members(node, arena, ret_file);
	return program_known(node, "file", members, err);
}

static bool read_one_process(struct json_node *node, struct arena *arena,
			     struct ocsf_process *ret_process, struct err *err)
{
	static const char *const members[] = { "pid",	 "name", "path", "cmd_line",
					       "sha256", "sha1", "md5",	 "created_time",
					       "parent", NULL };

	ret_process->known =
	    record_int(node, "pid", &ret_process->pid) && ret_process->pid >= 0;
	read_file_members(node, arena, &ret_process->file);
	ret_process->cmd_line = record_text(node, "cmd_line");
	ret_process->created_ms = program_time(node, "created_time");
	return program_known(node, "process", members, err);
}

/* Its file is what was found when there is no other; without a pid OCSF has no process at all.
 */
static bool read_process(struct json_node *object, struct arena *arena,
			 struct ocsf_process *ret_process, struct ocsf_file *file,
			 struct err *err)
{
	struct json_node *node = object_of(object, "process");
	struct json_node *above = object_of(node, "parent");
	struct ocsf_process *parent = arena_alloc(arena, sizeof *parent);

	if (!node)
		return true;
	if (!read_one_process(node, arena, ret_process, err) ||
	    (above && !read_one_process(above, arena, parent, err)))
		return false;
	if (!ocsf_file_name(file))
		*file = ret_process->file;
	if (parent->known)
		ret_process->parent = parent;
	return true;
}

/* ---- the network ---- */

static bool read_endpoint(struct json_node *object, const char *name,
			  struct ocsf_endpoint *ret_endpoint, struct err *err)
{
	static const char *const members[] = { "ip", "hostname", "port", NULL };
	struct json_node *node = object_of(object, name);

	if (!node) {
		ret_endpoint->ip = record_ip(object, name);
		if (!ret_endpoint->ip)
			ret_endpoint->hostname = record_text(object, name);
		return true;
	}
	ret_endpoint->ip = record_ip(node, "ip");
	ret_endpoint->hostname = record_text(node, "hostname");
	const char *digits = program_word(node, "port");
	unsigned long port = digits ? strtoul(digits, NULL, 10) : 0;
	if (port <= UINT16_MAX)
		ret_endpoint->port = (unsigned)port;
	return program_known(node, name, members, err);
}

/* ---- lists ---- */

/* One thing a person or Threat Response can search for. */
static bool read_observable(struct json_node *node, struct arena *arena,
			    struct ocsf_evidence *ret_evidence)
{
	const char *type = record_text(node, "type");
	const char *value = record_text(node, "value");

	if (!type || !value)
		return false;
	ret_evidence->name = type;
	if (strcmp(type, "ip") == 0)
		ret_evidence->ip = record_ip(node, "value");
	else if (strcmp(type, "hostname") == 0 || strcmp(type, "domain") == 0)
		ret_evidence->hostname = value;
	else if (strcmp(type, "url") == 0)
		ret_evidence->url = value;
	else if (strcmp(type, "sha256") == 0)
		ret_evidence->file.sha256 = record_hash(node, "value", 32, arena);
	else if (strcmp(type, "sha1") == 0)
		ret_evidence->file.sha1 = record_hash(node, "value", 20, arena);
	else if (strcmp(type, "md5") == 0)
		ret_evidence->file.md5 = record_hash(node, "value", 16, arena);
	else if (strcmp(type, "file_name") == 0)
		ret_evidence->file.name = value;
	else if (strcmp(type, "file_path") == 0)
		ret_evidence->file.path = value;
	else if (strcmp(type, "user") == 0)
		ret_evidence->user.name = value;
	return true;
}

static void read_registry(struct json_node *object, struct ocsf_evidence *evidence)
{
	struct json_node *node = object_of(object, "registry");

	evidence->reg_path = record_text(node, "path");
	evidence->reg_value.name = record_text(node, "value");
	evidence->reg_value.data = record_text(node, "data");
}

static bool read_evidence(struct json_node *node, struct arena *arena,
			  struct ocsf_evidence *ret_evidence, struct err *err)
{
	static const char *const members[] = { "name",	   "file", "process",  "user", "ip",
					       "hostname", "url",  "registry", "data", NULL };

	ret_evidence->name = record_text(node, "name");
	ret_evidence->ip = record_ip(node, "ip");
	ret_evidence->hostname = record_text(node, "hostname");
	ret_evidence->url = record_text(node, "url");
	ret_evidence->data = object_of(node, "data");
	read_registry(node, ret_evidence);
	return read_file(node, arena, &ret_evidence->file, err) &&
	       read_user(node, &ret_evidence->user, err) &&
	       read_process(node, arena, &ret_evidence->process, &ret_evidence->file, err) &&
	       program_known(node, "evidences", members, err);
}

static bool is_thing(const struct ocsf_evidence *evidence)
{
	return ocsf_file_name(&evidence->file) || evidence->process.known ||
	       evidence->user.name || evidence->user.uid || evidence->ip || evidence->url ||
	       evidence->hostname || evidence->reg_path || evidence->data;
}

static const struct json_node *list_of(const struct json_node *object, const char *name)
{
	const struct json_node *node = json_tree_get(object, name);

	return node && node->kind == JSON_NODE_ARRAY && node->size > 0 ? node : NULL;
}

struct evidence_list {
	struct ocsf_evidence *items;
	size_t count;
};

static void keep(struct evidence_list *list, const struct ocsf_evidence *evidence)
{
	if (is_thing(evidence) && list->count < OCSF_EVIDENCES_MAX)
		list->items[list->count++] = *evidence;
}

/* What the object says beside its lists becomes the first of them: a finding has one form of
 * evidence or the other. */
static void keep_single(struct evidence_list *list, const struct ocsf_finding *finding)
{
	keep(list, &(struct ocsf_evidence){ .file = finding->file,
					    .url = finding->url,
					    .ip = finding->destination.ip,
					    .hostname = finding->destination.hostname });
	keep(list, &(struct ocsf_evidence){ .name = "source",
					    .ip = finding->source.ip,
					    .hostname = finding->source.hostname });
}

static bool read_lists(struct json_node *object, struct arena *arena,
		       struct ocsf_finding *finding, struct err *err)
{
	const struct json_node *evidences = list_of(object, "evidences");
	const struct json_node *observables = list_of(object, "observables");
	struct evidence_list list = { 0 };

	if (!evidences && !observables)
		return true;
	list.items = arena_alloc(arena, OCSF_EVIDENCES_MAX * sizeof *list.items);
	keep_single(&list, finding);
	for (struct json_node *node = evidences ? evidences->first : NULL; node;
	     node = node->next) {
		struct ocsf_evidence evidence = { 0 };

		if (node->kind == JSON_NODE_OBJECT &&
		    !read_evidence(node, arena, &evidence, err))
			return false;
		keep(&list, &evidence);
	}
	for (struct json_node *node = observables ? observables->first : NULL; node;
	     node = node->next) {
		struct ocsf_evidence evidence = { 0 };

		if (read_observable(node, arena, &evidence))
			keep(&list, &evidence);
	}
	finding->evidences = list.items;
	finding->evidence_count = list.count;
	return true;
}

static bool read_malware(struct json_node *object, struct ocsf_finding *finding,
			 struct err *err)
{
	static const char *const members[] = { "name", "kind", NULL };
	struct json_node *node = object_of(object, "malware");

	finding->malware_name =
	    node ? record_text(node, "name") : record_text(object, "malware");
	finding->malware_kind = record_text(node, "kind");
	return !node || program_known(node, "malware", members, err);
}

bool program_read_things(struct json_node *object, struct arena *arena,
			 struct ocsf_finding *finding, struct err *err)
{
	finding->url = record_text(object, "url");
	return read_host(object, finding, err) && read_user(object, &finding->user, err) &&
	       read_file(object, arena, &finding->file, err) &&
	       read_process(object, arena, &finding->process, &finding->file, err) &&
	       read_endpoint(object, "source", &finding->source, err) &&
	       read_endpoint(object, "destination", &finding->destination, err) &&
	       read_malware(object, finding, err) && read_lists(object, arena, finding, err);
}
