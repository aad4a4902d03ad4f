/* How a ServiceNow instance calls us. */
#include "model/account_callback.h"

#include <stdlib.h>

#include "model/form.h"

enum { INSTANCE_NAME_MAX = 64, CLIENT_ID_MAX = 64 };

static const char instance_letters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

bool account_callback_read(struct account_callback *ret_callback, const struct form *parent,
			   struct err *err)
{
	static const char *const members[] = { "instance_name", "client_id", "secret", "hmac",
					       NULL };
	struct form form;

	if (!form_object(parent, "callback", &form, err))
		return false;
	if (!form.json)
		return true;
	ret_callback->given = true;
	if (!form_known(&form, members, err) || !form_need(&form, "instance_name", err) ||
	    !form_text(&form, "instance_name", INSTANCE_NAME_MAX, instance_letters,
		       &ret_callback->instance_name, err) ||
	    !form_text(&form, "client_id", CLIENT_ID_MAX, instance_letters,
		       &ret_callback->client_id, err) ||
	    !secret_pair_read(&ret_callback->secret, &form, "secret", SECRET_HASHED, err) ||
	    !secret_pair_read(&ret_callback->hmac, &form, "hmac", SECRET_SEALED, err))
		return false;
	if (!ret_callback->client_id != !ret_callback->secret.text[0])
		return form_refuse(&form, ret_callback->client_id ? "secret" : "client_id", err,
				   "is missing: client_id and secret belong together");
	return true;
}

json_t *account_callback_write(const struct account_callback *callback)
{
	if (!callback->given)
		return NULL;
	json_t *object = json_object();

	json_object_set_new(object, "instance_name", json_string(callback->instance_name));
	if (callback->client_id)
		json_object_set_new(object, "client_id", json_string(callback->client_id));
	secret_pair_write(&callback->secret, object, "secret");
	secret_pair_write(&callback->hmac, object, "hmac");
	return object;
}

void account_callback_clear(struct account_callback *callback)
{
	free(callback->instance_name);
	free(callback->client_id);
	secret_pair_clear(&callback->secret);
	secret_pair_clear(&callback->hmac);
	*callback = (struct account_callback){ 0 };
}
