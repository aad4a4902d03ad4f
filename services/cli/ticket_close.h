#ifndef CLI_TICKET_CLOSE_H
#define CLI_TICKET_CLOSE_H

#include <stdbool.h>

#include "base/err.h"

struct arena;
struct servicenow_place;
struct vendor_session;

/* Ends a ticket of a test, as an analyst would: resolved, as benign where its table has such a
 * code, with these words as its close notes. */
bool ticket_close(struct vendor_session *session, const struct servicenow_place *place,
		  const char *notes, struct arena *arena, struct err *err);

#endif
