/* What people see: widths, cutting, cleaning, ages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "cli/table.h"
#include "cli/text.h"

static void widths_are_columns(void **state)
{
	static const struct {
		const char *text;
		size_t width;
	} cases[] = {
		{ "", 0 },
		{ "abc", 3 },
		{ "M\xC3\xBCller", 6 },
		{ "Mu\xCC\x88ller", 6 }, /* combining diaeresis */
		{ "\xE6\xA0\xAA\xE5\xBC\x8F\xE4\xBC\x9A\xE7\xA4\xBE", 8 }, /* 株式会社 */
		{ "\xF0\x9F\x98\x80", 2 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(text_width(cases[i].text), cases[i].width);
}

static void cutting_never_splits_a_character(void **state)
{
	size_t width;

	(void)state;
	assert_int_equal(text_cut("\xE6\xA0\xAA\xE5\xBC\x8F", 3, &width), 3);
	assert_int_equal(width, 2);
	assert_int_equal(text_cut("abc", 3, &width), 3);
	assert_int_equal(text_cut("abc", 0, &width), 0);
}

static void nothing_steers_the_terminal(void **state)
{
	static const struct {
		const char *dirty, *clean;
	} cases[] = {
		{ "a\nb\tc", "a b c" },
		{ "\033[31mred", "\xEF\xBF\xBD[31mred" },
		{ "\xC2\x9B"
		  "31m",
		  "\xEF\xBF\xBD"
		  "31m" },						  /* C1 CSI */
		{ "evil\xE2\x80\xAEgnp.exe", "evil\xEF\xBF\xBDgnp.exe" }, /* U+202E */
		{ "\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD" },		  /* overlong */
		{ "\xED\xA0\x80", "\xEF\xBF\xBD" },			  /* surrogate */
		{ "\xFFok", "\xEF\xBF\xBDok" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct buf out;

		buf_init(&out, 256);
		text_clean(&out, cases[i].dirty);
		assert_string_equal(buf_text(&out), cases[i].clean);
		buf_done(&out);
	}
}

static void spans_have_two_units(void **state)
{
	static const struct {
		uint64_t ms;
		const char *text;
	} cases[] = {
		{ 0, "0s" },	   { 999, "<1s" },	  { 1000, "1s" },
		{ 59999, "59s" },  { 60000, "1m" },	  { 200000, "3m 20s" },
		{ 3600000, "1h" }, { 18120000, "5h 2m" }, { 1051200000, "12d 4h" },
	};
	char text[32];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		table_span(cases[i].ms, text);
		assert_string_equal(text, cases[i].text);
	}
}

static void the_widest_flexible_column_shrinks(void **state)
{
	const bool flexible[] = { false, true, true };
	size_t widths[] = { 20, 30, 12 };
	size_t narrow[] = { 20, 30, 12 };

	(void)state;
	table_fit(widths, flexible, 3, 50);
	assert_int_equal(widths[0], 20);
	assert_int_equal(widths[1], 18);
	assert_int_equal(widths[2], 12);
	table_fit(narrow, flexible, 3, 10);
	assert_int_equal(narrow[0], 20);
	assert_int_equal(narrow[1], TABLE_NARROWEST);
	assert_int_equal(narrow[2], TABLE_NARROWEST);
}

static const struct column columns[] = {
	{ "ID", "id" },
	{ "N", "n", CELL_NUMBER },
	{ "STATE", "deep.state", CELL_STATE },
	{ "WHEN", "at_ms", CELL_AGE },
	{ "WHY", "why", .flexible = true },
	{ 0 },
};

static json_t *sample(void)
{
	return json_pack("[{s:s,s:i,s:{s:s},s:I,s:s},{s:s,s:i,s:{s:s},s:n,s:[s,s]}]", "id",
			 "acme", "n", 7, "deep", "state", "ok", "at_ms", (json_int_t)880000,
			 "why", "a long reason indeed", "id", "\xE6\xA0\xAA", "n", 1234, "deep",
			 "state", "parked", "at_ms", "why", "x", "y");
}

static void tables_are_aligned(void **state)
{
	const struct screen screen = { .now_ms = 1000000 };
	json_t *rows = sample();
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	table_render(&out, &screen, columns, rows);
	assert_string_equal(buf_text(&out), "ID       N  STATE   WHEN    WHY\n"
					    "acme     7  ok      2m ago  a long reason indeed\n"
					    "\xE6\xA0\xAA    1234  parked  -       x, y\n");
	buf_done(&out);
	json_decref(rows);
}

static void a_narrow_screen_cuts(void **state)
{
	const struct screen screen = { .now_ms = 1000000, .width = 40 };
	json_t *rows = sample();
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	table_render(&out, &screen, columns, rows);
	for (char *line = strtok(out.data, "\n"); line; line = strtok(NULL, "\n"))
		assert_true(text_width(line) <= 40);
	buf_done(&out);
	json_decref(rows);
}

static void colour_only_when_asked(void **state)
{
	struct screen screen = { .now_ms = 1000000 };
	json_t *rows = sample();
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	table_render(&out, &screen, columns, rows);
	assert_null(strchr(buf_text(&out), '\033'));
	buf_reset(&out);
	screen.colour = true;
	table_render(&out, &screen, columns, rows);
	assert_non_null(strstr(buf_text(&out), "\033[31mparked\033[0m"));
	buf_done(&out);
	json_decref(rows);
}

static void records_leave_out_what_is_absent(void **state)
{
	static const struct column fields[] = {
		{ "Id", "id" },
		{ "Opened", "at_ms", CELL_TIME },
		{ "Nothing", "nothing" },
		{ "Gone", "gone" },
		{ 0 },
	};
	const struct screen screen = { 0 };
	json_t *object = json_pack("{s:s,s:I,s:n}", "id", "acme", "at_ms",
				   (json_int_t)1763749000000, "gone");
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	record_render(&out, &screen, fields, object);
	assert_string_equal(buf_text(&out), "Id:      acme\nOpened:  2025-11-21 18:16:40\n");
	buf_done(&out);
	json_decref(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(widths_are_columns),
		cmocka_unit_test(cutting_never_splits_a_character),
		cmocka_unit_test(nothing_steers_the_terminal),
		cmocka_unit_test(spans_have_two_units),
		cmocka_unit_test(the_widest_flexible_column_shrinks),
		cmocka_unit_test(tables_are_aligned),
		cmocka_unit_test(a_narrow_screen_cuts),
		cmocka_unit_test(colour_only_when_asked),
		cmocka_unit_test(records_leave_out_what_is_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
