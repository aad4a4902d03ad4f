/* The step that resolves an incident's alerts in Defender for Endpoint. */
#include <jansson.h>
#include <string.h>

#include "app.h"
#include "base/arena.h"
#include "base/log.h"
#include "bus/redis.h"
#include "bus/worker.h"
#include "turn.h"
#include "vendor/defender_resolve.h"

enum { ALERTS_MAX = 50 };

struct alerts {
	const char *ids[ALERTS_MAX];
	size_t count;
};

static void alert_add(struct alerts *alerts, const char *id)
{
	for (size_t i = 0; i < alerts->count; i++) {
		if (strcmp(alerts->ids[i], id) == 0)
			return;
	}
	if (alerts->count < ALERTS_MAX)
		alerts->ids[alerts->count++] = id;
}

/* The source tells each state of an alert as an event: "<id>:<time>". */
static const char *alert_id(const char *event_id, struct arena *arena)
{
	const char *colon = strrchr(event_id, ':');

	return colon ? arena_strndup(arena, event_id, (size_t)(colon - event_id)) : event_id;
}

/* The alert that opened it, and those that joined. */
static bool alerts_read(struct turn *turn, struct alerts *alerts, struct err *err)
{
	struct key key;

	if (turn->incident.event_id)
		alert_add(alerts, alert_id(turn->incident.event_id, turn->arena));
	key_format(&key, worker_partition(turn->worker), "incident:%s:findings",
		   turn->incident.id);

	struct redis_reply *reply = redis_command(turn->redis, err, "LRANGE %s 0 -1", key.text);

	if (!reply)
		return false;
	for (size_t i = 0; i < reply_count(reply); i++) {
		const char *text = reply_text(reply_at(reply, i));
		json_t *row = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
		const char *id = json_string_value(json_object_get(row, "event_id"));

		if (id && *id)
			alert_add(alerts, arena_strdup(turn->arena, alert_id(id, turn->arena)));
		json_decref(row);
	}
	reply_free(reply);
	return true;
}

/* Named by our key: by it the collector knows what is our own doing. */
static const char *comment_of(const struct turn *turn)
{
	const struct incident *incident = &turn->incident;
	char key[INCIDENT_KEY_SIZE];

	incident_key(turn->app->installation, incident, key);
	return arena_printf(turn->arena, "Closed by Tocsin%s%s. [%s]",
			    incident->number ? " with ticket " : "",
			    incident->number ? incident->number : "", key);
}

static struct saga_end resolve_call(struct turn *turn)
{
	const char *account = turn_source_account(turn);
	struct defender_resolution resolution = { .comment = comment_of(turn) };
	struct alerts alerts = { 0 };
	struct vendor_session session;
	struct err err = { 0 };
	size_t resolved = 0;

	if (!account || !turn_session(turn, account, SAGA_CALL, &session))
		return turn_unconfigured(turn, account ? account : "defender", SAGA_CALL);
	defender_verdict(turn->incident.closing.verdict, &resolution.classification,
			 &resolution.determination);
	if (!alerts_read(turn, &alerts, &err))
		return turn_failed(turn, &session, SAGA_CALL, false, &err);
	for (size_t i = 0; i < alerts.count; i++) {
		enum defender_resolved outcome;

		if (!defender_resolve(&session, alerts.ids[i], &resolution, &outcome, &err))
			return turn_failed(turn, &session, SAGA_CALL, true, &err);
		if (outcome == DEFENDER_FORBIDDEN) {
			if (app_alarm_due(turn->app, account))
				log_warn("account %s: alerts stay open, the app lacks "
					 "Alert.ReadWrite.All",
					 account);
			return turn_end(SAGA_CALL, SAGA_NEEDLESS,
					"the app lacks Alert.ReadWrite.All");
		}
		if (outcome == DEFENDER_RESOLVED_PLAINLY)
			turn_tell(turn, "defender.resolve",
				  "the classification was not taken: resolved without it");
		resolved +=
		    outcome == DEFENDER_RESOLVED || outcome == DEFENDER_RESOLVED_PLAINLY;
	}
	return turn_end(SAGA_CALL, SAGA_OK,
			arena_printf(turn->arena, "resolved %zu of %zu alert%s", resolved,
				     alerts.count, alerts.count == 1 ? "" : "s"));
}

/* It reads before it writes: made again, it changes only what is still open. */
const struct step step_defender_resolve = {
	.side = SIDE_DEFENDER,
	.effect = true,
	.call = resolve_call,
};
