#ifndef CALLBACK_URLFORM_H
#define CALLBACK_URLFORM_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

/* A body of application/x-www-form-urlencoded, as browsers and OAuth clients send it. */
enum { URLFORM_FIELDS_MAX = 16 };

struct urlform {
	size_t count;
	struct {
		const char *name, *value; /* decoded, in the arena */
	} fields[URLFORM_FIELDS_MAX];
};

/* False when it has too many fields, a name twice, a broken escape or a NUL. */
bool urlform_parse(struct urlform *ret_form, const char *text, size_t size,
		   struct arena *arena);
const char *urlform_value(const struct urlform *form, const char *name); /* NULL when absent */

/* Decodes %XX, and "+" as a blank when plus. NULL on a broken escape or a NUL. */
const char *urlform_decode(const char *text, size_t size, bool plus, struct arena *arena);

#endif
