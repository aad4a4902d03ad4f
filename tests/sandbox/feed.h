#ifndef SANDBOX_FEED_H
#define SANDBOX_FEED_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct account;
struct err;

/* Makes the number-th event of an account of Umbrella or Defender, now: the templates in turn,
 * each time with a time and, of an alert, an id of its own. False with err when one is none. */
bool feed_add(struct account *account, const json_t *templates, uint64_t number,
	      struct err *err);

#endif
