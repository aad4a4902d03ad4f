#ifndef SANDBOX_SERVICENOW_H
#define SANDBOX_SERVICENOW_H

struct account;
struct snow;

extern const struct vendor servicenow_vendor;

/* The instance of an account, brought up to date; the account must be locked. */
struct snow *servicenow_instance(struct account *account);

#endif
