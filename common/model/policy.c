/* What rules decided about a finding, as the stream and the incident carry it. */
#include "model/policy.h"

#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "model/customer.h"
#include "model/finding.h"
#include "model/json_tree.h"
#include "model/json_writer.h"

/* Members of route, and where they are. */
#define ROUTE(member)                                                                          \
	{                                                                                      \
#member, offsetof(struct policy_route, member)                                 \
	}

static const struct {
	const char *name;
	size_t offset;
} route_members[] = {
	ROUTE(account),		 ROUTE(table),	ROUTE(caller_id), ROUTE(company),
	ROUTE(assignment_group), ROUTE(domain), ROUTE(template),
};

enum { ROUTE_MEMBERS = sizeof route_members / sizeof route_members[0] };

static const char **route_member(struct policy_route *route, size_t i)
{
	return (const char **)((char *)route + route_members[i].offset);
}

static const char *route_value(const struct policy_route *route, size_t i)
{
	return *(const char *const *)((const char *)route + route_members[i].offset);
}

void policy_clear(struct policy *ret_policy)
{
	*ret_policy = (struct policy){ .severity_id = -1 };
}

bool policy_routes(const struct policy *policy)
{
	for (size_t i = 0; i < ROUTE_MEMBERS; i++) {
		if (route_value(&policy->route, i))
			return true;
	}
	return false;
}

/* ---- JSON ---- */

static void put_decisions(struct buf *out, const struct policy *policy)
{
	json_put_string(out, "record", policy->record);
	json_put_string(out, "minimum_rule", policy->minimum_rule);
	if (policy->severity_id >= 0)
		json_put_int(out, "severity_id", policy->severity_id);
	if (policy->minimum_severity > 0)
		json_put_int(out, "minimum_severity", policy->minimum_severity);
	if (policy->priority > 0)
		json_put_int(out, "priority", policy->priority);
	if (policy->has_reopen)
		json_put_int(out, "reopen_ms", (int64_t)policy->reopen_ms);
}

static void put_parts(struct buf *out, const struct policy *policy)
{
	size_t route = json_begin(out, "route", '{');

	for (size_t i = 0; i < ROUTE_MEMBERS; i++)
		json_put_string(out, route_members[i].name, route_value(&policy->route, i));
	json_end_unless_empty(out, route, '}');
	if (policy->storm.rule) {
		json_begin(out, "storm", '{');
		json_put_string(out, "rule", policy->storm.rule);
		json_put_int(out, "limit", policy->storm.limit);
		json_put_int(out, "per_ms", (int64_t)policy->storm.per_ms);
		json_end(out, '}');
	}
	size_t rules = json_begin(out, "rules", '[');
	for (size_t i = 0; i < policy->rule_count; i++)
		json_put_string(out, NULL, policy->rules[i]);
	json_end_unless_empty(out, rules, ']');
}

const char *policy_encode(const struct policy *policy, struct arena *arena)
{
	struct buf out;

	buf_init(&out, POLICY_TEXT_MAX);
	json_begin(&out, NULL, '{');
	put_decisions(&out, policy);
	put_parts(&out, policy);
	json_end(&out, '}');
	const char *text = out.size > 2 ? arena_strndup(arena, buf_text(&out), out.size) : NULL;
	buf_done(&out);
	return text;
}

static const char *text_of(const struct json_node *object, const char *name)
{
	const struct json_node *node = json_tree_get(object, name);

	return node && node->kind == JSON_NODE_TEXT && node->size > 0 ? node->text : NULL;
}

/* -1 when it is missing or outside. */
static int64_t number_of(const struct json_node *object, const char *name, int64_t max)
{
	int64_t number;

	if (!json_tree_int(json_tree_get(object, name), &number) || number < 0 || number > max)
		return -1;
	return number;
}

static void read_rules(struct policy *policy, const struct json_node *list)
{
	const struct json_node *item =
	    list && list->kind == JSON_NODE_ARRAY ? list->first : NULL;

	for (; item && policy->rule_count < POLICY_RULES_MAX; item = item->next) {
		if (item->kind == JSON_NODE_TEXT)
			policy->rules[policy->rule_count++] = item->text;
	}
}

static void read_policy(struct policy *policy, const struct json_node *json)
{
	const struct json_node *route = json_tree_get(json, "route");
	const struct json_node *storm = json_tree_get(json, "storm");
	int64_t reopen_ms = number_of(json, "reopen_ms", INT64_MAX);
	int64_t minimum = number_of(json, "minimum_severity", SEVERITY_FATAL);
	int64_t priority = number_of(json, "priority", 5);
	int64_t limit = number_of(storm, "limit", INT32_MAX);
	int64_t per_ms = number_of(storm, "per_ms", INT64_MAX);

	policy->record = text_of(json, "record");
	policy->minimum_rule = text_of(json, "minimum_rule");
	policy->severity_id = (int)number_of(json, "severity_id", SEVERITY_OTHER);
	policy->minimum_severity = minimum > 0 ? (int)minimum : 0;
	policy->priority = priority > 0 ? (unsigned)priority : 0;
	policy->has_reopen = reopen_ms >= 0;
	policy->reopen_ms = policy->has_reopen ? (uint64_t)reopen_ms : 0;
	for (size_t i = 0; i < ROUTE_MEMBERS; i++)
		*route_member(&policy->route, i) = text_of(route, route_members[i].name);
	if (limit > 0 && per_ms > 0) {
		policy->storm.rule = text_of(storm, "rule");
		policy->storm.limit = (unsigned)limit;
		policy->storm.per_ms = (uint64_t)per_ms;
	}
	read_rules(policy, json_tree_get(json, "rules"));
}

bool policy_decode(struct policy *ret_policy, const char *text, struct arena *arena,
		   struct err *err)
{
	struct err why = { 0 };

	policy_clear(ret_policy);
	if (!text || !*text)
		return true;
	const struct json_node *json = json_tree_parse(text, strlen(text), arena, &why);
	if (!json || json->kind != JSON_NODE_OBJECT)
		return err_set(err, ERR_PERMANENT, "policy: %s",
			       json ? "not an object" : why.text);
	read_policy(ret_policy, json);
	return true;
}

/* ---- tickets ---- */

/* Everything of another instance has other ids there: what the route does not name is not
 * sent. */
void policy_route_customer(const struct policy *policy, const struct customer *customer,
			   struct customer *ret_customer)
{
	const struct policy_route *route = &policy->route;
	struct customer_servicenow *ticket = &ret_customer->servicenow;

	*ret_customer = *customer;
	if (route->account &&
	    (!ticket->account || strcmp(route->account, ticket->account) != 0)) {
		ticket->account = (char *)route->account;
		ticket->domain = NULL;
	}
	if (route->table)
		ticket->table = (char *)route->table;
	if (route->caller_id)
		ticket->caller_id = (char *)route->caller_id;
	if (route->company)
		ticket->company = (char *)route->company;
	if (route->assignment_group)
		ticket->assignment_group = (char *)route->assignment_group;
	if (route->domain)
		ticket->domain = (char *)route->domain;
	if (route->template)
		ticket->template = (char *)route->template;
}

/* ServiceNow's standard look-up rules give these pairs this priority. */
struct customer_priority policy_priority(unsigned priority)
{
	static const struct customer_priority pairs[] = {
		{ 1, 1 }, { 2, 1 }, { 2, 2 }, { 3, 2 }, { 3, 3 },
	};
	const size_t count = sizeof pairs / sizeof pairs[0];

	return pairs[priority >= 1 && priority <= count ? priority - 1 : count - 1];
}
