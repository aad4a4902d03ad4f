#include "judge_plan.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"

bool judge_asks(const struct rule *rule)
{
	return rule->when || rule->action == RULE_GROUP;
}

/* What a rule groups by is jq's in any case, should it match. */
static enum condition_reach reach_of(const struct judge_plan *plan, const struct rule *rule,
				     size_t index)
{
	if (!plan->conditions[index])
		return CONDITION_NOT_AT_ALL;
	enum condition_reach reach = condition_reach(plan->conditions[index]);
	return reach == CONDITION_WHOLE && rule->action == RULE_GROUP ? CONDITION_IN_PART
								      : reach;
}

struct judge_plan *judge_plan_new(const struct rules *rules)
{
	static const enum condition_reach reaches[] = { CONDITION_NOT_AT_ALL, CONDITION_IN_PART,
							CONDITION_WHOLE };
	struct judge_plan *plan = xcalloc(1, sizeof *plan);
	size_t count = rules_count(rules);

	plan->arena = arena_new();
	plan->conditions = arena_alloc(plan->arena, (count + 1) * sizeof(*plan->conditions));
	plan->order = arena_alloc(plan->arena, (count + 1) * sizeof *plan->order);
	plan->block = arena_alloc(plan->arena, (count + 1) * sizeof *plan->block);
	for (size_t i = 0; i < count; i++) {
		if (rules_at(rules, i)->when)
			plan->conditions[i] =
			    condition_parse(rules_at(rules, i)->when, plan->arena);
	}
	for (size_t kind = 0; kind < sizeof reaches / sizeof reaches[0]; kind++) {
		for (size_t i = 0; i < count; i++) {
			const struct rule *rule = rules_at(rules, i);

			if (!judge_asks(rule) || reach_of(plan, rule, i) != reaches[kind])
				continue;
			plan->block[i] = plan->count / JUDGE_BLOCK;
			plan->order[plan->count++] = i;
		}
	}
	return plan;
}

void judge_plan_free(struct judge_plan *plan)
{
	if (!plan)
		return;
	arena_free(plan->arena);
	free(plan);
}

size_t judge_plan_blocks(const struct judge_plan *plan)
{
	return (plan->count + JUDGE_BLOCK - 1) / JUDGE_BLOCK;
}
