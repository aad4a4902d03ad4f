/* tocsin template check and show. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "cli.h"
#include "jq/jq.h"
#include "run.h"
#include "template_files.h"
#include "ticket/template.h"
#include "view.h"

/* ---- check ---- */

static void render_check(struct buf *out, const struct screen *screen, const json_t *document)
{
	static const struct column columns[] = {
		{ "TEMPLATE", "name", CELL_TEXT },	   { "EXTENDS", "extends", CELL_TEXT },
		{ "TABLE", "table", CELL_TEXT },	   { "STATE", "state", CELL_STATE },
		{ "PROBLEM", "problem", CELL_TEXT, true }, { 0 },
	};

	table_render(out, screen, columns, json_object_get(document, "templates"));
}

static json_t *check_row(const struct template_files *files, const char *name,
			 const char *problem)
{
	const struct template *template = templates_find(files->templates, name);
	const char *extends = template ? template->extends : NULL;

	if (template && !extends)
		extends = template_builtin(name) ? name : "its source's";
	return json_pack("{s:s,s:o,s:o,s:s,s:o}", "name", name, "extends", view_text(extends),
			 "table", view_text(template ? template->table : NULL), "state",
			 problem ? "broken" : "ok", "problem", view_text(problem));
}

static bool load_files(struct cli *cli, struct jq *jq, struct template_files *ret_files,
		       enum exit_code *ret_code)
{
	struct err err = { 0 };

	if (template_files_load(ret_files, cli->settings.config_dir, jq, &err))
		return true;
	*ret_code = cli_fail(cli, EXIT_FAILED, &err);
	return false;
}

int run_template_check(struct cli *cli)
{
	const char *path = args_operand(&cli->args, 0);
	struct jq *jq = jq_new(&cli->jq);
	struct template_files files = { 0 };
	enum exit_code code = EXIT_OK;
	const char *name = NULL;
	struct err err = { 0 };

	if (load_files(cli, jq, &files, &code)) {
		if (path && !template_files_add(&files, path, jq, &name, &err) && !name)
			code = cli_fail(cli, EXIT_FAILED, &err);
	}
	if (code == EXIT_OK) {
		json_t *rows = json_array();

		for (size_t i = 0; i < files.count; i++) {
			const struct template_file *file = &files.items[i];
			bool bad = file->err.kind != ERR_NONE;

			if (path && strcmp(file->where, path) != 0)
				continue;
			json_array_append_new(
			    rows, check_row(&files, file->name, bad ? file->err.text : NULL));
			if (bad)
				code = EXIT_UNHEALTHY;
		}
		code = (enum exit_code)cli_print(cli, json_pack("{s:o}", "templates", rows),
						 render_check, code);
	}
	template_files_done(&files);
	jq_free(jq);
	return code;
}

/* ---- show ---- */

static void render_show(struct buf *out, const struct screen *screen, const json_t *document)
{
	static const struct column columns[] = {
		{ "COLUMN", "column", CELL_TEXT },
		{ "FROM", "from", CELL_TEXT },
		{ "EXPRESSION", "expression", CELL_TEXT, true },
		{ 0 },
	};

	table_render(out, screen, columns, json_object_get(document, "columns"));
}

static json_t *line_json(const struct template_line *line)
{
	return json_pack("{s:s,s:s,s:s}", "column", line->name, "from", line->from,
			 "expression", line->text);
}

int run_template_show(struct cli *cli)
{
	const char *name = args_operand(&cli->args, 0);
	const char *source = args_value(&cli->args, "source");
	struct template_plan *plan = xcalloc(1, sizeof *plan);
	struct jq *jq = jq_new(&cli->jq);
	struct template_files files = { 0 };
	enum exit_code code = EXIT_OK;
	bool missing;

	/* The built-in ones can be looked at without any files. */
	if (template_builtin(name) && !source) {
		source = name;
	}
	if (load_files(cli, jq, &files, &code)) {
		templates_plan(files.templates, name, source, plan, &missing);
		if (missing) {
			code = (enum exit_code)cli_failf(cli, EXIT_FAILED,
							 "there is no template %s", name);
		} else {
			json_t *columns = json_array();

			for (size_t i = 0; i < plan->count; i++)
				json_array_append_new(columns, line_json(&plan->columns[i]));
			json_array_append_new(columns, line_json(&plan->later_note));
			code = (enum exit_code)cli_print(
			    cli,
			    json_pack("{s:s,s:o,s:o,s:o}", "name", plan->name, "source",
				      view_text(source), "table", view_text(plan->table),
				      "columns", columns),
			    render_show, EXIT_OK);
		}
	}
	template_files_done(&files);
	jq_free(jq);
	free(plan);
	return code;
}
