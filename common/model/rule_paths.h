#ifndef MODEL_RULE_PATHS_H
#define MODEL_RULE_PATHS_H

#include <stdbool.h>

/*
 * Which paths a jq condition follows into a finding, checked against the names that findings
 * can have: OCSF 1.8.0's Detection Finding with its profiles (finding_names.txt), and what
 * stands beside it (.customer, .host, .source). jq itself never complains: a misspelt path is
 * null. What cannot be told from the text, such as paths from variables or into unmapped, is
 * not complained about.
 */
struct rule_path {
	const char *text;    /* as far as it goes wrong: ".finding.device.hostnam" */
	const char *nearest; /* what was probably meant; NULL: nothing is near */
	bool is_list;	     /* it is there, and a list whose items were meant */
};

typedef void rule_path_complaint(void *opaque, const struct rule_path *path);

/* jq must compile. */
void rule_paths_check(const char *jq, rule_path_complaint *complain, void *opaque);

#endif
