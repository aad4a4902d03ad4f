/*
 * Microsoft Defender for Endpoint alerts.
 *
 * An alert changes during its life, so it is read by the time of its last change, and each
 * change is an event of its own: its id is the alert's and that time. A record without such a
 * time (2018) gets an id from what it holds, which changes with it. Alerts may show up hours
 * after their creation, but always with a fresh last change.
 */
#include <inttypes.h>

#include "base/arena.h"
#include "source/source.h"
#include "vendor/defender.h"
#include "vendor/session.h"

extern const struct source_driver source_defender;

static const char *event_id(const struct defender_alert *alert, struct arena *arena)
{
	if (!*alert->id || !alert->updated_ms)
		return "";
	return arena_printf(arena, "%s:%" PRIu64, alert->id, alert->updated_ms);
}

static bool page(const struct source_task *task, const char *token, struct arena *arena,
		 struct source_page *ret_page, struct err *err)
{
	const struct defender_query query = { .from_ms = task->start_ms };
	struct defender_page answer = { 0 };

	if (!defender_alerts(task->session, &query, token, arena, &answer, err))
		return false;

	*ret_page = (struct source_page){
		.events = arena_alloc(arena, answer.count * sizeof(*ret_page->events) + 1),
		.count = answer.count,
		.next = answer.next,
		.server_ms = answer.date_ms,
	};
	for (size_t i = 0; i < answer.count; i++) {
		const struct defender_alert *alert = &answer.alerts[i];

		ret_page->events[i] = (struct source_event){
			.id = event_id(alert, arena),
			.time_ms = alert->updated_ms ? alert->updated_ms : alert->created_ms,
			.payload = alert->json,
			.size = alert->size,
		};
	}
	return true;
}

const struct source_driver source_defender = {
	.name = "defender",
	.summary = "Microsoft Defender for Endpoint alerts",
	.account = ACCOUNT_DEFENDER,
	.page = page,
};
