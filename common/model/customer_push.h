#ifndef MODEL_CUSTOMER_PUSH_H
#define MODEL_CUSTOMER_PUSH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "model/secret_pair.h"

struct form;

/* Member `push` of a customer's file: who may send us events of this customer, and which. */
struct customer_push_source {
	char *name; /* 1 to 32 of a-z 0-9 _ */
	char *id;   /* dotted path to an event's id in its JSON; NULL: the id is derived */
	char
	    *program; /* file below sources/, "wazuh.jq"; NULL: the one named like the source */
};

struct customer_push {
	bool given;		   /* false: nothing is accepted */
	struct secret_pair hmac;   /* sealed "whsec_..."; Standard Webhooks */
	struct secret_pair bearer; /* hashed */
	struct customer_push_source *sources;
	size_t source_count;
	unsigned events_per_minute; /* 0: the service's default */
};

enum { CUSTOMER_PUSH_SOURCES_MAX = 32 };

/* The places secrets are sealed and hashed for; the owner is the customer's id. */
#define CUSTOMER_PUSH_HMAC   "push.hmac"
#define CUSTOMER_PUSH_BEARER "push.bearer"

/* parent holds the optional member `push`. ret_push is zeroed, and to be cleared whether this
 * succeeds or not. */
bool customer_push_read(struct customer_push *ret_push, const struct form *parent,
			struct err *err);
/* NULL when nothing was given; the caller releases it. */
json_t *customer_push_write(const struct customer_push *push);
void customer_push_clear(struct customer_push *push);
const struct customer_push_source *customer_push_source(const struct customer_push *push,
							const char *name);

#endif
