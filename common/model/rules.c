/* Which rules apply to a finding, and what they decide. */
#include "model/rules.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "model/finding.h"
#include "model/json_tree.h"
#include "model/rules_list.h"

/* ---- the list ---- */

void rule_list_free(char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

static void rule_done(struct rule *rule)
{
	char *const texts[] = {
		rule->name,
		rule->owner,
		rule->reason,
		rule->when,
		rule->route.account,
		rule->route.table,
		rule->route.caller_id,
		rule->route.company,
		rule->route.assignment_group,
		rule->route.domain,
		rule->route.template,
	};

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		free(texts[i]);
	rule_list_free(rule->customers);
	rule_list_free(rule->hosts);
	rule_list_free(rule->sources);
	rule_list_free(rule->group.by);
}

void rules_free(struct rules *rules)
{
	if (!rules)
		return;
	for (size_t i = 0; i < rules->count; i++)
		rule_done(&rules->items[i]);
	free(rules->items);
	free(rules);
}

size_t rules_count(const struct rules *rules)
{
	return rules ? rules->count : 0;
}

const struct rule *rules_at(const struct rules *rules, size_t index)
{
	return &rules->items[index];
}

/* ---- selectors ---- */

static const char *text_of(const struct json_node *object, const char *name)
{
	const struct json_node *node = json_tree_get(object, name);

	return node && node->kind == JSON_NODE_TEXT && node->size > 0 ? node->text : NULL;
}

bool rule_subject_read(struct rule_subject *ret_subject, const struct finding *finding,
		       struct arena *arena)
{
	const struct json_node *event =
	    json_tree_parse(finding->payload, finding->payload_size, arena, NULL);
	const struct json_node *device = json_tree_get(event, "device");

	*ret_subject = (struct rule_subject){
		.finding = finding,
		.event = event,
		.hostname = text_of(device, "hostname"),
		.host_name = text_of(device, "name"),
		.host_ip = text_of(device, "ip"),
	};
	return event != NULL;
}

/* '*' is any run of bytes, '?' any one; case of letters does not count. Linear: on a mismatch
 * only the last star takes one more. */
static bool is_like(const char *pattern, const char *text)
{
	const char *star = NULL, *resume = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = pattern++;
			resume = text;
		} else if (*pattern == '?' ||
			   tolower((unsigned char)*pattern) == tolower((unsigned char)*text)) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star + 1;
			text = ++resume;
		} else {
			return false;
		}
	}
	return pattern[strspn(pattern, "*")] == '\0';
}

static bool is_host(char *const *patterns, const struct rule_subject *subject)
{
	const char *const names[] = { subject->hostname, subject->host_name, subject->host_ip };

	for (; *patterns; patterns++) {
		for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
			if (names[i] && is_like(*patterns, names[i]))
				return true;
		}
	}
	return false;
}

static bool is_listed(char *const *list, const char *what)
{
	for (; *list; list++) {
		if (strcmp(*list, what) == 0)
			return true;
	}
	return false;
}

enum rule_standing rule_standing(const struct rule *rule, uint64_t now_ms)
{
	if (rule->expires_ms > 0 && now_ms >= rule->expires_ms)
		return RULE_EXPIRED;
	if (rule->action == RULE_MAINTENANCE && now_ms < rule->maintenance.from_ms)
		return RULE_NOT_YET;
	if (rule->action == RULE_MAINTENANCE && now_ms >= rule->maintenance.until_ms)
		return RULE_OVER;
	return RULE_IN_FORCE;
}

/* A window is about when it happened, not about when it was told: what comes late belongs to it
 * as well, and what happened before it does not. */
static bool in_window(const struct rule *rule, uint64_t time_ms)
{
	return rule->action != RULE_MAINTENANCE ||
	       (time_ms >= rule->maintenance.from_ms && time_ms < rule->maintenance.until_ms);
}

