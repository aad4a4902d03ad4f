/* What findings in the inbox change in the incident's state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/log.h"
#include "incident/app.h"
#include "incident/fold.h"
#include "incident/turn.h"

struct fixture {
	struct arena *arena;
	struct app app;
	struct customer customer;
	struct directory *directory;
	struct turn turn;
};

static void quiet(const char *line, size_t size)
{
	(void)line;
	(void)size;
}

static void fixture_init(struct fixture *fixture)
{
	*fixture = (struct fixture){ .arena = arena_new(), .directory = directory_new() };
	log_sink(quiet);
	fixture->app.installation = "test";
	fixture->customer = (struct customer){
		.id = arena_strdup(fixture->arena, "acme"),
		.name = arena_strdup(fixture->arena, "Acme"),
		.mode = CUSTOMER_LIVE,
		.servicenow.account = arena_strdup(fixture->arena, "snow"),
		.threat_response = { .account = arena_strdup(fixture->arena, "xdr"),
				     .create = true },
	};
	fixture->turn = (struct turn){
		.app = &fixture->app,
		.arena = fixture->arena,
		.directory = fixture->directory,
		.customer = &fixture->customer,
		.press = ticket_press_new(NULL),
		.own_customer = &fixture->customer,
		.incident = { .id = "00112233445566aa",
			      .customer = "acme",
			      .group = "ffeeddccbbaa0011",
			      .uid = "secure_endpoint:1" },
	};
}

static void fixture_done(struct fixture *fixture)
{
	log_sink(NULL);
	ticket_press_free(fixture->turn.press);
	directory_free(fixture->directory);
	arena_free(fixture->arena);
}

static const char *finding(struct fixture *fixture, unsigned number, size_t padding)
{
	const char *payload = arena_printf(
	    fixture->arena,
	    "{\"class_uid\":2004,\"severity_id\":4,\"time\":1763749000000,\"finding_info\":"
	    "{\"uid\":\"%u\",\"title\":\"Title %u\",\"types\":[\"Type\"]}%*s}",
	    number, number, (int)padding, "");
	const struct incident_item item = {
		.op = ITEM_FINDING,
		.finding = { .source = "secure_endpoint",
			     .event_id = arena_printf(fixture->arena, "%u", number),
			     .uid = arena_printf(fixture->arena, "secure_endpoint:%u", number),
			     .trace = "",
			     .severity_id = 4,
			     .time_ms = 1763749000000 + number,
			     .observed_ms = 1763749042000,
			     .payload = payload,
			     .payload_size = strlen(payload) },
	};

	return incident_item_encode(&item, fixture->arena);
}

static void fold(struct fixture *fixture, const char **items, size_t count)
{
	fixture->turn.hold.items = items;
	fixture->turn.hold.item_count = count;
	fixture->turn.items_done = 0;
	fixture->turn.timeline = NULL;
	fold_inbox(&fixture->turn);
	assert_int_equal(fixture->turn.items_done, count);
}

static void test_first_opens_and_others_wait(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_init(&fixture);
	const char *items[] = { finding(&fixture, 1, 0), finding(&fixture, 2, 0),
				finding(&fixture, 3, 0) };
	struct incident *incident = &fixture.turn.incident;

	fold(&fixture, items, 3);
	assert_string_equal(incident->opening, items[0]);
	assert_string_equal(incident->servicenow_account, "snow");
	assert_string_equal(incident->threat_response_account, "xdr");
	assert_int_equal(incident->event_ms, 1763749000001);
	assert_int_equal(incident->waiting_count, 2);
	assert_true(incident->waiting_since_ms > 0);
	assert_non_null(strstr(incident->waiting, "Type (High): Title 2, event 2\n"));
	assert_non_null(strstr(incident->waiting, "Title 3, event 3"));
	assert_false(fixture.turn.keep_opening); /* others are behind it */
	fixture_done(&fixture);
}

/* A crash before the end of the first turn: the opening is still in the inbox, and is no later
 * finding. */
static void test_opening_met_again(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_init(&fixture);
	const char *items[] = { finding(&fixture, 1, 0) };
	struct incident *incident = &fixture.turn.incident;

	fold(&fixture, items, 1);
	assert_true(fixture.turn.keep_opening);
	saga_begin(incident, &fixture.turn.policy, STEP_INSPECT, 1, 1763749043000);
	incident->opening = NULL; /* was not written */
	fold(&fixture, items, 1);
	assert_string_equal(incident->opening, items[0]);
	assert_int_equal(incident->waiting_count, 0);
	assert_int_equal(incident->steps[STEP_INSPECT].status, STEP_INTENT);

	/* Once the opening is over it is a finding like any other. */
	for (int i = 0; i < INCIDENT_STEPS; i++)
		incident->steps[i].status = STEP_DONE;
	incident->opening = NULL;
	fold(&fixture, items, 1);
	assert_null(incident->opening);
	assert_int_equal(incident->waiting_count, 1);
	fixture_done(&fixture);
}

