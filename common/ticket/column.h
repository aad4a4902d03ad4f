#ifndef TICKET_COLUMN_H
#define TICKET_COLUMN_H

#include <jansson.h>

#include "model/customer.h"
#include "vendor/servicenow.h"

struct arena;

/* What ServiceNow's columns can hold, and texts made to fit. Results are in the arena. */

/* How an answer is compared: references and journals by name, all others as text. */
enum servicenow_column_kind column_kind(const char *name);

/* Text of a string, number or truth value; NULL for anything else, null too. */
const char *column_text(const json_t *value, struct arena *arena);

/* value as that column takes it: bounded, without controls, the short description on one line
 * with the customer's suffix. NULL: not sent. *ret_reason is set when it cannot be it. */
const char *column_fit(const char *name, const char *value, const struct customer *customer,
		       struct arena *arena, const char **ret_reason);

/* A work note of at most what ServiceNow shows well; tail is never cut. text may be NULL. */
const char *column_note(const char *text, const char *tail, struct arena *arena);

#endif
