#ifndef CLI_RULES_LINT_H
#define CLI_RULES_LINT_H

#include <jansson.h>
#include <stdint.h>

#include "rules_file.h"

/* Adds what is doubtful about rules that can be read: expired or over, names that nobody has,
 * paths that no finding has, rules that earlier ones leave nothing for, and, with hits
 * (rules_hits.h; NULL: not known), those that have not matched for idle_ms. */
void rules_lint(struct rules_file *file, const json_t *hits, uint64_t idle_ms, uint64_t now_ms);

#endif
