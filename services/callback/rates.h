#ifndef CALLBACK_RATES_H
#define CALLBACK_RATES_H

#include <stdbool.h>
#include <stdint.h>

/* How much each customer may still push: a minute's worth at once, refilled evenly. Of this
 * process alone. Thread-safe. */
struct rates;

struct rates *rates_new(void);
void rates_free(struct rates *rates); /* NULL is fine */

/* Takes count of what customer (one that exists) may push. What exceeds it is taken too, once,
 * as a debt: a request is never too large to be ever accepted. False when there is nothing
 * left, with when there will be. */
bool rates_take(struct rates *rates, const char *customer, unsigned per_minute, unsigned count,
		uint64_t *ret_retry_after_ms);

#endif
