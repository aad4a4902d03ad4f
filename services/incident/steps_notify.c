/* Telling people by mail: the step only notes what is to be told of, the mailer does the rest.
 */
#include "app.h"
#include "base/arena.h"
#include "letter.h"
#include "model/customer.h"
#include "turn.h"

enum { DAY_MS = 24 * 60 * 60 * 1000 };

static struct saga_end notify_call(struct turn *turn)
{
	struct incident *incident = &turn->incident;
	struct err err = { 0 };
	struct saga_end end = { .phase = SAGA_CALL, .result = SAGA_NEEDLESS };

	/* What an older version opened is no news. */
	if (!customer_mail_wanted(&turn->customer->mail) ||
	    turn_now_ms(turn) > incident->created_ms + DAY_MS)
		return end;
	if (letter_announce(turn->redis, turn->customer, incident, false, &err)) {
		end.result = SAGA_OK;
		return end;
	}
	end.result = SAGA_RETRY;
	end.note = arena_strdup(turn->arena, err.text);
	return end;
}

const struct step step_notify = { .side = SIDE_NONE, .call = notify_call };
