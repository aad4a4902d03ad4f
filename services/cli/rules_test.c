/* tocsin rules test: what rules would have done to the findings of late, without doing it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "bus/entry.h"
#include "bus/key.h"
#include "bus/redis.h"
#include "cli.h"
#include "jq/jq.h"
#include "model/customer.h"
#include "model/finding.h"
#include "model/rules.h"
#include "rules_file.h"
#include "run.h"
#include "service/judge.h"
#include "text.h"
#include "view.h"

enum { PAGE = 64, LISTED_MAX = 50 };

struct trial {
	struct cli *cli;
	struct redis *redis;
	struct judge *judge;
	const char *customer; /* NULL: all */
	bool lists;	      /* every finding that something is decided about */
	uint64_t since_ms, oldest_ms, now_ms;
	size_t findings;
	size_t *matched, *decided, *failed; /* by rule */
	const char **error;		    /* of a condition that failed; owned */
	json_t *rows;			    /* of the findings that are listed */
	json_t *totals;			    /* what would have become of how many */
};

/* ---- what would have become of one ---- */

static const char *fate_of(const struct policy *policy, const struct finding *finding)
{
	if (policy->suppress)
		return "suppressed";
	if (policy->record)
		return "recorded";
	if (policy->minimum_severity > 0 &&
	    finding_is_minor(policy->severity_id >= 0 ? policy->severity_id
						      : finding->severity_id,
			     policy->minimum_severity))
		return "recorded";
	return policy->rule_count > 0 ? "changed" : "as it is";
}

static void put_route(json_t *row, const struct policy *policy)
{
	json_t *route;

	if (!policy_routes(policy))
		return;
	route = json_object();
	json_object_set_new(route, "account", view_text(policy->route.account));
	json_object_set_new(route, "table", view_text(policy->route.table));
	json_object_set_new(route, "template", view_text(policy->route.template));
	json_object_set_new(route, "company", view_text(policy->route.company));
	json_object_set_new(route, "assignment_group",
			    view_text(policy->route.assignment_group));
	json_object_set_new(row, "route", route);
}

static json_t *describe(const struct finding *finding, const struct finding_view *view,
			const struct policy *policy)
{
	json_t *row = json_object(), *rules = json_array();

	for (size_t i = 0; i < policy->rule_count; i++)
		json_array_append_new(rules, view_text(policy->rules[i]));
	json_object_set_new(row, "time_ms", view_ms(finding->time_ms));
	json_object_set_new(row, "customer", view_text(finding->customer));
	json_object_set_new(row, "source", view_text(finding->source));
	json_object_set_new(row, "event_id", view_text(finding->event_id));
	json_object_set_new(row, "host", view_text(view->host));
	json_object_set_new(row, "title", view_text(view->title));
	json_object_set_new(row, "severity",
			    view_text(finding_severity_name(view->severity_id)));
	json_object_set_new(row, "outcome", view_text(fate_of(policy, finding)));
	json_object_set_new(row, "rules", rules);
	if (policy->severity_id >= 0)
		json_object_set_new(row, "new_severity",
				    view_text(finding_severity_name(policy->severity_id)));
	if (policy->priority > 0)
		json_object_set_new(row, "priority", json_integer(policy->priority));
	json_object_set_new(row, "group", view_text(policy->group));
	put_route(row, policy);
	return row;
}

static void count_total(struct trial *trial, const char *outcome)
{
	json_int_t had = json_integer_value(json_object_get(trial->totals, outcome));

	json_object_set_new(trial->totals, outcome, json_integer(had + 1));
}

static void count_rules(struct trial *trial, const struct judgement *judgement)
{
	const struct rules *rules = judge_rules(trial->judge);

	for (size_t i = 0; i < rules_count(rules); i++) {
		const char *error = judgement->errors ? judgement->errors[i] : NULL;

		trial->matched[i] += judgement->matches[i].matched;
		for (size_t k = 0; k < judgement->policy.rule_count; k++)
			trial->decided[i] +=
			    judgement->policy.rules[k] == rules_at(rules, i)->name;
		if (!error)
			continue;
		trial->failed[i]++;
		if (!trial->error[i])
			trial->error[i] = xstrdup(error);
	}
}

