/* Hosts at their vendors. */
#include "machine.h"

#include <string.h>

#include "base/arena.h"
#include "vendor/defender_machine.h"
#include "vendor/secure_endpoint.h"
#include "vendor/session.h"

enum { ACTIONS_MAX = 20 };

static bool is_secure_endpoint(const char *source)
{
	return strcmp(source, "secure_endpoint") == 0;
}

bool machine_source_isolates(const char *source)
{
	return source && (is_secure_endpoint(source) || strcmp(source, "defender") == 0);
}

bool machine_source_moves(const char *source)
{
	return source && is_secure_endpoint(source);
}

static void add_ip(struct machine *machine, const char *ip)
{
	if (*ip && machine->ip_count < MACHINE_IPS_MAX)
		machine->ips[machine->ip_count++] = ip;
}

static void set_mark(struct machine *machine, const struct machine_place *place,
		     const char *comment, struct arena *arena)
{
	machine->ours =
	    containment_mark_read(comment, place->installation, arena, &machine->mark);
}

/* ---- Secure Endpoint ---- */

static enum machine_isolation computer_state(enum secure_endpoint_isolation_state state)
{
	switch (state) {
	case SECURE_ENDPOINT_NOT_ISOLATED:
		return MACHINE_FREE;
	case SECURE_ENDPOINT_PENDING_START:
		return MACHINE_STARTING;
	case SECURE_ENDPOINT_ISOLATED:
		return MACHINE_ISOLATED;
	case SECURE_ENDPOINT_PENDING_STOP:
		return MACHINE_STOPPING;
	case SECURE_ENDPOINT_UNKNOWN_STATE:
		break;
	}
	return MACHINE_UNKNOWN;
}

static bool read_computer(struct vendor_session *session, const struct machine_place *place,
			  struct arena *arena, struct machine *machine, struct err *err)
{
	struct secure_endpoint_isolation isolation;
	struct secure_endpoint_computer computer;

	if (!secure_endpoint_computer(session, place->id, arena, &machine->found, &computer,
				      err))
		return false;
	if (!machine->found)
		return true;
	machine->name = computer.hostname;
	machine->system = computer.operating_system;
	machine->group = computer.group_guid;
	for (size_t i = 0; i < computer.ip_count; i++)
		add_ip(machine, computer.ips[i]);
	add_ip(machine, computer.external_ip);
	if (!secure_endpoint_isolation(session, place->id, arena, &isolation, err))
		return false;
	machine->able = isolation.available;
	machine->isolation = computer_state(isolation.state);
	machine->by = *isolation.isolated_by ? isolation.isolated_by : isolation.comment;
	set_mark(machine, place, isolation.comment, arena);
	return true;
}

/* 409: it is in another state than asked from. */
static bool computer_answered(const struct vendor_session *session, bool ok,
			      struct machine_answer *ret_answer, struct err *err)
{
	*ret_answer = (struct machine_answer){ .action = "" };
	if (ok || session->status != 409)
		return ok;
	ret_answer->refused = true;
	*err = (struct err){ 0 };
	return true;
}

/* ---- Defender ---- */

/* From the newest action back to the first that says how things are. */
static void read_actions(struct machine *machine, const struct machine_place *place,
			 const struct defender_action *actions, size_t count,
			 struct arena *arena)
{
	for (size_t i = 0; i < count; i++) {
		const struct defender_action *action = &actions[i];
		bool isolates = strcmp(action->type, "Isolate") == 0;
		bool running = defender_action_running(action);

		if (!running && action->status != DEFENDER_ACTION_SUCCEEDED) {
			machine->failed |= i == 0;
			continue;
		}
		if (running)
			machine->isolation = isolates ? MACHINE_STARTING : MACHINE_STOPPING;
		else
			machine->isolation = isolates ? MACHINE_ISOLATED : MACHINE_FREE;
		if (machine->isolation != MACHINE_FREE) {
			machine->by = *action->comment ? action->comment : action->requestor;
			set_mark(machine, place, action->comment, arena);
		}
		return;
	}
}

static bool read_defended(struct vendor_session *session, const struct machine_place *place,
			  struct arena *arena, struct machine *machine, struct err *err)
{
	const struct defender_action_query query = { .machine = place->id,
						     .limit = ACTIONS_MAX };
	struct defender_machine found;
	struct defender_action *actions;
	size_t count;

	if (!defender_machine(session, place->id, arena, &machine->found, &found, err))
		return false;
	if (!machine->found)
		return true;
	machine->name = found.dns_name;
	machine->system = found.platform;
	add_ip(machine, found.last_ip);
	add_ip(machine, found.external_ip);
	machine->able = true;
	if (!defender_actions(session, &query, arena, &actions, &count, err))
		return false;
	if (count > 0)
		machine->action = actions[0].id;
	read_actions(machine, place, actions, count, arena);
	return true;
}

static bool defended_answered(bool ok, bool busy, const struct defender_action *action,
			      struct machine_answer *ret_answer, struct err *err)
{
	*ret_answer = (struct machine_answer){ .refused = busy, .action = action->id };
	if (busy)
		*err = (struct err){ 0 };
	return ok || busy;
}

/* ---- either ---- */

bool machine_read(struct vendor_session *session, const struct machine_place *place,
		  struct arena *arena, struct machine *ret_machine, struct err *err)
{
	*ret_machine =
	    (struct machine){ .name = "", .system = "", .group = "", .by = "", .action = "" };
	return is_secure_endpoint(place->source)
		   ? read_computer(session, place, arena, ret_machine, err)
		   : read_defended(session, place, arena, ret_machine, err);
}

bool machine_isolate(struct vendor_session *session, const struct machine_place *place,
		     bool selective, const char *comment, struct arena *arena,
		     struct machine_answer *ret_answer, struct err *err)
{
	struct secure_endpoint_isolation isolation;
	struct defender_action action;
	bool ok, busy;

	if (is_secure_endpoint(place->source)) {
		ok = secure_endpoint_isolate(session, place->id, comment, arena, &isolation,
					     err);
		return computer_answered(session, ok, ret_answer, err);
	}
	ok = defender_isolate(session, place->id, selective, comment, arena, &action, &busy,
			      err);
	return defended_answered(ok, busy, &action, ret_answer, err);
}

bool machine_release(struct vendor_session *session, const struct machine_place *place,
		     const char *comment, struct arena *arena,
		     struct machine_answer *ret_answer, struct err *err)
{
	struct secure_endpoint_isolation isolation;
	struct defender_action action;
	bool ok, busy;

	if (is_secure_endpoint(place->source)) {
		ok = secure_endpoint_release(session, place->id, comment, arena, &isolation,
					     err);
		return computer_answered(session, ok, ret_answer, err);
	}
	ok = defender_unisolate(session, place->id, comment, arena, &action, &busy, err);
	return defended_answered(ok, busy, &action, ret_answer, err);
}
