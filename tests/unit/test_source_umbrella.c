/* The Umbrella driver against a vendor of rows: windows, halves and equal records. */
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
#include "bus/page.h"
#include "model/customer.h"
#include "source/events.h"
#include "source/source.h"
#include "vendor/umbrella.h"

enum { ROWS_MAX = 60000, CALLS_MAX = 1000, CEILING = 10000 };

/* Rows of the vendor, newest first. twin: which of the equal ones it is. */
struct row {
	uint64_t time_ms;
	unsigned number;
};

static struct row rows[ROWS_MAX];
static size_t row_count;
static unsigned cap; /* the vendor's own limit of rows a page; 0: what is asked for */
static unsigned grows, last_number; /* rows that appear at the front with each call */
static struct umbrella_query calls[CALLS_MAX];
static size_t call_count;

static void add(uint64_t time_ms, unsigned number)
{
	assert_true(row_count < ROWS_MAX);
	rows[row_count++] = (struct row){ time_ms, number };
}

static int newest_first(const void *a, const void *b)
{
	const struct row *one = a, *other = b;

	return one->time_ms < other->time_ms ? 1 : one->time_ms > other->time_ms ? -1 : 0;
}

static void grow(uint64_t time_ms)
{
	memmove(rows + grows, rows, row_count * sizeof rows[0]);
	for (unsigned i = 0; i < grows; i++)
		rows[i] = (struct row){ time_ms, last_number++ };
	row_count += grows;
}

bool umbrella_activity(struct vendor_session *session, const struct umbrella_query *query,
		       struct arena *arena, struct umbrella_page *ret_page, struct err *err)
{
	size_t seen = 0, limit = cap ? cap : query->limit;

	(void)session;
	assert_true(call_count < CALLS_MAX);
	calls[call_count++] = *query;
	*ret_page = (struct umbrella_page){ 0 };
	if (query->offset + query->limit > CEILING)
		return err_set(err, ERR_PERMANENT, "400");
	if (query->list == UMBRELLA_RETROSPECTIVE)
		return true;
	ret_page->records = arena_alloc(arena, limit * sizeof *ret_page->records);
	for (size_t i = 0; i < row_count && ret_page->count < limit; i++) {
		if (rows[i].time_ms < query->from_ms || rows[i].time_ms > query->to_ms ||
		    seen++ < query->offset)
			continue;
		const char *json = arena_printf(arena, "{\"n\":%u,\"t\":%llu}", rows[i].number,
						(unsigned long long)rows[i].time_ms);
		ret_page->records[ret_page->count++] =
		    (struct umbrella_record){ json, strlen(json), rows[i].time_ms };
	}
	if (grows)
		grow(query->to_ms + 1000);
	return true;
}

static char name[] = "umbrella";
static char customer_id[] = "acme";

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Reads to the end; how many different ids the records got. */
static size_t poll_all(const struct customer_source *settings, uint64_t start_ms)
{
	const struct source_driver *driver = source_find(name);
	const struct customer customer = { .id = customer_id };
	const struct source_task task = { .settings = settings, .start_ms = start_ms };
	struct arena *arena = arena_new(), *keep = arena_new();
	char **ids = xcalloc(ROWS_MAX * 4, sizeof *ids);
	const char *token = NULL;
	size_t count = 0, distinct = 0;

	call_count = 0;
	do {
		struct source_page page;
		struct events events;
		struct err err = { 0 };

		if (!driver->page(&task, token, arena, &page, &err))
			fail_msg("%s", err.text);
		events_build(&events, &customer, settings, &page, ORIGIN_POLL, arena);
		for (size_t i = 0; i < events.count; i++) {
			assert_true(count < ROWS_MAX * 4);
			ids[count++] = arena_strdup(keep, events.items[i].fate_key);
		}
		token = arena_strdup(keep, page.next);
		arena_reset(arena);
	} while (token);
	qsort(ids, count, sizeof *ids, compare_texts);
	for (size_t i = 0; i < count; i++)
		distinct += i == 0 || strcmp(ids[i - 1], ids[i]) != 0;
	free(ids);
	arena_free(keep);
	arena_free(arena);
	return distinct;
}

static int reset(void **state)
{
	(void)state;
	row_count = 0;
	cap = grows = 0;
	last_number = 1000000;
	return 0;
}

static uint64_t hour_ago(void)
{
	return (clock_wall_ms() - 3600 * 1000) / 1000 * 1000;
}

