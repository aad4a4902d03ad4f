#ifndef MODEL_ACCOUNT_CALLBACK_H
#define MODEL_ACCOUNT_CALLBACK_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "model/secret_pair.h"

struct form;

/* Member `callback` of a ServiceNow account: how that instance calls us. */
struct account_callback {
	bool given;
	char *instance_name;	   /* as glide's instance_name says; a clone says another */
	char *client_id;	   /* OAuth; NULL: none */
	struct secret_pair secret; /* OAuth, hashed */
	struct secret_pair hmac;   /* sealed "whsec_..." */
};

/* The places secrets are sealed and hashed for; the owner is the account's. */
#define ACCOUNT_CALLBACK_SECRET "callback.secret"
#define ACCOUNT_CALLBACK_HMAC	"callback.hmac"

/* As customer_push_read() and its like. */
bool account_callback_read(struct account_callback *ret_callback, const struct form *parent,
			   struct err *err);
json_t *account_callback_write(const struct account_callback *callback);
void account_callback_clear(struct account_callback *callback);

#endif
