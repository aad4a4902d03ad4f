#ifndef MODEL_CUSTOMER_SECTION_H
#define MODEL_CUSTOMER_SECTION_H

#include <jansson.h>
#include <stdbool.h>

#include "model/customer.h"
#include "model/form.h"

/*
 * Sections of a customer's file that have a file of their own: each is read, written and freed
 * in one place. For customer.c and customer_decode.c.
 */

/* The account a section uses: the one it names, else the customer's own of that kind. */
bool customer_read_account(const struct customer *customer, const struct form *form,
			   enum account_kind kind, char **ret_id, struct err *err);
/* Its id, unless reading would find the customer's own one anyway. */
void customer_put_account(json_t *object, const struct customer *customer,
			  enum account_kind kind, const char *id);

bool customer_servicenow_read(struct customer *customer, const struct form *file,
			      struct err *err);
json_t *customer_servicenow_write(const struct customer *customer);
void customer_servicenow_clear(struct customer *customer);

#endif
