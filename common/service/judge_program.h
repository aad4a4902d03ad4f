#ifndef SERVICE_JUDGE_PROGRAM_H
#define SERVICE_JUDGE_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "model/rules.h"

struct jq;
struct judge_plan;

/* Names of what comes with each finding, for jq_add(). */
extern const char *const judge_variables[];
enum { JUDGE_CUSTOMER, JUDGE_SOURCE, JUDGE_BLOCKS, JUDGE_VARIABLES };

/*
 * One program of all rules: for a finding it gives a list of what matched,
 *
 *   3                 rule 3 did, or [3, path, value] when it groups
 *   [3, null, why]    its condition failed
 *
 * of those in the blocks of the plan for which the list that comes as JUDGE_BLOCKS says true.
 * left_out: of these rules (by index) the conditions are not in it; NULL: all are.
 */
void judge_program_write(struct buf *out, const struct rules *rules,
			 const struct judge_plan *plan, const bool *left_out);
/* The same of one rule. */
void judge_program_write_one(struct buf *out, const struct rule *rule);

/* The program's number; JUDGE_NOTHING when there is nothing to ask, JUDGE_FAILED with err. */
enum { JUDGE_NOTHING = -1, JUDGE_FAILED = -2 };
int judge_compile(struct jq *jq, const struct rules *rules, const struct judge_plan *plan,
		  const bool *left_out, struct err *err);

/* Of a line of judge_program_write_one(): the line within the rule's `when`, from 0; -1 when it
 * is in the first path of a group, or a later one. */
int judge_program_line(const struct rule *rule, unsigned line);

#endif
