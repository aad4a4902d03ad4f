/* What credentials of Defender for Endpoint can do. */
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "vendor/defender.h"
#include "vendor/session.h"
#include "verify.h"

enum { DAY_MS = 24 * 3600 * 1000 };

/* One question that any right to read alerts answers. A failure without a status is Entra's. */
bool verify_defender(struct vendor_session *session, json_t *checks)
{
	const struct defender_query query = { .from_ms = clock_wall_ms() - DAY_MS, .limit = 1 };
	struct arena *arena = arena_new();
	struct defender_page page = { 0 };
	struct err err = { 0 };
	bool read = defender_alerts(session, &query, NULL, arena, &page, &err);
	bool in = read || session->status != 0;

	if (in)
		verify_add(checks, VERIFY_YES, "log in", "Entra gives a token");
	else
		verify_add_failure(checks, "log in", &err);
	if (read)
		verify_add(checks, VERIFY_YES, "read alerts", "%s in the last day",
			   page.count > 0 ? "some" : "none");
	else if (in)
		verify_add_failure(checks, "read alerts", &err);
	arena_free(arena);
	return in;
}
