/* What rules decided, in force for an incident. */
#include "obey.h"

#include "base/arena.h"
#include "base/log.h"
#include "model/policy.h"
#include "turn.h"

static void route(struct turn *turn)
{
	struct customer *customer;

	turn->customer = turn->own_customer;
	if (!policy_routes(&turn->decided))
		return;
	customer = arena_alloc(turn->arena, sizeof(*customer));
	policy_route_customer(&turn->decided, turn->own_customer, customer);
	turn->customer = customer;
}

static void tell(struct turn *turn)
{
	const struct policy *policy = &turn->decided;
	const char *names = NULL;

	for (size_t i = 0; i < policy->rule_count; i++)
		names = arena_printf(turn->arena, "%s%s%s", names ? names : "",
				     names ? ", " : "", policy->rules[i]);
	if (names)
		turn_tell(turn, "rules", names);
	if (turn->incident.storm)
		turn_tell(turn, "storm", "the one incident for all beyond the limit");
}

/* One that cannot be read is as good as none: it was ours. */
static void read_policy(struct turn *turn, const char *text, struct policy *ret_policy)
{
	struct err err = { 0 };

	if (!policy_decode(ret_policy, text, turn->arena, &err)) {
		log_warn("incident %s: %s", turn->incident.id, err.text);
		policy_clear(ret_policy);
	}
}

void obey_incident(struct turn *turn)
{
	turn->own_customer = turn->customer;
	read_policy(turn, turn->incident.policy, &turn->decided);
	route(turn);
}

void obey_opening(struct turn *turn, const struct finding *finding)
{
	turn->incident.policy = finding->policy;
	read_policy(turn, finding->policy, &turn->decided);
	turn->incident.priority = turn->decided.priority;
	route(turn);
	tell(turn);
}

void obey_later(struct turn *turn, const struct finding *finding)
{
	struct incident *incident = &turn->incident;
	struct policy policy;

	read_policy(turn, finding->policy, &policy);
	if (policy.priority > 0 &&
	    (incident->priority == 0 || policy.priority < incident->priority))
		incident->priority = policy.priority;
}
