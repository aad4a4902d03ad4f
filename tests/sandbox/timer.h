#ifndef SANDBOX_TIMER_H
#define SANDBOX_TIMER_H

#include <stdbool.h>
#include <stdint.h>

/* One thread that calls functions when they are due; waiting costs no thread. */
struct timer;

struct timer *timer_new(void);
/* Every call still waiting is made at once, then the thread ends. Again: nothing. */
void timer_stop(struct timer *timer);
void timer_free(struct timer *timer); /* NULL is fine */

/* Calls fire(opaque) on the timer's thread after delay_ms. fire must be short. False when the
 * timer has been stopped: nothing will be called. */
bool timer_add(struct timer *timer, uint64_t delay_ms, void (*fire)(void *opaque),
	       void *opaque);

#endif
