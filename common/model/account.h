#ifndef MODEL_ACCOUNT_H
#define MODEL_ACCOUNT_H

#include "model/customer.h"
#include "model/form.h"

/* Accounts inside a customer's file and in files of their own share one form; what is here is
 * for the other parts of model/customer.h. */

enum { ACCOUNT_KINDS = 5, ACCOUNT_ID_MAX = 49 };

/* Fills all of ret_account except id and owner, kind being known. ret_account is zeroed by the
 * caller and to be cleared whether this succeeds or not. */
bool account_read(struct account *ret_account, enum account_kind kind, const struct form *form,
		  struct err *err);
/* The members that account_read() reads; the caller releases it. */
json_t *account_write(const struct account *account);
/* Frees what the struct holds, not the struct. */
void account_clear(struct account *account);

/* Names of the kinds, ended by NULL, in the order of enum account_kind. */
extern const char *const account_kind_names[];

/* The kind that has this name. A source polls with an account of the kind that has its name;
 * name is one of account_kind_names. */
enum account_kind account_kind_named(const char *name);

/* Adds text unless it is NULL, or the same as fallback. */
void account_put_text(json_t *object, const char *name, const char *text, const char *fallback);

#endif
