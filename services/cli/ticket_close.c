/* The end of a ticket that a test has opened. */
#include "ticket_close.h"

#include "vendor/servicenow.h"
#include "vendor/servicenow_table.h"

static const char *close_code(struct vendor_session *session, const char *name,
			      const struct servicenow_table *table, struct arena *arena)
{
	struct servicenow_record *choices;
	size_t count = 0;

	if (!table->close_code || !servicenow_choices(session, name, table->close_code, arena,
						      &choices, &count, NULL, NULL))
		return NULL;
	return servicenow_table_close_code(table, "benign", choices, count);
}

bool ticket_close(struct vendor_session *session, const struct servicenow_place *place,
		  const char *notes, struct arena *arena, struct err *err)
{
	const struct servicenow_table *table = servicenow_table(place->table);
	struct servicenow_column columns[SERVICENOW_CLOSE_COLUMNS];
	struct servicenow_created closed;
	size_t count = servicenow_table_close_columns(
	    table, close_code(session, place->table, table, arena), notes, columns);

	return servicenow_patch(session, place, columns, count, arena, &closed, NULL, err);
}
