/* Files of ticket templates, and setup's reader of them. */
#include "template_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/conf.h"
#include "jq/jq.h"
#include "model/customer.h"
#include "plan.h"
#include "programs.h"
#include "store.h"
#include "ticket/template.h"

static const char suffix[] = ".json";

void template_files_done(struct template_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		free(files->items[i].name);
		free(files->items[i].where);
		free(files->items[i].text);
	}
	free(files->items);
	templates_free(files->templates);
	*files = (struct template_files){ 0 };
}

/* ---- reading ---- */

static char *name_of(const char *file)
{
	size_t size = strlen(file), ending = strlen(suffix);

	if (file[0] == '.' || size <= ending || strcmp(file + size - ending, suffix) != 0)
		return NULL;
	return xstrndup(file, size - ending);
}

static void read_file(struct template_files *files, struct template_file *file,
		      const char *path)
{
	struct template *template = NULL;

	if (template_name_valid(file->name))
		file->text = conf_read_file(path, TEMPLATE_FILE_MAX, &file->err);
	else
		err_fill(&file->err, ERR_PERMANENT,
			 "%s: a template's name is 1 to %d of a-z 0-9 - and _", file->where,
			 TEMPLATE_NAME_MAX);
	if (file->text)
		template = template_decode(file->name, file->text, strlen(file->text),
					   file->where, &file->err);
	if (template)
		templates_add(files->templates, template);
}

static struct template_file *add_file(struct template_files *files, char *name,
				      const char *where)
{
	files->items = xrealloc(files->items, (files->count + 1) * sizeof *files->items);
	files->items[files->count] =
	    (struct template_file){ .name = name, .where = xstrdup(where) };
	return &files->items[files->count++];
}

static bool read_folder(struct template_files *files, const char *config_dir, struct err *err)
{
	char folder[4096], path[4096 + 300], where[300];
	struct dirent **entries;

	snprintf(folder, sizeof folder, "%s/templates", config_dir);
	int count = scandir(folder, &entries, NULL, alphasort);
	if (count < 0 && errno == ENOENT)
		return true;
	if (count < 0)
		return err_set(err, ERR_PERMANENT, "cannot read %s: %s", folder,
			       strerror(errno));
	for (int i = 0; i < count; i++) {
		char *name = name_of(entries[i]->d_name);

		snprintf(where, sizeof where, "templates/%s", entries[i]->d_name);
		snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
		free(entries[i]);
		if (name && files->count < TEMPLATES_MAX)
			read_file(files, add_file(files, name, where), path);
		else
			free(name);
	}
	free(entries);
	if (files->count == TEMPLATES_MAX)
		return err_set(err, ERR_PERMANENT, "%s holds %d files or more", folder,
			       TEMPLATES_MAX);
	return true;
}

/* ---- checking ---- */

/* False when it could not be checked at all. */
static bool check_file(const struct template_files *files, struct template_file *file,
		       struct jq *jq, struct err *ret_err)
{
	const struct template *template;
	struct err err = { 0 };

	if (file->err.kind != ERR_NONE)
		return true;
	template = templates_find(files->templates, file->name);
	if (!templates_check(files->templates, file->name, &err))
		err_prefix(&err, "%s", file->where);
	else if (jq)
		template_compile(template, file->where, jq, &err);
	if (err.kind == ERR_TRANSIENT) {
		*ret_err = err;
		return false;
	}
	file->err = err;
	return true;
}

bool template_files_load(struct template_files *ret_files, const char *config_dir,
			 struct jq *jq, struct err *err)
{
	bool good;

	*ret_files = (struct template_files){ .templates = templates_new() };
	good = read_folder(ret_files, config_dir, err);
	for (size_t i = 0; good && i < ret_files->count; i++)
		good = check_file(ret_files, &ret_files->items[i], jq, err);
	if (!good)
		template_files_done(ret_files);
	return good;
}

bool template_files_add(struct template_files *files, const char *path, struct jq *jq,
			const char **ret_name, struct err *err)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	char *name = name_of(base);
	struct template_file *file;

	if (!name)
		return err_set(err, ERR_PERMANENT, "%s: a template's file ends in .json", path);
	file = add_file(files, name, path);
	read_file(files, file, path);
	if (!check_file(files, file, jq, err))
		return false;
	*err = file->err;
	*ret_name = file->name;
	return file->err.kind == ERR_NONE;
}

/* ---- for setup ---- */

/* A customer that names a template which is not there is served with the built-in one, and
 * told. */
static void check_customers(struct programs_files *programs, const struct template_files *files)
{
	struct directory *directory = store_directory(programs->store);

	for (size_t i = 0; i < directory_count(directory); i++) {
		const struct customer *customer = directory_at(directory, i);
		const char *name = customer->servicenow.template;
		char where[64];
		struct err err;

		if (!name || templates_find(files->templates, name))
			continue;
		snprintf(where, sizeof where, "customers/%s.json", customer->id);
		err_fill(&err, ERR_PERMANENT,
			 "%s: servicenow.template: there is no template %s; the built-in one "
			 "is used",
			 where, name);
		plan_add_problem(programs->plan, where, &err);
	}
	directory_free(directory);
}

bool programs_read_templates(struct programs_files *programs, struct err *err)
{
	struct template_files files;

	if (!template_files_load(&files, programs->config_dir, programs->jq, err))
		return false;
	for (size_t i = 0; i < files.count; i++) {
		struct template_file *file = &files.items[i];
		char name[80];

		snprintf(name, sizeof name, "template:%.*s", TEMPLATE_NAME_MAX, file->name);
		if (file->err.kind == ERR_NONE &&
		    !program_set_add(programs->good, name, file->text, strlen(file->text)))
			err_fill(&file->err, ERR_PERMANENT, "%s: there are too many programs",
				 file->where);
		if (file->err.kind != ERR_NONE)
			programs_break(programs, name, file->where, &file->err);
	}
	check_customers(programs, &files);
	template_files_done(&files);
	return true;
}
