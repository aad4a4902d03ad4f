/* What rules say to findings. judge_program.c is what the child is told, judge_check.c what is
 * wrong with that. */
#include "service/judge.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "jq/jq.h"
#include "judge_plan.h"
#include "judge_program.h"
#include "judge_subject.h"
#include "model/finding.h"
#include "model/json_tree.h"

/* So many findings are asked about at once. Of those that end the child each takes two
 * deadlines more: with few of them a condition that never ends holds nobody up for long. */
enum { CHUNK = 8, WHY_MAX = 200 };

struct judge {
	struct jq *jq;
	struct rules *rules;
	struct judge_plan *plan;
	char *where;
	int program;	   /* -1: nothing has to be asked */
	json_t *customers; /* id: what conditions see, as text */
	bool *left_out;
	char **why; /* they are */
};

struct judge *judge_new(struct jq *jq)
{
	struct judge *judge = xcalloc(1, sizeof *judge);

	judge->jq = jq;
	judge->program = -1;
	return judge;
}

static void unload(struct judge *judge)
{
	for (size_t i = 0; i < rules_count(judge->rules); i++)
		free(judge->why[i]);
	free(judge->why);
	free(judge->left_out);
	free(judge->where);
	judge_plan_free(judge->plan);
	rules_free(judge->rules);
	json_decref(judge->customers);
	if (judge->program >= 0)
		jq_remove(judge->jq, judge->program);
	*judge = (struct judge){ .jq = judge->jq, .program = -1 };
}

void judge_free(struct judge *judge)
{
	if (!judge)
		return;
	unload(judge);
	free(judge);
}

const struct rules *judge_rules(const struct judge *judge)
{
	return judge->rules;
}

const char *judge_left_out(const struct judge *judge, size_t rule)
{
	return judge->left_out && judge->left_out[rule] ? judge->why[rule] : "";
}

/* ---- customers ---- */

/* Each as text: what a finding is asked about with. */
static json_t *read_customers(const char *text, size_t size)
{
	json_t *all = text ? json_loadb(text, size, 0, NULL) : NULL, *texts = json_object();
	const char *id;
	json_t *customer;

	json_object_foreach(all, id, customer)
	{
		char *dumped = json_dumps(customer, JSON_COMPACT);

		json_object_set_new(texts, id, json_string(dumped));
		free(dumped);
	}
	json_decref(all);
	return texts;
}

/* One that setup has not told of yet is known by its id. */
static const char *customer_of(const struct judge *judge, const char *id, struct arena *arena)
{
	const char *text = json_string_value(json_object_get(judge->customers, id));

	return text ? text : arena_printf(arena, "{\"id\":\"%s\"}", id);
}

/* ---- compiling ---- */

static void keep_first(void *opaque, const struct rule *rule, const char *text)
{
	struct err *err = opaque;

	(void)rule;
	if (err->kind == ERR_NONE)
		err_fill(err, ERR_PERMANENT, "%s", text);
}

bool judge_load(struct judge *judge, struct rules *rules, const char *customers, size_t size,
		const char *where, struct err *err)
{
	struct err why = { 0 }, first = { 0 };
	struct judge_plan *plan = judge_plan_new(rules);
	int program = judge_compile(judge->jq, rules, plan, NULL, &why);

	if (program == JUDGE_FAILED) {
		if (why.kind == ERR_PERMANENT &&
		    !judge_check(judge->jq, rules, where, keep_first, &first, &why))
			first = why;
		*err = first.kind != ERR_NONE ? first : why;
		judge_plan_free(plan);
		rules_free(rules);
		return false;
	}
	unload(judge);
	judge->rules = rules;
	judge->plan = plan;
	judge->where = xstrdup(where);
	judge->program = program;
	judge->customers = read_customers(customers, size);
	judge->left_out = xcalloc(rules_count(rules) + 1, sizeof *judge->left_out);
	judge->why = xcalloc(rules_count(rules) + 1, sizeof *judge->why);
	return true;
}

/* ---- a condition that ends the child ---- */

static bool ends_child(enum jq_outcome outcome)
{
	return outcome == JQ_DEADLINE || outcome == JQ_MEMORY || outcome == JQ_DIED;
}

/* Whether these rules, all others left out, end the child with that input. */
static bool try_rules(struct judge *judge, const bool *left_out, const struct jq_input *input,
		      bool *ret_ends, char *ret_why, struct err *err)
{
	struct jq_result result;
	int program = judge_compile(judge->jq, judge->rules, judge->plan, left_out, err);

	*ret_ends = false;
	if (program < 0)
		return program == JUDGE_NOTHING;
	bool run = jq_run(judge->jq, program, input, 1, &result, err);
	if (run && ends_child(result.outcome)) {
		*ret_ends = true;
		snprintf(ret_why, WHY_MAX, "%.*s", (int)result.size, result.text);
	}
	jq_remove(judge->jq, program);
	return run;
}

/* Halves those that may have done it until one is left; *ret_rule is the number of rules when
 * none does it alone. */
