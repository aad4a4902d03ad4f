#ifndef CLI_RULES_FILE_H
#define CLI_RULES_FILE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct directory;
struct jq;
struct rules;

/* The operators' rules.json, with what it speaks of. */
struct rules_file {
	char *where; /* "rules.json", or the path that was given */
	char *text;
	struct rules *rules; /* NULL: there is no such file, or it is wrong as problems say */
	struct directory *directory; /* of the customers' files */
	json_t *problems;	     /* [{level: "error" | "warning", line, rule, text}] */
};

/* path: a file to look at instead of the one in config_dir. False with err when nothing can be
 * said: a folder or file that cannot be read, or no child could be started. A file that is
 * missing in config_dir holds no rules. Its conditions are compiled. */
bool rules_file_load(struct rules_file *ret_file, const char *config_dir, const char *path,
		     struct jq *jq, struct err *err);
void rules_file_done(struct rules_file *file); /* zeroed is fine */

/* How many of the problems are of that level. */
size_t rules_file_count(const struct rules_file *file, const char *level);
/* Adds one; rule may be NULL, line 0. */
void rules_file_problem(struct rules_file *file, const char *level, const char *rule,
			unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

#endif
