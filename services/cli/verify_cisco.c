/* What credentials of Secure Endpoint, Umbrella and Threat Response can do. */
#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "model/customer.h"
#include "vendor/secure_endpoint.h"
#include "vendor/session.h"
#include "vendor/threat_response.h"
#include "vendor/umbrella.h"
#include "verify.h"

enum { HOUR_MS = 3600 * 1000 };

/* A client of another region is as unknown as one with a wrong key. */
static void add_login_failure(struct vendor_session *session, json_t *checks,
			      const struct err *err)
{
	const struct account *account = session->account;

	if (err->kind == ERR_ACCOUNT && session->status == 401)
		verify_add(
		    checks, VERIFY_NO, "log in",
		    "%s: wrong or expired client id or secret, or the wrong region (this is "
		    "%s)",
		    err->text, account->region ? account->region : account->url);
	else
		verify_add_failure(checks, "log in", err);
}

/* ---- Secure Endpoint ---- */

static void verify_events(struct vendor_session *session, struct arena *arena, json_t *checks)
{
	const struct secure_endpoint_query query = { .start_ms = clock_wall_ms() - HOUR_MS,
						     .limit = 1 };
	struct secure_endpoint_page page = { 0 };
	struct err err = { 0 };

	if (secure_endpoint_events(session, &query, NULL, arena, &page, &err))
		verify_add(checks, VERIFY_YES, "read events", "%" PRIu64 " in the last hour",
			   page.total);
	else
		verify_add_failure(checks, "read events", &err);
}

/* A key is "read only" or "read & write"; only a computer's own answer tells which. */
static void verify_isolation(struct vendor_session *session, const char *guid, json_t *checks)
{
	struct err err = { 0 };
	bool allowed = false;

	if (!secure_endpoint_isolation_allowed(session, guid, &allowed, &err))
		verify_add_failure(checks, "isolate computers", &err);
	else if (allowed)
		verify_add(checks, VERIFY_YES, "isolate computers", "asked of one computer");
	else
		verify_add(checks, VERIFY_NOTE, "isolate computers",
			   "no: only needed for containment; needs a client with read and "
			   "write, and isolation in the policy");
}

static void verify_computers(struct vendor_session *session, struct arena *arena,
			     json_t *checks)
{
	const struct secure_endpoint_computer_query query = { .limit = 1 };
	struct secure_endpoint_computers computers = { 0 };
	struct secure_endpoint_group *groups;
	struct err err = { 0 };
	size_t count;

	if (secure_endpoint_computers(session, &query, arena, &computers, &err))
		verify_add(checks, VERIFY_YES, "read computers", "%" PRIu64 " in all",
			   computers.total);
	else
		verify_add_failure(checks, "read computers", &err);
	if (secure_endpoint_groups(session, NULL, arena, &groups, &count, &err))
		verify_add(checks, VERIFY_YES, "read groups", "%zu in all", count);
	else
		verify_add_failure(checks, "read groups", &err);
	if (computers.count > 0)
		verify_isolation(session, computers.computers[0].guid, checks);
}

bool verify_secure_endpoint(struct vendor_session *session, json_t *checks)
{
	struct arena *arena = arena_new();
	const char *version = "";
	struct err err = { 0 };
	bool in = secure_endpoint_version(session, arena, &version, &err);

	if (in) {
		verify_add(checks, VERIFY_YES, "log in", "API %s", version);
		verify_events(session, arena, checks);
		verify_computers(session, arena, checks);
	} else {
		add_login_failure(session, checks, &err);
	}
	arena_free(arena);
	return in;
}

static bool is_offered(const struct secure_endpoint_event_type *types, size_t count,
		       uint64_t wanted)
{
	for (size_t i = 0; i < count; i++) {
		if (types[i].id == wanted)
			return true;
	}
	return false;
}

void verify_event_types(struct vendor_session *session, const struct customer *customer,
			json_t *checks)
{
	const struct customer_source *source = customer_source(customer, "secure_endpoint");
	struct secure_endpoint_event_type *types;
	struct arena *arena;
	struct err err = { 0 };
	struct buf missing;
	size_t count;

	if (!source || source->default_types)
		return;
	arena = arena_new();
	buf_init(&missing, 400);
	if (!secure_endpoint_event_types(session, arena, &types, &count, &err)) {
		verify_add_failure(checks, "event types exist", &err);
	} else {
		for (size_t i = 0; i < source->event_type_count; i++) {
			if (!is_offered(types, count, source->event_types[i]))
				buf_addf(&missing, " %" PRIu64, source->event_types[i]);
		}
		if (missing.size > 0)
			verify_add(checks, VERIFY_NO, "event types exist",
				   "not in the vendor's list:%s", buf_text(&missing));
		else
			verify_add(checks, VERIFY_YES, "event types exist", "all %zu",
				   source->event_type_count);
	}
	buf_done(&missing);
	arena_free(arena);
}

