#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include <stddef.h>

/* Levenshtein distance in bytes, for "did you mean"; names longer than NEAREST_NAME_MAX are
 * never near and give NEAREST_NAME_MAX. */
enum { NEAREST_NAME_MAX = 96 };

size_t nearest_distance(const char *a, const char *b);

/* The one of names (ended by NULL) that name was probably meant to be: at most a third of its
 * letters differ. NULL when there is none. */
const char *nearest_name(const char *const *names, const char *name);

#endif
