/* What was found and who did it: files, processes, users, connections. */
#include <string.h>

#include "base/arena.h"
#include "model/json_tree.h"
#include "model/json_writer.h"

#include "normalize/ocsf_url.h"
#include "normalize/ocsf_writer.h"
#include "normalize/text.h"

/* Data of a source that is kept as it came; more would drown the rest. */
enum { DATA_MAX_BYTES = 128 * 1024 };

static const struct ocsf_caption directions[] = { { OCSF_DIRECTION_UNKNOWN, "Unknown" },
						  { OCSF_INBOUND, "Inbound" },
						  { OCSF_OUTBOUND, "Outbound" },
						  { 0 } };
static const struct ocsf_caption scopes[] = { { OCSF_INTERNAL, "Internal" },
					      { OCSF_EXTERNAL, "External" },
					      { 0 } };
static const struct ocsf_caption user_types[] = { { OCSF_USER_UNKNOWN, "Unknown" },
						  { OCSF_USER_SYSTEM, "System" },
						  { 0 } };

/* ---- files and processes ---- */

const char *ocsf_file_name(const struct ocsf_file *file)
{
	if (file->name)
		return file->name;
	if (file->path) {
		const char *last = file->path;
		for (const char *c = file->path; *c; c++) {
			if ((*c == '/' || *c == '\\') && c[1] != '\0')
				last = c + 1;
		}
		if (last[0] != '\0')
			return last;
	}
	return file->sha256 ? file->sha256 : file->sha1 ? file->sha1 : file->md5;
}

static void put_hash(struct buf *out, int algorithm_id, const char *algorithm,
		     const char *value)
{
	if (!value)
		return;
	json_begin(out, NULL, '{');
	json_put_int(out, "algorithm_id", algorithm_id);
	json_put_string(out, "algorithm", algorithm);
	json_put_string(out, "value", value);
	json_end(out, '}');
}

void ocsf_put_file(struct buf *out, const char *name, const struct ocsf_file *file)
{
	json_begin(out, name, '{');
	ocsf_put(out, "name", ocsf_file_name(file));
	json_put_int(out, "type_id", 1);
	json_put_string(out, "type", "Regular File");
	ocsf_put(out, "path", file->path);
	size_t begun = json_begin(out, "hashes", '[');
	put_hash(out, 3, "SHA-256", file->sha256);
	put_hash(out, 2, "SHA-1", file->sha1);
	put_hash(out, 1, "MD5", file->md5);
	json_end_unless_empty(out, begun, ']');
	json_end(out, '}');
}

/* What OCSF needs to tell one from another. */
static bool has_user(const struct ocsf_user *user)
{
	return user->name || user->uid;
}

void ocsf_put_user(struct buf *out, const char *name, const struct ocsf_user *user,
		   bool with_type)
{
	if (!has_user(user))
		return;
	json_begin(out, name, '{');
	ocsf_put(out, "name", user->name);
	ocsf_put(out, "domain", user->domain);
	ocsf_put_cut(out, "uid", user->uid, OCSF_ID_MAX_BYTES);
	ocsf_put_cut(out, "uid_alt", user->uid_alt, OCSF_ID_MAX_BYTES);
	ocsf_put_cut(out, "full_name", user->full_name, OCSF_ID_MAX_BYTES);
	ocsf_put_cut(out, "email_addr", user->email_addr, OCSF_ID_MAX_BYTES);
	if (with_type)
		ocsf_put_id(out, "type_id", "type", user_types, user->type_id);
	json_end(out, '}');
}

void ocsf_put_process(struct buf *out, const char *name, const struct ocsf_process *process,
		      bool with_file)
{
	if (!process->known)
		return;
	json_begin(out, name, '{');
	json_put_int(out, "pid", process->pid);
	ocsf_put(out, "name", process->file.name);
	ocsf_put(out, "cmd_line", process->cmd_line);
	if (process->created_ms)
		json_put_int(out, "created_time", (int64_t)process->created_ms);
	if (with_file && ocsf_file_name(&process->file))
		ocsf_put_file(out, "file", &process->file);
	if (process->parent)
		ocsf_put_process(out, "parent_process", process->parent, with_file);
	json_end(out, '}');
}

/* brief: in an evidence, beside the full one at the top. */
static void put_actor(const struct ocsf_writer *writer, bool brief)
{
	size_t begun = json_begin(writer->out, "actor", '{');

	ocsf_put_process(writer->out, "process", &writer->finding->process, !brief);
	ocsf_put_user(writer->out, "user", &writer->finding->user, !brief);
	json_end_unless_empty(writer->out, begun, '}');
}

void ocsf_put_actor(struct ocsf_writer *writer)
{
	put_actor(writer, false);
	ocsf_observe(writer, "actor.user.name", OCSF_OBSERVABLE_USER_NAME,
		     writer->finding->user.name);
}

/* ---- evidences ---- */

