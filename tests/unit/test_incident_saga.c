/* What the saga decides: next step, waiting, ends; crashes at every write of the journal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "incident/intake.h"
#include "incident/saga.h"
#include "model/incident.h"

enum { NOW = 1763749000, QUARANTINE = 120 };

static const uint64_t now_ms = NOW * 1000ULL, quarantine_ms = QUARANTINE * 1000ULL;
static const uint64_t minute_ms = 60 * 1000, day_ms = 24 * 3600 * 1000;

static struct saga_policy policy(void)
{
	return (struct saga_policy){
		.start_by_ms = 5000,
		.quarantine_ms = quarantine_ms,
		.backoff_base_ms = 1000,
		.backoff_cap_ms = 60000,
		.note_interval_ms = { 0, 5 * 60000, 30 * 60000, 4 * 3600000 },
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
		.opening = "{}",
	};

	saga_plan(&incident, false);
	return incident;
}

/* As it is after the ticket and its links. */
static struct incident opened(void)
{
	struct incident incident = planned();

	for (int i = STEP_INSPECT; i <= STEP_THREAT_RESPONSE_LINK; i++)
		incident.steps[i].status = STEP_DONE;
	incident.steps[STEP_SERVICENOW_CANCEL].status = STEP_NEW;
	incident.state = INCIDENT_OPEN;
	incident.told_severity_id = 4;
	return incident;
}

static void end_step(struct incident *incident, struct saga_policy *with,
		     enum incident_step_id step, enum saga_phase phase, enum saga_result result,
		     uint64_t retry_after_ms)
{
	const struct saga_end end = { phase, result, retry_after_ms, "words" };

	saga_end(incident, with, step, &end, now_ms);
	saga_set_state(incident);
}

/* Runs to the end with every call answered; returns the order of the calls. */
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
		saga_begin(incident, with, move.step, 1, at_ms);
		end_step(incident, with, move.step, SAGA_CALL, SAGA_OK, 0);
		if (move.step == STEP_SERVICENOW_NOTE)
			incident->waiting_count = 0;
	}
}

static void test_order(void **state)
{
	static const enum incident_step_id want[] = {
		STEP_INSPECT,	      STEP_THREAT_RESPONSE_CREATE, STEP_SERVICENOW_CREATE,
		STEP_SERVICENOW_LINK, STEP_THREAT_RESPONSE_LINK,
	};
	enum incident_step_id order[20];
	struct incident incident = planned();
	struct saga_policy with = policy();

	(void)state;
	assert_int_equal(run_all(&incident, &with, now_ms, order), 5);
	assert_memory_equal(order, want, sizeof(want));
	assert_int_equal(incident.state, INCIDENT_OPEN);
	assert_true(saga_opening_over(&incident));
}

static void test_without_threat_response(void **state)
{
	enum incident_step_id order[20];
	struct incident incident = planned();
	struct saga_policy with = policy();

	(void)state;
	incident.threat_response_account = NULL;
	saga_plan(&incident, false);
	assert_int_equal(run_all(&incident, &with, now_ms, order), 2);
	assert_int_equal(order[0], STEP_SERVICENOW_CREATE);
	assert_int_equal(order[1], STEP_SERVICENOW_LINK);
	assert_true(saga_opening_over(&incident));
}

static void test_without_servicenow(void **state)
{
	enum incident_step_id order[20];
	struct incident incident = planned();
	struct saga_policy with = policy();

	(void)state;
	incident.servicenow_account = NULL;
	saga_plan(&incident, false);
	assert_int_equal(run_all(&incident, &with, now_ms, order), 2);
	assert_int_equal(order[1], STEP_THREAT_RESPONSE_CREATE);
	assert_int_equal(incident.state, INCIDENT_OPEN);
	assert_true(saga_opening_over(&incident));
}

/* ---- crashes ---- */

/* As the next worker finds it: through the hash and back. */
static struct incident reread(const struct incident *incident, struct arena *arena)
{
	struct field fields[INCIDENT_FIELDS];
	size_t count = incident_encode(incident, arena, fields);
	struct incident read;
	struct err err;

