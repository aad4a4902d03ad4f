/* The drivers: what they ask the vendor for and what they make of the answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "bus/page.h"
#include "model/customer.h"
#include "model/raw.h"
#include "source/events.h"
#include "source/source.h"
#include "vendor/defender.h"
#include "vendor/secure_endpoint.h"

static struct secure_endpoint_query asked;
static const char *asked_next;
static struct secure_endpoint_event vendor_events[4];
static size_t vendor_count;
static const char *vendor_next;

bool secure_endpoint_events(struct vendor_session *session,
			    const struct secure_endpoint_query *query, const char *next,
			    struct arena *arena, struct secure_endpoint_page *ret_page,
			    struct err *err)
{
	(void)session;
	(void)arena;
	(void)err;
	asked = *query;
	asked_next = next;
	*ret_page = (struct secure_endpoint_page){ .events = vendor_events,
						   .count = vendor_count,
						   .next = vendor_next,
						   .date_ms = 99 };
	return true;
}

static char name[] = "secure_endpoint";

static const struct source_driver *driver(void)
{
	return source_find(name);
}

static void test_list_of_drivers(void **state)
{
	(void)state;
	assert_null(source_find("no_such_source"));
	for (size_t i = 0; source_at(i); i++) {
		assert_ptr_equal(source_find(source_at(i)->name), source_at(i));
		assert_non_null(source_at(i)->page);
		assert_true(strlen(source_at(i)->name) < 40);
	}
}

/* The list of the ancestors' query: 36 ids, none twice. */
static void test_default_types(void **state)
{
	struct customer_source settings = { .name = name, .default_types = true };
	struct source_task task = { .settings = &settings, .start_ms = 1234 };
	struct arena *arena = arena_new();
	struct source_page page;
	bool found = false;

	(void)state;
	vendor_count = 0;
	vendor_next = NULL;
	assert_true(driver()->page(&task, NULL, arena, &page, NULL));
	assert_int_equal(asked.event_type_count, 36);
	assert_int_equal(asked.start_ms, 1234);
	assert_int_equal(asked.limit, SECURE_ENDPOINT_PAGE_MAX);
	assert_null(asked_next);
	assert_null(page.next);
	assert_int_equal(page.server_ms, 99);
	for (size_t i = 0; i < 36; i++) {
		found = found || asked.event_types[i] == 1090519054;
		for (size_t j = 0; j < i; j++)
			assert_true(asked.event_types[i] != asked.event_types[j]);
	}
	assert_true(found);
	arena_free(arena);
}

static void test_own_list_and_no_list(void **state)
{
	uint64_t types[] = { 553648130, 2181038130 };
	struct customer_source settings = { .name = name,
					    .event_types = types,
					    .event_type_count = 2 };
	struct source_task task = { .settings = &settings };
	struct arena *arena = arena_new();
	struct source_page page;

	(void)state;
	vendor_next = "https://vendor/v1/events?offset=1000";
	assert_true(
	    driver()->page(&task, "https://vendor/v1/events?offset=500", arena, &page, NULL));
	assert_int_equal(asked.event_type_count, 2);
	assert_int_equal(asked.event_types[1], 2181038130);
	assert_string_equal(asked_next, "https://vendor/v1/events?offset=500");
	assert_string_equal(page.next, vendor_next);
	settings.event_type_count = 0;
	assert_true(driver()->page(&task, NULL, arena, &page, NULL));
	assert_int_equal(asked.event_type_count, 0); /* every type */
	arena_free(arena);
}

static const char *value(const struct page_event *event, const char *field)
{
	const struct field *found = field_find(event->fields, event->field_count, field);

	return found ? found->value : NULL;
}

static void test_events_become_entries(void **state)
{
	char id[] = "acme";
	const struct customer customer = { .id = id };
	const struct customer_source settings = { .name = name, .default_types = true };
	struct source_task task = { .settings = &settings };
	struct arena *arena = arena_new();
	struct source_page page;
	struct events events;

	(void)state;
	/* an id above 2^63, two equal records without one, and a different one */
	vendor_events[0] = (struct secure_endpoint_event){ "{\"id\":18446744073709551615}", 27,
							   "18446744073709551615", 1000, 7 };
	vendor_events[1] = (struct secure_endpoint_event){ "{\"a\":1,\"b\":2}", 13 };
	vendor_events[2] = (struct secure_endpoint_event){ "{\"b\":2,\"a\":1}", 13 };
	vendor_events[3] = (struct secure_endpoint_event){ "{\"b\":2,\"a\":2}", 13 };
	vendor_count = 4;
	vendor_next = NULL;
	assert_true(driver()->page(&task, NULL, arena, &page, NULL));
	events_build(&events, &customer, &settings, &page, ORIGIN_POLL, arena);
	assert_int_equal(events.count, 4);
	assert_string_equal(events.items[0].fate_key,
			    "tocsin:{p0}:seen:acme:secure_endpoint:18446744073709551615");
	assert_string_equal(value(&events.items[0], "asked"), "");
	assert_memory_equal(value(&events.items[0], "payload"), vendor_events[0].json, 27);

	const char *first = value(&events.items[1], "event_id");
	const char *second = value(&events.items[2], "event_id");
	const char *third = value(&events.items[3], "event_id");

	assert_int_equal(strlen(first), 32);
	assert_string_not_equal(first, second); /* the ordinal */
	assert_string_not_equal(first, third);
	assert_string_not_equal(second, third);

	struct events again;

	events_build(&again, &customer, &settings, &page, ORIGIN_POLL, arena);
	assert_string_equal(value(&again.items[1], "event_id"), first);
	assert_string_equal(value(&again.items[2], "event_id"), second);

	struct raw raw;

	for (size_t i = 0; i < events.count; i++)
		assert_true(raw_decode(&raw, events.items[i].fields,
				       events.items[i].field_count, NULL));
	arena_free(arena);
}

