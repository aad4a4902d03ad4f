/* Whether a customer's credentials can do what its section "containment" asks for. */
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "model/customer.h"
#include "vendor/defender_machine.h"
#include "vendor/secure_endpoint.h"
#include "vendor/session.h"
#include "verify.h"

enum { ASKED_MAX = 5 };

/* Isolating it asks for the right, and finds nobody. */
#define NO_MACHINE "0000000000000000000000000000000000000000"

/* A policy may forbid it on one computer and not on another: some are asked. */
static void ask_isolation(struct vendor_session *session, struct arena *arena, json_t *checks)
{
	const struct secure_endpoint_computer_query query = { .limit = ASKED_MAX };
	struct secure_endpoint_computers computers = { 0 };
	struct err err = { 0 };
	bool allowed = false;

	if (!secure_endpoint_computers(session, &query, arena, &computers, &err)) {
		verify_add_failure(checks, "contain hosts", &err);
		return;
	}
	for (size_t i = 0; i < computers.count && !allowed; i++) {
		if (!secure_endpoint_isolation_allowed(session, computers.computers[i].guid,
						       &allowed, &err)) {
			verify_add_failure(checks, "contain hosts", &err);
			return;
		}
	}
	if (allowed)
		verify_add(checks, VERIFY_YES, "contain hosts",
			   "one computer offers isolation");
	else
		verify_add(
		    checks, VERIFY_NO, "contain hosts",
		    "none of %zu computers offers isolation: it needs a client with read "
		    "and write, and isolation in the policy",
		    computers.count);
}

static void ask_group(struct vendor_session *session, const char *guid, struct arena *arena,
		      json_t *checks)
{
	struct secure_endpoint_group *groups;
	struct err err = { 0 };
	size_t count;

	if (!secure_endpoint_groups(session, NULL, arena, &groups, &count, &err)) {
		verify_add_failure(checks, "move to triage", &err);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (strcasecmp(groups[i].guid, guid) != 0)
			continue;
		verify_add(checks, VERIFY_YES, "move to triage",
			   "group %s is there; the move needs a client with read and write",
			   groups[i].name);
		return;
	}
	verify_add(checks, VERIFY_NO, "move to triage",
		   "none of %zu groups is %s (containment.triage_group)", count, guid);
}

static void ask_defender(struct vendor_session *session, struct arena *arena, json_t *checks)
{
	const struct defender_action_query query = { .limit = 1 };
	struct defender_action *actions, action;
	struct err err = { 0 };
	bool busy;
	size_t count;

	if (defender_actions(session, &query, arena, &actions, &count, &err))
		verify_add(checks, VERIFY_YES, "see what is isolated", "Machine.Read.All");
	else
		verify_add_failure(checks, "see what is isolated", &err);
	err = (struct err){ 0 };
	defender_isolate(session, NO_MACHINE, false, "tocsin verify", arena, &action, &busy,
			 &err);
	if (session->status == 404)
		verify_add(checks, VERIFY_YES, "contain hosts",
			   "Machine.Isolate; asked of a machine that does not exist");
	else if (session->status == 403)
		verify_add(checks, VERIFY_NO, "contain hosts",
			   "the application lacks Machine.Isolate, or consent to it");
	else
		verify_add_failure(checks, "contain hosts", &err);
}

void verify_containment(struct vendor_session *session, const struct customer *customer,
			json_t *checks)
{
	const struct customer_containment *containment = &customer->containment;
	struct arena *arena;

	if (containment->mode == CONTAINMENT_OFF)
		return;
	arena = arena_new();
	if (session->account->kind == ACCOUNT_DEFENDER && containment->isolate)
		ask_defender(session, arena, checks);
	if (session->account->kind == ACCOUNT_SECURE_ENDPOINT && containment->isolate)
		ask_isolation(session, arena, checks);
	if (session->account->kind == ACCOUNT_SECURE_ENDPOINT && containment->triage_group)
		ask_group(session, containment->triage_group, arena, checks);
	arena_free(arena);
}
