#ifndef CLI_SOURCE_RUN_H
#define CLI_SOURCE_RUN_H

#include <stdbool.h>

#include "base/err.h"
#include "normalize/normalize.h"

struct arena;
struct cli;

/* From a raw event to a finding, as the normalizer does it: by the mapper in C, or by the jq
 * program that the files of TOCSIN_CONFIG_DIR say, compiled when it is first needed. */
struct source_run;

struct source_run *source_run_new(const struct cli *cli, struct err *err);
void source_run_free(struct source_run *run); /* NULL is fine */

/* As normalize(); err is transient when jq cannot be run. */
enum normalize_verdict source_run_event(struct source_run *run, const struct raw *raw,
					struct arena *arena, struct finding *ret_finding,
					const char **ret_skip, struct err *err);

/* The program in path is every source's from now on. False with err when it is wrong. */
bool source_run_use(struct source_run *run, const char *path, struct err *err);

#endif
