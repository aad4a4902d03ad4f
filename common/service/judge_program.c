/* All rules as one jq program. */
#include "judge_program.h"

#include <string.h>

#include "judge_plan.h"

const char *const judge_variables[] = { "customer", "source", "__blocks", NULL };

/* jq's own any and all leave two labels behind for each item; these are what they are, with
 * one. In the first line, so that lines are counted as they are written. */
static const char helpers[] =
    "def any(g; c): (label $__found | (g | select(c) | true, break $__found)) // false; "
    "def any(c): any(.[]; c); def all(g; c): any(g; c | not) | not; "
    "def all(c): all(.[]; c); ";

/* Conditions are functions, so that none can end another's brackets. The line feed keeps a
 * comment at the end of one from hiding what follows. judge_subject.c makes the same in C. */
static const char prelude[] =
    "{finding: ., customer: $customer, source: $source, host: (.device as $d | "
    "{name: ($d.name // $d.hostname), hostname: $d.hostname, uid: $d.uid, ip: $d.ip, "
    "os: $d.os.name}), hashes: [.evidences[]?.file?.hashes[]?.value?], "
    "files: [.evidences[]?.file?.name? // empty]} |\n";

static void write_body(struct buf *out, const char *body)
{
	buf_addf(out, ":\n%s\n;\n", body);
}

static void write_functions(struct buf *out, const struct rule *rule, size_t index)
{
	if (rule->when) {
		buf_addf(out, "def __when%zu", index);
		write_body(out, rule->when);
	}
	if (rule->action != RULE_GROUP)
		return;
	for (size_t i = 0; rule->group.by[i]; i++) {
		buf_addf(out, "def __path%zu_%zu", index, i);
		write_body(out, rule->group.by[i]);
	}
}

/* The first path that gives a text or a number. */
static void write_value(struct buf *out, const struct rule *rule, size_t index)
{
	buf_adds(out, "([limit(1; ");
	for (size_t i = 0; rule->group.by[i]; i++)
		buf_addf(out,
			 "%s((try __path%zu_%zu catch empty) | "
			 "select(type == \"number\" or (type == \"string\" and . != \"\")) | "
			 "[%zu, %zu, tostring])",
			 i > 0 ? ", " : "", index, i, index, i);
	buf_addf(out, ")] | if length > 0 then .[0] else %zu end)", index);
}

static void write_question(struct buf *out, const struct rule *rule, size_t index)
{
	if (rule->when)
		buf_addf(out, "(try (if __when%zu then ", index);
	if (rule->action == RULE_GROUP)
		write_value(out, rule, index);
	else
		buf_addf(out, "%zu", index);
	if (rule->when)
		buf_addf(out, " else empty end) catch [%zu, null, (tostring | .[0:200])])",
			 index);
}

static void write_block(struct buf *out, const struct rules *rules,
			const struct judge_plan *plan, size_t block, const bool *left_out)
{
	bool first = true;

	buf_addf(out, "(if $__blocks[%zu] then ", block);
	for (size_t i = block * JUDGE_BLOCK; i < plan->count && i < (block + 1) * JUDGE_BLOCK;
	     i++) {
		size_t rule = plan->order[i];

		if (left_out && left_out[rule])
			continue;
		buf_adds(out, first ? "\n" : ",\n");
		write_question(out, rules_at(rules, rule), rule);
		first = false;
	}
	buf_adds(out, first ? "empty else empty end)" : " else empty end)");
}

void judge_program_write(struct buf *out, const struct rules *rules,
			 const struct judge_plan *plan, const bool *left_out)
{
	buf_adds(out, helpers);
	for (size_t i = 0; i < plan->count; i++) {
		size_t rule = plan->order[i];

		if (!left_out || !left_out[rule])
			write_functions(out, rules_at(rules, rule), rule);
	}
	buf_adds(out, prelude);
	for (size_t block = 0; block < judge_plan_blocks(plan); block++) {
		buf_adds(out, block == 0 ? "[" : ",\n");
		write_block(out, rules, plan, block, left_out);
	}
	buf_adds(out, "]");
}

void judge_program_write_one(struct buf *out, const struct rule *rule)
{
	buf_adds(out, helpers);
	write_functions(out, rule, 0);
	buf_adds(out, prelude);
	buf_adds(out, "[");
	write_question(out, rule, 0);
	buf_adds(out, "]");
}

int judge_program_line(const struct rule *rule, unsigned line)
{
	unsigned lines = 1;

	if (!rule->when)
		return -1;
	for (const char *at = rule->when; *at; at++)
		lines += *at == '\n';
	if (line < 2) /* the line of `def` */
		return 0;
	if (line - 2 < lines)
		return (int)(line - 2);
	/* What is missing at its end is missed behind it. */
	return rule->action == RULE_GROUP && line > lines + 2 ? -1 : (int)lines - 1;
}
