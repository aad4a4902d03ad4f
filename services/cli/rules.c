/* tocsin rules list and check: the operators' rules, and what is wrong with them. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "cli.h"
#include "jq/jq.h"
#include "model/rules.h"
#include "rules_file.h"
#include "rules_hits.h"
#include "rules_lint.h"
#include "run.h"
#include "text.h"
#include "view.h"

#define IDLE_DEFAULT "30d"

static bool load(struct cli *cli, struct rules_file *ret_file, struct err *err)
{
	const char *path = args_operand(&cli->args, 0);
	struct jq *jq = jq_new(&cli->jq);
	bool good = rules_file_load(ret_file, cli->settings.config_dir, path, jq, err);

	jq_free(jq);
	return good;
}

/* ---- list ---- */

static const char *standing_name(const struct rule *rule, const json_t *hit, uint64_t now_ms)
{
	static const char *const names[] = {
		[RULE_IN_FORCE] = "in force",
		[RULE_EXPIRED] = "expired",
		[RULE_NOT_YET] = "not yet",
		[RULE_OVER] = "over",
	};

	if (json_is_string(json_object_get(hit, "left_out")))
		return "left out";
	return names[rule_standing(rule, now_ms)];
}

static uint64_t end_of(const struct rule *rule)
{
	uint64_t until = rule->action == RULE_MAINTENANCE ? rule->maintenance.until_ms : 0;

	if (until == 0 || (rule->expires_ms > 0 && rule->expires_ms < until))
		return rule->expires_ms;
	return until;
}

static json_t *describe(const struct rule *rule, const json_t *hits)
{
	const json_t *hit = json_object_get(hits, rule->name);
	json_t *row = json_object();

	json_object_set_new(row, "name", view_text(rule->name));
	json_object_set_new(row, "owner", view_text(rule->owner));
	json_object_set_new(row, "reason", view_text(rule->reason));
	json_object_set_new(row, "action", view_text(rule_action_name(rule->action)));
	json_object_set_new(row, "line", json_integer(rule->line));
	json_object_set_new(row, "ends_ms", view_ms(end_of(rule)));
	json_object_set_new(row, "state", view_text(standing_name(rule, hit, clock_wall_ms())));
	json_object_set(row, "matches", json_object_get(hit, "matches"));
	json_object_set(row, "last_ms", json_object_get(hit, "last_ms"));
	json_object_set(row, "errors", json_object_get(hit, "errors"));
	return row;
}

static void render_list(struct buf *out, const struct screen *screen, const json_t *document)
{
	static const struct column columns[] = {
		{ "NAME", "name", CELL_TEXT },
		{ "ACTION", "action", CELL_TEXT },
		{ "OWNER", "owner", CELL_TEXT, true },
		{ "STATE", "state", CELL_STATE },
		{ "ENDS", "ends_ms", CELL_TIME },
		{ "MATCHES", "matches", CELL_NUMBER },
		{ "LAST", "last_ms", CELL_AGE },
		{ "ERRORS", "errors", CELL_NUMBER },
		{ 0 },
	};

	table_render(out, screen, columns, json_object_get(document, "rules"));
}

int run_rules_list(struct cli *cli)
{
	struct rules_file file;
	struct err err = { 0 };
	struct redis *redis = cli_redis(cli, &err);
	json_t *hits = redis ? rules_hits_read(redis, cli->bus.partitions, &err) : NULL;
	json_t *rows = json_array();

	if (!hits || !load(cli, &file, &err)) {
		json_decref(hits);
		json_decref(rows);
		return cli_fail(cli, redis && hits ? EXIT_FAILED : EXIT_UNREACHABLE, &err);
	}
	for (size_t i = 0; i < rules_count(file.rules); i++)
		json_array_append_new(rows, describe(rules_at(file.rules, i), hits));
	bool good = rules_file_count(&file, "error") == 0;
	if (!good)
		cli_warn(cli, "the file is wrong and not in force, see tocsin rules check");
	rules_file_done(&file);
	json_decref(hits);
	return cli_print(cli, json_pack("{s:o}", "rules", rows), render_list,
			 good ? EXIT_OK : EXIT_UNHEALTHY);
}

/* ---- check ---- */

static void render_check(struct buf *out, const struct screen *screen, const json_t *document)
{
	const json_t *problem;
	size_t i;

	(void)screen;
	json_array_foreach(json_object_get(document, "problems"), i, problem)
	{
		text_clean(out, json_string_value(json_object_get(problem, "level")));
		buf_adds(out, ": ");
		text_clean(out, json_string_value(json_object_get(problem, "text")));
		buf_adds(out, "\n");
	}
	buf_addf(out, "%lld rules, %lld errors, %lld warnings.\n",
		 (long long)json_integer_value(json_object_get(document, "rules")),
		 (long long)json_integer_value(json_object_get(document, "errors")),
		 (long long)json_integer_value(json_object_get(document, "warnings")));
}

/* Counts are of the rules in force; a file that is to become them is checked without Redis. */
static json_t *hits_for_check(struct cli *cli)
{
	struct err err = { 0 };
	struct redis *redis;

	if (args_operand(&cli->args, 0))
		return NULL;
	redis = cli_redis(cli, &err);
	json_t *hits = redis ? rules_hits_read(redis, cli->bus.partitions, &err) : NULL;
	if (!hits)
		cli_warn(cli, "what has matched is not known: %s", err.text);
	return hits;
}

int run_rules_check(struct cli *cli)
{
	const char *idle = args_value(&cli->args, "idle");
	struct rules_file file;
	uint64_t idle_ms = 0;
	struct err err = { 0 };

	if (!clock_parse_span(idle ? idle : IDLE_DEFAULT, &idle_ms))
		return cli_failf(cli, EXIT_USAGE, "--idle: \"%.40s\" is no time, like 30d",
				 idle);
	if (!load(cli, &file, &err))
		return cli_fail(cli, EXIT_FAILED, &err);
	json_t *hits = hits_for_check(cli);
	rules_lint(&file, hits, idle_ms, clock_wall_ms());
	json_decref(hits);
	json_t *document = json_pack(
	    "{s:I,s:I,s:I,s:O}", "rules", (json_int_t)rules_count(file.rules), "errors",
	    (json_int_t)rules_file_count(&file, "error"), "warnings",
	    (json_int_t)rules_file_count(&file, "warning"), "problems", file.problems);
	bool good = json_array_size(file.problems) == 0;
	rules_file_done(&file);
	return cli_print(cli, document, render_check, good ? EXIT_OK : EXIT_UNHEALTHY);
}
