#ifndef CLI_RULE_SET_H
#define CLI_RULE_SET_H

#include <stdbool.h>

#include "base/err.h"

struct directory;
struct judge;
struct redis;

/* Fills judge with the rules in force, as setup published them, or with those of the file path.
 * False with err: permanent when the file is wrong. */
bool rule_set_load(struct judge *judge, struct redis *redis, const struct directory *directory,
		   const char *path, struct err *err);

#endif
