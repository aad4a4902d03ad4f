#ifndef MODEL_CONDITION_H
#define MODEL_CONDITION_H

#include <stdbool.h>

struct arena;
struct json_node;

/*
 * Conditions in jq, as far as they can be told without it: paths, literals, comparisons, and,
 * or, //, |, not, length, index, contains, startswith, endswith, ascii_downcase. An answer is
 * always the one that jq gives. For whatever else a condition holds, and wherever jq would
 * raise an error or versions of it differ, the answer is that jq has to be asked; so
 * `.source == "umbrella" and any(...)` is told here for all other sources.
 */
struct condition;

enum condition_answer { CONDITION_NO, CONDITION_YES, CONDITION_ASK };

/* Never NULL; text and what is returned live in the arena, which the caller provides. text
 * itself is one that jq has compiled, or will. */
const struct condition *condition_parse(const char *text, struct arena *arena);

/* How often jq is asked: never as long as the subject looks as usual, when it gets as far as
 * the part that only jq can tell, or always. */
enum condition_reach { CONDITION_WHOLE, CONDITION_IN_PART, CONDITION_NOT_AT_ALL };
enum condition_reach condition_reach(const struct condition *condition);

/* subject is what the condition sees as `.`; the arena is for the time of the call. */
enum condition_answer condition_test(const struct condition *condition,
				     const struct json_node *subject, struct arena *arena);

#endif
