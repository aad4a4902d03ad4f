/* The steps that close an incident in Threat Response, and open it again. */
#include <string.h>

#include "base/arena.h"
#include "turn.h"
#include "vendor/threat_response.h"

/* Only the closings that say what it was; the rest is plain. */
static const char *status_of(const struct incident *incident)
{
	static const char *const statuses[][2] = {
		{ "false_positive", "Closed: False Positive" },
		{ "benign", "Closed: Other" },
		{ "true_positive", "Closed: Confirmed Threat" },
	};
	const char *verdict = incident->closing.verdict;

	for (size_t i = 0; verdict && i < sizeof statuses / sizeof statuses[0]; i++) {
		if (strcmp(statuses[i][0], verdict) == 0)
			return statuses[i][1];
	}
	if (incident->closing.survivor)
		return "Closed: Merged";
	return "Closed";
}

static struct saga_end close_call(struct turn *turn)
{
	const struct incident *incident = &turn->incident;
	const char *account = incident->threat_response_account;
	const char *number =
	    incident->number && *incident->number ? incident->number : incident->sys_id;
	const struct threat_response_closing closing = {
		.status = status_of(incident),
		.closed_ms = incident->closed_ms,
		.reference = {
			.source_name = number ? "ServiceNow" : NULL,
			.external_id = number,
			.url = incident->ticket_url,
			.description = "ServiceNow incident",
		},
	};
	struct threat_response_incident entity;
	struct vendor_session session;
	struct err err = { 0 };
	bool found = false;

	if (!account || !turn_session(turn, account, SAGA_CALL, &session))
		return turn_unconfigured(turn, account, SAGA_CALL);
	if (!threat_response_close(&session, incident->ctim_id, &closing, turn->arena, &found,
				   &entity, &err))
		return turn_failed(turn, &session, SAGA_CALL, true, &err);
	if (!found)
		return turn_end(SAGA_CALL, SAGA_NEEDLESS, "the incident is gone there");
	return turn_end(SAGA_CALL, SAGA_OK, arena_strdup(turn->arena, entity.status));
}

/* It reads before it writes: made again, it changes nothing. */
const struct step step_threat_response_close = {
	.side = SIDE_THREAT_RESPONSE,
	.effect = true,
	.call = close_call,
};

static struct saga_end reopen_call(struct turn *turn)
{
	const struct incident *incident = &turn->incident;
	const char *account = incident->threat_response_account;
	struct threat_response_incident entity;
	struct vendor_session session;
	struct err err = { 0 };
	bool found = false;

	if (!account || !turn_session(turn, account, SAGA_CALL, &session))
		return turn_unconfigured(turn, account, SAGA_CALL);
	if (!threat_response_incident(&session, incident->ctim_id, turn->arena, &found, &entity,
				      &err))
		return turn_failed(turn, &session, SAGA_CALL, false, &err);
	if (!found)
		return turn_end(SAGA_CALL, SAGA_NEEDLESS, "the incident is gone there");
	if (strncmp(entity.status, "Closed", 6) != 0)
		return turn_end(SAGA_CALL, SAGA_OK, "was open");
	if (!threat_response_set_status(&session, incident->ctim_id, "Open", turn->arena, &err))
		return turn_failed(turn, &session, SAGA_CALL, true, &err);
	return turn_end(SAGA_CALL, SAGA_OK, "Open");
}

const struct step step_threat_response_reopen = {
	.side = SIDE_THREAT_RESPONSE,
	.effect = true,
	.call = reopen_call,
};
