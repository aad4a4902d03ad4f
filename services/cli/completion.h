#ifndef CLI_COMPLETION_H
#define CLI_COMPLETION_H

#include <stdbool.h>
#include <stdio.h>

#include "command.h"

/* Writes a completion script made of the table's rows. shell is "bash" or "zsh"; false for any
 * other. Ids of customers and accounts are completed from the files of TOCSIN_CONFIG_DIR. */
bool completion_print(const struct command *table, const char *shell, FILE *out);

#endif
