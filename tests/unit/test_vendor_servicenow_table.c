/* The states of each table that tickets are in, and what ends one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "vendor/servicenow_table.h"

static void test_phases(void **state)
{
	static const struct {
		const char *table, *state, *active;
		enum servicenow_phase phase;
	} rows[] = {
		{ "incident", "1", "true", SERVICENOW_PHASE_OPEN },
		{ "incident", "2", "true", SERVICENOW_PHASE_WORKED },
		{ "incident", "3", "true", SERVICENOW_PHASE_HELD },
		{ "incident", "6", "true", SERVICENOW_PHASE_RESOLVED },
		{ "incident", "7", "false", SERVICENOW_PHASE_CLOSED },
		{ "incident", "8", "false", SERVICENOW_PHASE_CANCELLED },
		{ "incident", "7", NULL, SERVICENOW_PHASE_CLOSED },
		{ "incident", "2", "false", SERVICENOW_PHASE_CLOSED },
		{ "incident", "17", "true", SERVICENOW_PHASE_OPEN }, /* one of their own */
		{ "incident", NULL, "true", SERVICENOW_PHASE_OPEN },
		{ "incident", NULL, NULL, SERVICENOW_PHASE_OPEN },
		{ "sn_si_incident", "10", "true", SERVICENOW_PHASE_OPEN },
		{ "sn_si_incident", "16", "true", SERVICENOW_PHASE_WORKED },
		{ "sn_si_incident", "18", "true", SERVICENOW_PHASE_WORKED },
		{ "sn_si_incident", "100", "true", SERVICENOW_PHASE_WORKED },
		{ "sn_si_incident", "3", "false", SERVICENOW_PHASE_CLOSED },
		{ "sn_si_incident", "3", NULL, SERVICENOW_PHASE_CLOSED },
		{ "sn_si_incident", "7", "false", SERVICENOW_PHASE_CANCELLED },
		{ "sn_si_incident", "6", "true", SERVICENOW_PHASE_OPEN },
		/* known to be tasks, no more */
		{ "sc_task", "2", "true", SERVICENOW_PHASE_WORKED },
		{ "sc_task", "3", "false", SERVICENOW_PHASE_CLOSED },
		{ "sc_task", "7", "false", SERVICENOW_PHASE_CANCELLED },
		{ "u_case", "3", "true", SERVICENOW_PHASE_OPEN },
		{ "u_case", "6", "false", SERVICENOW_PHASE_CLOSED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct servicenow_value values[2];
		struct servicenow_record ticket = { values, 0 };
		enum servicenow_phase phase;

		if (rows[i].state)
			values[ticket.count++] =
			    (struct servicenow_value){ "state", rows[i].state };
		if (rows[i].active)
			values[ticket.count++] =
			    (struct servicenow_value){ "active", rows[i].active };
		phase = servicenow_table_phase(servicenow_table(rows[i].table), &ticket);
		if (phase != rows[i].phase)
			print_error("row %zu: %s\n", i, servicenow_phase_name(phase));
		assert_int_equal(phase, rows[i].phase);
		assert_int_equal(servicenow_table_is_over(rows[i].table, &ticket),
				 rows[i].phase >= SERVICENOW_PHASE_RESOLVED);
	}
}

static void test_since_when(void **state)
{
	static const struct {
		const char *resolved, *closed;
		uint64_t ms;
	} rows[] = {
		{ "", "", 0 },
		{ "2026-11-21 18:16:05", "", 1795284965000 },
		{ "", "2026-11-21 18:16:05", 1795284965000 },
		{ "2026-11-21 18:16:05", "2026-11-28 18:16:05", 1795284965000 },
		{ "21.11.2026 18:16:05", "yesterday", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct servicenow_value values[] = { { "resolved_at", rows[i].resolved },
							   { "closed_at", rows[i].closed } };
		const struct servicenow_record ticket = { values, 2 };

		assert_int_equal(servicenow_table_over_ms(&ticket), rows[i].ms);
	}
}

static struct servicenow_record choice(struct servicenow_value *values, const char *label,
				       const char *value)
{
	values[0] = (struct servicenow_value){ "label", label };
	values[1] = (struct servicenow_value){ "value", value };
	return (struct servicenow_record){ values, 2 };
}

static void test_close_codes(void **state)
{
	static const struct {
		const char *table, *verdict;
		const char *labels[4], *values[4];
		const char *want; /* NULL: none fits */
	} rows[] = {
		{ "incident",
		  "true_positive",
		  { "Duplicate", "Solution provided" },
		  { "Duplicate", "Solution provided" },
		  "Solution provided" },
		{ "incident",
		  "true_positive",
		  { "Solved (Work Around)", "Solved (Permanently)" },
		  { "Solved (Work Around)", "Solved (Permanently)" },
		  "Solved (Permanently)" },
		{ "incident",
		  "false_positive",
		  { "Solution provided", "No resolution provided" },
		  { "a", "b" },
		  "b" },
		{ "incident", "", { "Gelöst" }, { "Solved" }, NULL },
		{ "sn_si_incident",
		  "false_positive",
		  { "Threat mitigated", "false positive" },
		  { "-101", "-102" },
		  "-102" },
		{ "sn_si_incident",
		  "true_positive",
		  { "Threat mitigated", "False positive" },
		  { "-101", "-102" },
		  "-101" },
		{ "sn_si_incident", "", { "Investigation completed" }, { "-100" }, "-100" },
		{ "sc_task", "", { "Solution provided" }, { "x" }, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct servicenow_value values[4][2];
		struct servicenow_record choices[4];
		size_t count = 0;

		for (; count < 4 && rows[i].labels[count]; count++)
			choices[count] =
			    choice(values[count], rows[i].labels[count], rows[i].values[count]);
		const char *code = servicenow_table_close_code(servicenow_table(rows[i].table),
							       rows[i].verdict, choices, count);

		if (!rows[i].want)
			assert_null(code);
		else
			assert_string_equal(code, rows[i].want);
	}
}

static void test_close_columns(void **state)
{
	static const struct {
		const char *table, *state;
		size_t count;
	} rows[] = { { "incident", "6", 3 },
		     { "sn_si_incident", "3", 3 },
		     { "sc_task", "3", 2 } };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct servicenow_column columns[SERVICENOW_CLOSE_COLUMNS];
		size_t count = servicenow_table_close_columns(servicenow_table(rows[i].table),
							      "code", "notes", columns);

		assert_int_equal(count, rows[i].count);
		assert_string_equal(columns[0].name, "state");
		assert_string_equal(columns[0].value, rows[i].state);
		assert_string_equal(columns[count - 1].name, "close_notes");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_phases),
		cmocka_unit_test(test_since_when),
		cmocka_unit_test(test_close_codes),
		cmocka_unit_test(test_close_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
