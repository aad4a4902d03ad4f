#ifndef TICKET_EXPRESSION_H
#define TICKET_EXPRESSION_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct jq_settings;
struct sheet;
struct template_line;

/*
 * Runs the expressions of templates. Those that only name a fact, and constants, are answered
 * here. All others of one template are one program, run once per ticket:
 *
 *   {"0":(try [limit(2;(EXPRESSION))] catch {"e":...}),"1":...}
 *
 * so that an error of one is its own; one that loops or eats memory takes the others with it,
 * and then each is run alone.
 */
struct expressions;

/* For one thread. settings are borrowed; NULL: jq is not run. No child is started before one is
 * needed. */
struct expressions *expressions_new(const struct jq_settings *settings);
void expressions_free(struct expressions *expressions); /* NULL is fine */
/* The child stays; what it has compiled goes. */
void expressions_forget(struct expressions *expressions);

struct expression_result {
	const char *value;  /* text; NULL: the column is not sent */
	const char *reason; /* why there is no value; NULL: it worked */
};

/* `.facts.<name>` and JSON scalars. False: it takes jq. */
bool expression_native(const char *text, const struct sheet *sheet, struct arena *arena,
		       const char **ret_value);

/* ret_results[count], in the arena. key names these lines: the same key, the same texts, until
 * expressions_forget(). */
void expressions_run(struct expressions *expressions, const char *key,
		     const struct template_line *lines, size_t count, const struct sheet *sheet,
		     struct arena *arena, struct expression_result *ret_results);

#endif