static void test_asked_for_by_name(void **state)
{
	char id[] = "acme";
	uint64_t type = 7;
	const struct customer customer = { .id = id };
	const struct customer_source settings = { .name = name,
						  .event_types = &type,
						  .event_type_count = 1 };
	struct source_event one = { .id = "1", .payload = "{}", .size = 2 };
	const struct source_page page = { .events = &one, .count = 1 };
	struct arena *arena = arena_new();
	struct events events;

	(void)state;
	events_build(&events, &customer, &settings, &page, ORIGIN_POLL, arena);
	assert_string_equal(value(&events.items[0], "asked"), "1");
	arena_free(arena);
}

static void test_origin(void **state)
{
	char id[] = "acme";
	const struct customer customer = { .id = id };
	const struct customer_source settings = { .name = name, .default_types = true };
	uint64_t now_ms = clock_wall_ms();
	struct source_event two[] = {
		{ .id = "1", .payload = "{}", .size = 2, .time_ms = now_ms - 29 * 60 * 1000 },
		{ .id = "2", .payload = "{}", .size = 2, .time_ms = now_ms - 31 * 60 * 1000 },
	};
	const struct source_page page = { .events = two, .count = 2 };
	struct arena *arena = arena_new();
	struct events events;

	(void)state;
	events_build(&events, &customer, &settings, &page, ORIGIN_POLL, arena);
	assert_string_equal(value(&events.items[0], "origin"), "poll");
	assert_string_equal(value(&events.items[1], "origin"), "catchup");
	events_build(&events, &customer, &settings, &page, ORIGIN_REPAIR, arena);
	assert_string_equal(value(&events.items[0], "origin"), "repair");
	assert_string_equal(value(&events.items[1], "origin"), "repair");
	arena_free(arena);
}

/* Too large to be queued whole: cut, so that it still gets a fate. */
static void test_event_too_large(void **state)
{
	char id[] = "acme";
	const struct customer customer = { .id = id };
	const struct customer_source settings = { .name = name, .default_types = true };
	struct arena *arena = arena_new();
	size_t size = RAW_PAYLOAD_MAX + 100;
	char *json = arena_alloc(arena, size + 1);
	struct source_event one = { .id = "", .payload = json, .size = size };
	const struct source_page page = { .events = &one, .count = 1 };
	struct events events;

	(void)state;
	memset(json, 'x', size);
	events_build(&events, &customer, &settings, &page, ORIGIN_POLL, arena);
	assert_int_equal(
	    field_find(events.items[0].fields, events.items[0].field_count, "payload")->size,
	    RAW_PAYLOAD_MAX);
	assert_memory_equal(value(&events.items[0], "event_id"), "bytes-", 6);
	arena_free(arena);
}

/* ---- Defender ---- */

static struct defender_query asked_alerts;

bool defender_alerts(struct vendor_session *session, const struct defender_query *query,
		     const char *next, struct arena *arena, struct defender_page *ret_page,
		     struct err *err)
{
	static struct defender_alert alerts[] = {
		{ "{}", 2, "da1_-2", 1700000001190, 1699999200722 },
		{ "{}", 2, "da1_-2", 1700000001191, 1699999200722 },
		{ "[1]", 3, "6366_2018", 0, 5 },
		{ "[2]", 3, "", 7, 5 },
	};

	(void)session;
	(void)arena;
	(void)err;
	asked_alerts = *query;
	asked_next = next;
	*ret_page = (struct defender_page){ alerts, 4, "500", 99 };
	return true;
}

/* Each change is an event of its own, told by its time. */
static void test_alerts_become_events(void **state)
{
	struct source_task task = { .start_ms = 1234 };
	struct arena *arena = arena_new();
	struct source_page page;

	(void)state;
	assert_true(source_find("defender")->page(&task, "400", arena, &page, NULL));
	assert_int_equal(asked_alerts.from_ms, 1234);
	assert_string_equal(asked_next, "400");
	assert_string_equal(page.next, "500");
	assert_int_equal(page.server_ms, 99);
	assert_int_equal(page.count, 4);
	assert_string_equal(page.events[0].id, "da1_-2:1700000001190");
	assert_int_equal(page.events[0].time_ms, 1700000001190);
	assert_string_equal(page.events[1].id, "da1_-2:1700000001191");
	assert_string_equal(page.events[2].id, ""); /* one is derived from what it holds */
	assert_int_equal(page.events[2].time_ms, 5);
	assert_string_equal(page.events[3].id, "");
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list_of_drivers),
		cmocka_unit_test(test_default_types),
		cmocka_unit_test(test_own_list_and_no_list),
		cmocka_unit_test(test_events_become_entries),
		cmocka_unit_test(test_asked_for_by_name),
		cmocka_unit_test(test_origin),
		cmocka_unit_test(test_event_too_large),
		cmocka_unit_test(test_alerts_become_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
