#ifndef CALLBACK_THROTTLE_H
#define CALLBACK_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * How often strangers may try: buckets that fill again with time. There is a fixed number of
 * them, chosen by a keyed hash, so that no flood of names takes memory; who shares one with a
 * culprit waits with it. Of this process alone. Thread-safe.
 */
struct throttle_rule {
	const char *name;
	unsigned burst;	    /* tries at once */
	uint64_t refill_ms; /* until there is one more */
};

struct throttle;

struct throttle *throttle_new(void);
void throttle_free(struct throttle *throttle); /* NULL is fine */

/* False when no try is left, with how long until there is one. Nothing is taken. */
bool throttle_allows(struct throttle *throttle, const struct throttle_rule *rule,
		     const char *key, uint64_t *ret_wait_ms);
/* The same, and takes one when there is one. */
bool throttle_take(struct throttle *throttle, const struct throttle_rule *rule, const char *key,
		   uint64_t *ret_wait_ms);

#endif
