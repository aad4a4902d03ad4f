#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "command.h"

/*
 * One command's words, sorted into options and operands by its row of the table. Options may
 * stand anywhere, as "--name value" or "--name=value"; "--" ends them. A secret is never taken
 * from the command line, where every user of the machine can read it: an option that looks like
 * one is refused with what to do instead, and its value is overwritten in argv.
 */

enum { ARGS_MAX = 256 };

struct arg {
	const struct command_option *option;
	const char *value; /* borrowed from argv; NULL for a flag */
};

struct args {
	struct arg options[ARGS_MAX];
	size_t option_count;
	const char *operands[ARGS_MAX]; /* borrowed from argv */
	size_t operand_count;
};

/* words are what follows the command's name; they are only written to when they hold a secret.
 * On failure err is one line that names the word. */
bool args_parse(struct args *ret_args, const struct command *command, int count, char **words,
		struct err *err);

/* The value of an option, NULL when it was not given. For one that may be repeated: the last.
 */
const char *args_value(const struct args *args, const char *name);
bool args_flag(const struct args *args, const char *name);
/* The index-th value of a repeatable option, NULL after the last. */
const char *args_each(const struct args *args, const char *name, size_t index);
/* The index-th operand, NULL when there are fewer. */
const char *args_operand(const struct args *args, size_t index);

/* A number between min and max; fallback when the option was not given. */
bool args_number(const struct args *args, const char *name, uint64_t min, uint64_t max,
		 uint64_t fallback, uint64_t *ret_number, struct err *err);

/* True for names such as "password", "api-key", "client_secret". */
bool args_looks_secret(const char *name);

#endif
