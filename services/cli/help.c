/* tocsin help, tocsin completion. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "completion.h"
#include "run.h"

static void print_settings(void)
{
	puts(
	    "Settings are read from the environment; a secret NAME may also come from the file "
	    "that NAME_FILE names.\n");
	conf_print_help(cli_options, stdout);
	conf_print_help(bus_options, stdout);
	conf_print_help(vendor_options, stdout);
}

static json_t *describe(const struct command *row)
{
	json_t *options = json_array();

	for (const struct command_option *o = row->options; o && o->name; o++)
		json_array_append_new(options, json_pack("{s:s,s:s?,s:s,s:b}", "name", o->name,
							 "value", o->metavar, "help", o->help,
							 "repeatable", o->many));
	return json_pack("{s:s,s:s?,s:s,s:s?,s:o}", "name", row->name, "operands",
			 row->operands, "summary", row->summary, "details", row->details,
			 "options", options);
}

static int print_json(struct cli *cli)
{
	json_t *list = json_array();

	for (const struct command *row = commands; row->name; row++)
		json_array_append_new(list, describe(row));
	return cli_print(cli, json_pack("{s:o}", "commands", list), NULL, EXIT_OK);
}

int run_help(struct cli *cli)
{
	const char *first = args_operand(&cli->args, 0);
	char *words[2] = { (char *)(uintptr_t)first,
			   (char *)(uintptr_t)args_operand(&cli->args, 1) };
	int used;

	if (args_flag(&cli->args, "markdown") && cli->json)
		return cli_failf(cli, EXIT_USAGE, "--markdown is no JSON: give one of the two");
	if (args_flag(&cli->args, "markdown")) {
		command_print_markdown(commands, stdout);
		return EXIT_OK;
	}
	if (cli->json)
		return print_json(cli);
	if (!first) {
		command_print_overview(commands, stdout);
		return EXIT_OK;
	}
	if (strcmp(first, "settings") == 0) {
		print_settings();
		return EXIT_OK;
	}
	const struct command *row =
	    command_find(commands, (int)cli->args.operand_count, words, &used);
	if (row)
		command_print_help(row, stdout);
	else if (command_is_group(commands, first))
		command_print_group(commands, first, stdout);
	else
		return cli_failf(cli, EXIT_USAGE, "there is no command '%s': see tocsin help",
				 first);
	return EXIT_OK;
}

int run_completion(struct cli *cli)
{
	const char *shell = args_operand(&cli->args, 0);
	char *script = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&script, &size);

	bool known = completion_print(commands, shell, out);
	fclose(out);
	int code = EXIT_OK;
	if (!known)
		code = cli_failf(cli, EXIT_USAGE,
				 "'%s' is not a shell that is known: bash, zsh", shell);
	else if (cli->json)
		code = cli_print(cli, json_pack("{s:s,s:s}", "shell", shell, "script", script),
				 NULL, EXIT_OK);
	else
		fputs(script, stdout);
	free(script);
	return code;
}
