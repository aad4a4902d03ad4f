/*
 * One poll against a vendor and a Redis that are made up here: paging, the cursor, breaking off
 * and resuming. The real ones are met in tests/integration/test_collector.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "bus/lease.h"
#include "bus/page.h"
#include "bus/redis.h"
#include "collector/poll.h"
#include "model/customer.h"
#include "source/cursor.h"
#include "source/source.h"

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE, EVENTS_MAX = 4000, PER_PAGE = 10 };

static uint64_t now = 1763749000000;

static uint64_t fake_now(void)
{
	return now;
}

/* ---- a Redis that knows one cursor and the fates of one source ---- */

static struct {
	char names[CURSOR_FIELDS][32];
	char values[CURSOR_FIELDS][512];
	size_t fields;
	char *fates[EVENTS_MAX];
	size_t fate_count;
	size_t commits;
	enum redis_error fail; /* of the next commits */
	size_t fail_after;     /* so many commits work first */
	enum redis_error last;
} store;

struct redis_reply *redis_command(struct redis *redis, struct err *err, const char *fmt, ...)
{
	struct buf text;

	(void)redis;
	(void)err;
	assert_string_equal(fmt, "HGETALL %s");
	buf_init(&text, 65536);
	buf_addf(&text, "*%zu\r\n", store.fields * 2);
	for (size_t i = 0; i < store.fields; i++)
		buf_addf(&text, "$%zu\r\n%s\r\n$%zu\r\n%s\r\n", strlen(store.names[i]),
			 store.names[i], strlen(store.values[i]), store.values[i]);

	struct redis_reply *reply = reply_parse(text.data, text.size);

	buf_done(&text);
	return reply;
}

enum redis_error redis_error(const struct redis *redis)
{
	(void)redis;
	return store.last;
}

static bool is_known(const char *fate)
{
	for (size_t i = 0; i < store.fate_count; i++) {
		if (strcmp(store.fates[i], fate) == 0)
			return true;
	}
	return false;
}

static void set_field(const struct field *field)
{
	size_t i = 0;

	while (i < store.fields && strcmp(store.names[i], field->name) != 0)
		i++;
	assert_true(i < CURSOR_FIELDS);
	if (i == store.fields)
		snprintf(store.names[store.fields++], 32, "%s", field->name);
	snprintf(store.values[i], 512, "%s", field->value);
}

bool page_commit(struct redis *redis, const struct lease *lease, const struct key *cursor,
		 const struct key *stream, const struct page *page,
		 struct page_result *ret_result, struct err *err)
{
	(void)redis;
	(void)lease;
	assert_string_equal(cursor->text, "tocsin:{p0}:cursor:acme:fake");
	assert_string_equal(stream->text, "tocsin:{p0}:raw");
	store.last = REDIS_NONE;
	if (store.fail && store.commits >= store.fail_after) {
		store.last = store.fail;
		return err_set(err, ERR_TRANSIENT, "made up");
	}
	store.commits++;
	for (size_t i = 0; i < page->event_count; i++) {
		bool fresh = !is_known(page->events[i].fate_key);

		if (fresh)
			store.fates[store.fate_count++] = xstrdup(page->events[i].fate_key);
		if (page->ret_fresh)
			page->ret_fresh[i] = fresh;
		ret_result->fresh += fresh;
		ret_result->duplicate += !fresh;
	}
	for (size_t i = 0; page->last && i < page->cursor_count; i++)
		set_field(&page->cursor[i]);
	return true;
}

static uint64_t cursor_number(const char *name)
{
	for (size_t i = 0; i < store.fields; i++) {
		if (strcmp(store.names[i], name) == 0)
			return strtoull(store.values[i], NULL, 10);
	}
	return 0;
}

static const char *cursor_text(const char *name)
{
	for (size_t i = 0; i < store.fields; i++) {
		if (strcmp(store.names[i], name) == 0)
			return store.values[i];
	}
	return "";
}

/* ---- a vendor with a list that grows at the front ---- */

static struct {
	uint64_t times[EVENTS_MAX]; /* of event i, newest last */
	size_t count;
	uint64_t late[4]; /* of events that came late, on the first page */
	size_t late_count;
	size_t calls;
	size_t fail_at; /* this call fails (counted from 1) */
	struct err failure;
	enum vendor_refusal refusal;
	size_t grow; /* events that arrive with each call */
	bool endless;
	bool anonymous; /* events have no id */
	uint64_t asked_start_ms;
} vendor;