static void asks_for_what_the_file_says(void **state)
{
	static uint64_t categories[] = { 66 };
	struct customer_source settings = { .name = name, .default_types = true };
	uint64_t start_ms = hour_ago();

	(void)state;
	assert_int_equal(poll_all(&settings, start_ms), 0);
	assert_int_equal(call_count, 1);
	assert_string_equal(calls[0].verdict, "blocked");
	assert_int_equal(calls[0].category_count, 2);
	assert_int_equal(calls[0].categories[0], 65);
	assert_int_equal(calls[0].categories[1], 150);
	assert_int_equal(calls[0].from_ms, start_ms);
	assert_true(calls[0].to_ms <= clock_wall_ms() && calls[0].to_ms > start_ms);

	settings = (struct customer_source){ .name = name,
					     .event_types = categories,
					     .event_type_count = 1,
					     .verdict = CUSTOMER_VERDICT_ALL,
					     .retrospective = true };
	assert_int_equal(poll_all(&settings, start_ms), 0);
	assert_int_equal(call_count, 2);
	assert_null(calls[0].verdict);
	assert_int_equal(calls[0].category_count, 1);
	assert_int_equal(calls[0].categories[0], 66);
	assert_int_equal(calls[1].list, UMBRELLA_RETROSPECTIVE);
	assert_int_equal(calls[1].from_ms, calls[0].from_ms);
	assert_int_equal(calls[1].to_ms, calls[0].to_ms);
	/* A clock that went back. */
	assert_int_equal(poll_all(&settings, clock_wall_ms() + 100000), 0);
	assert_true(calls[0].from_ms <= calls[0].to_ms);
}

static void the_end_is_fixed_at_the_start(void **state)
{
	const struct customer_source settings = { .name = name, .default_types = true };
	uint64_t start_ms = hour_ago();

	(void)state;
	for (unsigned i = 0; i < 3500; i++)
		add(start_ms + i * 1000, i);
	qsort(rows, row_count, sizeof rows[0], newest_first);
	grows = 700; /* newer than the end: must neither come nor move the others */
	assert_int_equal(poll_all(&settings, start_ms), 3500);
	for (size_t i = 1; i < call_count; i++)
		assert_int_equal(calls[i].to_ms, calls[0].to_ms);
}

/* Three of each, and seconds that begin on one page and end on the next. */
static void equal_records_are_counted(void **state)
{
	const struct customer_source settings = { .name = name, .default_types = true };
	uint64_t start_ms = hour_ago();

	(void)state;
	for (unsigned i = 0; i < 6000; i++)
		add(start_ms + i / 77 * 1000, i / 77 * 100 + i % 77 % 26);
	qsort(rows, row_count, sizeof rows[0], newest_first);
	assert_int_equal(poll_all(&settings, start_ms), 6000);
	/* Read again with another start the same rows have the same ids: none is added. */
	size_t first = poll_all(&settings, start_ms - 5000);
	assert_int_equal(first, 6000);
}

static void a_crowded_window_is_halved(void **state)
{
	const struct customer_source settings = { .name = name, .default_types = true };
	uint64_t start_ms = hour_ago();

	(void)state;
	for (unsigned i = 0; i < 25000; i++)
		add(start_ms + i * 142, i);
	qsort(rows, row_count, sizeof rows[0], newest_first);
	assert_int_equal(poll_all(&settings, start_ms), 25000);
	for (size_t i = 0; i < call_count; i++)
		assert_true(calls[i].offset + calls[i].limit <= CEILING);
	assert_true(call_count < 130);

	/* All of them in the first or in the last seconds: few empty windows in a row. */
	for (int side = 0; side < 2; side++) {
		reset(NULL);
		for (unsigned i = 0; i < 15000; i++)
			add(start_ms + (side ? 3590 * 1000 : 0) + i / 2, i);
		qsort(rows, row_count, sizeof rows[0], newest_first);
		assert_int_equal(poll_all(&settings, start_ms), 15000);
		assert_true(call_count < 250);
	}
}

static void fewer_rows_than_asked_for_are_no_end(void **state)
{
	const struct customer_source settings = { .name = name, .default_types = true };
	uint64_t start_ms = hour_ago();

	(void)state;
	cap = 100;
	for (unsigned i = 0; i < 950; i++)
		add(start_ms + i * 1000, i);
	qsort(rows, row_count, sizeof rows[0], newest_first);
	assert_int_equal(poll_all(&settings, start_ms), 950);
	assert_int_equal(calls[call_count - 1].offset, 950);
}

static void one_second_may_fill_pages(void **state)
{
	const struct customer_source settings = { .name = name, .default_types = true };
	uint64_t start_ms = hour_ago();

	(void)state;
	for (unsigned i = 0; i < 3300; i++)
		add(start_ms + 60000, i);
	assert_int_equal(poll_all(&settings, start_ms), 3300);
}

static void a_strange_token_is_refused(void **state)
{
	static const char *const tokens[] = {
		"", "u1:0:5:4:9:0", "u1:0:1:9:4:0", "u1:7:1:2:3:0", "u1:0:1:2:3:0x", "https://x"
	};
	const struct customer_source settings = { .name = name, .default_types = true };
	const struct source_task task = { .settings = &settings, .start_ms = 1 };
	struct arena *arena = arena_new();
	struct source_page page;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++) {
		err = (struct err){ 0 };
		assert_false(source_find(name)->page(&task, tokens[i], arena, &page, &err));
		assert_int_equal(err.kind, ERR_PERMANENT);
	}
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(asks_for_what_the_file_says, reset),
		cmocka_unit_test_setup(the_end_is_fixed_at_the_start, reset),
		cmocka_unit_test_setup(equal_records_are_counted, reset),
		cmocka_unit_test_setup(a_crowded_window_is_halved, reset),
		cmocka_unit_test_setup(fewer_rows_than_asked_for_are_no_end, reset),
		cmocka_unit_test_setup(one_second_may_fill_pages, reset),
		cmocka_unit_test_setup(a_strange_token_is_refused, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