static void test_later_findings_are_kept(void **state)
{
	enum { COUNT = 60 };
	const char *items[COUNT + 1];
	struct fixture fixture;

	(void)state;
	fixture_init(&fixture);
	for (unsigned i = 0; i <= COUNT; i++)
		items[i] = finding(&fixture, i + 1, 4000);
	struct incident *incident = &fixture.turn.incident;

	fold(&fixture, items, COUNT + 1);
	assert_int_equal(incident->waiting_count, COUNT);
	/* All of them, whole and in order; the lines for the note are bounded. */
	assert_int_equal(fixture.turn.kept_count, COUNT);
	for (unsigned i = 0; i < COUNT; i++)
		assert_string_equal(fixture.turn.kept[i], items[i + 1]);
	assert_true(strlen(incident->waiting) <= 8 << 10);
	fixture_done(&fixture);
}

static void test_shadow_then_live(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_init(&fixture);
	const char *first[] = { finding(&fixture, 1, 0), finding(&fixture, 2, 0) };
	const char *second[] = { finding(&fixture, 3, 0) };
	struct incident *incident = &fixture.turn.incident;

	fixture.customer.mode = CUSTOMER_SHADOW;
	fold(&fixture, first, 2);
	assert_true(incident->shadow);
	assert_null(incident->opening);
	assert_int_equal(incident->waiting_count, 0);
	assert_non_null(strstr(fixture.turn.timeline, "would have created the ticket [Acme]"));
	for (int i = 0; i < INCIDENT_STEPS; i++)
		assert_int_equal(incident->steps[i].status, STEP_SKIPPED);

	fixture.customer.mode = CUSTOMER_LIVE;
	fold(&fixture, second, 1);
	assert_false(incident->shadow);
	assert_string_equal(incident->opening, second[0]);
	assert_string_equal(incident->uid, "secure_endpoint:3");
	assert_int_equal(incident->steps[STEP_SERVICENOW_CREATE].status, STEP_NEW);
	fixture_done(&fixture);
}

static void test_without_tickets_nothing_waits(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_init(&fixture);
	const char *items[] = { finding(&fixture, 1, 0), finding(&fixture, 2, 0) };

	fixture.customer.servicenow.account = NULL;
	fold(&fixture, items, 2);
	assert_int_equal(fixture.turn.incident.waiting_count, 0);
	assert_non_null(strstr(fixture.turn.timeline, "event joined: 2"));
	fixture_done(&fixture);
}

static void test_what_is_not_understood_is_told(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_init(&fixture);
	const char *items[] = { "{\"op\":\"explode\"}\n", "not JSON", finding(&fixture, 1, 0) };

	fold(&fixture, items, 3);
	assert_non_null(strstr(fixture.turn.timeline, "unknown op \"explode\""));
	assert_string_equal(fixture.turn.incident.opening, items[2]);
	fixture_done(&fixture);
}

static void test_retry(void **state)
{
	const struct incident_item retry = { .op = ITEM_RETRY };
	struct fixture fixture;

	(void)state;
	fixture_init(&fixture);
	const char *items[] = { finding(&fixture, 1, 0) };
	const char *again[] = { incident_item_encode(&retry, fixture.arena) };
	struct incident_step *step = &fixture.turn.incident.steps[STEP_SERVICENOW_CREATE];

	fold(&fixture, items, 1);
	fold(&fixture, again, 1);
	assert_non_null(strstr(fixture.turn.timeline, "nothing had failed"));
	*step = (struct incident_step){ .status = STEP_FAILED };
	fold(&fixture, again, 1);
	assert_int_equal(step->status, STEP_NEW);
	fixture_done(&fixture);
}

/* A customer that moves to another instance takes along what was not begun, and only that. */
static void test_account_is_followed(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_init(&fixture);
	const char *items[] = { finding(&fixture, 1, 0) };
	struct incident *incident = &fixture.turn.incident;

	fold(&fixture, items, 1);
	fixture.customer.servicenow.account = arena_strdup(fixture.arena, "new");
	fold(&fixture, NULL, 0);
	assert_string_equal(incident->servicenow_account, "new");
	incident->steps[STEP_SERVICENOW_CREATE].status = STEP_INTENT;
	fixture.customer.servicenow.account = arena_strdup(fixture.arena, "newer");
	fold(&fixture, NULL, 0);
	assert_string_equal(incident->servicenow_account, "new");
	fixture_done(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_opens_and_others_wait),
		cmocka_unit_test(test_opening_met_again),
		cmocka_unit_test(test_later_findings_are_kept),
		cmocka_unit_test(test_shadow_then_live),
		cmocka_unit_test(test_without_tickets_nothing_waits),
		cmocka_unit_test(test_what_is_not_understood_is_told),
		cmocka_unit_test(test_retry),
		cmocka_unit_test(test_account_is_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