bool rule_selects(const struct rule *rule, const struct rule_subject *subject, uint64_t now_ms)
{
	const struct finding *finding = subject->finding;

	return rule_standing(rule, now_ms) != RULE_EXPIRED &&
	       in_window(rule, finding->time_ms) &&
	       (!rule->customers || is_listed(rule->customers, finding->customer)) &&
	       (!rule->sources || is_listed(rule->sources, finding->source)) &&
	       (!rule->hosts || is_host(rule->hosts, subject));
}

/* ---- the decision ---- */

/* Rule and value are part of it, so that it meets no other grouping; customer is part of every
 * key. */
static const char *group_of(const struct rule *rule, const struct rule_match *match,
			    const struct rule_subject *subject, struct arena *arena)
{
	const char *host = subject->hostname ? subject->hostname : subject->host_name;
	const char *parts[] = { subject->finding->customer,
				"rule",
				rule->name,
				rule->group.per_host && host ? host : "",
				match->group_path,
				match->group_value,
				NULL };
	char *hex = arena_alloc(arena, 17);

	finding_digest(parts, hex);
	return hex;
}

/* The first rule of each kind decides. False when an earlier one has. */
static bool decide(struct policy *policy, const struct rule *rule,
		   const struct rule_match *match, const struct rule_subject *subject,
		   struct arena *arena)
{
	switch (rule->action) {
	case RULE_MINIMUM_SEVERITY:
		if (policy->minimum_severity > 0)
			return false;
		policy->minimum_severity = rule->severity_id;
		policy->minimum_rule = rule->name;
		return true;
	case RULE_SEVERITY:
		if (policy->severity_id >= 0)
			return false;
		policy->severity_id = rule->severity_id;
		return true;
	case RULE_PRIORITY:
		if (policy->priority > 0)
			return false;
		policy->priority = rule->priority;
		return true;
	case RULE_ROUTE:
		if (policy_routes(policy))
			return false;
		policy->route = (struct policy_route){
			.account = rule->route.account,
			.table = rule->route.table,
			.caller_id = rule->route.caller_id,
			.company = rule->route.company,
			.assignment_group = rule->route.assignment_group,
			.domain = rule->route.domain,
			.template = rule->route.template,
		};
		return true;
	case RULE_GROUP:
		if (policy->group || !match->group_value)
			return false;
		policy->group = group_of(rule, match, subject, arena);
		return true;
	case RULE_REOPEN:
		if (policy->has_reopen)
			return false;
		policy->has_reopen = true;
		policy->reopen_ms = rule->reopen_ms;
		return true;
	case RULE_STORM:
		if (policy->storm.rule)
			return false;
		policy->storm.rule = rule->name;
		policy->storm.limit = rule->storm.limit;
		policy->storm.per_ms = rule->storm.per_ms;
		return true;
	case RULE_MAINTENANCE: /* that records: the others are no longer looked at */
		if (policy->record)
			return false;
		policy->record = rule->name;
		return true;
	case RULE_SUPPRESS:
	case RULE_ACTIONS:
	default:
		return false;
	}
}

static bool suppresses(const struct rule *rule)
{
	return rule->action == RULE_SUPPRESS ||
	       (rule->action == RULE_MAINTENANCE && !rule->maintenance.record);
}

void rules_decide(const struct rules *rules, const struct rule_match *matches,
		  const struct rule_subject *subject, struct arena *arena,
		  struct policy *ret_policy)
{
	policy_clear(ret_policy);
	for (size_t i = 0; i < rules->count; i++) {
		if (!matches[i].matched || !suppresses(&rules->items[i]))
			continue;
		ret_policy->suppress = rules->items[i].name;
		ret_policy->rules[ret_policy->rule_count++] = rules->items[i].name;
		return;
	}
	for (size_t i = 0; i < rules->count; i++) {
		const struct rule *rule = &rules->items[i];

		if (matches[i].matched &&
		    decide(ret_policy, rule, &matches[i], subject, arena) &&
		    ret_policy->rule_count < POLICY_RULES_MAX)
			ret_policy->rules[ret_policy->rule_count++] = rule->name;
	}
}
