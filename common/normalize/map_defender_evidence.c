/*
 * What an alert of Defender for Endpoint found: one entry for each thing, flat, with all
 * members there and null where they do not apply (MicrosoftDocs/defender-docs alerts.md).
 * Addresses, URLs and registry keys have not been seen in recorded alerts: their members are
 * documented.
 */
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "model/json_tree.h"

#include "normalize/map_defender.h"
#include "normalize/ocsf_finding.h"
#include "normalize/record.h"

/* ---- files and processes ---- */

static void read_path(struct json_node *item, const char *folder_name, const char *file_name,
		      struct arena *arena, struct ocsf_file *ret_file)
{
	const char *folder = record_text(item, folder_name);

	ret_file->name = record_text(item, file_name);
	if (!folder)
		return;
	size_t size = strlen(folder);
	bool ended = folder[size - 1] == '\\' || folder[size - 1] == '/';

	ret_file->path = !ret_file->name ? folder
					 : arena_printf(arena, "%s%s%s", folder,
							ended		      ? ""
							: strchr(folder, '/') ? "/"
									      : "\\",
							ret_file->name);
}

static void read_file(struct json_node *item, struct arena *arena, struct ocsf_file *ret_file)
{
	read_path(item, "filePath", "fileName", arena, ret_file);
	ret_file->sha256 = record_hash(item, "sha256", 32, arena);
	ret_file->sha1 = record_hash(item, "sha1", 20, arena);
	ret_file->md5 = record_hash(item, "md5", 16, arena);
}

static bool read_pid(struct json_node *item, const char *name, int64_t *ret_pid)
{
	int64_t pid;

	return json_tree_int(json_tree_get(item, name), &pid) && pid >= 0 &&
	       record_int(item, name, ret_pid);
}

static const struct ocsf_process *read_parent(struct json_node *item, struct arena *arena)
{
	struct ocsf_process *parent = arena_alloc(arena, sizeof *parent);

	*parent = (struct ocsf_process){ 0 };
	parent->known = read_pid(item, "parentProcessId", &parent->pid);
	if (!parent->known)
		return NULL;
	read_path(item, "parentProcessFilePath", "parentProcessFileName", arena, &parent->file);
	parent->created_ms = record_date(item, "parentProcessCreationTime");
	return parent;
}

/* Without a pid OCSF has no process: then it is a file and a command. */
static void read_process(struct json_node *item, struct arena *arena,
			 struct ocsf_evidence *evidence)
{
	struct ocsf_process *process = &evidence->process;

	process->known = read_pid(item, "processId", &process->pid);
	if (!process->known) {
		struct json_node *command = json_tree_get(item, "processCommandLine");

		read_file(item, arena, &evidence->file);
		if (!record_text(item, "processCommandLine"))
			return;
		evidence->data_name = "processCommandLine";
		evidence->data = command;
		return;
	}
	read_file(item, arena, &process->file);
	process->cmd_line = record_text(item, "processCommandLine");
	process->created_ms = record_date(item, "processCreationTime");
	process->parent = read_parent(item, arena);
}

/* ---- users ---- */

/* As OCSF wants an address: something, an @, and a domain with a dot. */
static bool is_email(const char *text)
{
	const char *at = text ? strchr(text, '@') : NULL;
	const char *point = at ? strchr(at, '.') : NULL;

	return at && at > text && !strchr(at + 1, '@') && point && point > at + 1 && point[1] &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			    "@._%+-") == strlen(text) &&
	       !strstr(at, "..") && text[strlen(text) - 1] != '.';
}

static void read_user(struct json_node *item, struct ocsf_user *ret_user)
{
	ret_user->name = record_text(item, "accountName");
	ret_user->domain = record_text(item, "domainName");
	ret_user->uid = record_text(item, "userSid");
	ret_user->uid_alt = record_text(item, "aadUserId");
	if (is_email(record_peek_text(item, "userPrincipalName")))
		ret_user->email_addr = record_text(item, "userPrincipalName");
}

/* ---- network and registry ---- */

static bool is_host(const char *text)
{
	size_t size = text ? strlen(text) : 0;

	return size > 0 && size <= 253 &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-."
			    "_") == size;
}

static void read_url(struct json_node *item, struct ocsf_evidence *evidence)
{
	evidence->url = record_text(item, "url");
	if (is_host(evidence->url))
		evidence->hostname = evidence->url;
}

static void read_registry(struct json_node *item, struct arena *arena,
			  struct ocsf_evidence *evidence)
{
	static const struct {
		const char *word;
		int id;
	} types[] = { { "String", 10 },	      { "REG_SZ", 10 },	    { "ExpandString", 4 },
		      { "REG_EXPAND_SZ", 4 }, { "MultiString", 6 }, { "REG_MULTI_SZ", 6 },
		      { "Dword", 2 },	      { "REG_DWORD", 2 },   { "Qword", 8 },
		      { "REG_QWORD", 8 },     { "Binary", 1 },	    { "REG_BINARY", 1 },
		      { "None", 7 },	      { "REG_NONE", 7 } };
	const char *hive = record_text(item, "registryHive");
	const char *key = record_text(item, "registryKey");
	const char *type = record_text(item, "registryValueType");

	if (!key)
		return;
	evidence->reg_path = hive ? arena_printf(arena, "%s\\%s", hive, key) : key;
	evidence->reg_value.name = record_text(item, "registryValueName");
	if (!evidence->reg_value.name)
		return; /* what it holds stays unmapped */
	evidence->reg_value.data = record_text(item, "registryValue");
	for (size_t i = 0; type && i < sizeof types / sizeof types[0]; i++) {
		if (strcasecmp(type, types[i].word) == 0)
			evidence->reg_value.type_id = types[i].id;
	}
}

