#ifndef BASE_FIELD_H
#define BASE_FIELD_H

#include <stddef.h>
#include <string.h>

/* A name and a value as Redis streams and hashes hold them: the currency between the bus, which
 * knows no meaning, and the model, which knows no Redis. Both strings are borrowed; value is
 * NUL-terminated and may hold NULs of its own. */
struct field {
	const char *name;
	const char *value;
	size_t size; /* of value */
};

static inline const struct field *field_find(const struct field *fields, size_t count,
					     const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(fields[i].name, name) == 0)
			return &fields[i];
	}
	return NULL;
}

static inline struct field field_text(const char *name, const char *value)
{
	return (struct field){ .name = name, .value = value, .size = strlen(value) };
}

#endif
