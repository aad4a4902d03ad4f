#ifndef MODEL_PROGRAM_SET_H
#define MODEL_PROGRAM_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The texts that operators wrote for services, by name: `rules`, `template:<name>`,
 * `source:<name>`, `source:<customer>/<name>`. What a text means is known to those who write
 * and read it. This is the hash `tocsin:programs`, or the files it is made of.
 */
struct program_set;

enum { PROGRAM_SET_NAME_MAX = 96, PROGRAM_SET_TEXT_MAX = 1 << 20, PROGRAM_SET_MAX = 1000 };

struct program_set_item {
	const char *name;
	const char *text; /* NUL-terminated */
	size_t size;
};

struct program_set *program_set_new(void);
void program_set_free(struct program_set *set); /* NULL is fine */

/* Copies; replaces one of the same name. False when one of the bounds above is passed. */
bool program_set_add(struct program_set *set, const char *name, const char *text, size_t size);

/* NULL when there is none. */
const struct program_set_item *program_set_find(const struct program_set *set,
						const char *name);
size_t program_set_count(const struct program_set *set);
const struct program_set_item *program_set_at(const struct program_set *set, size_t index);

#endif
