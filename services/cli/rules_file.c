/* rules.json as operators write it, and on its way to the services. */
#include "rules_file.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/conf.h"
#include "model/customer.h"
#include "model/rules.h"
#include "programs.h"
#include "service/judge.h"
#include "store.h"
#include "view.h"

enum { PROBLEM_MAX = 600 };

void rules_file_problem(struct rules_file *file, const char *level, const char *rule,
			unsigned line, const char *fmt, ...)
{
	char text[PROBLEM_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	json_array_append_new(
	    file->problems,
	    json_pack("{s:s,s:o,s:o,s:o}", "level", level, "rule", view_text(rule), "line",
		      line > 0 ? json_integer(line) : json_null(), "text", view_text(text)));
}

size_t rules_file_count(const struct rules_file *file, const char *level)
{
	const json_t *problem;
	size_t i, count = 0;

	json_array_foreach(file->problems, i, problem)
	{
		const char *is = json_string_value(json_object_get(problem, "level"));
		count += strcmp(is, level) == 0;
	}
	return count;
}

static void complain(void *opaque, const struct rule *rule, const char *text)
{
	rules_file_problem(opaque, "error", rule->name, rule->line, "%s", text);
}

static bool load_text(struct rules_file *file, const char *config_dir, const char *path,
		      struct err *err)
{
	struct buf own;

	buf_init(&own, 4096);
	buf_addf(&own, "%s/rules.json", config_dir);
	file->where = xstrdup(path ? path : "rules.json");
	bool missing = !path && access(buf_text(&own), F_OK) != 0;
	if (!missing)
		file->text =
		    conf_read_file(path ? path : buf_text(&own), PROGRAM_SET_TEXT_MAX, err);
	buf_done(&own);
	return missing || file->text;
}

static bool check(struct rules_file *file, struct jq *jq, struct err *err)
{
	struct err why = { 0 };

	if (!file->text)
		return true;
	file->rules = rules_decode(file->text, strlen(file->text), file->where, &why);
	if (!file->rules) {
		rules_file_problem(file, "error", NULL, 0, "%s", why.text);
		return true;
	}
	if (!judge_check(jq, file->rules, file->where, complain, file, err))
		return false;
	return true;
}

bool rules_file_load(struct rules_file *ret_file, const char *config_dir, const char *path,
		     struct jq *jq, struct err *err)
{
	struct store store;

	*ret_file = (struct rules_file){ .problems = json_array() };
	if (!store_load(&store, config_dir, err)) {
		rules_file_done(ret_file);
		return false;
	}
	ret_file->directory = store_directory(&store);
	store_done(&store);
	if (!load_text(ret_file, config_dir, path, err) || !check(ret_file, jq, err)) {
		rules_file_done(ret_file);
		return false;
	}
	return true;
}

void rules_file_done(struct rules_file *file)
{
	free(file->where);
	free(file->text);
	rules_free(file->rules);
	directory_free(file->directory);
	json_decref(file->problems);
	*file = (struct rules_file){ 0 };
}

/* ---- for setup ---- */

static void publish(struct programs_files *files, const struct rules_file *file)
{
	char *customers = judge_customers(file->directory);
	struct err err = { 0 };

	if (program_set_add(files->good, "rules", file->text, strlen(file->text)) &&
	    program_set_add(files->good, "rules.customers", customers, strlen(customers))) {
		free(customers);
		return;
	}
	free(customers);
	err_fill(&err, ERR_PERMANENT, "rules.json: there are too many programs or customers");
	programs_break(files, "rules", "rules.json", &err);
}

/* Every message is told; what Redis has of the rules stays. */
static void refuse(struct programs_files *files, const struct rules_file *file)
{
	const json_t *problem;
	size_t i;

	json_array_foreach(file->problems, i, problem)
	{
		struct err err = { 0 };

		err_fill(&err, ERR_PERMANENT, "%s",
			 json_string_value(json_object_get(problem, "text")));
		programs_break(files, "rules", "rules.json", &err);
	}
	program_set_add(files->broken, "rules.customers", "", 0);
}

bool programs_read_rules(struct programs_files *files, struct err *err)
{
	struct rules_file file;

	if (!rules_file_load(&file, files->config_dir, NULL, files->jq, err)) {
		if (err->kind != ERR_PERMANENT)
			return false;
		programs_break(files, "rules", "rules.json", err);
		program_set_add(files->broken, "rules.customers", "", 0);
		*err = (struct err){ 0 };
		return true;
	}
	if (rules_file_count(&file, "error") > 0)
		refuse(files, &file);
	else if (file.rules)
		publish(files, &file);
	rules_file_done(&file);
	return true;
}
