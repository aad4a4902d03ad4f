/* Secrets from files, stdin and the keyboard. */
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/conf.h"
#include "base/log.h"
#include "model/vault.h"

enum { STDIN_MAX = 64 * 1024 };

void secrets_done(struct secrets *secrets)
{
	for (size_t i = 0; i < secrets->count; i++) {
		free(secrets->names[i]);
		vault_wipe(secrets->values[i]);
	}
	memset(secrets, 0, sizeof *secrets);
}

void secrets_add(struct secrets *secrets, const char *name, const char *value)
{
	if (secrets->count == SECRETS_MAX)
		return;
	log_mask(value);
	secrets->names[secrets->count] = xstrdup(name);
	secrets->values[secrets->count] = xstrdup(value);
	secrets->count++;
}

static const char *find(const struct secrets *secrets, const char *name)
{
	for (size_t i = 0; i < secrets->count; i++) {
		if (strcmp(secrets->names[i], name) == 0)
			return secrets->values[i];
	}
	return NULL;
}

static bool check(const char *name, const char *value, struct err *err)
{
	if (value[0] == '\0')
		return err_set(err, ERR_PERMANENT, "secret %s is empty", name);
	if (strlen(value) > SECRET_MAX)
		return err_set(err, ERR_PERMANENT, "secret %s is longer than %d bytes", name,
			       SECRET_MAX);
	if (strpbrk(value, "\r\n"))
		return err_set(err, ERR_PERMANENT,
			       "secret %s has more than one line: give only the secret", name);
	return true;
}

/* ---- files and stdin ---- */

static char *read_stdin(size_t max, struct err *err)
{
	char *text = xcalloc(1, max + 2);
	size_t size = fread(text, 1, max + 1, stdin);

	if (size > 0 && size <= max && !ferror(stdin)) {
		if (text[size - 1] == '\n')
			text[--size] = '\0';
		return text;
	}
	err_fill(err, ERR_PERMANENT, "stdin: %s",
		 size > max ? "is too long for a secret" : "is empty");
	vault_wipe(text);
	return NULL;
}

bool secrets_add_file(struct secrets *secrets, const char *assignment, struct err *err)
{
	const char *equals = strchr(assignment, '=');
	char name[64];

	if (!equals || equals == assignment || equals[1] == '\0')
		return err_set(err, ERR_PERMANENT,
			       "--secret-file: write NAME=FILE, for example "
			       "servicenow=/run/secrets/acme");
	snprintf(name, sizeof name, "%.*s", (int)(equals - assignment), assignment);
	if (find(secrets, name))
		return err_set(err, ERR_PERMANENT, "secret %s was given twice", name);
	char *text = strcmp(equals + 1, "-") == 0 ? read_stdin(SECRET_MAX, err)
						  : conf_read_file(equals + 1, SECRET_MAX, err);
	if (!text)
		return false;
	bool good = check(name, text, err);
	if (good)
		secrets_add(secrets, name, text);
	vault_wipe(text);
	return good;
}

bool secrets_add_stdin(struct secrets *secrets, struct err *err)
{
	char *text = read_stdin(STDIN_MAX, err);
	json_error_t where;
	const char *name;
	json_t *value;

	if (!text)
		return false;
	json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, &where);
	vault_wipe(text);
	if (!json_is_object(object)) {
		json_decref(object);
		return err_set(err, ERR_PERMANENT,
			       "stdin: line %d: give one JSON object, for example "
			       "{\"servicenow\": \"...\"}",
			       object ? 1 : where.line);
	}
	json_object_foreach(object, name, value)
	{
		bool good = json_is_string(value) ? check(name, json_string_value(value), err)
						  : err_set(err, ERR_PERMANENT,
							    "stdin: %s: is not a string", name);
		if (good && find(secrets, name))
			good = err_set(err, ERR_PERMANENT, "secret %s was given twice", name);
		if (!good) {
			json_decref(object);
			return false;
		}
		secrets_add(secrets, name, json_string_value(value));
	}
	json_decref(object);
	return true;
}

/* ---- the keyboard ---- */

enum { CTRL_C = 3, CTRL_D = 4, BACKSPACE = 8, CTRL_U = 21, DELETE = 127 };

/* The keys that a line of typing needs; false when the person gave up. */
static bool read_keys(int terminal, char *line, size_t room)
{
	size_t size = 0;
	char c;

	while (read(terminal, &c, 1) == 1 && c != CTRL_C && c != CTRL_D) {
		if (c == '\n' || c == '\r') {
			line[size] = '\0';
			return true;
		}
		if (c == BACKSPACE || c == DELETE)
			size -= size > 0;
		else if (c == CTRL_U)
			size = 0;
		else if (size + 1 < room)
			line[size++] = c;
	}
	return false;
}

/* One line without echo. Key by key, so that Ctrl-C comes as one, and no signal can end us
 * while the terminal is mute. */
static bool read_blind(int terminal, const char *question, char *line, size_t room)
{
	struct termios before, mute;
	sigset_t stop, old;

	if (tcgetattr(terminal, &before) < 0)
		return false;
	sigemptyset(&stop);
	sigaddset(&stop, SIGTSTP);
	sigaddset(&stop, SIGTERM);
	sigprocmask(SIG_BLOCK, &stop, &old);
	mute = before;
	mute.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL | ISIG | ICANON);
	mute.c_cc[VMIN] = 1;
	mute.c_cc[VTIME] = 0;
	tcsetattr(terminal, TCSAFLUSH, &mute);
	dprintf(terminal, "%s: ", question);
	bool complete = read_keys(terminal, line, room);
	tcsetattr(terminal, TCSAFLUSH, &before);
	dprintf(terminal, "\n");
	sigprocmask(SIG_SETMASK, &old, NULL);
	return complete;
}

bool secrets_prompt(struct secrets *secrets, const char *name, const char *question,
		    struct err *err)
{
	char line[SECRET_MAX + 2] = "";
	int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC);

	if (terminal < 0)
		return err_set(err, ERR_PERMANENT,
			       "secret %s is missing and there is no terminal to ask on: give "
			       "--secret-file %s=FILE or --secrets-stdin",
			       name, name);
	bool good = read_blind(terminal, question, line, sizeof line) ||
		    err_set(err, ERR_PERMANENT, "secret %s was not given", name);
	close(terminal);
	good = good && check(name, line, err);
	if (good)
		secrets_add(secrets, name, line);
	explicit_bzero(line, sizeof line);
	return good;
}