static void put_endpoint(struct buf *out, const char *name,
			 const struct ocsf_endpoint *endpoint)
{
	if (!endpoint->ip && !endpoint->hostname)
		return;
	json_begin(out, name, '{');
	json_put_string(out, "ip", endpoint->ip);
	ocsf_put(out, "hostname", endpoint->hostname);
	if (endpoint->scope_id)
		ocsf_put_id(out, "network_scope_id", "network_scope", scopes,
			    endpoint->scope_id);
	if (endpoint->port)
		json_put_int(out, "port", endpoint->port);
	json_end(out, '}');
}

static void put_connection(struct ocsf_writer *writer)
{
	const struct ocsf_finding *finding = writer->finding;
	struct buf *out = writer->out;

	put_endpoint(out, "src_endpoint", &finding->source);
	put_endpoint(out, "dst_endpoint", &finding->destination);
	ocsf_observe(writer, "evidences[0].src_endpoint.ip", OCSF_OBSERVABLE_IP,
		     finding->source.ip);
	ocsf_observe(writer, "evidences[0].dst_endpoint.ip", OCSF_OBSERVABLE_IP,
		     finding->destination.ip);
	ocsf_observe(writer, "evidences[0].dst_endpoint.hostname", OCSF_OBSERVABLE_HOSTNAME,
		     finding->destination.hostname);
	if (!finding->has_connection)
		return;
	json_begin(out, "connection_info", '{');
	ocsf_put_id(out, "direction_id", "direction", directions, finding->direction_id);
	ocsf_put(out, "protocol_name", finding->protocol_name);
	if (finding->protocol_num)
		json_put_int(out, "protocol_num", finding->protocol_num);
	json_end(out, '}');
}

static void begin_url(struct buf *out, const char *url, struct ocsf_url *ret_parts,
		      struct arena *arena)
{
	*ret_parts = (struct ocsf_url){ 0 };
	json_begin(out, "url", '{');
	ocsf_put(out, "url_string", url);
	if (ocsf_url_split(url, ret_parts, arena)) {
		ocsf_put(out, "scheme", ret_parts->scheme);
		ocsf_put(out, "hostname", ret_parts->host);
		if (ret_parts->port)
			json_put_int(out, "port", ret_parts->port);
		ocsf_put(out, "path", ret_parts->path);
		ocsf_put(out, "query_string", ret_parts->query);
	}
}

void ocsf_put_url_parts(struct buf *out, const char *url, struct ocsf_url *ret_parts,
			struct arena *arena)
{
	begin_url(out, url, ret_parts, arena);
	json_end(out, '}');
}

static void put_url(struct ocsf_writer *writer)
{
	const char *url = writer->finding->url;
	struct ocsf_url parts;

	if (!url)
		return;
	begin_url(writer->out, url, &parts, writer->arena);
	ocsf_put_url_categories(writer);
	json_end(writer->out, '}');
	ocsf_observe(writer, "evidences[0].url.url_string", OCSF_OBSERVABLE_URL, url);
	ocsf_observe(writer, "evidences[0].url.hostname", OCSF_OBSERVABLE_HOSTNAME, parts.host);
}

const char *ocsf_verdict_caption(int id)
{
	static const struct ocsf_caption verdicts[] = {
		{ OCSF_VERDICT_UNKNOWN, "Unknown" },
		{ OCSF_VERDICT_FALSE_POSITIVE, "False Positive" },
		{ OCSF_VERDICT_TRUE_POSITIVE, "True Positive" },
		{ OCSF_VERDICT_BENIGN, "Benign" },
		{ OCSF_VERDICT_TEST, "Test" },
		{ OCSF_VERDICT_INSUFFICIENT_DATA, "Insufficient Data" },
		{ OCSF_VERDICT_SECURITY_RISK, "Security Risk" },
		{ 0 }
	};

	return ocsf_caption(verdicts, id);
}

static void put_verdict(const struct ocsf_writer *writer)
{
	const struct ocsf_finding *finding = writer->finding;
	struct buf *out = writer->out;

	if (!finding->has_verdict)
		return;
	json_put_int(out, "verdict_id", finding->verdict_id);
	if (finding->verdict_id == OCSF_VERDICT_OTHER)
		ocsf_put_cut(out, "verdict", finding->verdict_text, OCSF_TITLE_MAX_BYTES);
	else
		json_put_string(out, "verdict", ocsf_verdict_caption(finding->verdict_id));
}

static void observe_file(struct ocsf_writer *writer)
{
	/* Their place in the list depends on which are there. */
	static const char *const hash_paths[] = { "evidences[0].file.hashes[0].value",
						  "evidences[0].file.hashes[1].value",
						  "evidences[0].file.hashes[2].value" };
	const struct ocsf_file *file = &writer->finding->file;
	const char *const hashes[] = { file->sha256, file->sha1, file->md5 };
	size_t place = 0;

	for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++) {
		if (hashes[i])
			ocsf_observe(writer, hash_paths[place++], OCSF_OBSERVABLE_HASH,
				     hashes[i]);
	}
	ocsf_observe(writer, "evidences[0].file.name", OCSF_OBSERVABLE_FILE_NAME,
		     ocsf_file_name(file));
	ocsf_observe(writer, "evidences[0].file.path", OCSF_OBSERVABLE_FILE_PATH, file->path);
}

