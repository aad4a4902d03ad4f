/*
 * tocsin: the command-line client. Finds the command's row in the table (commands.c), sorts its
 * arguments (args.c), reads the settings (cli.c) and runs it. A command group has the files
 * that begin with its name; setup --watch is setup.c, which plans (plan.c) and keeps (keeper.c)
 * what the files say.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/log.h"
#include "cli.h"
#include "service/service.h"

static int no_such_command(struct cli *cli, int count, char **words)
{
	char typed[96];

	if (command_is_group(commands, words[0]) && count == 1)
		return cli_failf(cli, EXIT_USAGE, "%s what? See: tocsin help %s", words[0],
				 words[0]);
	snprintf(typed, sizeof typed, "%s%s%s", words[0], count > 1 ? " " : "",
		 count > 1 ? words[1] : "");
	const char *nearest = command_nearest(commands, typed);
	if (!nearest)
		nearest = command_nearest(commands, words[0]);
	if (!command_is_group(commands, words[0]))
		snprintf(typed, sizeof typed, "%s", words[0]);
	if (nearest)
		return cli_failf(cli, EXIT_USAGE, "unknown command '%s': did you mean '%s'?",
				 typed, nearest);
	return cli_failf(cli, EXIT_USAGE, "unknown command '%s': see tocsin help", typed);
}

static int run(struct cli *cli, int count, char **words)
{
	struct err err = { 0 };
	int used;
	const struct command *command = command_find(commands, count, words, &used);

	if (!command)
		return no_such_command(cli, count, words);
	cli->command = command;
	if (!args_parse(&cli->args, command, count - used, words + used, &err))
		return cli_fail(cli, EXIT_USAGE, &err);
	cli->json = cli->json || args_flag(&cli->args, "json");
	if (args_flag(&cli->args, "help")) {
		command_print_help(command, stdout);
		return EXIT_OK;
	}
	if (!command->bare && !cli_load(cli, &err))
		return cli_fail(cli, EXIT_USAGE, &err);
	return command->run(cli);
}

/* Secrets pass through this process: it leaves no core behind, and a closed pipe is an error to
 * be told, not a signal. */
static void prepare(void)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	signal(SIGPIPE, SIG_IGN);
	log_setup("cli", LOG_LEVEL_ERROR);
}

int main(int argc, char **argv)
{
	struct cli cli = { .argc = argc, .argv = argv };
	int first = 1;

	prepare();
	screen_init(&cli.screen);
	while (first < argc && strcmp(argv[first], "--json") == 0) {
		cli.json = true;
		first++;
	}
	if (first == argc) {
		command_print_overview(commands, stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[first], "--help") == 0 || strcmp(argv[first], "-h") == 0) {
		command_print_overview(commands, stdout);
		return EXIT_OK;
	}
	if (strcmp(argv[first], "--version") == 0) {
		puts("tocsin " SERVICE_VERSION);
		return EXIT_OK;
	}
	int code = run(&cli, argc - first, argv + first);
	cli_done(&cli);
	return code;
}
