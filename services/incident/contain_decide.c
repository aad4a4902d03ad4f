/* The decision whether a host is contained. */
#include "contain_decide.h"

#include <stddef.h>

#include "base/arena.h"
#include "base/clock.h"
#include "model/finding.h"

static struct contain_decision decision(enum contain_verdict verdict, const char *why)
{
	return (struct contain_decision){ verdict, why };
}

/* Older than the customer allows, or of a clock that is wrong by as much. */
static bool is_fresh(const struct contain_facts *facts)
{
	uint64_t a = facts->event_ms, b = facts->now_ms;

	return (a > b ? a - b : b - a) <= facts->policy->maximum_age_ms;
}

static bool is_minor(const struct contain_facts *facts)
{
	int severity = facts->severity_id;

	return severity < facts->policy->minimum_severity || severity > SEVERITY_FATAL;
}

/* What the finding says; ACT: nothing against it. */
static struct contain_decision decide_finding(const struct contain_facts *facts,
					      struct arena *arena)
{
	char age[CLOCK_TEXT_SIZE];

	if (facts->approved)
		return decision(CONTAIN_ACT, NULL);
	if (facts->policy->mode == CONTAINMENT_OFF)
		return decision(CONTAIN_NO, NULL);
	if (is_minor(facts))
		return decision(CONTAIN_NO, "not contained: below the minimum severity");
	if (facts->held)
		return decision(CONTAIN_ACT, NULL); /* to be held as well */
	if (!facts->live)
		return decision(CONTAIN_NO,
				"not contained: the event was looked up afterwards");
	if (is_fresh(facts))
		return decision(CONTAIN_ACT, NULL);
	clock_format_span(facts->policy->maximum_age_ms, age);
	return decision(CONTAIN_NO,
			arena_printf(arena, "not contained: the event is older than %s", age));
}

/* Whether a machine may act on this host by itself; NULL: it may. */
static const char *doubt(const struct contain_facts *facts)
{
	enum containment_system system = containment_system(facts->host->system);

	if (facts->policy->mode == CONTAINMENT_APPROVE)
		return "every containment of this customer is approved by a person";
	if (system == SYSTEM_SERVER)
		return "the host is a server";
	if (facts->policy->test == CONTAINMENT_TEST_ANCESTORS)
		return containment_name_is_workstation(facts->host->names.name)
			   ? NULL
			   : "the host's name is not a workstation's";
	return system == SYSTEM_WORKSTATION ? NULL
					    : "the host is not known to be a workstation";
}

static struct contain_decision decide_host(const struct contain_facts *facts,
					   struct arena *arena)
{
	const struct contain_host *host = facts->host;
	const char *never, *why;

	if (!host->found)
		return decision(CONTAIN_NO, "not contained: the vendor does not know the host");
	never = customer_containment_never(facts->policy, &host->names);
	if (never)
		return decision(CONTAIN_NO,
				arena_printf(arena, "not contained: never-list has %s", never));
	switch (host->present) {
	case PRESENT_OURS:
		return decision(CONTAIN_JOIN, NULL);
	case PRESENT_THEIRS:
		return decision(CONTAIN_FOREIGN, NULL);
	case PRESENT_CHANGING:
		return decision(CONTAIN_WAIT, "the host is changing its state");
	case PRESENT_UNKNOWN:
		return decision(CONTAIN_WAIT, "the host is in a state that we do not know");
	case PRESENT_FREE:
		break;
	}
	if (!host->able)
		return decision(CONTAIN_NO, "not contained: the vendor offers it not for this "
					    "host (policy or operating system)");
	if (facts->approved)
		return decision(CONTAIN_ACT, NULL);
	/* Held by another incident when it was asked, and not contained any more: this one
	 * would not have been a reason. */
	if (!facts->live || !is_fresh(facts))
		return decision(CONTAIN_NO, "not contained: the event is not new");
	why = doubt(facts);
	return why ? decision(CONTAIN_ASK, why) : decision(CONTAIN_ACT, NULL);
}

struct contain_decision contain_decide(const struct contain_facts *facts, struct arena *arena)
{
	struct contain_decision first = decide_finding(facts, arena);

	if (first.verdict != CONTAIN_ACT || !facts->host)
		return first;
	return decide_host(facts, arena);
}
