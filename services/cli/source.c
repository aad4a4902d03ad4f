/* Sources that are jq programs: sources/<name>.jq. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "programs.h"

enum { SOURCE_NAME_MAX = 32 };

static const char name_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

/* Length of the name in "wazuh.jq"; 0 when the file is none of ours. */
static size_t name_size(const char *file)
{
	size_t size = strlen(file);

	return file[0] != '.' && size > 3 && strcmp(file + size - 3, ".jq") == 0 ? size - 3 : 0;
}

static bool check_name(const char *file, size_t size, const char *where, struct err *err)
{
	if (size <= SOURCE_NAME_MAX && strspn(file, name_letters) == size)
		return true;
	return err_set(err, ERR_PERMANENT, "%s: a source is 1 to %d of a-z, 0-9 and _", where,
		       SOURCE_NAME_MAX);
}

/* False when the file could not be checked at all. */
static bool read_file(struct programs_files *files, const char *file, struct err *ret_err)
{
	char where[300], path[4096], name[300];
	struct err err = { 0 };
	int size = (int)name_size(file);

	snprintf(where, sizeof where, "sources/%s", file);
	snprintf(path, sizeof path, "%s/%s", files->config_dir, where);
	snprintf(name, sizeof name, "source:%.*s", size, file);
	char *text = check_name(file, (size_t)size, where, &err)
			 ? conf_read_file(path, JQ_PROGRAM_BYTES, &err)
			 : NULL;
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

bool programs_read_sources(struct programs_files *files, struct err *err)
{
	char folder[4096];
	struct dirent **entries;

	snprintf(folder, sizeof folder, "%s/sources", files->config_dir);
	bool good = true;
	int count = scandir(folder, &entries, NULL, alphasort);
	if (count < 0 && errno == ENOENT)
		return true;
	if (count < 0)
		return err_set(err, ERR_PERMANENT, "cannot read %s: %s", folder,
			       strerror(errno));
	for (int i = 0; i < count; i++) {
		if (good && name_size(entries[i]->d_name) > 0)
			good = read_file(files, entries[i]->d_name, err);
		free(entries[i]);
	}
	free(entries);
	return good;
}