static void tell(struct trial *trial, const struct finding *finding,
		 const struct judgement *judgement, struct arena *arena)
{
	struct finding_view *view = arena_alloc(arena, sizeof *view);

	trial->findings++;
	count_total(trial, fate_of(&judgement->policy, finding));
	if (rules_count(judge_rules(trial->judge)) > 0)
		count_rules(trial, judgement);
	if (judgement->policy.rule_count == 0 ||
	    (!trial->lists && json_array_size(trial->rows) >= LISTED_MAX))
		return;
	if (finding_view(view, finding->payload, finding->payload_size, arena, NULL))
		json_array_append_new(trial->rows, describe(finding, view, &judgement->policy));
}

/* ---- reading them ---- */

/* As the vendor told it: what other rules made of its severity is taken back. */
static void undo(struct finding *finding, struct arena *arena)
{
	struct finding_view *view = arena_alloc(arena, sizeof *view);

	if (finding_view(view, finding->payload, finding->payload_size, arena, NULL))
		finding->severity_id = view->severity_id;
	finding->policy = NULL;
}

static bool judge_page(struct trial *trial, const struct entry *entries, size_t count,
		       struct arena *arena, struct err *err)
{
	const struct finding *findings[PAGE];
	struct judgement judgements[PAGE];
	size_t size = 0;

	for (size_t i = 0; i < count; i++) {
		struct finding *finding = arena_alloc(arena, sizeof *finding);

		if (!finding_decode(finding, entries[i].fields, entries[i].field_count, NULL) ||
		    (trial->customer && strcmp(finding->customer, trial->customer) != 0))
			continue;
		uint64_t kept_ms = entry_id_ms(entries[i].id);
		if (trial->oldest_ms == 0 || kept_ms < trial->oldest_ms)
			trial->oldest_ms = kept_ms;
		undo(finding, arena);
		findings[size++] = finding;
	}
	if (!judge_findings(trial->judge, findings, size, trial->now_ms, arena, judgements,
			    err))
		return false;
	for (size_t i = 0; i < size; i++)
		tell(trial, findings[i], &judgements[i], arena);
	return true;
}

static bool read_partition(struct trial *trial, unsigned partition, struct err *err)
{
	struct entry entries[PAGE];
	char from[64];
	struct key key;
	size_t count = PAGE;
	bool good = true;

	key_format(&key, partition, STREAM_RECENT);
	snprintf(from, sizeof from, "%" PRIu64, trial->since_ms);
	while (good && count == PAGE) {
		struct redis_reply *reply = redis_command(
		    trial->redis, err, "XRANGE %s %s + COUNT %d", key.text, from, (int)PAGE);
		struct arena *arena = arena_new();
		size_t gone = 0;

		count = entry_decode(reply, arena, entries, PAGE, &gone);
		good = reply && judge_page(trial, entries, count, arena, err);
		if (count > 0)
			snprintf(from, sizeof from, "(%s", entries[count - 1].id);
		arena_free(arena);
		reply_free(reply);
	}
	return good;
}

/* ---- the report ---- */

static json_t *report_rules(const struct trial *trial)
{
	const struct rules *rules = judge_rules(trial->judge);
	json_t *rows = json_array();

	for (size_t i = 0; i < rules_count(rules); i++) {
		const struct rule *rule = rules_at(rules, i);
		const char *out = judge_left_out(trial->judge, i);

		json_array_append_new(rows,
				      json_pack("{s:s,s:s,s:I,s:I,s:I,s:o}", "name", rule->name,
						"action", rule_action_name(rule->action),
						"matched", (json_int_t)trial->matched[i],
						"decided", (json_int_t)trial->decided[i],
						"failed", (json_int_t)trial->failed[i], "error",
						view_text(*out ? out : trial->error[i])));
	}
	return rows;
}

static void render(struct buf *out, const struct screen *screen, const json_t *document)
{
	static const struct column rule_columns[] = {
		{ "RULE", "name", CELL_TEXT },
		{ "ACTION", "action", CELL_TEXT },
		{ "MATCHED", "matched", CELL_NUMBER },
		{ "DECIDED", "decided", CELL_NUMBER },
		{ "FAILED", "failed", CELL_NUMBER },
		{ "ERROR", "error", CELL_TEXT, true },
		{ 0 },
	};
	static const struct column finding_columns[] = {
		{ "TIME", "time_ms", CELL_TIME },      { "CUSTOMER", "customer", CELL_TEXT },
		{ "EVENT", "event_id", CELL_TEXT },    { "HOST", "host", CELL_TEXT, true },
		{ "TITLE", "title", CELL_TEXT, true }, { "OUTCOME", "outcome", CELL_STATE },
		{ "RULES", "rules", CELL_TEXT },       { 0 },
	};
	const json_t *value;
	const char *name;

	table_render(out, screen, rule_columns, json_object_get(document, "rules"));
	if (json_array_size(json_object_get(document, "findings")) > 0) {
		buf_adds(out, "\n");
		table_render(out, screen, finding_columns,
			     json_object_get(document, "findings"));
	}
	buf_addf(out, "\n%lld findings",
		 (long long)json_integer_value(json_object_get(document, "count")));
	json_object_foreach((json_t *)json_object_get(document, "outcomes"), name, value)
	    buf_addf(out, ", %lld %s", (long long)json_integer_value(value), name);
	buf_adds(out, ". Nothing was done.\n");
}

