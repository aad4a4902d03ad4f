#ifndef SERVICE_JUDGE_SUBJECT_H
#define SERVICE_JUDGE_SUBJECT_H

struct arena;
struct json_node;

/* What conditions see as `.`: the same that the prelude of judge_program.c makes of a finding.
 * NULL when the finding is unusual in a way that only jq should judge. customer is JSON, source
 * a name; nothing is copied. */
const struct json_node *judge_subject(const struct json_node *finding, const char *customer,
				      const char *source, struct arena *arena);

#endif
