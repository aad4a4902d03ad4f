/* One or two secrets that are valid at once. */
#include "model/secret_pair.h"

#include <stdlib.h>

#include "base/buf.h"
#include "model/form.h"
#include "model/vault.h"

bool secret_pair_read(struct secret_pair *ret_pair, const struct form *form, const char *name,
		      enum secret_kept kept, struct err *err)
{
	const json_t *list = json_object_get(form->json, name), *item;
	size_t i;

	if (!form_has(form, name))
		return true;
	if (!json_is_array(list) || json_array_size(list) < 1 || json_array_size(list) > 2)
		return form_refuse(form, name, err, "must list one or two secrets");
	json_array_foreach(list, i, item)
	{
		const char *text = json_string_value(item);
		if (!text ||
		    !(kept == SECRET_SEALED ? vault_is_sealed(text) : vault_is_hash(text)))
			return form_refuse(form, name, err,
					   "item %zu is not %s: it is made by a command, see "
					   "`tocsin help push` and `tocsin help servicenow`",
					   i + 1, kept == SECRET_SEALED ? "sealed" : "hashed");
		ret_pair->text[i] = xstrdup(text);
	}
	return true;
}

void secret_pair_write(const struct secret_pair *pair, json_t *object, const char *name)
{
	json_t *list;

	if (!pair->text[0])
		return;
	list = json_array();
	for (size_t i = 0; i < 2 && pair->text[i]; i++)
		json_array_append_new(list, json_string(pair->text[i]));
	json_object_set_new(object, name, list);
}

void secret_pair_clear(struct secret_pair *pair)
{
	free(pair->text[0]);
	free(pair->text[1]);
	*pair = (struct secret_pair){ 0 };
}
