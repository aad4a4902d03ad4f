/* Accounts that are parked, left alone, and work again. */
#include "service/account_news.h"

#include "base/log.h"
#include "bus/bus.h"
#include "bus/deferred.h"
#include "model/customer.h"

static void works_again(const struct vendor_session *session, unsigned partitions)
{
	const char *id = session->account->id;
	struct err err = { 0 };
	size_t woken;

	log_info("account %s works again", id);
	if (!deferred_wake_account(session->redis, partitions, id, &woken, &err))
		log_warn("what waited for account %s wakes up by itself: %s", id, err.text);
}

void account_news(const struct vendor_session *session, enum gate_change change,
		  const char *reason, void *bus_settings)
{
	const struct bus_settings *settings = bus_settings;
	const char *id = session->account->id;

	switch (change) {
	case GATE_NEWLY_PARKED:
		log_error("account %s is parked, its work waits: %s", id, reason);
		break;
	case GATE_BREAKER_OPENED:
		log_warn("account %s is left alone for a while: %s", id, reason);
		break;
	case GATE_BREAKER_CLOSED:
		log_info("account %s answers again", id);
		break;
	case GATE_RESUMED:
		works_again(session, settings->partitions);
		break;
	case GATE_SAME:
		break;
	}
}