static bool find_culprit(struct judge *judge, const struct jq_input *input, size_t *ret_rule,
			 char *ret_why, struct err *err)
{
	size_t count = rules_count(judge->rules), low = 0, high = count;
	bool *left_out = xcalloc(count, sizeof *left_out), ends = false, run = true;

	while (run) {
		size_t middle = high - low > 1 ? low + (high - low) / 2 : high;
		for (size_t i = 0; i < count; i++)
			left_out[i] = judge->left_out[i] || i < low || i >= middle;
		run = try_rules(judge, left_out, input, &ends, ret_why, err);
		if (high - low <= 1)
			break;
		if (ends)
			high = middle;
		else
			low = middle;
	}
	*ret_rule = ends ? low : count;
	free(left_out);
	return run;
}

static bool leave_out(struct judge *judge, size_t index, const char *why, struct err *err)
{
	const struct rule *rule = rules_at(judge->rules, index);

	judge->left_out[index] = true;
	judge->why[index] = xstrdup(why);
	log_error("rule %s (%s:%u, of %s) is left out until the rules change: its condition "
		  "ended its process: %s",
		  rule->name, judge->where, rule->line, rule->owner, why);
	int program = judge_compile(judge->jq, judge->rules, judge->plan, judge->left_out, err);
	if (program == JUDGE_FAILED)
		return false;
	if (judge->program >= 0)
		jq_remove(judge->jq, judge->program);
	judge->program = program;
	return true;
}

/* ---- asking ---- */

struct question {
	struct judgement *judgement;
	struct rule_subject *subject;
	struct jq_input input;
	bool *asked;  /* by rule: what jq says of it counts */
	bool *blocks; /* those that they are in */
};

static void read_match(struct question *question, const struct rule *rule,
		       struct rule_match *match, const struct json_node *node)
{
	const struct json_node *path = node->first ? node->first->next : NULL;
	const struct json_node *value = path ? path->next : NULL;
	int64_t index = 0;

	(void)question;
	match->matched = true;
	if (!value || value->kind != JSON_NODE_TEXT || !json_tree_int(path, &index))
		return;
	match->group_path = rule->group.by[index];
	match->group_value = value->text;
}

static void note_error(struct question *question, size_t count, size_t rule, const char *why,
		       struct arena *arena)
{
	if (!question->judgement->errors)
		question->judgement->errors =
		    arena_alloc(arena, count * sizeof *question->judgement->errors);
	question->judgement->errors[rule] = why;
}

/* One item of the answer: 3, [3, path, value] or [3, null, why]. */
static void read_item(struct judge *judge, struct question *question,
		      const struct json_node *item, struct arena *arena)
{
	const struct json_node *number = item->kind == JSON_NODE_ARRAY ? item->first : item;
	size_t count = rules_count(judge->rules);
	int64_t index = -1;

	if (!json_tree_int(number, &index) || index < 0 || (size_t)index >= count ||
	    !question->asked[index])
		return;
	const struct json_node *second = item->kind == JSON_NODE_ARRAY ? number->next : NULL;
	if (second && second->kind == JSON_NODE_NULL && second->next)
		note_error(question, count, (size_t)index,
			   second->next->text ? second->next->text : "it failed", arena);
	else
		read_match(question, rules_at(judge->rules, (size_t)index),
			   &question->judgement->matches[index], item);
}

static void read_answer(struct judge *judge, struct question *question,
			const struct jq_result *result, struct arena *arena)
{
	size_t count = rules_count(judge->rules);
	const char *text = arena_strndup(arena, result->text, result->size);
	const struct json_node *list = result->outcome == JQ_RESULT
					   ? json_tree_parse(text, result->size, arena, NULL)
					   : NULL;

	if (list && list->kind == JSON_NODE_ARRAY) {
		for (const struct json_node *item = list->first; item; item = item->next)
			read_item(judge, question, item, arena);
		return;
	}
	/* Nobody knows which: all that were asked did not match. */
	for (size_t i = 0; i < count; i++) {
		if (question->asked[i])
			note_error(question, count, i, text, arena);
	}
}

/* A chunk, again without each condition that ended the child. */
static bool ask_chunk(struct judge *judge, struct question *questions, size_t count,
		      struct arena *arena, struct err *err)
{
	struct jq_input inputs[CHUNK];
	struct jq_result results[CHUNK];
	char why[WHY_MAX] = "";

	for (size_t i = 0; i < count; i++)
		inputs[i] = questions[i].input;
	while (judge->program >= 0) {
		size_t ended = 0, culprit;

		if (!jq_run(judge->jq, judge->program, inputs, count, results, err))
			return false;
		while (ended < count && !ends_child(results[ended].outcome))
			ended++;
		if (ended == count)
			break;
		if (!find_culprit(judge, &inputs[ended], &culprit, why, err))
			return false;
		if (culprit == rules_count(judge->rules)) {
			/* Not one of them: the answers are gone with the search. */
			if (!jq_run(judge->jq, judge->program, inputs, count, results, err))
				return false;
			break;
		}
		if (!leave_out(judge, culprit, why, err))
			return false;
	}
	for (size_t i = 0; judge->program >= 0 && i < count; i++)
		read_answer(judge, &questions[i], &results[i], arena);
	return true;
}

