#ifndef MODEL_PIN_H
#define MODEL_PIN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct customer;

/* The customers that a collector is there for alone (TOCSIN_CUSTOMERS,
 * TOCSIN_COLLECTOR_LABEL), and how it says so to the others: its announcement is the text of
 * tocsin:{p0}:collector:<name>. */
struct pin {
	char **customers; /* ids; owned */
	size_t customer_count;
	char *label; /* NULL for none; owned */
};

/* customers is a comma-separated list of ids, or NULL; label a customer label, or NULL. Error
 * (permanent) naming a malformed id. */
bool pin_init(struct pin *pin, const char *customers, const char *label, struct err *err);
void pin_done(struct pin *pin); /* zeroed is fine */
bool pin_is_set(const struct pin *pin);
bool pin_matches(const struct pin *pin, const struct customer *customer);

/* The announcement, "label=<label> customers=<id>,<id>" or "" when not pinned. Caller frees. */
char *pin_encode(const struct pin *pin);
/* What cannot be read counts as not pinned: a newer replica's announcement must not stop an
 * older one. */
void pin_decode(struct pin *ret_pin, const char *text);

#endif
