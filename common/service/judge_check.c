/* Compiling rules, and saying what is wrong with them; what setup tells of customers. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "jq/jq.h"
#include "judge_plan.h"
#include "judge_program.h"
#include "model/customer.h"
#include "model/json_writer.h"
#include "service/judge.h"

enum { CUSTOMERS_MAX_BYTES = 8 << 20 };

static void put_customer(struct buf *out, const struct customer *customer)
{
	static const char *const modes[] = {
		[CUSTOMER_SHADOW] = "shadow",
		[CUSTOMER_LIVE] = "live",
		[CUSTOMER_PAUSED] = "paused",
	};

	json_begin(out, customer->id, '{');
	json_put_string(out, "id", customer->id);
	json_put_string(out, "name", customer->name);
	json_put_string(out, "label", customer->label);
	json_put_string(out, "mode", modes[customer->mode]);
	json_put_int(out, "minimum_severity_id", customer->minimum_severity);
	json_end(out, '}');
}

char *judge_customers(const struct directory *directory)
{
	struct buf out;

	buf_init(&out, CUSTOMERS_MAX_BYTES);
	json_begin(&out, NULL, '{');
	for (size_t i = 0; i < directory_count(directory); i++)
		put_customer(&out, directory_at(directory, i));
	json_end(&out, '}');
	return buf_take(&out, NULL);
}

/* ---- compiling ---- */

static bool any_asks(const struct judge_plan *plan, const bool *left_out)
{
	for (size_t i = 0; i < plan->count; i++) {
		if (!left_out || !left_out[plan->order[i]])
			return true;
	}
	return false;
}

int judge_compile(struct jq *jq, const struct rules *rules, const struct judge_plan *plan,
		  const bool *left_out, struct err *err)
{
	struct buf text;
	int program = JUDGE_NOTHING;

	if (!any_asks(plan, left_out))
		return JUDGE_NOTHING;
	buf_init(&text, JQ_PROGRAM_BYTES);
	judge_program_write(&text, rules, plan, left_out);
	if (buf_ok(&text))
		program = jq_add(jq, "rules", buf_text(&text), judge_variables, err);
	else
		err_fill(err, ERR_PERMANENT, "the rules' conditions are too long together");
	buf_done(&text);
	return program < 0 ? JUDGE_FAILED : program;
}

/* "rules:3: syntax error" becomes "rules.json:12:14: name: when: syntax error". */
static void say_where(const struct rule *rule, const char *where, const char *said,
		      struct buf *out)
{
	const char *digits = strncmp(said, "rules:", 6) == 0 ? said + 6 : "";
	unsigned line = (unsigned)strtoul(digits, NULL, 10);
	const char *text = line > 0 ? strstr(said, ": ") : NULL;
	int at = judge_program_line(rule, line);
	unsigned file_line = rule->line, column = 0;

	if (at >= 0 && at < RULE_LINES_MAX) {
		/* A text with line feeds in it stands in one line of the file. */
		int known = rule->when_at[at].line > 0 ? at : 0;
		file_line = rule->when_at[known].line;
		column = rule->when_at[known].column;
	}
	buf_addf(out, "%s:%u:%u: %s: %s: %s", where, file_line, column > 0 ? column : 1,
		 rule->name, at >= 0 ? "when" : "group.by", text ? text + 2 : said);
}

static bool check_one(struct jq *jq, const struct rule *rule, const char *where,
		      judge_complaint *complain, void *opaque, struct err *err)
{
	struct err why = { 0 };
	struct buf text;

	buf_init(&text, JQ_PROGRAM_BYTES);
	judge_program_write_one(&text, rule);
	int program = jq_add(jq, "rules", buf_text(&text), judge_variables, &why);
	buf_done(&text);
	if (program >= 0) {
		jq_remove(jq, program);
		return true;
	}
	if (why.kind != ERR_PERMANENT) {
		*err = why;
		return false;
	}
	buf_init(&text, JQ_PROGRAM_BYTES);
	say_where(rule, where, why.text, &text);
	complain(opaque, rule, buf_text(&text));
	buf_done(&text);
	return true;
}

/* One alone, should the whole not say whose fault it is; mostly there is nothing to say. */
bool judge_check(struct jq *jq, const struct rules *rules, const char *where,
		 judge_complaint *complain, void *opaque, struct err *err)
{
	struct err why = { 0 };
	struct judge_plan *plan = judge_plan_new(rules);
	int program = judge_compile(jq, rules, plan, NULL, &why);

	judge_plan_free(plan);
	if (program != JUDGE_FAILED) {
		if (program >= 0)
			jq_remove(jq, program);
		return true;
	}
	if (why.kind != ERR_PERMANENT) {
		*err = why;
		return false;
	}
	for (size_t i = 0; i < rules_count(rules); i++) {
		if (judge_asks(rules_at(rules, i)) &&
		    !check_one(jq, rules_at(rules, i), where, complain, opaque, err))
			return false;
	}
	return true;
}
