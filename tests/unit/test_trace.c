#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/trace.h"

#define PARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"

static void only_what_the_standard_allows_is_valid(void **state)
{
	static const struct {
		const char *text;
		bool valid;
	} rows[] = {
		{ PARENT, true },
		{ "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff", true },
		{ "", false },
		{ "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", false },
		{ PARENT "0", false },
		{ "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false },
		{ "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false },
		{ "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false },
		{ "00-00000000000000000000000000000000-b7ad6b7169203331-01", false },
		{ "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false },
		{ "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false },
		{ "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333\"-01", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(trace_is_valid(rows[i].text, strlen(rows[i].text)),
				 rows[i].valid);
}

static void a_child_keeps_the_trace_and_has_a_span_of_its_own(void **state)
{
	char one[TRACE_ROOM], two[TRACE_ROOM];

	(void)state;
	trace_child(PARENT, one);
	trace_child(one, two);
	assert_true(trace_is_valid(one, strlen(one)) && trace_is_valid(two, strlen(two)));
	assert_memory_equal(one, PARENT, 36);
	assert_memory_equal(two, PARENT, 36);
	assert_string_equal(one + 52, "-00");
	assert_memory_not_equal(one + 36, PARENT + 36, 16);
	assert_memory_not_equal(one + 36, two + 36, 16);
}

static void who_has_no_parent_begins_a_trace(void **state)
{
	static const char *const parents[] = { NULL, "", "nonsense", PARENT "-more" };
	char before[TRACE_ROOM] = "", trace[TRACE_ROOM];

	(void)state;
	for (size_t i = 0; i < sizeof parents / sizeof parents[0]; i++) {
		trace_child(parents[i], trace);
		assert_true(trace_is_valid(trace, strlen(trace)));
		assert_string_equal(trace + 52, "-01");
		assert_string_not_equal(trace, before);
		memcpy(before, trace, sizeof trace);
	}
}

static char line[4096];

static void keep(const char *text, size_t size)
{
	assert_true(size < sizeof line);
	memcpy(line, text, size);
	line[size] = '\0';
}

static void lines_carry_the_id_until_they_do_not(void **state)
{
	(void)state;
	log_sink(keep);
	trace_log(PARENT);
	log_warn("within");
	assert_non_null(strstr(line, "\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\""));
	trace_log("00-");
	log_warn("after");
	assert_null(strstr(line, "trace_id"));
	log_sink(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_the_standard_allows_is_valid),
		cmocka_unit_test(a_child_keeps_the_trace_and_has_a_span_of_its_own),
		cmocka_unit_test(who_has_no_parent_begins_a_trace),
		cmocka_unit_test(lines_carry_the_id_until_they_do_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
