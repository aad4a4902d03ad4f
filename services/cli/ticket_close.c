/* The end of a ticket that a test has opened. */
#include "ticket_close.h"

#include "vendor/servicenow.h"
#include "vendor/servicenow_table.h"

bool ticket_close(struct vendor_session *session, const struct servicenow_place *place,
		  const char *notes, struct arena *arena, struct err *err)
{
	const struct servicenow_table *table = servicenow_table(place->table);
	struct servicenow_column columns[SERVICENOW_CLOSE_COLUMNS];
	struct servicenow_created closed;
	const char *code;

	if (!servicenow_close_code(session, place->table, "benign", arena, &code, err))
		return false;
	size_t count = servicenow_table_close_columns(table, code, notes, columns);

	return servicenow_patch(session, place, columns, count, arena, &closed, NULL, err);
}
