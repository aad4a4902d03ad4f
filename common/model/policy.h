#ifndef MODEL_POLICY_H
#define MODEL_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/customer.h"

struct arena;

/*
 * What the operators' rules (model/rules.h) decided about one finding. The normalizer decides
 * and obeys `suppress`, `severity_id` and `group` itself; the rest travels as compact JSON in
 * the field `policy` of the stream `findings`, stays in the hash of the incident that the
 * finding opens, and is obeyed by the incident service. Strings are borrowed or in an arena.
 */

/* Where the ticket goes; what is NULL is as the customer's file says. With an account, all that
 * belongs to one instance is given: caller_id, company, assignment_group. */
struct policy_route {
	const char *account;
	const char *table;
	const char *caller_id;
	const char *company;
	const char *assignment_group;
	const char *domain;
	const char *template; /* of the ticket's texts (ticket/template.h) */
};

enum { POLICY_RULES_MAX = 16, POLICY_TEXT_MAX = 4096 };

struct policy {
	const char *suppress; /* the rule; NULL: not suppressed. Never leaves the normalizer */
	const char *record;   /* the rule: it joins what is open and opens nothing */
	int severity_id;      /* instead of the vendor's; -1: the vendor's */
	int minimum_severity; /* instead of the customer's; 0: the customer's */
	const char *minimum_rule; /* that says so */
	unsigned priority;	  /* of the ticket, 1 to 5; 0: as its severity says */
	struct policy_route route;
	const char *group; /* 16 hex instead of the finding's; NULL: the finding's */
	bool has_reopen;
	uint64_t reopen_ms; /* how long a closed incident is followed up; 0: never */
	struct {
		const char *rule; /* NULL: no limit */
		unsigned limit;	  /* incidents of one customer ... */
		uint64_t per_ms;  /* ... in so long; more become one */
	} storm;
	const char *rules[POLICY_RULES_MAX]; /* those that decided anything, in file order */
	size_t rule_count;
};

/* Nothing decided. */
void policy_clear(struct policy *ret_policy);
/* NULL when there is nothing to tell the incident service; else in the arena. */
const char *policy_encode(const struct policy *policy, struct arena *arena);
/* NULL and "" are the empty policy. Permanent error when text is none. */
bool policy_decode(struct policy *ret_policy, const char *text, struct arena *arena,
		   struct err *err);

/* Whether the ticket goes elsewhere than the customer's file says. */
bool policy_routes(const struct policy *policy);
/* The customer as this policy's tickets see it: a copy whose strings are borrowed from both,
 * never to be freed. */
void policy_route_customer(const struct policy *policy, const struct customer *customer,
			   struct customer *ret_customer);
/* What makes a ticket's priority, 1 to 5. */
struct customer_priority policy_priority(unsigned priority);

#endif
