#ifndef SERVICE_JUDGE_PLAN_H
#define SERVICE_JUDGE_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "model/condition.h"
#include "model/rules.h"

struct arena;

/*
 * Which rules jq is asked about, in blocks: the program leaves out the blocks that nobody asks
 * about, since every question costs and most conditions can be told without it. What jq has to
 * be asked about always comes first, then what it may have to be, so that most blocks rest.
 */
enum { JUDGE_BLOCK = 8 };

struct judge_plan {
	struct arena *arena;
	const struct condition **conditions; /* by rule; NULL: it has none */
	size_t *order, count;		     /* of rules that ask, by what they ask */
	size_t *block;			     /* by rule, of those */
};

struct judge_plan *judge_plan_new(const struct rules *rules);
void judge_plan_free(struct judge_plan *plan); /* NULL is fine */
size_t judge_plan_blocks(const struct judge_plan *plan);

/* Whether the rule needs more than its selectors. */
bool judge_asks(const struct rule *rule);

#endif