	assert_true(incident_decode(&read, fields, count, &err));
	return read;
}

/* A crash after any write: what was only intended is looked up once the quarantine is over and
 * not before; what has a result is not done again; the rest is done in order. */
static void test_crash_after_each_write(void **state)
{
	struct arena *arena = arena_new();
	enum incident_step_id order[20], rest[20];
	struct saga_policy with = policy();
	struct incident whole = planned();
	size_t calls = run_all(&whole, &with, now_ms, order);

	(void)state;
	for (size_t crash = 0; crash < 2 * calls; crash++) {
		struct incident incident = planned();
		bool intended = crash % 2 == 0; /* the last write was an intent */

		for (size_t i = 0; i <= crash / 2; i++) {
			saga_begin(&incident, &with, order[i], 1, now_ms);
			if (i < crash / 2 || !intended)
				end_step(&incident, &with, order[i], SAGA_CALL, SAGA_OK, 0);
		}
		incident = reread(&incident, arena);

		size_t next = crash / 2;
		uint64_t later_ms = now_ms + quarantine_ms;

		if (intended) {
			struct saga_move early = saga_next(&incident, &with, later_ms - 1);
			struct saga_move due;

			assert_false(early.action == SAGA_RUN && early.step == order[next]);
			/* Others go on meanwhile, except those that need this one. */
			if (early.action == SAGA_RUN)
				assert_true(early.step == STEP_SERVICENOW_CREATE ||
					    early.step == STEP_THREAT_RESPONSE_LINK);
			due = saga_next(&incident, &with, later_ms);
			assert_int_equal(due.action, SAGA_RUN);
			assert_int_equal(due.step, order[next]);
			assert_true(due.look_up);
			end_step(&incident, &with, due.step, SAGA_LOOK_UP, SAGA_OK, 0);
		}
		size_t left = run_all(&incident, &with, later_ms, rest);

		assert_int_equal(left, calls - next - 1);
		assert_memory_equal(rest, order + next + 1, left * sizeof(rest[0]));
		assert_true(saga_opening_over(&incident));
	}
	arena_free(arena);
}

static void test_absent_is_done_again(void **state)
{
	struct incident incident = planned();
	struct saga_policy with = policy();
	struct saga_move move;

	(void)state;
	incident.threat_response_account = NULL;
	saga_plan(&incident, false);
	saga_begin(&incident, &with, STEP_SERVICENOW_CREATE, 1, now_ms);
	end_step(&incident, &with, STEP_SERVICENOW_CREATE, SAGA_CALL, SAGA_AMBIGUOUS, 0);
	move = saga_next(&incident, &with, now_ms + 5000);
	assert_int_equal(move.action, SAGA_WAIT);
	assert_int_equal(move.due_ms, now_ms + quarantine_ms);
	move = saga_next(&incident, &with, now_ms + quarantine_ms);
	assert_true(move.action == SAGA_RUN && move.look_up);
	end_step(&incident, &with, STEP_SERVICENOW_CREATE, SAGA_LOOK_UP, SAGA_ABSENT, 0);
	move = saga_next(&incident, &with, now_ms + quarantine_ms);
	assert_true(move.action == SAGA_RUN && !move.look_up);
	assert_int_equal(incident.steps[STEP_SERVICENOW_CREATE].attempt, 1);
}

/* A look-up that could not be made answers nothing: never create after it. */
static void test_failed_look_up_stays_open(void **state)
{
	static const enum saga_result results[] = { SAGA_RETRY, SAGA_REFUSED };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct incident incident = planned();
		struct saga_policy with = policy();

		incident.threat_response_account = NULL;
		saga_plan(&incident, false);
		saga_begin(&incident, &with, STEP_SERVICENOW_CREATE, 1, now_ms - quarantine_ms);
		end_step(&incident, &with, STEP_SERVICENOW_CREATE, SAGA_LOOK_UP, results[i],
			 500);
		assert_int_equal(incident.steps[STEP_SERVICENOW_CREATE].status, STEP_INTENT);

		struct saga_move move = saga_next(&incident, &with, now_ms + 499);

		assert_int_equal(move.action, SAGA_WAIT);
		move = saga_next(&incident, &with, now_ms + 60000);
		assert_true(move.action == SAGA_RUN && move.look_up);
	}
}

