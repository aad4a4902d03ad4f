#ifndef MODEL_JSON_PLACE_H
#define MODEL_JSON_PLACE_H

#include <stddef.h>

/* The line, from 1, on which a value begins in a JSON text that has been parsed before: jansson
 * does not tell, and a message without a line is read by nobody. path names the members from
 * the root, ended by NULL; "#0", "#1" ... are items of a list. 0 when there is no such value.
 */
unsigned json_place(const char *text, size_t size, const char *const *path);

#endif