/* ---- findings ---- */

/* What is told without jq. */
static enum condition_answer tell(const struct judge *judge, size_t index,
				  const struct json_node *subject, struct arena *arena)
{
	const struct condition *condition = judge->plan->conditions[index];
	enum condition_answer answer;

	if (!judge_asks(rules_at(judge->rules, index)))
		return CONDITION_YES;
	if (!condition || !subject)
		return CONDITION_ASK;
	answer = condition_test(condition, subject, arena);
	/* Should it match, jq tells what it is grouped by. */
	return answer == CONDITION_YES && rules_at(judge->rules, index)->action == RULE_GROUP
		   ? CONDITION_ASK
		   : answer;
}

/* What needs no asking; false when nothing does. */
static bool prepare(struct judge *judge, struct question *question,
		    const struct finding *finding, uint64_t now_ms, struct arena *arena)
{
	size_t count = rules_count(judge->rules);
	struct judgement *judgement = question->judgement;
	bool asks = false;

	question->subject = arena_alloc(arena, sizeof *question->subject);
	question->asked = arena_alloc(arena, count * sizeof *question->asked);
	question->blocks = arena_alloc(arena, count * sizeof *question->blocks);
	judgement->matches = arena_alloc(arena, count * sizeof *judgement->matches);
	if (!rule_subject_read(question->subject, finding, arena))
		return false;
	const struct json_node *subject =
	    judge_subject(question->subject->event,
			  customer_of(judge, finding->customer, arena), finding->source, arena);
	for (size_t i = 0; i < count; i++) {
		if (judge->left_out[i] ||
		    !rule_selects(rules_at(judge->rules, i), question->subject, now_ms))
			continue;
		enum condition_answer answer = tell(judge, i, subject, arena);
		judgement->matches[i].matched = answer == CONDITION_YES;
		if (answer != CONDITION_ASK)
			continue;
		question->asked[i] = asks = true;
		question->blocks[judge->plan->block[i]] = true;
	}
	return asks;
}

static struct jq_json json_of(const char *text)
{
	return (struct jq_json){ text, strlen(text) };
}

static const char *write_blocks(const struct judge *judge, const struct question *question,
				struct arena *arena)
{
	size_t blocks = judge_plan_blocks(judge->plan);
	char *text = arena_alloc(arena, blocks * sizeof "false," + sizeof "[]"), *at = text;

	*at++ = '[';
	for (size_t i = 0; i < blocks; i++)
		at = stpcpy(stpcpy(at, i > 0 ? "," : ""),
			    question->blocks[i] ? "true" : "false");
	*at = ']'; /* what follows is zero */
	return text;
}

static void pose(struct judge *judge, struct question *question, const struct finding *finding,
		 struct arena *arena)
{
	struct jq_json *variables = question->input.variables;

	question->input.value = (struct jq_json){ finding->payload, finding->payload_size };
	variables[JUDGE_CUSTOMER] = json_of(customer_of(judge, finding->customer, arena));
	variables[JUDGE_SOURCE] = json_of(arena_printf(arena, "\"%s\"", finding->source));
	variables[JUDGE_BLOCKS] = json_of(write_blocks(judge, question, arena));
}

bool judge_findings(struct judge *judge, const struct finding *const *findings, size_t count,
		    uint64_t now_ms, struct arena *arena, struct judgement *ret_judgements,
		    struct err *err)
{
	struct question *all = arena_alloc(arena, (count + 1) * sizeof *all);
	struct question asked[CHUNK];
	size_t size = 0;
	bool good = true;

	for (size_t i = 0; i < count; i++) {
		ret_judgements[i] = (struct judgement){ 0 };
		policy_clear(&ret_judgements[i].policy);
		all[i].judgement = &ret_judgements[i];
	}
	if (rules_count(judge->rules) == 0)
		return true;
	for (size_t i = 0; good && i < count; i++) {
		if (prepare(judge, &all[i], findings[i], now_ms, arena)) {
			pose(judge, &all[i], findings[i], arena);
			asked[size++] = all[i];
		}
		if (size == CHUNK || (size > 0 && i + 1 == count)) {
			good = ask_chunk(judge, asked, size, arena, err);
			size = 0;
		}
	}
	for (size_t i = 0; good && i < count; i++)
		rules_decide(judge->rules, ret_judgements[i].matches, all[i].subject, arena,
			     &ret_judgements[i].policy);
	return good;
}

void judge_obey(const struct policy *policy, struct finding *finding, struct arena *arena)
{
	if (policy->severity_id >= 0)
		finding->severity_id = policy->severity_id;
	if (policy->group)
		finding->group = policy->group;
	finding->policy = policy_encode(policy, arena);
}
