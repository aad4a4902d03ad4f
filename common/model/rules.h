#ifndef MODEL_RULES_H
#define MODEL_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/policy.h"

struct arena;
struct finding;
struct json_node;

/*
 * The operators' rules: rules.json in TOCSIN_CONFIG_DIR (docs/rules.md is the same for people).
 *
 * A rule has a name, an owner, what it applies to (selectors, read here, and a jq condition,
 * run elsewhere) and one action. Of the rules that match a finding a suppressing one wins over
 * everything; else, for each kind of action, the first in the order of the file. All of this is
 * pure.
 */

enum rule_action {
	RULE_SUPPRESS,
	RULE_MAINTENANCE, /* suppress or record, within a window */
	RULE_MINIMUM_SEVERITY,
	RULE_SEVERITY,
	RULE_PRIORITY,
	RULE_ROUTE,
	RULE_GROUP,
	RULE_REOPEN,
	RULE_STORM,
	RULE_ACTIONS,
};

enum { RULES_MAX = 1000, RULE_NAME_MAX = 48, RULE_PATHS_MAX = 8, RULE_LINES_MAX = 64 };

struct rule {
	char *name;	     /* 1 to 48 of a-z 0-9 - */
	char *owner;	     /* who to ask, at most 100 bytes */
	char *reason;	     /* NULL when not given */
	uint64_t expires_ms; /* 0: never */
	char **customers;    /* ids; ended by NULL; NULL: all */
	char **hosts;	     /* patterns with * and ?, any case; ended by NULL; NULL: all */
	char **sources;	     /* ended by NULL; NULL: all */
	char *when;	     /* jq; NULL: always */
	unsigned line;	     /* of the rule in the file, from 1 */
	/* Where each line of `when` begins in the file, both from 1; 0 when not known. */
	struct {
		unsigned line, column;
	} when_at[RULE_LINES_MAX];

	enum rule_action action;
	struct {
		uint64_t from_ms, until_ms; /* by the finding's own time */
		bool record;
	} maintenance;
	int severity_id; /* RULE_MINIMUM_SEVERITY, RULE_SEVERITY */
	unsigned priority;
	struct {
		char *account, *table, *caller_id, *company, *assignment_group, *domain,
		    *template;
	} route;
	struct {
		char **by; /* jq paths; ended by NULL; the first that gives a value counts */
		bool per_host; /* two hosts are two incidents */
	} group;
	uint64_t reopen_ms;
	struct {
		unsigned limit;
		uint64_t per_ms;
	} storm;
};

struct rules;

/* text is the file's; where starts every message ("rules.json:12: rules.2.severity: ...").
 * NULL with err (permanent) filled. Conditions are not compiled here. */
struct rules *rules_decode(const char *text, size_t size, const char *where, struct err *err);
void rules_free(struct rules *rules);
size_t rules_count(const struct rules *rules);
const struct rule *rules_at(const struct rules *rules, size_t index);
const char *rule_action_name(enum rule_action action); /* the member of the file: "suppress" */

/* What selectors look at. Strings are borrowed, may be NULL. */
struct rule_subject {
	const struct finding *finding;
	const struct json_node *event; /* its payload */
	const char *hostname;	       /* device.hostname */
	const char *host_name;	       /* device.name */
	const char *host_ip;
};
/* From the payload; false when it cannot be read. */
bool rule_subject_read(struct rule_subject *ret_subject, const struct finding *finding,
		       struct arena *arena);

/* Why a rule takes no part. */
enum rule_standing { RULE_IN_FORCE, RULE_EXPIRED, RULE_NOT_YET, RULE_OVER };
enum rule_standing rule_standing(const struct rule *rule, uint64_t now_ms);

/* Everything but the condition: in force at now_ms, window, customer, host, source. */
bool rule_selects(const struct rule *rule, const struct rule_subject *subject, uint64_t now_ms);

/* What became of the conditions for one finding: matched[i] and, of RULE_GROUP, the value that
 * a path gave. */
struct rule_match {
	bool matched;
	const char *group_path;	 /* NULL: none of the paths gave a value */
	const char *group_value; /* text, or a number as text */
};

/* matches has rules_count() items; the result's strings are borrowed or in the arena. */
void rules_decide(const struct rules *rules, const struct rule_match *matches,
		  const struct rule_subject *subject, struct arena *arena,
		  struct policy *ret_policy);

#endif
