/* Whether a host is contained: every protection, one row at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "incident/contain_decide.h"
#include "incident/saga.h"
#include "model/finding.h"

#define MINUTE UINT64_C(60000)
#define NOW    (UINT64_C(1800000000000))

static char never_name[] = "dc-*", never_net[] = "10.9.0.0/16", never_net6[] = "fe80::/10";
static char *never[] = { never_name, never_net, never_net6 };

/* What a row changes of a case in which the host is contained. */
struct row {
	const char *what;
	enum contain_verdict want;
	enum containment_mode mode;
	enum containment_test test;
	int severity_id;
	uint64_t age_ms;
	bool behind;	/* the event lies in the future by its age */
	bool looked_up; /* did not come as it happened */
	bool approved, held, unknown_host, unable, unread;
	const char *name, *system, *ip;
	enum contain_present present;
};

static const struct row rows[] = {
	{ "a workstation", CONTAIN_ACT },
	{ "before it is read", CONTAIN_ACT, .unread = true },
	{ "off", CONTAIN_NO, .mode = CONTAINMENT_OFF },
	{ "approve", CONTAIN_ASK, .mode = CONTAINMENT_APPROVE },
	{ "approved", CONTAIN_ACT, .mode = CONTAINMENT_APPROVE, .approved = true },
	{ "low severity", CONTAIN_NO, .severity_id = SEVERITY_MEDIUM },
	{ "unknown severity", CONTAIN_NO, .severity_id = SEVERITY_OTHER },
	{ "critical", CONTAIN_ACT, .severity_id = SEVERITY_CRITICAL },
	{ "fatal", CONTAIN_ACT, .severity_id = SEVERITY_FATAL },
	{ "just young enough", CONTAIN_ACT, .age_ms = 30 * MINUTE },
	{ "too old", CONTAIN_NO, .age_ms = 30 * MINUTE + 1 },
	{ "too old, not read", CONTAIN_NO, .age_ms = 31 * MINUTE, .unread = true },
	{ "too old, approved", CONTAIN_ACT, .age_ms = 31 * MINUTE, .approved = true },
	{ "in the future", CONTAIN_NO, .age_ms = 31 * MINUTE, .behind = true },
	{ "a clock a little ahead", CONTAIN_ACT, .age_ms = MINUTE, .behind = true },
	{ "catch-up", CONTAIN_NO, .looked_up = true },
	{ "catch-up, approve mode", CONTAIN_NO, .looked_up = true,
	  .mode = CONTAINMENT_APPROVE },
	{ "catch-up of a held host", CONTAIN_JOIN, .looked_up = true, .held = true,
	  .present = PRESENT_OURS },
	{ "held when asked, free by now", CONTAIN_NO, .looked_up = true, .held = true },
	{ "held and old, free by now", CONTAIN_NO, .age_ms = 31 * MINUTE, .held = true },
	{ "a server", CONTAIN_ASK, .system = "Windows Server 2019" },
	{ "an approved server", CONTAIN_ACT, .system = "Windows Server 2019",
	  .approved = true },
	{ "Defender's server", CONTAIN_ASK, .system = "WindowsServer2022" },
	{ "Linux", CONTAIN_ASK, .system = "linux Rocky 9" },
	{ "no system", CONTAIN_ASK, .system = "" },
	{ "multi-session", CONTAIN_ASK, .system = "Windows10WVD" },
	{ "a Mac", CONTAIN_ACT, .system = "macOS 15.1" },
	{ "ancestors: the name says so", CONTAIN_ACT, .test = CONTAINMENT_TEST_ANCESTORS,
	  .name = "pc-Win-7", .system = "" },
	{ "ancestors: it does not", CONTAIN_ASK, .test = CONTAINMENT_TEST_ANCESTORS,
	  .name = "ws-1" },
	{ "ancestors: yet a server", CONTAIN_ASK, .test = CONTAINMENT_TEST_ANCESTORS,
	  .name = "WINSRV", .system = "Windows Server 2022" },
	{ "never by name", CONTAIN_NO, .name = "DC-01.corp.example" },
	{ "never, though approved", CONTAIN_NO, .name = "dc-01", .approved = true },
	{ "never by address", CONTAIN_NO, .ip = "10.9.255.1" },
	{ "never by address 6", CONTAIN_NO, .ip = "febf::1" },
	{ "another network", CONTAIN_ACT, .ip = "10.10.0.1" },
	{ "unknown to the vendor", CONTAIN_NO, .unknown_host = true },
	{ "not offered", CONTAIN_NO, .unable = true },
	{ "not offered, approved", CONTAIN_NO, .unable = true, .approved = true },
	{ "ours already", CONTAIN_JOIN, .present = PRESENT_OURS },
	{ "ours already, approve mode", CONTAIN_JOIN, .present = PRESENT_OURS,
	  .mode = CONTAINMENT_APPROVE },
	{ "somebody else's", CONTAIN_FOREIGN, .present = PRESENT_THEIRS },
	{ "somebody else's, approved", CONTAIN_FOREIGN, .present = PRESENT_THEIRS,
	  .approved = true },
	{ "on its way", CONTAIN_WAIT, .present = PRESENT_CHANGING },
	{ "a word we do not know", CONTAIN_WAIT, .present = PRESENT_UNKNOWN },
};