static bool fake_page(const struct source_task *task, const char *token, struct arena *arena,
		      struct source_page *ret_page, struct err *err)
{
	size_t offset = token ? strtoul(token, NULL, 10) : 0;
	size_t in_window = 0;

	vendor.calls++;
	vendor.asked_start_ms = task->start_ms;
	if (vendor.calls == vendor.fail_at) {
		*err = vendor.failure;
		task->session->refusal = vendor.refusal;
		task->session->wait_ms = 2000;
		return false;
	}
	for (size_t i = 0; i < vendor.grow; i++)
		vendor.times[vendor.count++] = now;
	while (in_window < vendor.count &&
	       vendor.times[vendor.count - 1 - in_window] >= task->start_ms)
		in_window++;
	*ret_page = (struct source_page){
		.events = arena_alloc(arena, (PER_PAGE + 4) * sizeof(*ret_page->events)),
		.server_ms = now,
	};
	for (size_t i = offset; i < in_window && ret_page->count < PER_PAGE; i++) {
		size_t event = vendor.count - 1 - i;
		char *json = vendor.anonymous ? arena_printf(arena, "{\"n\":%zu}", event / 2)
					      : arena_printf(arena, "{\"id\":%zu}", event);

		ret_page->events[ret_page->count++] = (struct source_event){
			.id = vendor.anonymous ? "" : arena_printf(arena, "%zu", event),
			.time_ms = vendor.times[event],
			.payload = json,
			.size = strlen(json),
		};
	}
	for (size_t i = 0; offset == 0 && i < vendor.late_count; i++) {
		if (vendor.late[i] < task->start_ms)
			continue;
		ret_page->events[ret_page->count++] =
		    (struct source_event){ .id = arena_printf(arena, "late-%zu", i),
					   .time_ms = vendor.late[i],
					   .payload = "{}",
					   .size = 2 };
	}
	if (vendor.endless || offset + PER_PAGE < in_window)
		ret_page->next = arena_printf(arena, "%zu", offset + PER_PAGE);
	return true;
}

static const struct source_driver driver = { .name = "fake", .page = fake_page };

/* ---- the customer ---- */

static char customer_id[] = "acme";
static char source_name[] = "fake";
static char account_id[] = "acme.fake";
static uint64_t type = 7;
static struct customer_source settings;
static struct lateness lateness;
static uint64_t look_back_max_ms, wide_interval_ms;
static size_t stop_after;

static bool go_on(void *opaque)
{
	(void)opaque;
	return stop_after == 0 || vendor.calls < stop_after;
}

static struct poll_result poll_once(void)
{
	static const struct account account = { .id = account_id };
	const struct customer customer = { .id = customer_id };
	const struct lease lease = { .token = "me:1" };
	const struct poll poll = {
		.lease = &lease,
		.customer = &customer,
		.settings = &settings,
		.account = &account,
		.driver = &driver,
		.fate_ttl_ms = 8 * 24 * (uint64_t)HOUR,
		.retry_base_ms = 10000,
		.retry_cap_ms = 300000,
		.look_back_max_ms = look_back_max_ms,
		.wide_interval_ms = wide_interval_ms,
		.lateness = &lateness,
		.go_on = go_on,
	};
	struct poll_result result;

	poll_source(&poll, &result);
	return result;
}

static int reset(void **state)
{
	(void)state;
	for (size_t i = 0; i < store.fate_count; i++)
		free(store.fates[i]);
	memset(&store, 0, sizeof(store));
	memset(&vendor, 0, sizeof(vendor));
	memset(&lateness, 0, sizeof(lateness));
	look_back_max_ms = wide_interval_ms = 0;
	stop_after = 0;
	now = 1763749000000;
	clock_inject(fake_now, fake_now);
	settings = (struct customer_source){
		.name = source_name,
		.account = account_id,
		.interval_ms = 5 * MINUTE,
		.look_back_ms = 10 * MINUTE,
		.first_look_back_ms = HOUR,
		.default_types = true,
	};
	return 0;
}