/* The ticket and its second note have one write of intents: used at once it is enough, later
 * it is not, without its ticket it is withdrawn, and a crash leaves both to be looked up. */
static void test_intent_written_ahead(void **state)
{
	struct incident incident = planned(), crashed;
	struct saga_policy with = policy(), next = policy();
	struct arena *arena = arena_new();
	struct saga_move move;

	(void)state;
	incident.threat_response_account = NULL;
	saga_plan(&incident, false);
	saga_begin(&incident, &with, STEP_SERVICENOW_CREATE, 1, now_ms);
	crashed = reread(&incident, arena);
	end_step(&incident, &with, STEP_SERVICENOW_CREATE, SAGA_CALL, SAGA_OK, 0);
	move = saga_next(&incident, &with, now_ms + 4999);
	assert_true(move.step == STEP_SERVICENOW_LINK && move.begun && !move.look_up);
	move = saga_next(&incident, &with, now_ms + 5000);
	assert_true(move.step == STEP_SERVICENOW_LINK && !move.begun && !move.look_up);
	saga_withdraw(&incident, &with);
	assert_int_equal(incident.steps[STEP_SERVICENOW_LINK].status, STEP_NEW);

	end_step(&crashed, &next, STEP_SERVICENOW_CREATE, SAGA_LOOK_UP, SAGA_OK, 0);
	assert_int_equal(saga_next(&crashed, &next, now_ms + 1000).action, SAGA_WAIT);
	move = saga_next(&crashed, &next, now_ms + quarantine_ms);
	assert_true(move.step == STEP_SERVICENOW_LINK && move.look_up && !move.begun);

	incident = planned();
	incident.threat_response_account = NULL;
	saga_plan(&incident, false);
	saga_begin(&incident, &with, STEP_SERVICENOW_CREATE, 1, now_ms);
	end_step(&incident, &with, STEP_SERVICENOW_CREATE, SAGA_CALL, SAGA_AMBIGUOUS, 0);
	assert_int_equal(incident.steps[STEP_SERVICENOW_LINK].status, STEP_NEW);
	arena_free(arena);
}

/* After a loss of Redis: look before the first attempt, and only then. */
static void test_look_first(void **state)
{
	struct incident incident = planned();
	struct saga_policy with = policy();
	struct saga_move move;

	(void)state;
	incident.threat_response_account = NULL;
	saga_plan(&incident, false);
	with.look_first = true;
	move = saga_next(&incident, &with, now_ms);
	assert_true(move.step == STEP_SERVICENOW_CREATE && move.look_up);
	end_step(&incident, &with, move.step, SAGA_LOOK_UP, SAGA_RETRY, 0);
	move = saga_next(&incident, &with, now_ms + 120000);
	assert_true(move.step == STEP_SERVICENOW_CREATE && move.look_up);
	end_step(&incident, &with, move.step, SAGA_LOOK_UP, SAGA_ABSENT, 0);
	move = saga_next(&incident, &with, now_ms);
	assert_true(move.step == STEP_SERVICENOW_CREATE && !move.look_up);
}

/* ---- ends ---- */

