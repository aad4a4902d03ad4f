/* Finding commands, and the help that their rows make. */
#include "command.h"

#include <string.h>

#include "base/nearest.h"

enum { NAME_COLUMN = 34, OPTION_COLUMN = 28, COMMANDS_MAX = 128 };

/* How many of the words spell this name; 0 when they do not. */
static int matches(const char *name, int count, char *const *words)
{
	int used = 0;

	for (;;) {
		size_t size = strcspn(name, " ");
		if (used == count || strlen(words[used]) != size ||
		    strncmp(words[used], name, size) != 0)
			return 0;
		used++;
		if (name[size] == '\0')
			return used;
		name += size + 1;
	}
}

const struct command *command_find(const struct command *table, int count, char *const *words,
				   int *ret_used)
{
	for (const struct command *row = table; row->name; row++) {
		*ret_used = matches(row->name, count, words);
		if (*ret_used > 0)
			return row;
	}
	return NULL;
}

/* The first command of the group that word was probably meant to be. */
static const char *nearest_group(const struct command *table, const char *word)
{
	for (const struct command *row = table; row->name; row++) {
		char group[NEAREST_NAME_MAX];
		const char *const names[] = { group, NULL };

		snprintf(group, sizeof group, "%.*s", (int)strcspn(row->name, " "), row->name);
		if (nearest_name(names, word))
			return row->name;
	}
	return NULL;
}

const char *command_nearest(const struct command *table, const char *typed)
{
	const char *names[COMMANDS_MAX] = { 0 };
	size_t count = 0;

	for (const struct command *row = table; row->name && count + 1 < COMMANDS_MAX; row++)
		names[count++] = row->name;
	const char *nearest = nearest_name(names, typed);
	return nearest || strchr(typed, ' ') ? nearest : nearest_group(table, typed);
}

bool command_is_group(const struct command *table, const char *word)
{
	size_t size = strlen(word);

	for (const struct command *row = table; row->name; row++) {
		if (strncmp(row->name, word, size) == 0 && row->name[size] == ' ')
			return true;
	}
	return false;
}

/* ---- help ---- */

static void print_line(FILE *out, const char *left, int column, const char *right)
{
	int size = (int)strlen(left);

	if (size > column - 2)
		fprintf(out, "  %s\n  %*s%s\n", left, column, "", right);
	else
		fprintf(out, "  %-*s%s\n", column, left, right);
}

static void print_command(FILE *out, const struct command *row)
{
	char left[96];

	snprintf(left, sizeof left, "%s%s%s", row->name, row->operands ? " " : "",
		 row->operands ? row->operands : "");
	print_line(out, left, NAME_COLUMN, row->summary);
}

static void print_options(FILE *out, const struct command_option *options)
{
	char left[96];

	for (; options && options->name; options++) {
		snprintf(left, sizeof left, "--%s%s%s", options->name,
			 options->metavar ? " " : "", options->metavar ? options->metavar : "");
		print_line(out, left, OPTION_COLUMN, options->help);
	}
}

static const char exit_codes[][2][96] = {
	{ "0", "done" },
	{ "1", "failed or refused; nothing was changed" },
	{ "2", "usage: unknown command or option, wrong arguments, bad setting" },
	{ "3", "not found: customer, account, incident, event or entry" },
	{ "4",
	  "done, and what was found needs attention (status, verify, some files refused)" },
	{ "5", "Redis does not answer: try again" },
};

enum { EXIT_CODES = sizeof exit_codes / sizeof exit_codes[0] };

void command_print_overview(const struct command *table, FILE *out)
{
	fputs("usage: tocsin COMMAND [ARGUMENTS] [OPTIONS]\n\nCommands:\n", out);
	for (const struct command *row = table; row->name; row++)
		print_command(out, row);
	fputs("\nOptions of every command:\n", out);
	print_options(out, command_globals);
	fputs("\nExit status:\n", out);
	for (size_t i = 0; i < EXIT_CODES; i++)
		fprintf(out, "  %s  %s\n", exit_codes[i][0], exit_codes[i][1]);
	fputs("\ntocsin help COMMAND tells more. Settings come from the environment: "
	      "tocsin help settings.\n",
	      out);
}

void command_print_group(const struct command *table, const char *word, FILE *out)
{
	size_t size = strlen(word);

	for (const struct command *row = table; row->name; row++) {
		if (strncmp(row->name, word, size) == 0 && row->name[size] == ' ')
			print_command(out, row);
	}
}

void command_print_help(const struct command *command, FILE *out)
{
	fprintf(out, "usage: tocsin %s%s%s%s\n\n%s: %s\n", command->name,
		command->operands ? " " : "", command->operands ? command->operands : "",
		command->options ? " [OPTIONS]" : "", command->name, command->summary);
	if (command->details)
		fprintf(out, "\n%s\n", command->details);
	if (command->options) {
		fputs("\nOptions:\n", out);
		print_options(out, command->options);
	}
	fputs("\nOptions of every command:\n", out);
	print_options(out, command_globals);
}

/* ---- the reference ---- */

static void markdown_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			fputc('\\', out);
		fputc(*text, out);
	}
}

static void markdown_options(FILE *out, const struct command_option *options)
{
	fputs("\n| option | meaning |\n|---|---|\n", out);
	for (; options->name; options++) {
		fprintf(out, "| `--%s%s%s`%s | ", options->name, options->metavar ? " " : "",
			options->metavar ? options->metavar : "",
			options->many ? " (repeatable)" : "");
		markdown_text(out, options->help);
		fputs(" |\n", out);
	}
}

void command_print_markdown(const struct command *table, FILE *out)
{
	fputs("# The command-line client\n\n"
	      "Generated from the table of commands by `tocsin help --markdown`.\n\n"
	      "`tocsin COMMAND [ARGUMENTS] [OPTIONS]`. Every command takes:\n",
	      out);
	markdown_options(out, command_globals);
	fputs("\nWith `--json` exactly one JSON document is written to stdout, on failure "
	      "`{\"error\": text, \"exit\": status}`. Members are only ever added; times end "
	      "in `_ms` and are milliseconds since 1970 UTC. Errors are one line on stderr.\n"
	      "\n| exit status | means |\n|---|---|\n",
	      out);
	for (size_t i = 0; i < EXIT_CODES; i++)
		fprintf(out, "| %s | %s |\n", exit_codes[i][0], exit_codes[i][1]);
	fputs("\n| command | does |\n|---|---|\n", out);
	for (const struct command *row = table; row->name; row++) {
		fprintf(out, "| `%s%s%s` | ", row->name, row->operands ? " " : "",
			row->operands ? row->operands : "");
		markdown_text(out, row->summary);
		fputs(" |\n", out);
	}
	for (const struct command *row = table; row->name; row++) {
		if (!row->details && !row->options)
			continue;
		fprintf(out, "\n## tocsin %s%s%s\n\nIt %s.\n", row->name,
			row->operands ? " " : "", row->operands ? row->operands : "",
			row->summary);
		if (row->details)
			fprintf(out, "\n%s\n", row->details);
		if (row->options)
			markdown_options(out, row->options);
	}
}