/* ---- Umbrella ---- */

/* There is one question to ask, and a token before it: which of the two failed is in err. */
bool verify_umbrella(struct vendor_session *session, json_t *checks)
{
	const struct account *account = session->account;
	uint64_t now_ms = clock_wall_ms();
	const struct umbrella_query query = { .from_ms = now_ms - HOUR_MS,
					      .to_ms = now_ms,
					      .limit = 1 };
	struct arena *arena = arena_new();
	struct umbrella_page page;
	struct err err = { 0 };
	bool read = umbrella_activity(session, &query, arena, &page, &err);
	bool in = read || session->status != 0;

	if (in)
		verify_add(checks, VERIFY_YES, "log in", "the vendor gives a token");
	else if (err.kind == ERR_ACCOUNT)
		verify_add(checks, VERIFY_NO, "log in",
			   "%s: wrong or expired key or secret, or not a %s one (auth)",
			   err.text,
			   account->auth == ACCOUNT_AUTH_LEGACY ? "legacy" : "current");
	else
		verify_add_failure(checks, "log in", &err);
	if (read)
		verify_add(checks, VERIFY_YES, "read activity", "of organization %s: %s",
			   account->org_id ? account->org_id : "of the key",
			   page.count > 0 ? "some in the last hour" : "none in the last hour");
	else if (in)
		verify_add_failure(checks, "read activity", &err);
	arena_free(arena);
	return in;
}

/* ---- Threat Response ---- */

/* "inspect" covers "inspect:read"; "private-intel/incident" does not cover "private-intel". */
static bool covers(const char *scopes, const char *need)
{
	while (*scopes) {
		size_t size = strcspn(scopes, " ");

		if (size > 0 && strncmp(scopes, need, size) == 0 &&
		    (need[size] == '\0' || need[size] == ':'))
			return true;
		scopes += size;
		scopes += strspn(scopes, " ");
	}
	return false;
}

static void verify_scopes(const char *scopes, json_t *checks)
{
	static const char *const needed[] = { "inspect:read", "private-intel" };
	struct buf missing;

	if (scopes[0] == '\0') {
		verify_add(checks, VERIFY_UNKNOWN, "scopes", "the vendor does not name them");
		return;
	}
	buf_init(&missing, 200);
	for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
		if (!covers(scopes, needed[i]))
			buf_addf(&missing, " %s", needed[i]);
	}
	if (missing.size > 0)
		verify_add(checks, VERIFY_NO, "scopes",
			   "missing:%s: make an API client with these (it has: %.120s)",
			   buf_text(&missing), scopes);
	else
		verify_add(checks, VERIFY_YES, "scopes", "%.200s", scopes);
	buf_done(&missing);
}

static void verify_inspect(struct vendor_session *session, struct arena *arena, json_t *checks)
{
	static const char sample[] = "203.0.113.1 example.com";
	struct observable *observables;
	struct err err = { 0 };
	size_t count;

	if (threat_response_inspect(session, sample, sizeof sample - 1, 8, arena, &observables,
				    &count, &err))
		verify_add(checks, VERIFY_YES, "find observables", "inspect answers");
	else
		verify_add_failure(checks, "find observables", &err);
}

static void verify_intel(struct vendor_session *session, struct arena *arena, json_t *checks)
{
	struct threat_response_incident *incidents;
	const char *version = "";
	struct err err = { 0 };
	size_t count;

	if (!threat_response_version(session, arena, &version, &err)) {
		verify_add_failure(checks, "reach private intelligence", &err);
		return;
	}
	verify_add(checks, VERIFY_YES, "reach private intelligence", "CTIA %s", version);
	if (threat_response_find(session, "tocsin-verify", arena, &incidents, &count, &err))
		verify_add(checks, VERIFY_YES, "read incidents",
			   "creating them is not tried; the scope says whether it works");
	else
		verify_add_failure(checks, "read incidents", &err);
}

bool verify_threat_response(struct vendor_session *session, json_t *checks)
{
	struct arena *arena = arena_new();
	const char *scopes = "";
	struct err err = { 0 };
	bool in = threat_response_scopes(session, arena, &scopes, &err);

	if (in) {
		verify_add(checks, VERIFY_YES, "log in", "the vendor gives a token");
		verify_scopes(scopes, checks);
		verify_inspect(session, arena, checks);
		verify_intel(session, arena, checks);
	} else {
		add_login_failure(session, checks, &err);
	}
	arena_free(arena);
	return in;
}