static void events_every(uint64_t step_ms, size_t count)
{
	for (size_t i = 0; i < count; i++)
		vendor.times[vendor.count++] = now - (count - i) * step_ms;
}

/* ---- tests ---- */

static void test_first_poll_reads_the_first_look_back(void **state)
{
	(void)state;
	events_every(MINUTE, 90);

	struct poll_result result = poll_once();

	assert_int_equal(result.outcome, POLL_OK);
	assert_int_equal(result.fresh, 60);
	assert_int_equal(result.pages, 6);
	assert_int_equal(vendor.asked_start_ms, now - HOUR);
	assert_int_equal(cursor_number("high_water_ms"), now - MINUTE);
	assert_int_equal(cursor_number("last_ok_ms"), now);
	assert_int_equal(cursor_number("polls"), 1);
	assert_int_equal(result.wait_ms, 0);
}

static void test_rows_that_move_down_while_paging(void **state)
{
	(void)state;
	events_every(1000, 95);
	vendor.grow = 3; /* before each page */

	struct poll_result result = poll_once();

	assert_int_equal(result.outcome, POLL_OK);
	for (size_t i = 0; i < 95; i++) {
		char fate[64];

		snprintf(fate, sizeof(fate), "tocsin:{p0}:seen:acme:fake:%zu", i);
		assert_true(is_known(fate));
	}
	assert_true(result.duplicate > 0);

	/* what arrived behind the reader's back is in the next window */
	vendor.grow = 0;
	now += 5 * MINUTE;
	result = poll_once();
	assert_int_equal(result.outcome, POLL_OK);
	assert_int_equal(store.fate_count, vendor.count);
}

static void test_catches_up_after_downtime(void **state)
{
	(void)state;
	events_every(MINUTE, 30);
	poll_once();
	now += 30 * 24 * (uint64_t)HOUR;
	events_every(HOUR, 30 * 24);

	struct poll_result result = poll_once();

	assert_int_equal(result.outcome, POLL_OK);
	assert_int_equal(store.fate_count, vendor.count);
	assert_int_equal(lateness_max_ms(&lateness),
			 0); /* our own absence is not the vendor's lateness */
}

static void test_late_events_within_the_look_back(void **state)
{
	(void)state;
	events_every(MINUTE, 5);
	poll_once();
	now += 5 * MINUTE;
	vendor.late[vendor.late_count++] = now - 12 * MINUTE; /* before the mark */
	size_t before = store.fate_count;
	struct poll_result result = poll_once();

	assert_int_equal(result.fresh, 1);
	assert_int_equal(store.fate_count, before + 1);
}

static void test_failure_moves_no_mark(void **state)
{
	(void)state;
	events_every(MINUTE, 5);
	poll_once();

	uint64_t mark = cursor_number("high_water_ms");

	now += 5 * MINUTE;
	vendor.calls = 0;
	vendor.fail_at = 1;
	err_fill(&vendor.failure, ERR_TRANSIENT, "503: come back");
	vendor.failure.retry_after_ms = 100000;

	struct poll_result result = poll_once();

	assert_int_equal(result.outcome, POLL_FAILED);
	assert_true(result.wait_ms >= 100000); /* the vendor's word */
	assert_int_equal(result.failures, 1);
	assert_int_equal(cursor_number("high_water_ms"), mark);
	assert_int_equal(cursor_number("last_poll_ms"), now);
	assert_int_equal(cursor_number("failures"), 1);
	assert_int_equal(cursor_number("next_due_ms"), now + result.wait_ms);
	assert_string_equal(cursor_text("last_error"), "503: come back");

	result = poll_once();
	assert_int_equal(result.outcome, POLL_OK);
	assert_int_equal(cursor_number("failures"), 0);
	assert_int_equal(cursor_number("next_due_ms"), 0);
	assert_string_equal(cursor_text("last_error"), "503: come back");
	assert_true(cursor_number("last_error_ms") <= cursor_number("last_ok_ms"));
}

