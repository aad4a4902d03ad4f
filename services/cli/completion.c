/*
 * Completion scripts. Both shells get the same function over two lists, the commands by first
 * word and the options by command; zsh runs it through its bashcompinit.
 */
#include "completion.h"

#include <string.h>

static void print_words(const struct command *table, FILE *out)
{
	const char *last = "";
	size_t last_size = 0;

	for (const struct command *row = table; row->name; row++) {
		size_t size = strcspn(row->name, " ");

		if (size == last_size && strncmp(row->name, last, size) == 0)
			continue;
		fprintf(out, "%s%.*s", last_size ? " " : "", (int)size, row->name);
		last = row->name;
		last_size = size;
	}
}

static void print_seconds(const struct command *table, FILE *out)
{
	const char *last = "";
	size_t last_size = 0;

	for (const struct command *row = table; row->name; row++) {
		size_t size = strcspn(row->name, " ");

		if (row->name[size] == '\0')
			continue;
		if (size != last_size || strncmp(row->name, last, size) != 0)
			fprintf(out, "%s\t%.*s) words=\"%s", last_size ? "\" ;;\n" : "",
				(int)size, row->name, row->name + size + 1);
		else
			fprintf(out, " %s", row->name + size + 1);
		last = row->name;
		last_size = size;
	}
	if (last_size)
		fputs("\" ;;\n", out);
}

static void print_options(const struct command *table, FILE *out)
{
	for (const struct command *row = table; row->name; row++) {
		fprintf(out, "\t'%s') options=\"", row->name);
		for (const struct command_option *o = row->options; o && o->name; o++)
			fprintf(out, "--%s ", o->name);
		for (const struct command_option *o = command_globals; o->name; o++)
			fprintf(out, "--%s%s", o->name, o[1].name ? " " : "");
		fputs("\" ;;\n", out);
	}
}

static const char ids[] = "_tocsin_ids()\n"
			  "{\n"
			  "\tlocal file dir=\"${TOCSIN_CONFIG_DIR:-/etc/tocsin}/$1\"\n"
			  "\tfor file in \"$dir\"/*.json; do\n"
			  "\t\t[ -e \"$file\" ] || continue\n"
			  "\t\tfile=\"${file##*/}\"\n"
			  "\t\tprintf '%s ' \"${file%.json}\"\n"
			  "\tdone\n"
			  "}\n\n";

bool completion_print(const struct command *table, const char *shell, FILE *out)
{
	bool zsh = strcmp(shell, "zsh") == 0;

	if (!zsh && strcmp(shell, "bash") != 0)
		return false;
	if (zsh)
		fputs("#compdef tocsin\n"
		      "autoload -U +X bashcompinit && bashcompinit\n\n",
		      out);
	fprintf(out,
		"# tocsin: completion for %s. Load it with: eval \"$(tocsin completion %s)\"\n",
		shell, shell);
	fputs(ids, out);
	fputs("_tocsin()\n{\n"
	      "\tlocal word=\"${COMP_WORDS[COMP_CWORD]}\" first=\"${COMP_WORDS[1]}\" "
	      "words=\"\" options=\"\" command\n"
	      "\tCOMPREPLY=()\n"
	      "\tcase \"$first\" in\n",
	      out);
	print_seconds(table, out);
	fputs("\tesac\n"
	      "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n"
	      "\t\tCOMPREPLY=($(compgen -W \"",
	      out);
	print_words(table, out);
	fputs("\" -- \"$word\"))\n"
	      "\t\treturn\n"
	      "\tfi\n"
	      "\tif [ \"$COMP_CWORD\" -eq 2 ] && [ -n \"$words\" ]; then\n"
	      "\t\tCOMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
	      "\t\treturn\n"
	      "\tfi\n"
	      "\tcommand=\"$first${words:+ ${COMP_WORDS[2]}}\"\n"
	      "\tcase \"$command\" in\n",
	      out);
	print_options(table, out);
	fputs("\tesac\n"
	      "\tcase \"$word,$first\" in\n"
	      "\t-*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
	      "\t*,customer) COMPREPLY=($(compgen -W \"$(_tocsin_ids customers)\" -- "
	      "\"$word\")) ;;\n"
	      "\t*,account) COMPREPLY=($(compgen -W \"$(_tocsin_ids accounts)\" -- \"$word\")) "
	      ";;\n"
	      "\t*) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"
	      "\tesac\n"
	      "}\n\n"
	      "complete -F _tocsin tocsin\n",
	      out);
	return true;
}
