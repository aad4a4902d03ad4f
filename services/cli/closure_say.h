#ifndef CLI_CLOSURE_SAY_H
#define CLI_CLOSURE_SAY_H

#include <stdbool.h>

#include "base/err.h"

struct arena;
struct closure;
struct redis;

/* Who says it, for the timeline: "jdoe@host". The name in the environment proves nothing; who
 * may use the operator's password does. */
const char *closure_actor(struct arena *arena);

/* Appends it to the stream `orders` of the partition, as said here and now. */
bool closure_say(struct redis *redis, unsigned partition, struct closure *closure,
		 struct err *err);

#endif
