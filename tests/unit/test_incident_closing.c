/* What the saga decides about a closing, and what a ticket says of its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "incident/closing.h"
#include "incident/saga.h"
#include "model/incident.h"

static const uint64_t now_ms = 1763749000000ULL, quarantine_ms = 120000, grace_ms = 60000;

static struct saga_policy policy(void)
{
	return (struct saga_policy){
		.start_by_ms = 5000,
		.quarantine_ms = quarantine_ms,
		.grace_ms = grace_ms,
		.backoff_base_ms = 1000,
		.backoff_cap_ms = 60000,
		.notes_per_day = 12,
	};
}

static struct incident planned(void)
{
	struct incident incident = {
		.id = "00112233445566aa",
		.customer = "acme",
		.group = "ffeeddccbbaa0011",
		.severity_id = 4,
		.servicenow_account = "snow",
		.threat_response_account = "xdr",
	};

	saga_plan(&incident, false);
	return incident;
}

static void put(struct incident *incident, enum incident_step_id id,
		enum incident_step_status status)
{
	incident->steps[id].status = status;
	if (status == STEP_INTENT)
		incident->steps[id].intent_ms = now_ms;
}

/* Ticket and links are there. */
static struct incident opened(void)
{
	struct incident incident = planned();

	for (int i = STEP_INSPECT; i < STEP_SERVICENOW_NOTE; i++)
		incident.steps[i].status = STEP_DONE;
	put(&incident, STEP_SERVICENOW_CANCEL, STEP_NEW);
	incident.state = INCIDENT_OPEN;
	incident.told_severity_id = 4;
	incident.sys_id = "46f09e75a9fe198100f4ffd8d366d17b";
	incident.ctim_id = "https://intel/ctia/incident/incident-1";
	return incident;
}

static void end(struct incident *incident, struct saga_policy *with, enum incident_step_id id,
		enum saga_phase phase, enum saga_result result)
{
	const struct saga_end ended = { .phase = phase, .result = result, .note = "words" };

	saga_end(incident, with, id, &ended, now_ms);
	saga_set_state(incident);
}

/* Runs everything that can be done now, answered with success; the order of the calls. */
static size_t run_all(struct incident *incident, struct saga_policy *with, uint64_t at_ms,
		      enum incident_step_id *ret_order)
{
	size_t count = 0;

	for (;;) {
		struct saga_move move = saga_next(incident, with, at_ms);

		if (move.action != SAGA_RUN)
			return count;
		assert_true(count < 20);
		ret_order[count++] = move.step;
		if (move.look_up) {
			end(incident, with, move.step, SAGA_LOOK_UP, SAGA_OK);
			continue;
		}
		saga_begin(incident, with, move.step, 1, at_ms);
		if (move.step == STEP_SERVICENOW_VERIFY)
			incident->closing.hint_ms = 0;
		end(incident, with, move.step, SAGA_CALL, SAGA_OK);
	}
}

static void close_now(struct incident *incident, enum incident_release release)
{
	const struct saga_closing_plan plan = {
		.release = release, .resolve = true, .defender = true, .report = true
	};

	saga_closing_accept(incident, now_ms);
	saga_closing_decide(incident, &plan);
	saga_set_state(incident);
}

/* ---- the saga ---- */

static void test_order(void **state)
{
	static const enum incident_step_id want[] = {
		STEP_THREAT_RESPONSE_CLOSE, STEP_SERVICENOW_RESOLVE, STEP_DEFENDER_RESOLVE,
		STEP_RELEASE_ISOLATE,	    STEP_RELEASE_MOVE_GROUP, STEP_SERVICENOW_REPORT
	};
	enum incident_step_id order[20];
	struct incident incident = opened();
	struct saga_policy with = policy();

	(void)state;
	incident.containment.due = 1;
	close_now(&incident, RELEASE_NOW);
	assert_int_equal(incident.state, INCIDENT_CLOSING);
	assert_int_equal(run_all(&incident, &with, now_ms, order), 6);
	assert_memory_equal(order, want, sizeof(want));
	assert_int_equal(incident.state, INCIDENT_CLOSED);
	assert_int_equal(saga_next(&incident, &with, now_ms).action, SAGA_DONE);
}

