/* rules.json, read strictly; rules_place.c tells where in it a rule stands. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "model/customer_defaults.h"
#include "model/finding.h"
#include "model/form.h"
#include "model/rules_list.h"

enum {
	OWNER_MAX = 100,
	REASON_MAX = 400,
	WHEN_MAX = 8000,
	PATH_MAX_BYTES = 500,
	LIST_MAX = 500,
	PATTERN_MAX = 128,
	SOURCE_MAX = 32,
	ACCOUNT_MAX = 49,
	TABLE_MAX = 80,
	TEMPLATE_MAX = 40,
	STORM_LIMIT_MAX = 1000,
};

static const char name_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
static const char source_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

static const char *const action_names[] = {
	[RULE_SUPPRESS] = "suppress",
	[RULE_MAINTENANCE] = "maintenance",
	[RULE_MINIMUM_SEVERITY] = "minimum_severity",
	[RULE_SEVERITY] = "severity",
	[RULE_PRIORITY] = "priority",
	[RULE_ROUTE] = "route",
	[RULE_GROUP] = "group",
	[RULE_REOPEN] = "reopen",
	[RULE_STORM] = "storm",
};

const char *rule_action_name(enum rule_action action)
{
	return action_names[action];
}

/* ---- values ---- */

static bool read_text(const struct form *form, const char *name, size_t max,
		      const char *letters, char **ret, struct err *err)
{
	return form_need(form, name, err) && form_text(form, name, max, letters, ret, err);
}

/* An instant with its offset: "22:00" somewhere is nobody's. */
static bool read_instant(const struct form *form, const char *name, uint64_t *ret_ms,
			 struct err *err)
{
	const char *text = json_string_value(json_object_get(form->json, name));

	if (!form_has(form, name))
		return true;
	if (!text || !clock_parse(text, ret_ms))
		return form_refuse(form, name, err,
				   "must be a time with its zone, like "
				   "2026-12-24T18:00:00+01:00 or 2026-12-24T17:00:00Z");
	return true;
}

/* Texts, at least one; *ret stays NULL when the member is missing. */
static bool read_list(const struct form *form, const char *name, size_t most, size_t max,
		      const char *letters, char ***ret, struct err *err)
{
	const json_t *list = json_object_get(form->json, name), *item;
	size_t i;

	if (!form_has(form, name))
		return true;
	if (!json_is_array(list) || json_array_size(list) == 0 || json_array_size(list) > most)
		return form_refuse(form, name, err, "must be a list of 1 to %zu texts", most);
	*ret = xcalloc(json_array_size(list) + 1, sizeof **ret);
	json_array_foreach(list, i, item)
	{
		const char *text = json_string_value(item);
		size_t size = text ? strlen(text) : 0;

		if (size == 0 || size > max)
			return form_refuse(form, name, err,
					   "item %zu must be a text of 1 to %zu bytes", i + 1,
					   max);
		if (letters && text[strspn(text, letters)] != '\0')
			return form_refuse(form, name, err, "\"%.40s\" may only hold %s", text,
					   letters);
		(*ret)[i] = xstrdup(text);
	}
	return true;
}

static bool read_severity(const struct form *form, const char *name, int *ret_id,
			  struct err *err)
{
	const char *text = json_string_value(json_object_get(form->json, name));
	int id = text ? finding_severity_parse(text) : -1;

	if (id < 0)
		return form_refuse(form, name, err,
				   "must be informational, low, medium, high or critical");
	*ret_id = id;
	return true;
}

/* ---- the condition ---- */

/* A text, or lines of one. */
static bool read_when(struct rule *rule, const struct form *form, struct err *err)
{
	const json_t *when = json_object_get(form->json, "when"), *line;
	char **lines = NULL;
	struct buf text;
	size_t i;

	if (!json_is_array(when))
		return form_text(form, "when", WHEN_MAX, NULL, &rule->when, err);
	bool good = read_list(form, "when", RULE_LINES_MAX, WHEN_MAX, NULL, &lines, err);
	buf_init(&text, WHEN_MAX);
	json_array_foreach(when, i, line)
	{
		buf_addf(&text, "%s%s", i > 0 ? "\n" : "", good ? lines[i] : "");
		if (good && strchr(lines[i], '\n'))
			good =
			    form_refuse(form, "when", err, "item %zu holds a line feed", i + 1);
	}
	if (good && !buf_ok(&text))
		good = form_refuse(form, "when", err, "has more than %d bytes", WHEN_MAX);
	if (good)
		rule->when = buf_take(&text, NULL);
	buf_done(&text);
	rule_list_free(lines);
	return good;
}

/* ---- actions ---- */

static bool read_suppress(struct rule *rule, const struct form *form, struct err *err)
{
	(void)rule;
	return json_is_true(json_object_get(form->json, "suppress")) ||
	       form_refuse(form, "suppress", err, "must be true");
}

