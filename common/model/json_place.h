#ifndef MODEL_JSON_PLACE_H
#define MODEL_JSON_PLACE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Where in a text a value stands: jansson does not tell, and a message without a line is read
 * by nobody. The text has been parsed before, so it is right JSON; commas and colons are taken
 * for blanks.
 */
struct json_place {
	const char *at, *end;
	const char *line_start;
	unsigned line; /* from 1 */
};

struct json_place json_place_start(const char *text, size_t size);
/* The first character of what comes next; '\0' at the end. */
char json_place_peek(struct json_place *place);
/* Past this character, if it comes next. */
bool json_place_take(struct json_place *place, char what);
/* Past a value of any kind. */
void json_place_skip(struct json_place *place);
/* Past a member's name; whether it is this one, which has no characters to be escaped. */
bool json_place_member(struct json_place *place, const char *name);

/* The line on which a value begins. path names the members from the root, ended by NULL; "#0",
 * "#1" ... are items of a list. 0 when there is no such value. */
unsigned json_place_line(const char *text, size_t size, const char *const *path);

#endif
