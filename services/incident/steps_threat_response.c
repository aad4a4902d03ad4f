/* The steps at Cisco Threat Response: inspect, incident, reference to the ticket. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "adopt.h"
#include "app.h"
#include "base/arena.h"
#include "base/buf.h"
#include "bundle.h"
#include "turn.h"
#include "vendor/threat_response.h"

enum { INSPECT_TEXT_MAX = 32 << 10, INSPECTED_MAX = 64 };

/* ---- inspect ---- */

/* What the finding says in words and values; the vendor finds what we did not take for one. */
static const char *inspected_text(const struct facts *facts, struct arena *arena)
{
	const struct finding_view *view = &facts->view;
	struct buf buf;

	buf_init(&buf, INSPECT_TEXT_MAX);
	buf_addf(&buf, "%s\n%s\n", view->title ? view->title : "",
		 view->description ? view->description : "");
	for (size_t i = 0; i < view->observable_count; i++)
		buf_addf(&buf, "%s\n", view->observables[i].value);

	const char *text = arena_strdup(arena, buf_text(&buf));

	buf_done(&buf);
	return text;
}

static const char *observables_encode(const struct observable *list, size_t count,
				      struct arena *arena)
{
	json_t *pairs = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(pairs, json_pack("[s, s]", list[i].type, list[i].value));

	char *encoded = json_dumps(pairs, JSON_COMPACT);
	const char *text = arena_strdup(arena, encoded);

	free(encoded);
	json_decref(pairs);
	return text;
}

static struct saga_end inspect_call(struct turn *turn)
{
	const char *account = turn->incident.threat_response_account;
	struct vendor_session session;
	struct observable *found;
	struct err err = { 0 };
	size_t count;

	if (!turn_session(turn, account, SAGA_CALL, &session))
		return turn_unconfigured(turn, account, SAGA_CALL);

	const struct facts *facts = turn_facts(turn, &err);

	if (!facts)
		return turn_failed(turn, &session, SAGA_CALL, false, &err);

	const char *text = inspected_text(facts, turn->arena);

	if (!threat_response_inspect(&session, text, strlen(text), INSPECTED_MAX, turn->arena,
				     &found, &count, &err))
		return turn_failed(turn, &session, SAGA_CALL, false, &err);
	turn->incident.observables = observables_encode(found, count, turn->arena);
	turn->facts = NULL; /* to be read again, with these */
	return turn_end(
	    SAGA_CALL, SAGA_OK,
	    arena_printf(turn->arena, "found %zu observable%s", count, count == 1 ? "" : "s"));
}

const struct step step_inspect = { .side = SIDE_THREAT_RESPONSE, .call = inspect_call };

/* ---- create ---- */

static struct saga_end created(struct turn *turn, enum saga_phase phase, const char *id,
			       const char *how)
{
	turn->incident.ctim_id = arena_strdup(turn->arena, id);
	return turn_end(phase, SAGA_OK, arena_printf(turn->arena, "%s %s", how, id));
}

static struct saga_end create_look_up(struct turn *turn)
{
	const char *account = turn->incident.threat_response_account;
	struct threat_response_incident *found;
	struct vendor_session session;
	char key[INCIDENT_KEY_SIZE];
	struct err err = { 0 };
	size_t count;

	if (turn_looks_first(turn, STEP_THREAT_RESPONSE_CREATE))
		return adopt_threat_response(turn);
	if (!turn_session(turn, account, SAGA_LOOK_UP, &session))
		return turn_unconfigured(turn, account, SAGA_LOOK_UP);
	incident_key(turn->app->installation, &turn->incident, key);
	if (!threat_response_find(&session, key, turn->arena, &found, &count, &err))
		return turn_failed(turn, &session, SAGA_LOOK_UP, false, &err);
	if (count == 0)
		return turn_end(SAGA_LOOK_UP, SAGA_ABSENT, "looked up: not there");
	return created(turn, SAGA_LOOK_UP, found[0].id, "looked up: exists as");
}

/* One that was found again by its contained host has nothing to tell. */
static struct saga_end create_prepare(struct turn *turn)
{
	if (!turn->incident.uid)
		return turn_end(SAGA_PREPARE, SAGA_NEEDLESS, "its finding was lost with Redis");
	return turn_end(SAGA_PREPARE, SAGA_ABSENT, NULL);
}

static struct saga_end create_call(struct turn *turn)
{
	const char *account = turn->incident.threat_response_account;
	struct threat_response_result *results;
	struct vendor_session session;
	struct err err = { 0 };
	size_t count, size;

	if (!turn_session(turn, account, SAGA_CALL, &session))
		return turn_unconfigured(turn, account, SAGA_CALL);

	const struct facts *facts = turn_facts(turn, &err);

	if (!facts)
		return turn_failed(turn, &session, SAGA_CALL, false, &err);

	const char *bundle = bundle_encode(facts, turn->arena, &size);

	if (!threat_response_import(&session, bundle, size, BUNDLE_PREFIX, turn->arena,
				    &results, &count, &err))
		return turn_failed(turn, &session, SAGA_CALL, true, &err);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(results[i].type, "incident") == 0)
			return created(turn, SAGA_CALL, results[i].id,
				       results[i].existed ? "existed as" : "created");
	}
	err_fill(&err, ERR_TRANSIENT, "the import's answer names no incident");
	err.ambiguous = true;
	return turn_failed(turn, &session, SAGA_CALL, true, &err);
}

const struct step step_threat_response_create = {
	.side = SIDE_THREAT_RESPONSE,
	.effect = true,
	.prepare = create_prepare,
	.look_up = create_look_up,
	.call = create_call,
};

/* ---- link ---- */

static struct saga_end link_call(struct turn *turn)
{
	const struct incident *incident = &turn->incident;
	const char *account = incident->threat_response_account;
	const struct threat_response_reference reference = {
		.source_name = "ServiceNow",
		.external_id = incident->number ? incident->number : incident->sys_id,
		.url = incident->ticket_url,
		.description = "ServiceNow incident",
	};
	struct vendor_session session;
	struct err err = { 0 };

	if (!turn_session(turn, account, SAGA_CALL, &session))
		return turn_unconfigured(turn, account, SAGA_CALL);
	if (!threat_response_add_reference(&session, incident->ctim_id, &reference, turn->arena,
					   &err))
		return turn_failed(turn, &session, SAGA_CALL, true, &err);
	return turn_end(SAGA_CALL, SAGA_OK,
			arena_printf(turn->arena, "references %s", reference.external_id));
}

/* It reads before it writes: made again, it finds its own reference. */
const struct step step_threat_response_link = {
	.side = SIDE_THREAT_RESPONSE,
	.effect = true,
	.call = link_call,
};
