#ifndef MODEL_CALLBACK_RECORD_H
#define MODEL_CALLBACK_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "model/account_callback.h"
#include "model/customer_push.h"

struct account;
struct customer;

/*
 * What the callback service knows of customers and of ServiceNow instances: the fields of the
 * hash `tocsin:callback:credentials`, customers under their id, accounts under "@<id>", written
 * by setup. It holds neither vendors' secrets nor anything sealed with the master key.
 */
struct callback_customer {
	char *id;
	unsigned partition;
	char *name;	  /* for people; tickets of the ancestors know no other */
	char *servicenow; /* id of the account its tickets are in; NULL: none */
	struct customer_push push;
};

struct callback_instance {
	char *id;    /* account */
	char *owner; /* of its seals: customer id or "account:<id>" */
	struct account_callback callback;
};

/* Caller frees. */
char *callback_customer_encode(const struct customer *customer);
char *callback_instance_encode(const struct account *account);

/* name is the field's, without "@". NULL with err (permanent) filled; freed with the functions
 * below. */
struct callback_customer *callback_customer_decode(const char *name, const char *text,
						   size_t size, struct err *err);
struct callback_instance *callback_instance_decode(const char *name, const char *text,
						   size_t size, struct err *err);
void callback_customer_free(struct callback_customer *customer); /* NULL is fine */
void callback_instance_free(struct callback_instance *instance);

#endif