static bool has_evidence(const struct ocsf_finding *finding)
{
	return ocsf_file_name(&finding->file) || finding->url || finding->source.ip ||
	       finding->destination.ip || finding->destination.hostname ||
	       finding->web.query_hostname || finding->has_connection ||
	       finding->data_count > 0;
}

static void put_data(const struct ocsf_writer *writer)
{
	const struct ocsf_finding *finding = writer->finding;
	struct buf *out = writer->out;

	if (finding->data_count == 0)
		return;
	size_t begun = json_begin(out, "data", '{');
	for (size_t i = 0; i < finding->data_count; i++)
		json_tree_write(out, finding->data[i].name, finding->data[i].node);
	if (!buf_ok(out) || out->size - begun > DATA_MAX_BYTES) {
		json_rewind(out, begun);
		json_begin(out, "data", '{');
		json_put_string(out, "left_out", "too large");
	}
	json_end(out, '}');
}

void ocsf_put_evidence(struct ocsf_writer *writer)
{
	const struct ocsf_finding *finding = writer->finding;
	struct buf *out = writer->out;

	if (finding->evidence_count > 0) {
		ocsf_put_evidence_list(writer);
		return;
	}
	if (!has_evidence(finding))
		return;
	json_begin(out, "evidences", '[');
	json_begin(out, NULL, '{');
	if (ocsf_file_name(&finding->file)) {
		ocsf_put_file(out, "file", &finding->file);
		observe_file(writer);
	}
	put_actor(writer, true);
	put_url(writer);
	put_connection(writer);
	ocsf_put_web(writer);
	put_verdict(writer);
	put_data(writer);
	json_end(out, '}');
	json_end(out, ']');
}

/* ---- malware ---- */

/* OCSF classification by what vendors write into names; the first that occurs wins, so the
 * narrower words come first. */
static const struct {
	const char *word;
	int id;
	const char *caption;
} malware_words[] = {
	{ "ransom", 10, "Ransomware" },
	{ "webshell", 20, "Webshell" },
	{ "rootkit", 15, "Rootkit" },
	{ "bootkit", 4, "Bootkit" },
	{ "keylog", 9, "Keylogger" },
	{ "downloader", 6, "Downloader" },
	{ "dropper", 7, "Dropper" },
	{ "backdoor", 2, "Backdoor" },
	{ "adware", 1, "Adware" },
	{ "spyware", 17, "Spyware" },
	{ "trojanspy", 17, "Spyware" },
	{ "pws:", 17, "Spyware" },
	{ "infostealer", 17, "Spyware" },
	{ "coinminer", 13, "Resource-Exploitation" },
	{ "cryptomin", 13, "Resource-Exploitation" },
	{ "remote access", 11, "Remote-Access-Trojan" },
	{ "botnet", 3, "Bot" },
	{ "wiper", 21, "Wiper" },
	{ "worm", 22, "Worm" },
	{ "exploit", 8, "Exploit-Kit" },
	{ "trojan", 18, "Trojan" },
	{ "virus", 19, "Virus" },
	{ "hacktool", 99, "Hacking Tool" },
	{ "pua:", 99, "Potentially Unwanted Application" },
};

static bool classify(const struct ocsf_writer *writer, const char *words, int *ret_id,
		     const char **ret_caption)
{
	const char *text = text_lower(writer->arena, words, strnlen(words, OCSF_ID_MAX_BYTES));

	for (size_t i = 0; i < sizeof malware_words / sizeof malware_words[0]; i++) {
		if (!strstr(text, malware_words[i].word))
			continue;
		*ret_id = malware_words[i].id;
		*ret_caption = malware_words[i].caption;
		return true;
	}
	return false;
}

void ocsf_put_malware(const struct ocsf_writer *writer)
{
	const struct ocsf_finding *finding = writer->finding;
	struct buf *out = writer->out;
	const char *caption = "Unknown";
	int id = 0;

	if (!finding->malware_name)
		return;
	if (finding->malware_kind && !classify(writer, finding->malware_kind, &id, &caption)) {
		id = 99;
		caption = finding->malware_kind;
	} else if (!finding->malware_kind) {
		classify(writer, finding->malware_name, &id, &caption);
	}
	json_begin(out, "malware", '[');
	json_begin(out, NULL, '{');
	ocsf_put(out, "name", finding->malware_name);
	json_begin(out, "classification_ids", '[');
	json_put_int(out, NULL, id);
	json_end(out, ']');
	json_begin(out, "classifications", '[');
	ocsf_put_cut(out, NULL, caption, OCSF_TITLE_MAX_BYTES);
	json_end(out, ']');
	json_put_string(out, "provider", finding->product->full_name);
	if (ocsf_file_name(&finding->file)) {
		json_begin(out, "files", '[');
		ocsf_put_file(out, NULL, &finding->file);
		json_end(out, ']');
	}
	json_end(out, '}');
	json_end(out, ']');
}