static void test_results_of_errors(void **state)
{
	static const struct {
		enum err_kind kind;
		bool ambiguous, refused, effect;
		enum saga_result want;
	} rows[] = {
		{ ERR_TRANSIENT, false, false, true, SAGA_RETRY },
		{ ERR_TRANSIENT, true, false, true, SAGA_AMBIGUOUS },
		{ ERR_TRANSIENT, true, false, false, SAGA_RETRY }, /* a read */
		{ ERR_TRANSIENT, false, true, true, SAGA_REFUSED },
		{ ERR_STOPPING, true, false, true, SAGA_AMBIGUOUS },
		{ ERR_STOPPING, false, false, true, SAGA_REFUSED },
		{ ERR_PERMANENT, false, false, true, SAGA_FAILED },
		{ ERR_PERMANENT, true, false, true, SAGA_AMBIGUOUS },
		{ ERR_ACCOUNT, false, false, true, SAGA_REFUSED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct err err = { .kind = rows[i].kind, .ambiguous = rows[i].ambiguous };

		assert_int_equal(saga_result_of(&err, rows[i].refused, rows[i].effect),
				 rows[i].want);
	}
}

/* Parked, no slot, stopping: no attempt, nothing in the journal that a resumed account would
 * have to wait for. */
static void test_refusals_do_not_count(void **state)
{
	struct incident incident = planned();
	struct saga_policy with = policy(), resumed = policy();

	(void)state;
	incident.threat_response_account = NULL;
	saga_plan(&incident, false);
	for (int i = 0; i < 50; i++) {
		saga_begin(&incident, &with, STEP_SERVICENOW_CREATE, 1, now_ms);
		end_step(&incident, &with, STEP_SERVICENOW_CREATE, SAGA_CALL, SAGA_REFUSED,
			 60000);
	}
	assert_int_equal(incident.steps[STEP_SERVICENOW_CREATE].attempt, 0);

	struct saga_move move = saga_next(&incident, &with, now_ms);

	assert_int_equal(move.action, SAGA_WAIT);
	assert_int_equal(move.due_ms, now_ms + 60000);
	move = saga_next(&incident, &resumed, now_ms);
	assert_true(move.action == SAGA_RUN && !move.look_up);
}

/* A budget of 8,000 calls an hour has room for one every 450 ms. A storm of incidents that all
 * came back then would keep every thread busy with being refused. */
static void test_a_storm_does_not_come_back_at_once(void **state)
{
	enum { STORM = 3000, HINT_MS = 450 };
	uint64_t sum_ms = 0;

	(void)state;
	for (int i = 0; i < STORM; i++) {
		struct incident incident = planned();
		struct saga_policy with = policy();

		incident.created_ms = now_ms - 5 * minute_ms;
		saga_begin(&incident, &with, STEP_THREAT_RESPONSE_CREATE, 1, now_ms);
		end_step(&incident, &with, STEP_THREAT_RESPONSE_CREATE, SAGA_CALL, SAGA_REFUSED,
			 HINT_MS);

		uint64_t wait_ms = with.not_before_ms[STEP_THREAT_RESPONSE_CREATE] - now_ms;

		assert_true(wait_ms >= HINT_MS && wait_ms <= HINT_MS + minute_ms / 2);
		sum_ms += wait_ms;
	}
	/* Turns a second, of all of them. */
	assert_true(STORM * 1000.0 / ((double)sum_ms / STORM) < 300);
}

static void test_backoff_honours_the_peer(void **state)
{
	struct incident incident = planned();
	struct saga_policy with = policy();

	(void)state;
	saga_begin(&incident, &with, STEP_SERVICENOW_CREATE, 1, now_ms);
	end_step(&incident, &with, STEP_SERVICENOW_CREATE, SAGA_CALL, SAGA_RETRY, 3172000);
	assert_true(incident.steps[STEP_SERVICENOW_CREATE].due_ms >= now_ms + 3172000);
	assert_int_equal(incident.steps[STEP_SERVICENOW_CREATE].status, STEP_WAITING);
}

/* ---- independence ---- */

static void test_one_side_down_does_not_hold_the_other(void **state)
{
	struct incident incident = planned();
	struct saga_policy with = policy();
	struct saga_move move;

	(void)state;
	saga_begin(&incident, &with, STEP_INSPECT, 1, now_ms);
	end_step(&incident, &with, STEP_INSPECT, SAGA_CALL, SAGA_REFUSED, 60000);
	move = saga_next(&incident, &with, now_ms);
	assert_true(move.action == SAGA_RUN && move.step == STEP_SERVICENOW_CREATE);
	saga_begin(&incident, &with, move.step, 1, now_ms);
	end_step(&incident, &with, move.step, SAGA_CALL, SAGA_OK, 0);
	assert_int_equal(incident.state, INCIDENT_OPEN);

	/* The links wait, later findings do not. */
	assert_int_equal(saga_next(&incident, &with, now_ms).action, SAGA_WAIT);
	incident.waiting_count = 1;
	incident.waiting_since_ms = now_ms;
	move = saga_next(&incident, &with, now_ms);
	assert_true(move.action == SAGA_RUN && move.step == STEP_SERVICENOW_NOTE);
}

/* The closing URL is the second note. */
static void test_link_goes_before_notes(void **state)
{
	struct incident incident = opened();
	struct saga_policy with = policy();
	struct saga_move move;

	(void)state;
	incident.waiting_count = 1;
	incident.waiting_since_ms = now_ms;
	incident.steps[STEP_SERVICENOW_LINK] = (struct incident_step){ 0 };
	move = saga_next(&incident, &with, now_ms);
	assert_int_equal(move.step, STEP_SERVICENOW_LINK);
	saga_begin(&incident, &with, STEP_SERVICENOW_LINK, 1, now_ms);
	end_step(&incident, &with, STEP_SERVICENOW_LINK, SAGA_CALL, SAGA_AMBIGUOUS, 0);
	assert_int_equal(saga_next(&incident, &with, now_ms).action, SAGA_WAIT);
}

static void test_inspect_is_given_up(void **state)
{
	struct incident incident = planned();
	struct saga_policy with = policy();

	(void)state;
	for (int i = 0; i < 3; i++) {
		saga_begin(&incident, &with, STEP_INSPECT, 1, now_ms);
		end_step(&incident, &with, STEP_INSPECT, SAGA_CALL, SAGA_RETRY, 0);
	}
	assert_int_equal(incident.steps[STEP_INSPECT].status, STEP_SKIPPED);
	assert_int_equal(saga_next(&incident, &with, now_ms).step, STEP_THREAT_RESPONSE_CREATE);
}

static void test_stray_ticket_is_cancelled_first(void **state)
{
	struct incident incident = planned();
	struct saga_policy with = policy();
	struct saga_move move;

	(void)state;
	incident.threat_response_account = NULL;
	saga_plan(&incident, false);
	incident.stray = "46f09e75a9fe198100f4ffd8d366d17b";
	move = saga_next(&incident, &with, now_ms);
	assert_true(move.action == SAGA_RUN && move.step == STEP_SERVICENOW_CANCEL);
	end_step(&incident, &with, STEP_SERVICENOW_CANCEL, SAGA_CALL, SAGA_FAILED, 0);
	assert_int_equal(saga_next(&incident, &with, now_ms).action, SAGA_DONE);
	assert_int_equal(incident.state, INCIDENT_FAILED);
	assert_false(saga_opening_over(&incident));
}

static void test_failed_and_retried(void **state)
{
	struct incident incident = planned();
	struct saga_policy with = policy();
	struct saga_move move;

	(void)state;
	incident.threat_response_account = NULL;
	saga_plan(&incident, false);
	assert_false(saga_retry(&incident, now_ms));
	saga_begin(&incident, &with, STEP_SERVICENOW_CREATE, 1, now_ms - quarantine_ms);
	end_step(&incident, &with, STEP_SERVICENOW_CREATE, SAGA_CALL, SAGA_FAILED, 0);
	assert_int_equal(incident.state, INCIDENT_FAILED);
	assert_string_equal(incident.reason, "words");
	assert_int_equal(saga_next(&incident, &with, now_ms).action, SAGA_DONE);
	assert_false(saga_opening_over(&incident));

	assert_true(saga_retry(&incident, now_ms));
	move = saga_next(&incident, &with, now_ms);
	assert_true(move.action == SAGA_RUN && move.look_up);
	end_step(&incident, &with, STEP_SERVICENOW_CREATE, SAGA_LOOK_UP, SAGA_OK, 0);
	assert_int_equal(incident.state, INCIDENT_OPEN);
	assert_null(incident.reason);
}

/* ---- the schedule of notes ---- */

static void test_note_schedule(void **state)
{
	static const struct {
		unsigned notes;
		uint64_t after_last_ms;
	} rows[] = {
		{ 1, 5 * 60000 },   { 2, 30 * 60000 },	  { 3, 4 * 3600000 },
		{ 4, 4 * 3600000 }, { 400, 4 * 3600000 },
	};
	struct saga_policy with = policy();
	struct incident incident = opened();

	(void)state;
	incident.waiting_count = 1;
	incident.waiting_since_ms = now_ms;
	assert_int_equal(saga_next(&incident, &with, now_ms).action, SAGA_RUN);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct saga_move move;

		incident.notes = rows[i].notes;
		incident.note_ms = now_ms - minute_ms;
		move = saga_next(&incident, &with, now_ms);
		assert_int_equal(move.action, SAGA_WAIT);
		assert_int_equal(move.due_ms, incident.note_ms + rows[i].after_last_ms);
		assert_int_equal(saga_next(&incident, &with, move.due_ms).action, SAGA_RUN);
	}
}

