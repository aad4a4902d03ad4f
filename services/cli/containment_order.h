#ifndef CLI_CONTAINMENT_ORDER_H
#define CLI_CONTAINMENT_ORDER_H

#include <stdbool.h>

#include "base/err.h"

struct cli;
struct redis;

/* An operator's word, signed with the link key: all hosts of the customer are let go. It is
 * said, not done, on return. */
bool containment_release_customer(struct cli *cli, struct redis *redis, const char *customer,
				  struct err *err);

#endif
