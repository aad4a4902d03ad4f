/* The rules in force, and how often they matched. */
#include "rulings.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "bus/key.h"
#include "bus/redis.h"
#include "model/finding.h"
#include "service/programs.h"

enum { HITS_MAX = 700 }; /* rules told of in one call: five arguments each */

struct metric rulings_matches = {
	.name = "tocsin_rule_matches_total",
	.kind = METRIC_COUNTER,
	.help = "findings that a rule matched",
	.labels = "rule",
};
struct metric rulings_errors = {
	.name = "tocsin_rule_errors_total",
	.kind = METRIC_COUNTER,
	.help = "findings on which a rule's condition failed; it did not match then",
	.labels = "rule",
};
struct metric rulings_left_out = {
	.name = "tocsin_rule_left_out",
	.kind = METRIC_GAUGE,
	.help = "1 for a rule whose condition ended its process and that is left out since",
	.labels = "rule",
};
struct metric rulings_wrong = {
	.name = "tocsin_rules_wrong",
	.kind = METRIC_GAUGE,
	.help = "1 while published rules cannot be used and those before them are in force",
};

struct rulings {
	struct programs *programs;
	struct judge *judge;
	uint64_t version;	/* of the programs that were looked at last */
	char *text, *customers; /* of them; NULL: there are none */
	bool *left_out;		/* as it was told */
};

struct rulings *rulings_new(struct programs *programs, struct jq *jq)
{
	struct rulings *rulings = xcalloc(1, sizeof *rulings);

	rulings->programs = programs;
	rulings->judge = judge_new(jq);
	return rulings;
}

void rulings_free(struct rulings *rulings)
{
	if (!rulings)
		return;
	judge_free(rulings->judge);
	free(rulings->text);
	free(rulings->customers);
	free(rulings->left_out);
	free(rulings);
}

/* ---- loading ---- */

static bool is_same(const char *had, const struct program_set_item *item)
{
	return had && item ? strcmp(had, item->text) == 0 : !had && !item;
}

static void replace(char **had, const struct program_set_item *item)
{
	free(*had);
	*had = item ? xstrdup(item->text) : NULL;
}

static void forget_left_out(struct rulings *rulings)
{
	const struct rules *rules = judge_rules(rulings->judge);

	for (size_t i = 0; i < rules_count(rules); i++) {
		if (rulings->left_out[i])
			metric_set(&rulings_left_out, 0, rules_at(rules, i)->name);
	}
	free(rulings->left_out);
	rulings->left_out = NULL;
}

/* False only when they may be right and nobody could tell. */
static bool load(struct rulings *rulings, const struct program_set_item *text,
		 const struct program_set_item *customers, struct err *err)
{
	struct err why = { 0 };
	struct rules *rules =
	    text ? rules_decode(text->text, text->size, "rules.json", &why) : NULL;
	bool good = rules || !text;

	forget_left_out(rulings);
	if (good)
		good = judge_load(rulings->judge, rules, customers ? customers->text : NULL,
				  customers ? customers->size : 0, "rules.json", &why);
	rulings->left_out =
	    xcalloc(rules_count(judge_rules(rulings->judge)) + 1, sizeof *rulings->left_out);
	if (!good && why.kind != ERR_PERMANENT) {
		*err = why;
		return false;
	}
	metric_set(&rulings_wrong, good ? 0 : 1);
	if (!good)
		log_error("the published rules cannot be used, those before stay: %s",
			  why.text);
	else if (text || rulings->text)
		log_info("%zu rules in force", rules_count(judge_rules(rulings->judge)));
	replace(&rulings->text, text);
	replace(&rulings->customers, customers);
	return true;
}

static bool refresh(struct rulings *rulings, struct redis *redis, struct err *err)
{
	uint64_t version = 0;
	const struct program_set *set = programs_get(rulings->programs, redis, &version, err);
	bool good = set != NULL;

	if (set && version != rulings->version) {
		const struct program_set_item *text = program_set_find(set, "rules");
		const struct program_set_item *customers =
		    program_set_find(set, "rules.customers");

		good =
		    (is_same(rulings->text, text) && is_same(rulings->customers, customers)) ||
		    load(rulings, text, customers, err);
		if (good)
			rulings->version = version;
	}
	programs_put(rulings->programs, set);
	return good;
}

/* ---- counting ---- */

struct hit {
	size_t matches, errors;
	const char *error;
};

static void count_one(struct hit *hits, const struct rules *rules,
		      const struct judgement *judgement)
{
	for (size_t i = 0; i < rules_count(rules); i++) {
		const char *error = judgement->errors ? judgement->errors[i] : NULL;

		if (judgement->matches[i].matched) {
			hits[i].matches++;
			metric_add(&rulings_matches, 1, rules_at(rules, i)->name);
		}
		if (error) {
			hits[i].errors++;
			hits[i].error = error;
			metric_add(&rulings_errors, 1, rules_at(rules, i)->name);
		}
	}
}

/* Why a rule is left out, when that is news; else "". */
static const char *left_out_news(struct rulings *rulings, size_t rule)
{
	const char *why = judge_left_out(rulings->judge, rule);

	if (!*why || rulings->left_out[rule])
		return "";
	rulings->left_out[rule] = true;
	metric_set(&rulings_left_out, 1, rules_at(judge_rules(rulings->judge), rule)->name);
	return why;
}

/* Counts for people: what cannot be told to Redis is lost with this batch, not the batch. */
static void tell(struct rulings *rulings, struct redis *redis, unsigned partition,
		 const struct hit *hits)
{
	const struct rules *rules = judge_rules(rulings->judge);
	struct redis_call call;
	struct err err = { 0 };
	struct key key;
	size_t told = 0;

	key_format(&key, partition, "rules");
	redis_call_init(&call, "rule_hits");
	redis_call_key(&call, key.text);
	for (size_t i = 0; i < rules_count(rules) && told < HITS_MAX; i++) {
		const char *out = left_out_news(rulings, i);

		if (hits[i].matches + hits[i].errors == 0 && !*out)
			continue;
		redis_call_text(&call, rules_at(rules, i)->name);
		redis_call_number(&call, hits[i].matches);
		redis_call_number(&call, hits[i].errors);
		redis_call_text(&call, hits[i].error ? hits[i].error : "");
		redis_call_text(&call, out);
		told++;
	}
	if (told == 0)
		redis_call_done(&call);
	else if (!redis_function_yes(redis, &call, NULL, &err))
		log_debug("matches of rules are not counted: %s", err.text);
}

bool rulings_run(struct rulings *rulings, struct redis *redis, unsigned partition,
		 const struct finding *const *findings, size_t count, struct arena *arena,
		 struct judgement *ret_judgements, struct err *err)
{
	if (!refresh(rulings, redis, err))
		return false;

	size_t size = rules_count(judge_rules(rulings->judge));
	struct hit *hits = arena_alloc(arena, (size + 1) * sizeof *hits);

	if (!judge_findings(rulings->judge, findings, count, clock_wall_ms(), arena,
			    ret_judgements, err))
		return false;
	for (size_t i = 0; size > 0 && i < count; i++)
		count_one(hits, judge_rules(rulings->judge), &ret_judgements[i]);
	if (size > 0)
		tell(rulings, redis, partition, hits);
	return true;
}