static void test_severity_rise_is_told_at_once(void **state)
{
	struct saga_policy with = policy();
	struct incident incident = opened();

	(void)state;
	incident.waiting_count = 1;
	incident.notes = 3;
	incident.note_ms = now_ms;
	assert_int_equal(saga_next(&incident, &with, now_ms).action, SAGA_WAIT);
	incident.severity_id = 5;
	assert_int_equal(saga_next(&incident, &with, now_ms).action, SAGA_RUN);
}

static void test_notes_per_day(void **state)
{
	struct saga_policy with = policy();
	struct incident incident = opened();
	struct saga_move move;

	(void)state;
	incident.waiting_count = 1;
	incident.severity_id = 5;
	incident.note_day = (unsigned)(now_ms / day_ms);
	incident.notes_today = incident.notes = 12;
	move = saga_next(&incident, &with, now_ms);
	assert_int_equal(move.action, SAGA_WAIT);
	assert_int_equal(move.due_ms, (now_ms / day_ms + 1) * day_ms);
	/* One that was begun is finished all the same. */
	incident.writing_count = 1;
	assert_int_equal(saga_next(&incident, &with, now_ms).action, SAGA_RUN);
}

static void test_nothing_when_over(void **state)
{
	static const enum incident_state over[] = { INCIDENT_CLOSED, INCIDENT_HELD };
	struct saga_policy with = policy();

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct incident incident = opened();

		incident.state = over[i];
		incident.waiting_count = 1;
		incident.steps[STEP_SERVICENOW_LINK] = (struct incident_step){ 0 };
		assert_int_equal(saga_next(&incident, &with, now_ms).action, SAGA_DONE);
	}
}

