#ifndef SERVICE_JUDGE_H
#define SERVICE_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/rules.h"

struct arena;
struct directory;
struct finding;
struct jq;

/*
 * The operators' rules, applied to findings: the selectors here, all conditions as one jq
 * program in the child (jq/jq.h). One judge for one thread; used by the normalizer, and by the
 * command line to tell what rules would do.
 *
 * Without rules, or with rules that have no condition and no path, no child is started. A
 * condition that fails on a finding (an error, like a text asked for its length in days) does
 * not match it. One that does not end in time, or eats memory, is found and left out from then
 * on, until other rules are loaded; what it was run for passes as if it did not match.
 */
struct judge;

/* jq is borrowed. */
struct judge *judge_new(struct jq *jq);
void judge_free(struct judge *judge); /* NULL is fine */

/* Takes rules (NULL: none) and compiles their conditions; customers: JSON, as
 * judge_customers() makes it, or NULL. False with err: permanent when a condition is wrong
 * ("rules.json:12:14: ..."), transient when no child could be started; either way what was
 * loaded before stays and rules are freed. */
bool judge_load(struct judge *judge, struct rules *rules, const char *customers, size_t size,
		const char *where, struct err *err);
const struct rules *judge_rules(const struct judge *judge); /* NULL: none */

/* What conditions see as .customer of each customer; caller frees. */
char *judge_customers(const struct directory *directory);

/* Called for each thing that is wrong with the conditions of rules. False with err only when
 * no child could be started. */
typedef void judge_complaint(void *opaque, const struct rule *rule, const char *text);
bool judge_check(struct jq *jq, const struct rules *rules, const char *where,
		 judge_complaint *complain, void *opaque, struct err *err);

struct judgement {
	struct policy policy;
	struct rule_match *matches; /* one for each rule; NULL: there are no rules */
	/* One for each rule, NULL when it could be asked; NULL: nothing failed. */
	const char **errors;
};

/* What the rules say to each of the findings at that time; everything is in the arena. False
 * with err (transient or stopping) when the child cannot be had: nothing is decided then. */
bool judge_findings(struct judge *judge, const struct finding *const *findings, size_t count,
		    uint64_t now_ms, struct arena *arena, struct judgement *ret_judgements,
		    struct err *err);

/* Why a rule is left out, "" when it is not. */
const char *judge_left_out(const struct judge *judge, size_t rule);

/* What was decided, put into the finding: its severity, group and policy. */
void judge_obey(const struct policy *policy, struct finding *finding, struct arena *arena);

#endif