static void test_a_hint_is_only_read(void **state)
{
	enum incident_step_id order[20];
	struct incident incident = opened();
	struct saga_policy with = policy();

	(void)state;
	assert_int_equal(run_all(&incident, &with, now_ms, order), 0);
	incident.closing.hint_ms = now_ms;
	assert_int_equal(run_all(&incident, &with, now_ms, order), 1);
	assert_int_equal(order[0], STEP_SERVICENOW_VERIFY);
	assert_int_equal(incident.state, INCIDENT_OPEN);
}

static void test_nothing_before_the_grace(void **state)
{
	struct incident incident = opened();
	struct saga_policy with = policy();
	struct saga_move move;

	(void)state;
	incident.closing.hint_ms = now_ms;
	incident.closing.seen = "release - 1 x";
	incident.closing.seen_ms = now_ms;
	saga_closing_accept(&incident, now_ms);
	move = saga_next(&incident, &with, now_ms + grace_ms - 1);
	assert_int_equal(move.action, SAGA_WAIT);
	assert_int_equal(move.due_ms, now_ms + grace_ms);
	move = saga_next(&incident, &with, now_ms + grace_ms);
	assert_true(move.action == SAGA_RUN && move.step == STEP_SERVICENOW_VERIFY);
	/* Reopened: as if nothing had been said. */
	saga_closing_withdraw(&incident);
	assert_int_equal(incident.state, INCIDENT_OPEN);
	assert_int_equal(saga_next(&incident, &with, now_ms + grace_ms).action, SAGA_DONE);
}

