/* What is doubtful about rules. */
#include "rules_lint.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/nearest.h"
#include "model/customer.h"
#include "model/rule_paths.h"
#include "model/rules.h"
#include "table.h"

enum { NAMES_MAX = 20000 };

struct lint {
	struct rules_file *file;
	const struct rule *rule;
};

static void warn(const struct lint *lint, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void warn(const struct lint *lint, const char *fmt, ...)
{
	char text[400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	rules_file_problem(lint->file, "warning", lint->rule->name, lint->rule->line,
			   "%s:%u: %s: %s", lint->file->where, lint->rule->line,
			   lint->rule->name, text);
}

/* ---- times ---- */

static void check_standing(const struct lint *lint, uint64_t now_ms)
{
	const struct rule *rule = lint->rule;
	char at[CLOCK_TEXT_SIZE];

	switch (rule_standing(rule, now_ms)) {
	case RULE_EXPIRED:
		clock_format_plain(rule->expires_ms, at);
		warn(lint, "expired at %s UTC", at);
		break;
	case RULE_OVER:
		clock_format_plain(rule->maintenance.until_ms, at);
		warn(lint, "the maintenance was over at %s UTC", at);
		break;
	case RULE_NOT_YET:
	case RULE_IN_FORCE:
		break;
	}
}

static void check_hits(const struct lint *lint, const json_t *hits, uint64_t idle_ms,
		       uint64_t now_ms)
{
	const json_t *hit = json_object_get(hits, lint->rule->name);
	uint64_t last = (uint64_t)json_integer_value(json_object_get(hit, "last_ms"));
	uint64_t since = (uint64_t)json_integer_value(json_object_get(hit, "since_ms"));
	const char *out = json_string_value(json_object_get(hit, "left_out"));
	char span[32];

	if (out)
		warn(lint, "is left out since its condition ended its process: %s", out);
	if (json_integer_value(json_object_get(hit, "errors")) > 0)
		warn(lint, "its condition failed on %lld findings, which did not match: %s",
		     (long long)json_integer_value(json_object_get(hit, "errors")),
		     json_string_value(json_object_get(hit, "error")));
	uint64_t from = last > 0 ? last : since;
	if (from == 0 || now_ms < from || now_ms - from < idle_ms ||
	    rule_standing(lint->rule, now_ms) != RULE_IN_FORCE)
		return;
	table_span(now_ms - from, span);
	warn(lint, last > 0 ? "has not matched for %s" : "has never matched in %s", span);
}

/* ---- names ---- */

static void check_customers(const struct lint *lint)
{
	const struct directory *directory = lint->file->directory;
	size_t count = directory_count(directory);
	const char **names = xcalloc(count + 1, sizeof *names);

	for (size_t i = 0; i < count; i++)
		names[i] = directory_at(directory, i)->id;
	for (size_t i = 0; lint->rule->customers && lint->rule->customers[i]; i++) {
		const char *id = lint->rule->customers[i];
		const char *near = nearest_name(names, id);

		if (directory_customer(directory, id))
			continue;
		warn(lint,
		     near ? "there is no customer %s, did you mean %s?"
			  : "there is no customer %s",
		     id, near);
	}
	free(names);
}

static void check_account(const struct lint *lint)
{
	const char *id = lint->rule->route.account;
	const struct account *account =
	    id ? directory_account(lint->file->directory, id) : NULL;

	if (id && !account)
		warn(lint, "there is no account %s: its tickets would wait for it", id);
	else if (account && account->kind != ACCOUNT_SERVICENOW)
		warn(lint, "account %s is no ServiceNow: its tickets would wait for one", id);
}

/* ---- paths ---- */

struct place {
	const struct lint *lint;
	const char *what; /* "when" */
};

static void complain(void *opaque, const struct rule_path *path)
{
	const struct place *place = opaque;
	const struct lint *lint = place->lint;

	if (path->is_list)
		warn(lint, "%s: %s is a list: write %s[] for each of its items", place->what,
		     path->text, path->text);
	else if (path->nearest)
		warn(lint, "%s: no finding has %s, did you mean %s?", place->what, path->text,
		     path->nearest);
	else
		warn(lint, "%s: no finding has %s", place->what, path->text);
}

static void check_paths(const struct lint *lint)
{
	struct place place = { lint, "when" };

	if (lint->rule->when)
		rule_paths_check(lint->rule->when, complain, &place);
	place.what = "group.by";
	for (size_t i = 0; lint->rule->group.by && lint->rule->group.by[i]; i++)
		rule_paths_check(lint->rule->group.by[i], complain, &place);
}

/* ---- order ---- */

static bool same_text(const char *a, const char *b)
{
	return !a || !b ? a == b : strcmp(a, b) == 0;
}

static bool within(char *const *narrow, char *const *wide)
{
	if (!wide)
		return true;
	for (; narrow && *narrow; narrow++) {
		size_t i = 0;

		while (wide[i] && strcmp(wide[i], *narrow) != 0)
			i++;
		if (!wide[i])
			return false;
	}
	return narrow != NULL;
}

/* Whether everything that a matches, b matches as well. */
static bool covers(const struct rule *b, const struct rule *a)
{
	bool always = !b->when || strcmp(b->when, "true") == 0;

	return (always || same_text(a->when, b->when)) && within(a->customers, b->customers) &&
	       within(a->hosts, b->hosts) && within(a->sources, b->sources) &&
	       b->action != RULE_MAINTENANCE &&
	       (b->expires_ms == 0 || (a->expires_ms > 0 && a->expires_ms <= b->expires_ms));
}

static void check_order(const struct lint *lint, size_t index)
{
	const struct rules *rules = lint->file->rules;

	for (size_t i = 0; i < rules_count(rules); i++) {
		const struct rule *other = rules_at(rules, i);
		bool wins =
		    other->action == RULE_SUPPRESS && lint->rule->action != RULE_SUPPRESS;

		if (i == index ||
		    (!wins && (i > index || other->action != lint->rule->action)) ||
		    !covers(other, lint->rule))
			continue;
		warn(lint, "does nothing: %s in line %u matches all that it does, and %s",
		     other->name, other->line, wins ? "suppresses it" : "comes first");
		return;
	}
}

void rules_lint(struct rules_file *file, const json_t *hits, uint64_t idle_ms, uint64_t now_ms)
{
	for (size_t i = 0; i < rules_count(file->rules); i++) {
		const struct lint lint = { file, rules_at(file->rules, i) };

		check_standing(&lint, now_ms);
		check_customers(&lint);
		check_account(&lint);
		check_paths(&lint);
		check_order(&lint, i);
		if (hits)
			check_hits(&lint, hits, idle_ms, now_ms);
	}
}