static void test_breaks_off_and_resumes(void **state)
{
	(void)state;
	events_every(1000, 100);
	vendor.fail_at = 5;
	err_fill(&vendor.failure, ERR_TRANSIENT, "calls of this hour used up");
	vendor.refusal = VENDOR_BUDGET;

	struct poll_result result = poll_once();

	assert_int_equal(result.outcome, POLL_REFUSED);
	assert_int_equal(result.refusal, VENDOR_BUDGET);
	assert_int_equal(result.wait_ms, 2000);
	assert_int_equal(store.fate_count, 40);
	assert_int_equal(cursor_number("high_water_ms"), 0);
	assert_string_equal(cursor_text("resume"), "40");

	uint64_t start = vendor.asked_start_ms;
	uint64_t server = now;

	now += HOUR;
	events_every(MINUTE, 2);
	vendor.calls = 0;
	vendor.fail_at = 0;
	result = poll_once();
	assert_int_equal(result.outcome, POLL_OK);
	assert_true(result.behind);
	assert_int_equal(vendor.asked_start_ms, start);
	assert_int_equal(vendor.calls, 7); /* not from the beginning */
	assert_string_equal(cursor_text("resume"), "");
	assert_true(cursor_number("high_water_ms") <= server);

	/* and what came meanwhile comes now */
	result = poll_once();
	assert_false(result.behind);
	assert_int_equal(store.fate_count, vendor.count);
}

/* A vendor that answers 500 to one page for ever must not end the polling of its source. */
static void test_resuming_is_given_up(void **state)
{
	struct poll_result result;
	unsigned polls = 0;

	(void)state;
	events_every(1000, 100);
	vendor.fail_at = 5;
	err_fill(&vendor.failure, ERR_TRANSIENT, "500: no such page");
	result = poll_once();
	assert_int_equal(result.outcome, POLL_FAILED);
	assert_string_equal(cursor_text("resume"), "40");
	for (; *cursor_text("resume") && polls < 50; polls++) {
		now += MINUTE;
		vendor.calls = 0;
		vendor.fail_at = 1;
		result = poll_once();
		assert_int_equal(result.outcome, POLL_FAILED);
	}
	assert_in_range(polls, 10, 30); /* an outage of minutes costs no position */
	vendor.fail_at = 0;
	result = poll_once();
	assert_int_equal(result.outcome, POLL_OK);
	assert_int_equal(store.fate_count, vendor.count);
}

static void test_other_settings_do_not_resume(void **state)
{
	(void)state;
	events_every(1000, 100);
	vendor.fail_at = 5;
	err_fill(&vendor.failure, ERR_TRANSIENT, "no");
	poll_once();
	assert_string_equal(cursor_text("resume"), "40");
	settings.default_types = false;
	settings.event_types = &type;
	settings.event_type_count = 1;
	vendor.calls = 0;
	vendor.fail_at = 0;

	struct poll_result result = poll_once();

	assert_int_equal(result.outcome, POLL_OK);
	assert_int_equal(vendor.calls, 10);
	assert_int_equal(store.fate_count, 100);
}

static void test_redis_refuses(void **state)
{
	static const struct {
		enum redis_error error;
		enum poll_outcome outcome;
	} rows[] = {
		{ REDIS_STALE, POLL_STALE },	  { REDIS_FULL, POLL_FULL },
		{ REDIS_OOM, POLL_FULL },	  { REDIS_IO, POLL_REDIS },
		{ REDIS_NOFUNCTION, POLL_REDIS },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		reset(state);
		events_every(1000, 100);
		store.fail = rows[i].error;
		store.fail_after = 3;

		struct poll_result result = poll_once();

		assert_int_equal(result.outcome, rows[i].outcome);
		assert_int_equal(vendor.calls, 4); /* stops asking at once */
		assert_int_equal(store.commits, 3);
		assert_int_equal(cursor_number("high_water_ms"), 0);

		store.fail = REDIS_NONE;
		result = poll_once();
		assert_int_equal(result.outcome, POLL_OK);
		assert_int_equal(store.fate_count, 100);
	}
}

/* A crash between any two commits: the next poll repeats, nothing is skipped. */
static void test_crash_at_every_commit(void **state)
{
	for (size_t at = 0; at <= 10; at++) {
		reset(state);
		events_every(1000, 100);
		store.fail = REDIS_IO;
		store.fail_after = at;
		poll_once();
		assert_int_equal(cursor_number("high_water_ms") != 0, at == 10);
		store.fail = REDIS_NONE;
		assert_int_equal(poll_once().outcome, POLL_OK);
		assert_int_equal(store.fate_count, 100);
		assert_int_equal(cursor_number("high_water_ms"), now - 1000);
	}
}