/* What each step of the opening was, and what becomes of it. */
static void test_the_opening_ends(void **state)
{
	static const struct {
		enum incident_step_status before, after;
	} rows[] = {
		{ STEP_NEW, STEP_SKIPPED },	{ STEP_WAITING, STEP_SKIPPED },
		{ STEP_FAILED, STEP_SKIPPED },	{ STEP_DONE, STEP_DONE },
		{ STEP_SKIPPED, STEP_SKIPPED }, { STEP_INTENT, STEP_INTENT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct incident incident = planned();

		put(&incident, STEP_THREAT_RESPONSE_CREATE, rows[i].before);
		put(&incident, STEP_SERVICENOW_LINK, rows[i].before);
		saga_closing_accept(&incident, now_ms);
		assert_int_equal(incident.steps[STEP_THREAT_RESPONSE_CREATE].status,
				 rows[i].after);
		assert_int_equal(incident.steps[STEP_SERVICENOW_LINK].status, rows[i].after);
		assert_int_equal(incident.state, INCIDENT_CLOSING);
	}
}

/* A call in flight is looked up after its quarantine, then closed; or it never was. */
static void test_a_call_in_flight_is_settled_first(void **state)
{
	(void)state;
	for (int found = 0; found < 2; found++) {
		struct incident incident = opened();
		struct saga_policy with = policy();
		enum incident_step_id order[20];
		struct saga_move move;

		incident.ctim_id = NULL;
		put(&incident, STEP_THREAT_RESPONSE_CREATE, STEP_INTENT);
		close_now(&incident, RELEASE_NOW);
		run_all(&incident, &with, now_ms, order);
		assert_int_equal(incident.steps[STEP_THREAT_RESPONSE_CLOSE].status, STEP_NEW);
		move = saga_next(&incident, &with, now_ms + quarantine_ms - 1);
		assert_int_equal(move.action, SAGA_WAIT);
		move = saga_next(&incident, &with, now_ms + quarantine_ms);
		assert_true(move.action == SAGA_RUN && move.look_up &&
			    move.step == STEP_THREAT_RESPONSE_CREATE);
		incident.ctim_id = found ? "incident-1" : NULL;
		end(&incident, &with, move.step, SAGA_LOOK_UP, found ? SAGA_OK : SAGA_ABSENT);
		run_all(&incident, &with, now_ms + quarantine_ms, order);
		assert_int_equal(incident.state, INCIDENT_CLOSED);
		assert_int_equal(incident.steps[STEP_THREAT_RESPONSE_CREATE].status,
				 found ? STEP_DONE : STEP_SKIPPED);
		assert_int_equal(incident.steps[STEP_THREAT_RESPONSE_CLOSE].status,
				 found ? STEP_DONE : STEP_SKIPPED);
	}
}

static void test_crash_after_each_write(void **state)
{
	struct arena *arena = arena_new();
	enum incident_step_id order[20], rest[20];
	struct saga_policy with = policy();
	struct incident whole = opened();
	size_t calls;

	(void)state;
	whole.containment.due = 1;
	close_now(&whole, RELEASE_NOW);
	calls = run_all(&whole, &with, now_ms, order);
	for (size_t crash = 0; crash < 2 * calls; crash++) {
		struct incident incident = opened(), again;
		struct field fields[INCIDENT_FIELDS];
		size_t left = 0, done = 0;

		incident.containment.due = 1;
		close_now(&incident, RELEASE_NOW);
		for (size_t i = 0; i <= crash / 2; i++) {
			saga_begin(&incident, &with, order[i], 1, now_ms);
			if (i < crash / 2 || crash % 2 == 1) {
				end(&incident, &with, order[i], SAGA_CALL, SAGA_OK);
				done++;
			}
		}
		assert_true(incident_decode(&again, fields,
					    incident_encode(&incident, arena, fields), NULL));
		left = run_all(&again, &with, now_ms + quarantine_ms, rest);
		/* What was intended is looked up, and that is an end here. */
		assert_int_equal(left, calls - done);
		assert_int_equal(again.state, INCIDENT_CLOSED);
	}
	arena_free(arena);
}

static void test_hosts(void **state)
{
	static const struct {
		enum incident_release release;
		bool holds;
		enum incident_state want;
		enum incident_step_status step;
	} rows[] = {
		{ RELEASE_NOW, true, INCIDENT_CLOSED, STEP_DONE },
		{ RELEASE_NOW, false, INCIDENT_CLOSED, STEP_SKIPPED },
		{ RELEASE_ASK, true, INCIDENT_CLOSING, STEP_NEW },
		{ RELEASE_ASK, false, INCIDENT_CLOSED, STEP_SKIPPED },
		{ RELEASE_SURVIVOR, true, INCIDENT_CLOSING, STEP_NEW },
		{ RELEASE_KEEP, true, INCIDENT_CLOSED, STEP_SKIPPED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct incident incident = opened();
		struct saga_policy with = policy();
		enum incident_step_id order[20];

		incident.containment.due = rows[i].holds;
		close_now(&incident, rows[i].release);
		run_all(&incident, &with, now_ms, order);
		assert_int_equal(incident.state, rows[i].want);
		assert_int_equal(incident.steps[STEP_RELEASE_ISOLATE].status, rows[i].step);
		if (rows[i].want != INCIDENT_CLOSING)
			continue;
		/* The others were not held up; confirmed, it goes on. */
		assert_int_equal(incident.steps[STEP_THREAT_RESPONSE_CLOSE].status, STEP_DONE);
		assert_int_equal(saga_next(&incident, &with, now_ms).action, SAGA_DONE);
		incident.closing.release = RELEASE_NOW;
		run_all(&incident, &with, now_ms, order);
		assert_int_equal(incident.state, INCIDENT_CLOSED);
	}
}

static void test_failed_retried_and_told(void **state)
{
	struct incident incident = opened();
	struct saga_policy with = policy();
	enum incident_step_id order[20];

	(void)state;
	incident.containment.due = 1;
	close_now(&incident, RELEASE_NOW);
	saga_begin(&incident, &with, STEP_RELEASE_ISOLATE, 1, now_ms);
	end(&incident, &with, STEP_RELEASE_ISOLATE, SAGA_CALL, SAGA_FAILED);
	assert_int_equal(incident.state, INCIDENT_FAILED);
	/* The rest is done all the same, and told. */
	run_all(&incident, &with, now_ms, order);
	assert_int_equal(incident.state, INCIDENT_FAILED);
	assert_int_equal(incident.steps[STEP_SERVICENOW_REPORT].status, STEP_DONE);
	assert_true(saga_retry(&incident, now_ms));
	run_all(&incident, &with, now_ms + quarantine_ms, order);
	assert_int_equal(incident.state, INCIDENT_CLOSED);
	assert_int_equal(incident.steps[STEP_SERVICENOW_REPORT].status, STEP_DONE);
}

static void test_reopened(void **state)
{
	struct incident incident = opened();
	struct saga_policy with = policy();
	enum incident_step_id order[20];

	(void)state;
	close_now(&incident, RELEASE_NOW);
	run_all(&incident, &with, now_ms, order);
	saga_reopen(&incident);
	assert_int_equal(incident.state, INCIDENT_OPEN);
	assert_int_equal(run_all(&incident, &with, now_ms, order), 1);
	assert_int_equal(order[0], STEP_THREAT_RESPONSE_REOPEN);
	assert_int_equal(incident.reopened, 1);
	/* All of it may be closed once more. */
	close_now(&incident, RELEASE_NOW);
	assert_int_equal(run_all(&incident, &with, now_ms, order), 4);
	assert_int_equal(incident.state, INCIDENT_CLOSED);
}

/* A closing under way is a goal: what is said meanwhile is looked at when it is reached. */
static void test_a_reopening_waits_for_the_end(void **state)
{
	struct incident incident = opened();
	struct saga_policy with = policy();
	enum incident_step_id order[20];
	size_t count;

	(void)state;
	close_now(&incident, RELEASE_NOW);
	incident.closing.hint_ms = now_ms;
	assert_true(saga_closing_busy(&incident));
	assert_int_equal(saga_next(&incident, &with, now_ms).step, STEP_THREAT_RESPONSE_CLOSE);
	count = run_all(&incident, &with, now_ms, order);
	assert_int_equal(order[count - 1], STEP_SERVICENOW_VERIFY);
}

static void test_held_waits_for_a_person(void **state)
{
	struct incident incident = opened();
	struct saga_policy with = policy();
	enum incident_step_id order[20];

	(void)state;
	incident.state = INCIDENT_HELD;
	incident.waiting_count = 3;
	assert_int_equal(run_all(&incident, &with, now_ms, order), 0);
	assert_true(saga_retry(&incident, now_ms));
	assert_int_equal(run_all(&incident, &with, now_ms, order), 1);
	assert_int_equal(order[0], STEP_SERVICENOW_VERIFY);
}

/* ---- what a ticket says ---- */

static char company[] = "31bea3d53790200044e0bfc8bcbe5dec", kept[] = "Kept",
	    parked[] = "Parked", acme[] = "acme";

#define SURVIVOR "46f09e75a9fe198100f4ffd8d366d17b"
#define KEY	 "tocsin-i:lab:acme:ffeeddccbbaa0011:00112233445566aa"

struct look_row {
	const char *state, *code, *parent, *company, *key;
	enum closing_ticket want;
	enum closing_effect effect;
};

static void look(const struct look_row *row, const struct customer *customer,
		 struct arena *arena, struct closing_look *ret_look)
{
	const struct closing_case about = { .customer = customer,
					    .installation = "lab",
					    .table = "incident" };
	const struct servicenow_value values[] = {
		{ "number", "INC0010001" },
		{ "state", row->state },
		{ "active", row->state[0] >= '7' ? "false" : "true" },
		{ "company", row->company ? row->company : company },
		{ "correlation_id", row->key ? row->key : KEY },
		{ "close_code", row->code ? row->code : "" },
		{ "parent_incident", row->parent ? row->parent : "" },
		{ "resolved_at", "2026-11-21 18:16:05" },
	};
	const struct servicenow_record ticket = { values, sizeof(values) / sizeof(values[0]) };

	closing_look(&about, &ticket, arena, ret_look);
}

static void test_what_a_ticket_says(void **state)
{
	static const struct look_row rows[] = {
		{ "1", .want = CLOSING_TICKET_OPEN },
		{ "2", .want = CLOSING_TICKET_OPEN },
		{ "3", "Duplicate", SURVIVOR, .want = CLOSING_TICKET_OPEN },
		{ "6", "Solution provided", .want = CLOSING_TICKET_OVER,
		  .effect = CLOSING_RELEASE },
		{ "7", .want = CLOSING_TICKET_OVER, .effect = CLOSING_RELEASE },
		{ "8", .want = CLOSING_TICKET_OVER, .effect = CLOSING_ASK },
		{ "6", "Duplicate", SURVIVOR, .want = CLOSING_TICKET_OVER,
		  .effect = CLOSING_SURVIVOR },
		{ "7", "", SURVIVOR, .want = CLOSING_TICKET_OVER, .effect = CLOSING_SURVIVOR },
		{ "6", "duplicate", .want = CLOSING_TICKET_OVER, .effect = CLOSING_ASK },
		{ "6", "Kept", .want = CLOSING_TICKET_OVER, .effect = CLOSING_KEEP },
		{ "6", "kept", SURVIVOR, .want = CLOSING_TICKET_OVER, .effect = CLOSING_KEEP },
		{ "6", "Parked", .want = CLOSING_TICKET_OPEN, .effect = CLOSING_IGNORE },
		{ "6", .company = SURVIVOR, .want = CLOSING_TICKET_FOREIGN },
		{ "6", .company = "", .want = CLOSING_TICKET_FOREIGN },
		{ "1", .key = "tocsin-i:other:acme:a:b", .want = CLOSING_TICKET_FOREIGN },
		{ "1", .key = "tocsin-i:lab:globex:a:b", .want = CLOSING_TICKET_FOREIGN },
		{ "1", .key = "", .want = CLOSING_TICKET_FOREIGN },
		/* An older incident of the group made the ticket. */
		{ "1", .key = "tocsin-i:lab:acme:ffeeddccbbaa0011:ffffffffffffffff",
		  .want = CLOSING_TICKET_OPEN },
	};
	struct closing_code codes[] = {
		{ .code = kept, .has_effect = true, .effect = CLOSING_KEEP },
		{ .code = parked, .has_effect = true, .effect = CLOSING_IGNORE },
	};
	struct customer customer = { .id = acme, .servicenow = { .company = company } };
	struct arena *arena = arena_new();

	(void)state;
	customer_closing_init(&customer.closing);
	customer.closing.codes = codes;
	customer.closing.code_count = 2;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct closing_look seen;

		look(&rows[i], &customer, arena, &seen);
		if (seen.ticket != rows[i].want)
			print_error("row %zu: %s\n", i, seen.words);
		assert_int_equal(seen.ticket, rows[i].want);
		if (seen.ticket == CLOSING_TICKET_OVER)
			assert_int_equal(seen.effect, rows[i].effect);
		assert_true(!seen.survivor == (seen.effect != CLOSING_SURVIVOR));
	}
	arena_free(arena);
}

/* The same closing is told in the same way, another one is not. */
static void test_what_was_seen(void **state)
{
	const struct look_row resolved = { "6", "User error" }, closed = { "7", "User error" },
			      other = { "6", "Known error" };
	struct customer customer = { .id = acme, .servicenow = { .company = company } };
	struct arena *arena = arena_new();
	struct closing_look a, b, c;

	(void)state;
	customer_closing_init(&customer.closing);
	look(&resolved, &customer, arena, &a);
	look(&closed, &customer, arena, &b);
	look(&other, &customer, arena, &c);
	assert_string_equal(a.seen, b.seen); /* closed by itself, days later */
	assert_string_not_equal(a.seen, c.seen);
	assert_true(a.writable && !b.writable);
	assert_true(a.over_ms == b.over_ms && a.over_ms > 0);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_a_hint_is_only_read),
		cmocka_unit_test(test_nothing_before_the_grace),
		cmocka_unit_test(test_the_opening_ends),
		cmocka_unit_test(test_a_call_in_flight_is_settled_first),
		cmocka_unit_test(test_crash_after_each_write),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_failed_retried_and_told),
		cmocka_unit_test(test_reopened),
		cmocka_unit_test(test_a_reopening_waits_for_the_end),
		cmocka_unit_test(test_held_waits_for_a_person),
		cmocka_unit_test(test_what_a_ticket_says),
		cmocka_unit_test(test_what_was_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
