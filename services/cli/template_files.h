#ifndef CLI_TEMPLATE_FILES_H
#define CLI_TEMPLATE_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct jq;
struct templates;

/*
 * The files templates/<name>.json of TOCSIN_CONFIG_DIR, each read, checked with what it
 * extends, and compiled. One that is wrong is kept with what is wrong with it and is not in the
 * set, so that whoever extends it is wrong too.
 */
struct template_file {
	char *name;
	char *where;	/* "templates/acme.json" */
	char *text;	/* NULL when it could not be read */
	struct err err; /* kind is ERR_NONE when it is good */
};

struct template_files {
	struct templates *templates; /* with the built-in ones */
	struct template_file *items;
	size_t count;
};

/* jq may be NULL: then nothing is compiled. False with err when nothing can be said of any: the
 * folder is not readable, or no child could be started (transient). A missing folder holds
 * none. */
bool template_files_load(struct template_files *ret_files, const char *config_dir,
			 struct jq *jq, struct err *err);
/* One more, from anywhere; its name is the file's. Replaces one of the same name. */
bool template_files_add(struct template_files *files, const char *path, struct jq *jq,
			const char **ret_name, struct err *err);
void template_files_done(struct template_files *files); /* zeroed is fine */

#endif