static void test_stops_between_pages(void **state)
{
	(void)state;
	events_every(1000, 100);
	stop_after = 3;

	struct poll_result result = poll_once();

	assert_int_equal(result.outcome, POLL_STOPPED);
	assert_int_equal(vendor.calls, 3);
	assert_string_equal(cursor_text("resume"), "30");
	assert_int_equal(cursor_number("failures"), 0);
}

static void test_pages_without_end(void **state)
{
	(void)state;
	vendor.endless = true;
	events_every(1000, 5);

	struct poll_result result = poll_once();

	assert_int_equal(result.outcome, POLL_FAILED);
	assert_true(vendor.calls < 20);
	assert_string_equal(cursor_text("resume"), "");
}

/* Equal records on one page are two events; the same on every poll. */
static void test_events_without_id(void **state)
{
	(void)state;
	vendor.anonymous = true;
	events_every(1000, 8); /* four pairs of equal ones */
	assert_int_equal(poll_once().fresh, 8);

	struct poll_result result = poll_once();

	assert_int_equal(result.fresh, 0);
	assert_int_equal(result.duplicate, 8);
}

static void test_lateness_of_a_steady_source(void **state)
{
	(void)state;
	poll_once();
	now += 5 * MINUTE;
	vendor.times[vendor.count++] = now - 30000;
	poll_once();
	assert_int_equal(lateness_max_ms(&lateness), 30000);
	now += 5 * MINUTE;
	poll_once(); /* known now: not counted again, but written */
	assert_int_equal(lateness_max_ms(&lateness), 0);
	assert_non_null(strstr(cursor_text("lateness"), " 30000 "));
}

/* What came later than the look-back is found by the poll that looks back as far as allowed;
 * from then on every poll does as lateness asks. */
static void test_look_back_grows_with_lateness(void **state)
{
	(void)state;
	look_back_max_ms = 6 * HOUR;
	wide_interval_ms = 2 * HOUR;
	events_every(MINUTE, 5);
	poll_once();
	assert_int_equal(cursor_number("read_from_ms"), now - HOUR);
	for (int i = 0; i < 24; i++) {
		now += 5 * MINUTE;
		vendor.times[vendor.count++] = now - 1000;
		if (i == 3)
			vendor.late[vendor.late_count++] = now - 90 * MINUTE;
		poll_once();
		assert_int_equal(cursor_number("look_back_ms"), 10 * MINUTE);
	}
	assert_int_equal(store.fate_count, vendor.count + 1); /* the last one was wide */
	now += 5 * MINUTE;
	poll_once();
	assert_in_range(cursor_number("look_back_ms"), 3 * HOUR, 6 * HOUR);
	vendor.late[vendor.late_count++] = now - 150 * MINUTE;
	now += 5 * MINUTE;
	assert_int_equal(poll_once().fresh, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_first_poll_reads_the_first_look_back, reset),
		cmocka_unit_test_setup(test_rows_that_move_down_while_paging, reset),
		cmocka_unit_test_setup(test_catches_up_after_downtime, reset),
		cmocka_unit_test_setup(test_late_events_within_the_look_back, reset),
		cmocka_unit_test_setup(test_failure_moves_no_mark, reset),
		cmocka_unit_test_setup(test_breaks_off_and_resumes, reset),
		cmocka_unit_test_setup(test_resuming_is_given_up, reset),
		cmocka_unit_test_setup(test_other_settings_do_not_resume, reset),
		cmocka_unit_test_setup(test_redis_refuses, reset),
		cmocka_unit_test_setup(test_crash_at_every_commit, reset),
		cmocka_unit_test_setup(test_stops_between_pages, reset),
		cmocka_unit_test_setup(test_pages_without_end, reset),
		cmocka_unit_test_setup(test_events_without_id, reset),
		cmocka_unit_test_setup_teardown(test_lateness_of_a_steady_source, reset, reset),
		cmocka_unit_test_setup_teardown(test_look_back_grows_with_lateness, reset,
						reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
