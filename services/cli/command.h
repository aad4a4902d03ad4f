#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdbool.h>
#include <stdio.h>

struct cli;

/*
 * The table of commands. The same rows parse the command line, print help, the reference
 * (docs/cli.md) and the completion scripts, so that none of them can lie about another.
 */

struct command_option {
	const char *name;    /* without the dashes, "limit" */
	const char *metavar; /* what its value is, "N"; NULL: takes none */
	const char *help;    /* one line */
	bool many;	     /* may be given more than once */
	/* Where its value goes in a customer's or account's file, "accounts.servicenow.url";
	 * ending in # for a whole number, in [] for a list of them. NULL: nowhere. */
	const char *sets;
};

struct command {
	const char *name;     /* one or two words, "customer add" */
	const char *operands; /* as the usage line shows them, "ID"; NULL: none */
	unsigned operands_min;
	unsigned operands_max;
	const char *summary;		      /* one line, a verb in the third person */
	const char *details;		      /* paragraphs of the help; NULL: none */
	const struct command_option *options; /* ended by a zeroed row; NULL: none */
	int (*run)(struct cli *cli);	      /* returns an enum exit_code */
	bool bare; /* needs no settings: works although one is wrong */
};

/* Every command, in the order of the help; ended by a zeroed row (commands.c). */
extern const struct command commands[];
/* Options that every command takes; ended by a zeroed row. */
extern const struct command_option command_globals[];

/* The command that words start with, and how many words its name has; NULL when none does. */
const struct command *command_find(const struct command *table, int count, char *const *words,
				   int *ret_used);
/* The name closest to what was typed, NULL when nothing is near enough to be meant. */
const char *command_nearest(const struct command *table, const char *typed);
/* True when word is the first of commands with two words ("customer"). */
bool command_is_group(const struct command *table, const char *word);

/* Help: the overview, one command's, and all of it as Markdown. */
void command_print_overview(const struct command *table, FILE *out);
void command_print_help(const struct command *command, FILE *out);
/* The commands of a group, one line each. */
void command_print_group(const struct command *table, const char *word, FILE *out);
void command_print_markdown(const struct command *table, FILE *out);

#endif