static bool read_maintenance(struct rule *rule, const struct form *form, struct err *err)
{
	static const char *const members[] = { "from", "until", "do", NULL };
	static const char *const modes[] = { "suppress", "record", NULL };
	struct form window;
	unsigned mode = 0;

	if (!form_object(form, "maintenance", &window, err) ||
	    !form_known(&window, members, err) || !form_need(&window, "from", err) ||
	    !form_need(&window, "until", err) ||
	    !read_instant(&window, "from", &rule->maintenance.from_ms, err) ||
	    !read_instant(&window, "until", &rule->maintenance.until_ms, err) ||
	    !form_choice(&window, "do", modes, &mode, err))
		return false;
	rule->maintenance.record = mode == 1;
	if (rule->maintenance.until_ms <= rule->maintenance.from_ms)
		return form_refuse(&window, "until", err, "must be after from");
	return rule->customers || rule->hosts || rule->when ||
	       form_refuse(form, "maintenance", err,
			   "needs customers, hosts or when: it would silence everyone");
}

static bool read_minimum(struct rule *rule, const struct form *form, struct err *err)
{
	return read_severity(form, "minimum_severity", &rule->severity_id, err);
}

static bool read_override(struct rule *rule, const struct form *form, struct err *err)
{
	return read_severity(form, "severity", &rule->severity_id, err);
}

static bool read_priority(struct rule *rule, const struct form *form, struct err *err)
{
	static const char *const names[] = { "P1", "P2", "P3", "P4", "P5", NULL };
	unsigned choice = 0;

	if (!form_choice(form, "priority", names, &choice, err))
		return false;
	rule->priority = choice + 1;
	return true;
}

/* Ids of one ServiceNow mean nothing in another. */
static bool check_route(const struct rule *rule, const struct form *route, struct err *err)
{
	static const char *const needed[] = { "caller_id", "company", "assignment_group" };

	if (json_object_size(route->json) == 0)
		return form_refuse(route->parent, "route", err, "changes nothing");
	for (size_t i = 0; rule->route.account && i < sizeof needed / sizeof needed[0]; i++) {
		if (!form_has(route, needed[i]))
			return form_refuse(
			    route, needed[i], err,
			    "is missing: an account is another ServiceNow, where "
			    "the customer's ids mean nothing");
	}
	return true;
}

static bool read_route(struct rule *rule, const struct form *form, struct err *err)
{
	static const char *const members[] = {
		"account",	    "table",  "caller_id", "company",
		"assignment_group", "domain", "template",  NULL,
	};
	const char *domain;
	struct form route;

	if (!form_object(form, "route", &route, err) || !form_known(&route, members, err) ||
	    !form_text(&route, "account", ACCOUNT_MAX,
		       "abcdefghijklmnopqrstuvwxyz0123456789-._", &rule->route.account, err) ||
	    !form_text(&route, "table", TABLE_MAX, source_letters, &rule->route.table, err) ||
	    !form_text(&route, "template", TEMPLATE_MAX,
		       "abcdefghijklmnopqrstuvwxyz0123456789-_", &rule->route.template, err) ||
	    !form_sys_id(&route, "caller_id", &rule->route.caller_id, err) ||
	    !form_sys_id(&route, "company", &rule->route.company, err) ||
	    !form_sys_id(&route, "assignment_group", &rule->route.assignment_group, err))
		return false;
	domain = json_string_value(json_object_get(route.json, "domain"));
	if (domain && strcmp(domain, "global") == 0)
		rule->route.domain = xstrdup(domain);
	else if (!form_sys_id(&route, "domain", &rule->route.domain, err))
		return false;
	return check_route(rule, &route, err);
}

static bool read_group(struct rule *rule, const struct form *form, struct err *err)
{
	static const char *const members[] = { "by", "per_host", NULL };
	struct form group;

	if (!form_object(form, "group", &group, err) || !form_known(&group, members, err) ||
	    !form_need(&group, "by", err) ||
	    !read_list(&group, "by", RULE_PATHS_MAX, PATH_MAX_BYTES, NULL, &rule->group.by,
		       err))
		return false;
	const json_t *per_host = json_object_get(group.json, "per_host");
	rule->group.per_host = !json_is_false(per_host);
	return !form_has(&group, "per_host") || json_is_boolean(per_host) ||
	       form_refuse(&group, "per_host", err, "must be true or false");
}

static bool read_reopen(struct rule *rule, const struct form *form, struct err *err)
{
	return form_span(form, "reopen", 0, 30 * DAY_MS, &rule->reopen_ms, err);
}

static bool read_storm(struct rule *rule, const struct form *form, struct err *err)
{
	static const char *const members[] = { "limit", "per", NULL };
	struct form storm;

	rule->storm.per_ms = HOUR_MS;
	if (!form_object(form, "storm", &storm, err) || !form_known(&storm, members, err) ||
	    !form_need(&storm, "limit", err) ||
	    !form_unsigned(&storm, "limit", STORM_LIMIT_MAX, &rule->storm.limit, err) ||
	    !form_span(&storm, "per", MINUTE_MS, DAY_MS, &rule->storm.per_ms, err))
		return false;
	return rule->storm.limit > 0 || form_refuse(&storm, "limit", err, "must be at least 1");
}

