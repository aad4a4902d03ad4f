#ifndef SANDBOX_SECURE_ENDPOINT_H
#define SANDBOX_SECURE_ENDPOINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct account;
struct err;

extern const struct vendor secure_endpoint_vendor;

/* All of these lock the account themselves. */

/* Adds event objects as they are, in the order given. False with err when one is not usable;
 * nothing is added then. */
bool secure_endpoint_add_events(struct account *account, const json_t *events, struct err *err);
/* {"events": [{"id", "event_type_id", "visible_ms", ...}]} of those that became visible after
 * since_ms. */
json_t *secure_endpoint_seen(struct account *account, uint64_t since_ms, bool full);
/* A computer of the account, by turns; NULL when there is none. New reference. */
json_t *secure_endpoint_computer(struct account *account, size_t turn);
/* Adds a computer object; false with err when it has no connector_guid or hostname. */
bool secure_endpoint_add_computer(struct account *account, const json_t *computer,
				  struct err *err);

/* Rows {name, state, group, system, by, comment} for the page; the account is locked. */
json_t *secure_endpoint_machines(struct account *account);

#endif
