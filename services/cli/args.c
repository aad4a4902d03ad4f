/* The command line of one command, by its row of the table. */
#include "args.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"

static const struct command_option *find_in(const struct command_option *options,
					    const char *name, size_t size)
{
	for (; options && options->name; options++) {
		if (strlen(options->name) == size && strncmp(options->name, name, size) == 0)
			return options;
	}
	return NULL;
}

/* Adds the names of options to names, which stays ended by NULL. */
static void list_names(const char **names, size_t room, const struct command_option *options)
{
	size_t count = 0;

	while (names[count])
		count++;
	for (; options && options->name && count + 1 < room; options++)
		names[count++] = options->name;
}

bool args_looks_secret(const char *name)
{
	static const char *const words[] = { "secret",	   "password",	 "passwd",
					     "passphrase", "credential", "apikey",
					     "api-key",	   "api_key",	 "token" };

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strcasestr(name, words[i]))
			return true;
	}
	size_t size = strlen(name);
	return strcasecmp(name, "key") == 0 || strcasecmp(name, "pw") == 0 ||
	       strcasecmp(name, "pass") == 0 ||
	       (size > 4 && (strcasecmp(name + size - 4, "-key") == 0 ||
			     strcasecmp(name + size - 4, "_key") == 0));
}

/* The kernel shows argv to everyone: what should not have been there goes as soon as we can. */
static void wipe(char *text)
{
	for (; *text; text++)
		*text = 'x';
}

static bool unknown_option(const struct command *command, const char *name, char *inline_value,
			   char *next, struct err *err)
{
	const char *names[ARGS_MAX] = { 0 };

	if (args_looks_secret(name)) {
		if (inline_value)
			wipe(inline_value);
		else if (next && next[0] != '-')
			wipe(next);
		return err_set(err, ERR_PERMANENT,
			       "--%s: a secret on the command line can be read by every user "
			       "(ps) and stays in the shell's history: leave it out to be "
			       "asked, or give --secret-file NAME=FILE",
			       name);
	}
	list_names(names, ARGS_MAX, command->options);
	list_names(names, ARGS_MAX, command_globals);
	const char *nearest = nearest_name(names, name);
	if (nearest)
		return err_set(err, ERR_PERMANENT, "unknown option --%s: did you mean --%s?",
			       name, nearest);
	return err_set(err, ERR_PERMANENT, "unknown option --%s: see tocsin help %s", name,
		       command->name);
}

static bool add_option(struct args *args, const struct command_option *option,
		       const char *value, struct err *err)
{
	if (!option->many && args_flag(args, option->name))
		return err_set(err, ERR_PERMANENT, "--%s was given twice", option->name);
	if (args->option_count == ARGS_MAX)
		return err_set(err, ERR_PERMANENT, "more than %d options", ARGS_MAX);
	args->options[args->option_count++] = (struct arg){ option, value };
	return true;
}

/* word is "--name" or "--name=value". ret_used is set to the number of words it took. */
static bool parse_option(struct args *args, const struct command *command, char *word,
			 char *next, int *ret_used, struct err *err)
{
	char *equals = strchr(word, '=');
	const char *name = word + 2;
	size_t size = equals ? (size_t)(equals - name) : strlen(name);
	const struct command_option *option = find_in(command->options, name, size);

	*ret_used = 1;
	if (!option)
		option = find_in(command_globals, name, size);
	if (!option) {
		char plain[NEAREST_NAME_MAX];
		snprintf(plain, sizeof plain, "%.*s", (int)size, name);
		return unknown_option(command, plain, equals ? equals + 1 : NULL, next, err);
	}
	if (!option->metavar) {
		if (equals)
			return err_set(err, ERR_PERMANENT, "--%s takes no value", option->name);
		return add_option(args, option, NULL, err);
	}
	if (equals)
		return add_option(args, option, equals + 1, err);
	if (!next)
		return err_set(err, ERR_PERMANENT, "--%s needs a value: --%s %s", option->name,
			       option->name, option->metavar);
	*ret_used = 2;
	return add_option(args, option, next, err);
}

static bool check_operands(const struct args *args, const struct command *command,
			   struct err *err)
{
	if (args->operand_count < command->operands_min)
		return err_set(err, ERR_PERMANENT, "usage: tocsin %s%s%s", command->name,
			       command->operands ? " " : "",
			       command->operands ? command->operands : "");
	if (args->operand_count > command->operands_max)
		return err_set(err, ERR_PERMANENT,
			       "'%s' is one argument too many: usage: "
			       "tocsin %s%s%s",
			       args->operands[command->operands_max], command->name,
			       command->operands ? " " : "",
			       command->operands ? command->operands : "");
	return true;
}

bool args_parse(struct args *ret_args, const struct command *command, int count, char **words,
		struct err *err)
{
	bool options_end = false;

	memset(ret_args, 0, sizeof *ret_args);
	for (int i = 0; i < count;) {
		int used = 1;

		if (!options_end && strcmp(words[i], "--") == 0) {
			options_end = true;
		} else if (!options_end && strcmp(words[i], "-h") == 0) {
			if (!add_option(ret_args, find_in(command_globals, "help", 4), NULL,
					err))
				return false;
		} else if (!options_end && strncmp(words[i], "--", 2) == 0) {
			if (!parse_option(ret_args, command, words[i],
					  i + 1 < count ? words[i + 1] : NULL, &used, err))
				return false;
		} else if (!options_end && words[i][0] == '-' && words[i][1] != '\0') {
			return err_set(err, ERR_PERMANENT,
				       "unknown option %s: options have two dashes", words[i]);
		} else if (ret_args->operand_count == ARGS_MAX) {
			return err_set(err, ERR_PERMANENT, "more than %d arguments", ARGS_MAX);
		} else {
			ret_args->operands[ret_args->operand_count++] = words[i];
		}
		i += used;
	}
	return args_flag(ret_args, "help") || check_operands(ret_args, command, err);
}

bool args_flag(const struct args *args, const char *name)
{
	for (size_t i = 0; i < args->option_count; i++) {
		if (strcmp(args->options[i].option->name, name) == 0)
			return true;
	}
	return false;
}

const char *args_value(const struct args *args, const char *name)
{
	const char *value = NULL;

	for (size_t i = 0; i < args->option_count; i++) {
		if (strcmp(args->options[i].option->name, name) == 0)
			value = args->options[i].value;
	}
	return value;
}

const char *args_each(const struct args *args, const char *name, size_t index)
{
	for (size_t i = 0; i < args->option_count; i++) {
		if (strcmp(args->options[i].option->name, name) == 0 && index-- == 0)
			return args->options[i].value;
	}
	return NULL;
}

const char *args_operand(const struct args *args, size_t index)
{
	return index < args->operand_count ? args->operands[index] : NULL;
}

bool args_number(const struct args *args, const char *name, uint64_t min, uint64_t max,
		 uint64_t fallback, uint64_t *ret_number, struct err *err)
{
	const char *text = args_value(args, name);
	char *end;

	*ret_number = fallback;
	if (!text)
		return true;
	errno = 0;
	unsigned long long number = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || *end || errno || number < min || number > max)
		return err_set(err, ERR_PERMANENT,
			       "--%s %s: give a number from %" PRIu64 " to %" PRIu64, name,
			       text, min, max);
	*ret_number = number;
	return true;
}