static void test_minor_findings(void **state)
{
	(void)state;
	assert_true(finding_is_minor(SEVERITY_LOW, SEVERITY_MEDIUM));
	assert_false(finding_is_minor(SEVERITY_MEDIUM, SEVERITY_MEDIUM));
	assert_false(finding_is_minor(SEVERITY_FATAL, SEVERITY_CRITICAL));
	assert_false(finding_is_minor(SEVERITY_UNKNOWN, SEVERITY_CRITICAL));
	assert_false(finding_is_minor(SEVERITY_OTHER, SEVERITY_CRITICAL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_without_threat_response),
		cmocka_unit_test(test_without_servicenow),
		cmocka_unit_test(test_crash_after_each_write),
		cmocka_unit_test(test_absent_is_done_again),
		cmocka_unit_test(test_failed_look_up_stays_open),
		cmocka_unit_test(test_intent_written_ahead),
		cmocka_unit_test(test_look_first),
		cmocka_unit_test(test_results_of_errors),
		cmocka_unit_test(test_refusals_do_not_count),
		cmocka_unit_test(test_a_storm_does_not_come_back_at_once),
		cmocka_unit_test(test_backoff_honours_the_peer),
		cmocka_unit_test(test_one_side_down_does_not_hold_the_other),
		cmocka_unit_test(test_link_goes_before_notes),
		cmocka_unit_test(test_inspect_is_given_up),
		cmocka_unit_test(test_stray_ticket_is_cancelled_first),
		cmocka_unit_test(test_failed_and_retried),
		cmocka_unit_test(test_note_schedule),
		cmocka_unit_test(test_severity_rise_is_told_at_once),
		cmocka_unit_test(test_notes_per_day),
		cmocka_unit_test(test_nothing_when_over),
		cmocka_unit_test(test_minor_findings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
