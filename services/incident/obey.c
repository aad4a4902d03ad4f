/* What rules decided, in force for an incident. */
#include "obey.h"

#include "base/arena.h"
#include "base/log.h"
#include "model/policy.h"
#include "turn.h"

static void apply(struct turn *turn)
{
	struct customer *customer;
	struct policy policy = turn->decided;

	policy.priority = turn->incident.priority;
	if (!policy_routes(&policy) && policy.priority == 0) {
		turn->customer = turn->own_customer;
		return;
	}
	customer = arena_alloc(turn->arena, sizeof(*customer));
	policy_apply(&policy, turn->own_customer, customer);
	turn->customer = customer;
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
	apply(turn);
}

void obey_opening(struct turn *turn, const struct finding *finding)
{
	turn->incident.policy = finding->policy;
	read_policy(turn, finding->policy, &turn->decided);
	turn->incident.priority = turn->decided.priority;
	apply(turn);
}

void obey_later(struct turn *turn, const struct finding *finding)
{
	struct incident *incident = &turn->incident;
	struct policy policy;

	read_policy(turn, finding->policy, &policy);
	if (policy.priority == 0 ||
	    (incident->priority > 0 && incident->priority <= policy.priority))
		return;
	incident->priority = policy.priority;
	apply(turn);
}
