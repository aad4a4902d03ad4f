#ifndef CLI_SECRET_H
#define CLI_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/*
 * Secrets on their way in: from files, from one JSON object on stdin, or typed without echo.
 * Never from argv and never from a plain environment variable. What is read is wiped when it is
 * released.
 */
enum { SECRET_MAX = 4096, SECRETS_MAX = 8 };

struct secrets {
	char *names[SECRETS_MAX]; /* "secure_endpoint" */
	char *values[SECRETS_MAX];
	size_t count;
};

void secrets_done(struct secrets *secrets); /* wipes; zeroed is fine */

/* "NAME=FILE"; FILE "-" is stdin. One line end at its end is cut. */
bool secrets_add_file(struct secrets *secrets, const char *assignment, struct err *err);
/* {"secure_endpoint": "...", ...} on stdin. */
bool secrets_add_stdin(struct secrets *secrets, struct err *err);
void secrets_add(struct secrets *secrets, const char *name, const char *value);

/* Asks on the terminal, twice when it is long-lived and typed blind; false with err when there
 * is no terminal to ask on: err then names the other ways. Adds it to secrets under name. */
bool secrets_prompt(struct secrets *secrets, const char *name, const char *question,
		    struct err *err);

#endif
