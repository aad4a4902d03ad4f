#ifndef SANDBOX_SERVICENOW_H
#define SANDBOX_SERVICENOW_H

#include <stdbool.h>

struct account;
struct err;
struct registry;
struct snow;

extern const struct vendor servicenow_vendor;

/* The instance of an account, brought up to date; the account must be locked. */
struct snow *servicenow_instance(struct account *account);

/* A new account, with everything of `from` but the name. */
bool servicenow_clone(struct registry *registry, struct account *from, const char *name,
		      struct err *err);

#endif
