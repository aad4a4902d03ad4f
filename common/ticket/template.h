#ifndef TICKET_TEMPLATE_H
#define TICKET_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct arena;
struct jq;

/*
 * What tickets say: files templates/<name>.json in TOCSIN_CONFIG_DIR, published by setup in the
 * hash `tocsin:programs` as `template:<name>`, the file's text (docs/ticket-templates.md is the
 * same for people).
 *
 *   { "extends": "default",                    another template; without it what the finding's
 *                                              source has: "defender", else "default"
 *     "table": "incident",                     where its tickets are; without it the customer's
 *     "columns": { "u_alert_id": ".facts.event_id", ... },
 *     "later_note": ".facts.later_note",       of findings that come later
 *     "sources": { "defender": { "columns": {...}, "later_note": ... } } }
 *
 * Each expression is a jq program, a text or a list of lines, over {finding, incident,
 * customer, facts}. One that is `.facts.<name>`, or a JSON text, number or truth value, needs
 * no child process; the built-in templates have no other. Reading is pure and strict; compiling
 * is template_compile().
 */

enum {
	TEMPLATES_MAX = 200,
	TEMPLATE_NAME_MAX = 40,
	TEMPLATE_FILE_MAX = 256 << 10,
	TEMPLATE_COLUMNS_MAX = 40,
	TEMPLATE_EXPRESSION_MAX = 16 << 10,
	TEMPLATE_DEPTH_MAX = 8, /* of extends */
};

struct template_expression {
	char *name;    /* of the column; of a later note "later_note" */
	char *text;    /* jq; "null": the column is not sent */
	unsigned line; /* where it begins in its file; 0: not known */
};

/* What a template says for one source, or for all. */
struct template_part {
	char *source; /* NULL: all */
	struct template_expression *columns;
	size_t count;
	struct template_expression later_note; /* text NULL: not given */
};

struct template
{
	char *name;
	char *extends;		     /* NULL: the source's own */
	char *table;		     /* NULL: the customer's */
	struct template_part *parts; /* of one source first, that for all last */
	size_t part_count;
};

/* 1 to 40 of a-z 0-9 - and _, first a letter or digit. */
bool template_name_valid(const char *name);

/* NULL with err (permanent): "templates/acme.json:7: columns.state: ...". */
struct template *template_decode(const char *name, const char *text, size_t size,
				 const char *where, struct err *err);
void template_free(struct template *template);

/* All templates, the built-in ones included; immutable once checked. */
struct templates;

struct templates *templates_new(void);
void templates_free(struct templates *templates);
/* Takes ownership; replaces one of the same name. A built-in one stays below one of its name,
 * which extends it. */
void templates_add(struct templates *templates, struct template *template);
/* NULL when there is none of that name. */
const struct template *templates_find(const struct templates *templates, const char *name);
/* Whether what name extends is there, ends, and is not too deep or wide. */
bool templates_check(const struct templates *templates, const char *name, struct err *err);
/* The text of a built-in one, as a file would hold it; NULL: none of that name. */
const char *template_builtin(const char *name);

/* One expression as it counts for a ticket, and whose it is. */
struct template_line {
	const char *name;
	const char *text;
	const char *from; /* the template's name */
	unsigned line;	  /* in its file */
};

/* A template with all that it extends, for one source. Borrows from templates, in the arena. */
struct template_plan {
	const char *name;  /* of the template asked for, or of the source's own */
	const char *table; /* NULL: the customer's */
	struct template_line columns[TEMPLATE_COLUMNS_MAX + 16];
	size_t count;
	struct template_line later_note;
};

/* name NULL, or not there (*ret_missing): the source's own. */
void templates_plan(const struct templates *templates, const char *name, const char *source,
		    struct template_plan *ret_plan, bool *ret_missing);

/* The built-in one's plan for a source, whatever files there are. */
void templates_plan_builtin(const struct templates *templates, const char *source,
			    struct template_plan *ret_plan);

/* Compiles every expression of the template. False with err: permanent
 * ("templates/acme.json:7: columns.u_x: syntax error, unexpected '}'"), or transient when no
 * child could be started. */
bool template_compile(const struct template *template, const char *where, struct jq *jq,
		      struct err *err);

#endif
