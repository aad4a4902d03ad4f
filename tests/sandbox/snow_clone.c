/* snow_clone: a copy of an instance, as sub-production instances are made from production: all
 * records, users and rules come along, only the property instance_name is its own. */
#include <string.h>

#include "account.h"
#include "base/buf.h"
#include "base/err.h"
#include "servicenow.h"
#include "snow.h"

static void copy_row(struct snow_table *table, const struct snow_row *row)
{
	json_t *values = json_object();

	for (unsigned i = 0; i < row->table->columns; i++)
		json_object_set_new(values, row->table->column[i].name,
				    json_string(snow_row_get(row, (int)i)));
	struct snow_row *copy = snow_row_seed(table, values);

	copy->created_ms = row->created_ms;
	copy->changed_ms = row->changed_ms;
	json_decref(values);
}

static void copy_all(struct snow *to, const struct snow *from, const char *name)
{
	for (size_t i = 0; i < from->tables.tables; i++) {
		const struct snow_table *source = from->tables.table[i];
		struct snow_table *table =
		    snow_table_make(&to->tables, source->name, source->display);

		for (size_t j = 0; j < source->rows; j++) {
			if (!source->row[j]->deleted)
				copy_row(table, source->row[j]);
		}
	}
	for (size_t i = 0; i < from->users; i++)
		snow_add_user(to, from->user[i].name, from->user[i].password,
			      from->user[i].full_name, from->user[i].roles);
	to->next_number = from->next_number;
	snow_rule_copy(&to->rule, &from->rule, name);
}

bool servicenow_clone(struct registry *registry, struct account *from, const char *name,
		      struct err *err)
{
	if (!*name || registry_find(registry, &servicenow_vendor, name))
		return err_set(err, ERR_PERMANENT, "a clone needs a name that is not taken");
	json_t *settings =
	    json_pack("{s:s, s:s}", "vendor", servicenow_vendor.name, "account", name);
	struct account *clone = registry_apply(registry, settings, err);

	json_decref(settings);
	if (!clone)
		return false;
	pthread_mutex_lock(&from->lock);
	pthread_mutex_lock(&clone->lock); /* nobody else has two */
	copy_all(clone->state, from->state, name);
	pthread_mutex_unlock(&clone->lock);
	pthread_mutex_unlock(&from->lock);
	return true;
}
