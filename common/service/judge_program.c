/* All rules as one jq program. */
#include "judge_program.h"

#include <string.h>

const char *const judge_variables[] = { "customer", "source", NULL };

/* jq's own any and all leave two labels behind for each item; these are what they are, with
 * one. In the first line, so that lines are counted as they are written. */
static const char helpers[] =
    "def any(g; c): (label $__found | (g | select(c) | true, break $__found)) // false; "
    "def any(c): any(.[]; c); def all(g; c): any(g; c | not) | not; "
    "def all(c): all(.[]; c); ";

/* Conditions are functions, so that none can end another's brackets. The line feed keeps a
 * comment at the end of one from hiding what follows. */
static const char prelude[] =
    "{finding: ., customer: $customer, source: $source, host: (.device as $d | "
    "{name: ($d.name // $d.hostname), hostname: $d.hostname, uid: $d.uid, ip: $d.ip, "
    "os: $d.os.name}), hashes: [.evidences[]?.file?.hashes[]?.value?], "
    "files: [.evidences[]?.file?.name? // empty]} |\n";

bool judge_asks(const struct rule *rule)
{
	return rule->when || rule->action == RULE_GROUP;
}

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

static void write_questions(struct buf *out, const struct rule *rules, size_t count,
			    const bool *left_out)
{
	bool first = true;

	buf_adds(out, "[");
	for (size_t i = 0; i < count; i++) {
		if (!judge_asks(&rules[i]) || (left_out && left_out[i]))
			continue;
		buf_adds(out, first ? "\n" : ",\n");
		write_question(out, &rules[i], i);
		first = false;
	}
	buf_adds(out, first ? "empty]" : "]");
}

void judge_program_write(struct buf *out, const struct rules *rules, const bool *left_out)
{
	size_t count = rules_count(rules);

	buf_adds(out, helpers);
	for (size_t i = 0; i < count; i++) {
		if (judge_asks(rules_at(rules, i)) && !(left_out && left_out[i]))
			write_functions(out, rules_at(rules, i), i);
	}
	buf_adds(out, prelude);
	write_questions(out, count > 0 ? rules_at(rules, 0) : NULL, count, left_out);
}

void judge_program_write_one(struct buf *out, const struct rule *rule)
{
	buf_adds(out, helpers);
	write_functions(out, rule, 0);
	buf_adds(out, prelude);
	write_questions(out, rule, 1, NULL);
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
