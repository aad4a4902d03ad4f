#ifndef CLI_DRAFT_H
#define CLI_DRAFT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "secret.h"
#include "store.h"

struct vault;

/*
 * A customer's or account's file in the making: JSON of the form that model/customer.h reads,
 * except that secrets may be missing or not sealed yet. Secrets go by the vendor's name
 * ("servicenow"), in a customer's file and in an account's.
 */

/* Puts value at path, "accounts.servicenow.url"; "...#" takes a whole number, "...[]" a list of
 * them with commas. what names it in err ("--event-types", "line 3: event_types"). */
bool draft_set(json_t *draft, const char *path, const char *value, const char *what,
	       struct err *err);
/* A customer who has own credentials for a source or target uses them, unless the draft says
 * something about that section already. */
void draft_complete(json_t *draft);

/* Vendors whose credentials in this draft have no secret; at most SECRETS_MAX. Returns how
 * many. Names are static. */
size_t draft_missing(const json_t *draft, enum store_kind kind, const char **ret_vendors);
/* Takes over the sealed secrets of an older file for credentials that are otherwise the same
 * and have none of their own. */
void draft_keep_secrets(json_t *draft, const json_t *older, enum store_kind kind);
/* Leaves out the secret of one vendor's credentials; the day it ends on becomes that of the
 * next one, "2027-01-31", NULL for none. False when the draft has none of that vendor. */
bool draft_forget_secret(json_t *draft, enum store_kind kind, const char *vendor,
			 const char *expires);
/* Puts the given secrets in; one that the draft has no credentials for is an error. */
bool draft_add_secrets(json_t *draft, enum store_kind kind, const struct secrets *secrets,
		       struct err *err);
/* Seals every secret that is not sealed; plain ones are overwritten in memory. */
bool draft_seal(json_t *draft, enum store_kind kind, const struct vault *vault,
		struct err *err);
/* False when a sealed secret that the older file (or NULL) does not have cannot be opened here:
 * it was sealed for another customer or account, or under a key that is not in the file. */
bool draft_opens(const json_t *draft, const json_t *older, enum store_kind kind,
		 const struct vault *vault, struct err *err);
/* True when draft_opens() has anything to open. */
bool draft_has_new_seal(const json_t *draft, const json_t *older, enum store_kind kind);
/* Opens and seals again what was not sealed with the newest key. *ret_count is raised by one
 * for each. */
bool draft_reseal(json_t *draft, enum store_kind kind, const struct vault *vault,
		  size_t *ret_count, struct err *err);

/* The file's canonical text, validated; caller frees. NULL with err filled. */
char *draft_encode(const json_t *draft, enum store_kind kind, const char *where,
		   struct err *err);
/* For showing it to people: a copy whose secrets are left out. Caller releases. */
json_t *draft_without_secrets(const json_t *draft, enum store_kind kind);

/* Overwrites what is not sealed and releases. NULL is fine. */
void draft_free(json_t *draft);

#endif
