/* The things found, for sources that list them. */
#include <string.h>

#include "base/arena.h"
#include "model/json_tree.h"
#include "model/json_writer.h"

#include "normalize/ocsf_writer.h"

enum { DATA_MAX_BYTES = 32 * 1024 };

static const char *path_of(const struct ocsf_writer *writer, size_t place, const char *rest)
{
	return arena_printf(writer->arena, "evidences[%zu].%s", place, rest);
}

static void observe_hashes(struct ocsf_writer *writer, size_t place, const char *name,
			   const struct ocsf_file *file)
{
	const char *const hashes[] = { file->sha256, file->sha1, file->md5 };
	size_t written = 0;

	for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++) {
		if (!hashes[i])
			continue;
		const char *rest =
		    arena_printf(writer->arena, "%s.hashes[%zu].value", name, written++);
		ocsf_observe(writer, path_of(writer, place, rest), OCSF_OBSERVABLE_HASH,
			     hashes[i]);
	}
}

static void put_files(struct ocsf_writer *writer, size_t place,
		      const struct ocsf_evidence *evidence)
{
	const struct ocsf_file *file = &evidence->file;

	if (ocsf_file_name(file)) {
		ocsf_put_file(writer->out, "file", file);
		observe_hashes(writer, place, "file", file);
		ocsf_observe(writer, path_of(writer, place, "file.name"),
			     OCSF_OBSERVABLE_FILE_NAME, ocsf_file_name(file));
		ocsf_observe(writer, path_of(writer, place, "file.path"),
			     OCSF_OBSERVABLE_FILE_PATH, file->path);
	}
	if (evidence->process.known) {
		ocsf_put_process(writer->out, "process", &evidence->process, true);
		observe_hashes(writer, place, "process.file", &evidence->process.file);
	}
}

static void put_network(struct ocsf_writer *writer, size_t place,
			const struct ocsf_evidence *evidence)
{
	struct buf *out = writer->out;
	struct ocsf_url parts;

	if (evidence->url) {
		ocsf_put_url_parts(out, evidence->url, &parts, writer->arena);
		ocsf_observe(writer, path_of(writer, place, "url.url_string"),
			     OCSF_OBSERVABLE_URL, evidence->url);
		ocsf_observe(writer, path_of(writer, place, "url.hostname"),
			     OCSF_OBSERVABLE_HOSTNAME, parts.host);
	}
	if (!evidence->ip && !evidence->hostname)
		return;
	json_begin(out, "dst_endpoint", '{');
	json_put_string(out, "ip", evidence->ip);
	ocsf_put(out, "hostname", evidence->hostname);
	json_end(out, '}');
	ocsf_observe(writer, path_of(writer, place, "dst_endpoint.ip"), OCSF_OBSERVABLE_IP,
		     evidence->ip);
	ocsf_observe(writer, path_of(writer, place, "dst_endpoint.hostname"),
		     OCSF_OBSERVABLE_HOSTNAME, evidence->hostname);
}

static void put_registry(struct ocsf_writer *writer, size_t place,
			 const struct ocsf_evidence *evidence)
{
	static const struct ocsf_caption types[] = {
		{ 0, "Unknown" },	{ 1, "REG_BINARY" },   { 2, "REG_DWORD" },
		{ 4, "REG_EXPAND_SZ" }, { 6, "REG_MULTI_SZ" }, { 7, "REG_NONE" },
		{ 8, "REG_QWORD" },	{ 10, "REG_SZ" },      { 0 },
	};
	struct buf *out = writer->out;

	if (!evidence->reg_path)
		return;
	json_begin(out, "reg_key", '{');
	ocsf_put(out, "path", evidence->reg_path);
	json_end(out, '}');
	ocsf_observe(writer, path_of(writer, place, "reg_key.path"), OCSF_OBSERVABLE_REG_PATH,
		     evidence->reg_path);
	if (!evidence->reg_value.name)
		return;
	json_begin(out, "reg_value", '{');
	ocsf_put(out, "name", evidence->reg_value.name);
	ocsf_put(out, "path", evidence->reg_path);
	ocsf_put_id(out, "type_id", "type", types, evidence->reg_value.type_id);
	ocsf_put(out, "data", evidence->reg_value.data);
	json_end(out, '}');
}

static void put_data(struct buf *out, const struct ocsf_evidence *evidence)
{
	size_t begun = out->size;

	if (!evidence->data)
		return;
	if (evidence->data_name) {
		json_begin(out, "data", '{');
		json_tree_write(out, evidence->data_name, evidence->data);
		json_end(out, '}');
	} else {
		json_tree_write(out, "data", evidence->data);
	}
	if (buf_ok(out) && out->size - begun <= DATA_MAX_BYTES)
		return;
	json_rewind(out, begun);
	json_begin(out, "data", '{');
	json_put_string(out, "left_out", "too large");
	json_end(out, '}');
}

void ocsf_put_evidence_list(struct ocsf_writer *writer)
{
	const struct ocsf_finding *finding = writer->finding;
	struct buf *out = writer->out;

	json_begin(out, "evidences", '[');
	for (size_t i = 0; i < finding->evidence_count; i++) {
		const struct ocsf_evidence *evidence = &finding->evidences[i];

		json_begin(out, NULL, '{');
		ocsf_put_cut(out, "name", evidence->name, OCSF_ID_MAX_BYTES);
		put_files(writer, i, evidence);
		ocsf_put_user(out, "user", &evidence->user, false);
		if (evidence->name && strcmp(evidence->name, "email") == 0)
			ocsf_observe(writer, path_of(writer, i, "user.email_addr"),
				     OCSF_OBSERVABLE_EMAIL, evidence->user.email_addr);
		put_network(writer, i, evidence);
		put_registry(writer, i, evidence);
		put_data(out, evidence);
		json_end(out, '}');
	}
	json_end(out, ']');
}
