#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void err_fill(struct err *err, enum err_kind kind, const char *fmt, ...)
{
	/* The arguments may point into err->text itself. */
	char text[sizeof err->text];
	va_list args;

	if (!err)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	*err = (struct err){ .kind = kind };
	memcpy(err->text, text, sizeof text);
}

void err_prefix(struct err *err, const char *fmt, ...)
{
	char text[sizeof err->text];
	va_list args;

	if (!err)
		return;
	va_start(args, fmt);
	int size = vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	if (size < 0 || (size_t)size + 2 >= sizeof text)
		return; /* what was said first matters more than where */
	text[size++] = ':';
	text[size++] = ' ';
	memccpy(text + size, err->text, '\0', sizeof text - (size_t)size);
	text[sizeof text - 1] = '\0';
	memcpy(err->text, text, sizeof text);
}

const char *err_kind_name(enum err_kind kind)
{
	switch (kind) {
	case ERR_NONE:
		return "none";
	case ERR_TRANSIENT:
		return "transient";
	case ERR_PERMANENT:
		return "permanent";
	case ERR_ACCOUNT:
		return "account";
	case ERR_STOPPING:
		return "stopping";
	}
	return "unknown";
}
