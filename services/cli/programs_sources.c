/* Sources that are jq programs: sources/<name>.jq, and those that customers' files name. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "model/customer.h"
#include "programs.h"
#include "store.h"

enum { SOURCE_NAME_MAX = 32 };

static const char name_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

/* Length of the name in "wazuh.jq"; 0 when the file is none of ours. */
static size_t name_size(const char *file)
{
	size_t size = strlen(file);

	return file[0] != '.' && size > 3 && strcmp(file + size - 3, ".jq") == 0 ? size - 3 : 0;
}

/* The file is the program called name; a wrong one is said of where. False when it could not be
 * checked at all. */
static bool read_program(struct programs_files *files, const char *file, const char *name,
			 const char *where, struct err *ret_err)
{
	char path[4096];
	struct err err = { 0 };

	snprintf(path, sizeof path, "%s/sources/%s", files->config_dir, file);
	char *text = conf_read_file(path, JQ_PROGRAM_BYTES, &err);
	int program = text ? jq_add(files->jq, where, text, NULL, &err) : -1;
	if (program >= 0 && !program_set_add(files->good, name, text, strlen(text)))
		err_fill(&err, ERR_PERMANENT, "%s: there are too many programs", where);
	jq_remove(files->jq, program);
	free(text);
	if (err.kind == ERR_TRANSIENT) {
		*ret_err = err;
		return false;
	}
	if (err.kind != ERR_NONE)
		programs_break(files, name, where, &err);
	return true;
}

/* ---- of customers ---- */

/* Whose names need not be those of sources. */
static bool is_named(const struct directory *customers, const char *file)
{
	for (size_t i = 0; i < directory_count(customers); i++) {
		const struct customer_push *push = &directory_at(customers, i)->push;

		for (size_t k = 0; k < push->source_count; k++) {
			if (push->sources[k].program &&
			    strcmp(push->sources[k].program, file) == 0)
				return true;
		}
	}
	return false;
}

static bool read_customer(struct programs_files *files, const struct customer *customer,
			  struct err *err)
{
	for (size_t i = 0; i < customer->push.source_count; i++) {
		const struct customer_push_source *source = &customer->push.sources[i];
		char name[PROGRAM_SET_NAME_MAX + 1], where[200];

		if (!source->program)
			continue;
		snprintf(name, sizeof name, "source:%s/%s", customer->id, source->name);
		snprintf(where, sizeof where, "customers/%s.json: push.sources.%s: %s",
			 customer->id, source->name, source->program);
		if (!read_program(files, source->program, name, where, err))
			return false;
	}
	return true;
}

/* ---- everybody's ---- */

static bool read_file(struct programs_files *files, const struct directory *customers,
		      const char *file, struct err *err)
{
	char where[300], name[300];
	size_t size = name_size(file);

	if (size == 0)
		return true;
	snprintf(where, sizeof where, "sources/%s", file);
	snprintf(name, sizeof name, "source:%.*s", (int)size, file);
	if (size <= SOURCE_NAME_MAX && strspn(file, name_letters) == size)
		return read_program(files, file, name, where, err);
	if (is_named(customers, file))
		return true;

	struct err why;
	err_fill(&why, ERR_PERMANENT,
		 "%s: a source is 1 to %d of a-z, 0-9 and _, and no customer names this file",
		 where, SOURCE_NAME_MAX);
	programs_break(files, name, where, &why);
	return true;
}

static bool read_folder(struct programs_files *files, const struct directory *customers,
			struct err *err)
{
	char folder[4096];
	struct dirent **entries;
	bool good = true;

	snprintf(folder, sizeof folder, "%s/sources", files->config_dir);
	int count = scandir(folder, &entries, NULL, alphasort);
	if (count < 0 && errno == ENOENT)
		return true;
	if (count < 0)
		return err_set(err, ERR_PERMANENT, "cannot read %s: %s", folder,
			       strerror(errno));
	for (int i = 0; i < count; i++) {
		good = good && read_file(files, customers, entries[i]->d_name, err);
		free(entries[i]);
	}
	free(entries);
	return good;
}

/* Of a customer whose file cannot be read nothing is known. */
static void keep_broken(struct programs_files *files)
{
	for (size_t i = 0; i < files->store->count; i++) {
		const struct store_file *file = &files->store->files[i];
		char name[PROGRAM_SET_NAME_MAX + 1];

		if (file->kind != STORE_CUSTOMER || file->err.kind == ERR_NONE)
			continue;
		snprintf(name, sizeof name, "source:%.64s/", file->id);
		program_set_add(files->broken, name, "", 0);
	}
}

bool programs_read_sources(struct programs_files *files, struct err *err)
{
	struct directory *customers = store_directory(files->store);
	bool good = read_folder(files, customers, err);

	for (size_t i = 0; good && i < directory_count(customers); i++)
		good = read_customer(files, directory_at(customers, i), err);
	directory_free(customers);
	keep_broken(files);
	return good;
}