/* ---- the list ---- */

static bool is_thing(const struct ocsf_evidence *evidence)
{
	return ocsf_file_name(&evidence->file) || evidence->process.known ||
	       evidence->user.name || evidence->user.uid || evidence->ip || evidence->url ||
	       evidence->hostname || evidence->reg_path || evidence->data;
}

static void read_thing(struct json_node *item, struct arena *arena,
		       struct ocsf_evidence *evidence)
{
	const char *type = evidence->name ? evidence->name : "";

	if (strcasecmp(type, "File") == 0)
		read_file(item, arena, &evidence->file);
	else if (strcasecmp(type, "Process") == 0)
		read_process(item, arena, evidence);
	else if (strcasecmp(type, "User") == 0)
		read_user(item, &evidence->user);
	else if (strcasecmp(type, "Ip") == 0)
		evidence->ip = record_ip(item, "ipAddress");
	else if (strcasecmp(type, "Url") == 0)
		read_url(item, evidence);
	else if (strncasecmp(type, "Registry", 8) == 0)
		read_registry(item, arena, evidence);
	else
		evidence->data = item;
}

static bool has_value(const struct json_node *item)
{
	for (const struct json_node *node = item->first; node; node = node->next) {
		bool empty = node->kind == JSON_NODE_NULL ||
			     (node->kind != JSON_NODE_BOOL && node->size == 0);
		if (!empty)
			return true;
	}
	return false;
}

struct things {
	struct ocsf_evidence *list;
	size_t count;
};

static void add_thing(struct things *things, struct json_node *item, struct arena *arena)
{
	struct ocsf_evidence *evidence = &things->list[things->count];

	if (things->count == OCSF_EVIDENCES_MAX || item->kind != JSON_NODE_OBJECT ||
	    !has_value(item))
		return;
	*evidence = (struct ocsf_evidence){ .name = record_text(item, "entityType") };
	read_thing(item, arena, evidence);
	if (!is_thing(evidence))
		return;
	if (evidence->data == item)
		item->used = true;
	things->count++;
}

/* What was done about each thing that says so. */
struct outcome {
	size_t stopped, mended, seen;
};

static void count_outcome(struct outcome *outcome, const char *word)
{
	if (!word)
		return;
	if (strcasecmp(word, "Blocked") == 0 || strcasecmp(word, "Prevented") == 0)
		outcome->stopped++;
	else if (strcasecmp(word, "Remediated") == 0)
		outcome->mended++;
	else if (strcasecmp(word, "Detected") == 0)
		outcome->seen++;
}

static void conclude(const struct outcome *outcome, struct ocsf_finding *finding)
{
	bool all_stopped = !outcome->seen && !outcome->mended;
	bool all_mended = !outcome->seen && !outcome->stopped;

	if (!outcome->seen && !outcome->stopped && !outcome->mended)
		return;
	finding->disposition_id = all_stopped  ? OCSF_BLOCKED
				  : all_mended ? OCSF_CORRECTED
					       : OCSF_DETECTED;
	finding->action_id = all_stopped  ? OCSF_DENIED
			     : all_mended ? OCSF_MODIFIED
					  : OCSF_OBSERVED;
}

/* ---- 2018 and 2019 ---- */

enum older_kind { OLDER_FILES, OLDER_DOMAINS, OLDER_ADDRESSES };

static void add_older(struct things *things, struct json_node *list, enum older_kind kind,
		      struct arena *arena)
{
	struct json_node *item = list && list->kind == JSON_NODE_ARRAY ? list->first : NULL;

	for (; item && things->count < OCSF_EVIDENCES_MAX; item = item->next) {
		struct ocsf_evidence *evidence = &things->list[things->count];

		*evidence = (struct ocsf_evidence){ 0 };
		if (kind == OLDER_FILES)
			read_file(item, arena, &evidence->file);
		else if (kind == OLDER_ADDRESSES)
			evidence->ip = record_ip(item, "ipAddress");
		else if (is_host(record_peek_text(item, "host")))
			evidence->hostname = record_text(item, "host");
		things->count += is_thing(evidence);
	}
}

void map_defender_evidence(struct json_node *record, struct arena *arena,
			   struct ocsf_finding *finding)
{
	struct json_node *list = json_tree_get(record, "evidence");
	struct things things = {
		.list = arena_alloc(arena, (OCSF_EVIDENCES_MAX + 1) * sizeof *things.list),
	};
	struct outcome outcome = { 0 };
	struct json_node *item = list && list->kind == JSON_NODE_ARRAY ? list->first : NULL;

	/* Some forwarders send one alert for each thing. */
	if (list && list->kind == JSON_NODE_OBJECT)
		add_thing(&things, list, arena);
	for (; item; item = item->next) {
		count_outcome(&outcome, record_peek_text(item, "detectionStatus"));
		add_thing(&things, item, arena);
	}
	add_older(&things, json_tree_get(record, "alertFiles"), OLDER_FILES, arena);
	add_older(&things, json_tree_get(record, "alertDomains"), OLDER_DOMAINS, arena);
	add_older(&things, json_tree_get(record, "alertIps"), OLDER_ADDRESSES, arena);
	conclude(&outcome, finding);
	finding->evidences = things.list;
	finding->evidence_count = things.count;
}
