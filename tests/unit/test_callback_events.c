/* Where the events of a pushed body begin and end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "callback/events.h"
#include "callback/rates.h"

/* "size:id size:id ..." of each event, or "!" and why there are none. */
static void describe(const char *body, size_t max, struct buf *ret_text)
{
	struct arena *arena = arena_new();
	struct events events;
	struct err err = { 0 };

	buf_init(ret_text, 4096);
	if (events_split(body, strlen(body), max, "rule.id", arena, &events, &err)) {
		for (size_t i = 0; i < events.count; i++)
			buf_addf(ret_text, "%s%zu:%s", i ? " " : "", events.items[i].size,
				 events.items[i].id ? events.items[i].id : "-");
	} else {
		buf_addf(ret_text, "!%s", err.text);
	}
	arena_free(arena);
}

static void bodies(void **state)
{
	static const struct {
		const char *body, *want;
	} rows[] = {
		{ "{}", "2:-" },
		{ " \r\n\t{}\n ", "2:-" },
		{ "[{},{}]", "2:- 2:-" },
		{ " [ {} , {} ] \n", "2:- 2:-" },
		{ "{}\n{}", "2:- 2:-" },
		{ "{}\r\n\r\n {}\n", "2:- 2:-" },
		{ "{\"a\":\n1}\n{}", "8:- 2:-" },
		{ "{\"a\":\"}\\\"]\"}", "12:-" },
		{ "{\"rule\":{\"id\":\"x\"}}", "19:x" },
		{ "{\"rule\":{\"id\":12345678901234567890}}", "36:12345678901234567890" },
		{ "{\"rule\":{\"id\":\"\"}}", "18:-" },
		{ "{\"rule\":{\"id\":null}}", "20:-" },
		{ "{\"rule\":{\"id\":\"a\\nb\"}}", "22:-" },
		{ "{\"rule\":[{\"id\":1}]}", "19:-" },
		{ "{\"rule\":7}", "10:-" },
		{ "", "!there is no event" },
		{ " \n", "!there is no event" },
		{ "[]", "!event 1 is not a JSON object" },
		{ "[{},]", "!event 2 is not a JSON object" },
		{ "[{}", "!the array is broken after event 1" },
		{ "[{}{}]", "!the array is broken after event 1" },
		{ "[{}]x", "!something follows the array" },
		{ "{}{}", "!something follows event 1 on its line" },
		{ "{},{}", "!something follows event 1 on its line" },
		{ "{}\nx", "!event 2 is not a JSON object" },
		{ "{\"a\":", "!event 1 does not end" },
		{ "{\"a\":\"", "!event 1 does not end" },
		{ "{\"a\":\"\\", "!event 1 does not end" },
		{ "[[{}]]", "!event 1 is not a JSON object" },
		{ "{}\n{}\n{}\n{}", "!more than 3 events in one request" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct buf got;
		describe(rows[i].body, 3, &got);
		if (strcmp(buf_text(&got), rows[i].want) != 0)
			fail_msg("%s: want %s, got %s", rows[i].body, rows[i].want,
				 buf_text(&got));
		buf_done(&got);
	}
}

static void each_is_checked_whole(void **state)
{
	static const char *const bodies[] = { "{a:1}",	       "{\"a\":01}", "{\"a\":\"\xff\"}",
					      "{\"a\":[1,}]}", "{\"a\" 1}",  "{]" };

	(void)state;
	for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
		struct buf got;
		describe(bodies[i], 3, &got);
		assert_int_equal(strncmp(buf_text(&got), "!event 1", 8), 0);
		buf_done(&got);
	}
}

static void rates(void **state)
{
	struct rates *rates = rates_new();
	uint64_t wait_ms = 0;

	(void)state;
	/* A minute's worth at once, then one every ten seconds. */
	for (unsigned i = 0; i < 6; i++)
		assert_true(rates_take(rates, "acme", 6, 1, &wait_ms));
	assert_false(rates_take(rates, "acme", 6, 1, &wait_ms));
	assert_in_range(wait_ms, 9000, 10001);
	/* What is too much is taken once, as a debt. */
	assert_true(rates_take(rates, "globex", 6, 600, &wait_ms));
	assert_false(rates_take(rates, "globex", 6, 1, &wait_ms));
	assert_in_range(wait_ms, 5900000, 6000000);
	rates_free(rates);
	rates_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies),
		cmocka_unit_test(each_is_checked_whole),
		cmocka_unit_test(rates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