typedef bool action_reader(struct rule *rule, const struct form *form, struct err *err);

static action_reader *const action_readers[] = {
	[RULE_SUPPRESS] = read_suppress,
	[RULE_MAINTENANCE] = read_maintenance,
	[RULE_MINIMUM_SEVERITY] = read_minimum,
	[RULE_SEVERITY] = read_override,
	[RULE_PRIORITY] = read_priority,
	[RULE_ROUTE] = read_route,
	[RULE_GROUP] = read_group,
	[RULE_REOPEN] = read_reopen,
	[RULE_STORM] = read_storm,
};

static bool find_action(const struct form *form, enum rule_action *ret_action, struct err *err)
{
	const char *found = NULL;

	for (unsigned i = 0; i < RULE_ACTIONS; i++) {
		if (!form_has(form, action_names[i]))
			continue;
		if (found)
			return form_refuse(form, action_names[i], err,
					   "a rule has one action, this one has %s already: "
					   "make two rules",
					   found);
		found = action_names[i];
		*ret_action = (enum rule_action)i;
	}
	return found ||
	       form_refuse(form, "suppress", err,
			   "there is no action: give suppress, maintenance, minimum_severity, "
			   "severity, priority, route, group, reopen or storm");
}

/* ---- one rule ---- */

static bool read_rule(struct rule *rule, const struct form *form, struct err *err)
{
	static const char *const members[] = {
		"name",	   "owner", "reason",	"expires",	    "customers", "hosts",
		"sources", "when",  "suppress", "maintenance",	    "severity",	 "priority",
		"route",   "group", "reopen",	"minimum_severity", "storm",	 NULL,
	};

	return form_known(form, members, err) &&
	       read_text(form, "owner", OWNER_MAX, NULL, &rule->owner, err) &&
	       form_text(form, "reason", REASON_MAX, NULL, &rule->reason, err) &&
	       read_instant(form, "expires", &rule->expires_ms, err) &&
	       read_list(form, "customers", LIST_MAX, CUSTOMER_ID_MAX, name_letters,
			 &rule->customers, err) &&
	       read_list(form, "hosts", LIST_MAX, PATTERN_MAX, NULL, &rule->hosts, err) &&
	       read_list(form, "sources", LIST_MAX, SOURCE_MAX, source_letters, &rule->sources,
			 err) &&
	       read_when(rule, form, err) && find_action(form, &rule->action, err) &&
	       action_readers[rule->action](rule, form, err);
}

/* The name is read first: it is what the other messages call the rule. */
static bool add_rule(struct rules *rules, const struct form *list, const json_t *item,
		     struct err *err)
{
	struct rule *rule = &rules->items[rules->count++];
	char number[24], where[96];
	struct form form = { .where = where, .parent = list, .name = number, .json = item };

	snprintf(number, sizeof number, "%zu", rules->count);
	snprintf(where, sizeof where, "%s:%u", list->where, rule->line);
	if (!json_is_object(item))
		return form_refuse(list, number, err, "must be an object");
	if (!read_text(&form, "name", RULE_NAME_MAX, name_letters, &rule->name, err))
		return false;
	form.name = rule->name;
	for (size_t i = 0; i + 1 < rules->count; i++) {
		if (strcmp(rules->items[i].name, rule->name) == 0)
			return form_refuse(&form, "name", err,
					   "is the name of the rule in line %u already",
					   rules->items[i].line);
	}
	return read_rule(rule, &form, err);
}

static bool read_rules(struct rules *rules, const struct form *file, const char *text,
		       size_t size, struct err *err)
{
	static const char *const members[] = { "about", "rules", NULL };
	const json_t *list = json_object_get(file->json, "rules"), *item;
	const struct form form = {
		.where = file->where, .parent = file, .name = "rules", .json = list
	};
	size_t i;

	if (!form_known(file, members, err) || !form_need(file, "rules", err))
		return false;
	if (!json_is_array(list) || json_array_size(list) > RULES_MAX)
		return form_refuse(file, "rules", err, "must be a list of at most %d rules",
				   RULES_MAX);
	rules->items = xcalloc(json_array_size(list) + 1, sizeof *rules->items);
	rules_place(rules->items, json_array_size(list), text, size);
	json_array_foreach(list, i, item)
	{
		if (!add_rule(rules, &form, item, err))
			return false;
	}
	return true;
}

struct rules *rules_decode(const char *text, size_t size, const char *where, struct err *err)
{
	json_t *root = form_parse(text, size, where, err);
	const struct form file = { .where = where, .json = root };

	if (!root)
		return NULL;
	struct rules *rules = xcalloc(1, sizeof *rules);
	if (!read_rules(rules, &file, text, size, err)) {
		rules_free(rules);
		rules = NULL;
	}
	json_decref(root);
	return rules;
}