/* OFF is 0, and so is what a row does not say. */
static enum containment_mode mode_of(const struct row *row)
{
	if (strcmp(row->what, "off") == 0)
		return CONTAINMENT_OFF;
	return row->mode ? row->mode : CONTAINMENT_AUTO;
}

static void decides(void **state)
{
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct row *row = &rows[i];
		const char *ips[] = { row->ip ? row->ip : "192.0.2.1" };
		const struct customer_containment policy = {
			.mode = mode_of(row),
			.isolate = true,
			.minimum_severity = SEVERITY_HIGH,
			.maximum_age_ms = 30 * MINUTE,
			.test = row->test,
			.never = never,
			.never_count = sizeof never / sizeof never[0],
		};
		const struct contain_host host = {
			.names = { row->name ? row->name : "ws-1", "guid", ips, 1 },
			.found = !row->unknown_host,
			.system = row->system ? row->system : "Windows 11 Enterprise",
			.able = !row->unable,
			.present = row->present,
		};
		const struct contain_facts facts = {
			.policy = &policy,
			.severity_id = row->severity_id ? row->severity_id : SEVERITY_HIGH,
			.event_ms = row->behind ? NOW + row->age_ms : NOW - row->age_ms,
			.now_ms = NOW,
			.live = !row->looked_up,
			.approved = row->approved,
			.held = row->held,
			.host = row->unread ? NULL : &host,
		};
		struct contain_decision got = contain_decide(&facts, arena);

		if (got.verdict != row->want)
			fail_msg("%s: %d, not %d (%s)", row->what, got.verdict, row->want,
				 got.why ? got.why : "");
		if (got.verdict == CONTAIN_ASK)
			assert_non_null(got.why);
	}
	arena_free(arena);
}

/* ---- when ---- */

static void warns_in_time(void **state)
{
	const struct saga_policy policy = { .contain_max_ms = 100 * MINUTE };
	struct incident incident = { .containment = {
					 .machine = "m", .due = 1, .since_ms = NOW } };

	(void)state;
	assert_int_equal(saga_watch_due_ms(&incident, &policy), NOW + 50 * MINUTE);
	incident.containment.warned = 1;
	assert_int_equal(saga_watch_due_ms(&incident, &policy), NOW + 90 * MINUTE);
	incident.containment.warned = 2;
	assert_int_equal(saga_watch_due_ms(&incident, &policy), NOW + 100 * MINUTE);
	incident.containment.warned = 3;
	assert_int_equal(saga_watch_due_ms(&incident, &policy), 0);
	incident.containment.asked_ms = NOW;
	assert_int_equal(saga_watch_due_ms(&incident, &policy), NOW); /* for the mail */
	incident.containment.mailed = true;
	incident.containment.expires_ms = NOW + 5 * MINUTE;
	assert_int_equal(saga_watch_due_ms(&incident, &policy), NOW + 5 * MINUTE);
	incident.containment.warned = 0;
	assert_int_equal(saga_watch_due_ms(&incident, &policy), NOW + 5 * MINUTE);
}

/* The host is decided on when the opening has been tried; nothing of it runs once it closes. */
static void runs_when_it_may(void **state)
{
	struct saga_policy policy = { .quarantine_ms = MINUTE, .contain_max_ms = 100 * MINUTE };
	struct incident incident = { .state = INCIDENT_OPEN };
	struct saga_end end = { .result = SAGA_PENDING, .retry_after_ms = MINUTE };
	struct saga_move move;

	(void)state;
	for (int i = 0; i < STEP_CONTAIN_ISOLATE; i++)
		incident.steps[i].status = STEP_SKIPPED;
	assert_int_equal(saga_next(&incident, &policy, NOW).action, SAGA_DONE);
	incident.containment.machine = "m";
	move = saga_next(&incident, &policy, NOW);
	assert_int_equal(move.action, SAGA_RUN);
	assert_int_equal(move.step, STEP_CONTAIN_ISOLATE);

	/* Accepted: looked up when its time has come, not after a quarantine. */
	incident.steps[STEP_CONTAIN_MOVE_GROUP].status = STEP_SKIPPED;
	saga_begin(&incident, &policy, STEP_CONTAIN_ISOLATE, 1, NOW);
	saga_end(&incident, &policy, STEP_CONTAIN_ISOLATE, &end, NOW);
	move = saga_next(&incident, &policy, NOW);
	assert_int_equal(move.action, SAGA_WAIT);
	assert_int_equal(move.due_ms, NOW + MINUTE);
	move = saga_next(&incident, &policy, NOW + MINUTE);
	assert_int_equal(move.action, SAGA_RUN);
	assert_true(move.look_up);

	/* An operator lets go what is held: nothing is contained meanwhile. */
	incident.containment.due = 1;
	incident.containment.release = "jdoe";
	move = saga_next(&incident, &policy, NOW + MINUTE);
	assert_int_equal(move.step, STEP_RELEASE_ISOLATE);
	incident.containment.release = NULL;
	saga_closing_accept(&incident, NOW);
	assert_int_equal(saga_next(&incident, &policy, NOW + MINUTE).action, SAGA_DONE);
	assert_true(saga_holds_hosts(&incident));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decides),
		cmocka_unit_test(warns_in_time),
		cmocka_unit_test(runs_when_it_may),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