static json_t *report(const struct trial *trial)
{
	return json_pack("{s:o,s:I,s:o,s:O,s:O}", "since_ms", view_ms(trial->oldest_ms),
			 "count", (json_int_t)trial->findings, "rules", report_rules(trial),
			 "outcomes", trial->totals, "findings", trial->rows);
}

/* ---- the command ---- */

static bool open_rules(struct trial *trial, struct jq *jq, int *ret_code, struct err *err)
{
	const char *path = args_operand(&trial->cli->args, 0);
	struct rules_file file;
	const json_t *problem;
	size_t i;

	*ret_code = EXIT_FAILED;
	if (!rules_file_load(&file, trial->cli->settings.config_dir, path, jq, err))
		return false;
	json_array_foreach(file.problems, i, problem) err_fill(
	    err, ERR_PERMANENT, "%s", json_string_value(json_object_get(problem, "text")));
	bool good = json_array_size(file.problems) == 0;
	if (good && !file.rules)
		good = err_set(err, ERR_PERMANENT, "there is no rules.json in %s",
			       trial->cli->settings.config_dir);
	char *customers = judge_customers(file.directory);
	if (good) {
		good = judge_load(trial->judge, file.rules, customers, strlen(customers),
				  file.where, err);
		file.rules = NULL;
	}
	free(customers);
	rules_file_done(&file);
	return good;
}

static int run(struct trial *trial, struct jq *jq)
{
	struct err err = { 0 };
	int code;

	trial->judge = judge_new(jq);
	if (!open_rules(trial, jq, &code, &err))
		return cli_fail(trial->cli, code, &err);
	size_t count = rules_count(judge_rules(trial->judge)) + 1;
	trial->matched = xcalloc(count, sizeof *trial->matched);
	trial->decided = xcalloc(count, sizeof *trial->decided);
	trial->failed = xcalloc(count, sizeof *trial->failed);
	trial->error = xcalloc(count, sizeof *trial->error);
	trial->redis = cli_redis(trial->cli, &err);
	if (!trial->redis)
		return cli_fail(trial->cli, EXIT_UNREACHABLE, &err);
	for (unsigned p = 0; p < trial->cli->bus.partitions; p++) {
		if (!read_partition(trial, p, &err))
			return cli_fail(trial->cli, EXIT_UNREACHABLE, &err);
	}
	return cli_print(trial->cli, report(trial), render, EXIT_OK);
}

static void trial_done(struct trial *trial)
{
	size_t count = rules_count(judge_rules(trial->judge));

	for (size_t i = 0; trial->error && i < count; i++)
		free((char *)trial->error[i]);
	free(trial->error);
	free(trial->matched);
	free(trial->decided);
	free(trial->failed);
	json_decref(trial->rows);
	json_decref(trial->totals);
	judge_free(trial->judge);
}

int run_rules_test(struct cli *cli)
{
	const char *since = args_value(&cli->args, "since");
	struct trial trial = {
		.cli = cli,
		.customer = args_value(&cli->args, "customer"),
		.lists = args_flag(&cli->args, "all"),
		.now_ms = clock_wall_ms(),
		.rows = json_array(),
		.totals = json_object(),
	};
	struct jq *jq = jq_new(&cli->jq);
	uint64_t span_ms = 0;
	int code;

	if (clock_parse_span(since ? since : "24h", &span_ms) && span_ms <= trial.now_ms) {
		trial.since_ms = trial.now_ms - span_ms;
		code = run(&trial, jq);
	} else {
		code = cli_failf(cli, EXIT_USAGE, "--since: \"%.40s\" is no time, like 24h",
				 since);
	}
	trial_done(&trial);
	jq_free(jq);
	return code;
}
