/* The states, columns and close codes of the tables that hold tickets. */
#include "vendor/servicenow_table.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/clock.h"

struct servicenow_state {
	const char *state;
	enum servicenow_phase phase;
};

static const struct servicenow_state incident_states[] = {
	{ "1", SERVICENOW_PHASE_OPEN },	  { "2", SERVICENOW_PHASE_WORKED },
	{ "3", SERVICENOW_PHASE_HELD },	  { "4", SERVICENOW_PHASE_HELD },
	{ "5", SERVICENOW_PHASE_HELD },	  { "6", SERVICENOW_PHASE_RESOLVED },
	{ "7", SERVICENOW_PHASE_CLOSED }, { "8", SERVICENOW_PHASE_CANCELLED },
	{ NULL, SERVICENOW_PHASE_OPEN },
};

static const struct servicenow_state security_states[] = {
	{ "10", SERVICENOW_PHASE_OPEN },   { "16", SERVICENOW_PHASE_WORKED },
	{ "18", SERVICENOW_PHASE_WORKED }, { "19", SERVICENOW_PHASE_WORKED },
	{ "20", SERVICENOW_PHASE_WORKED }, { "100", SERVICENOW_PHASE_WORKED },
	{ "3", SERVICENOW_PHASE_CLOSED },  { "7", SERVICENOW_PHASE_CANCELLED },
	{ NULL, SERVICENOW_PHASE_OPEN },
};

static const struct servicenow_state task_states[] = {
	{ "-5", SERVICENOW_PHASE_OPEN },  { "1", SERVICENOW_PHASE_OPEN },
	{ "2", SERVICENOW_PHASE_WORKED }, { "3", SERVICENOW_PHASE_CLOSED },
	{ "4", SERVICENOW_PHASE_CLOSED }, { "7", SERVICENOW_PHASE_CANCELLED },
	{ NULL, SERVICENOW_PHASE_OPEN },
};

/* The last row is every other table. */
static const struct servicenow_table tables[] = {
	{ .name = "incident",
	  .first_state = "1",
	  .resolve_state = "6",
	  .cancel_state = "8",
	  .close_code = "close_code",
	  .close_notes = "close_notes",
	  .caller = "caller_id",
	  .states = incident_states },
	{ .name = "sn_si_incident",
	  .first_state = "10",
	  .resolve_state = "3",
	  .cancel_state = "7",
	  .close_code = "close_code",
	  .close_notes = "close_notes",
	  .caller = "caller",
	  .sets_priority = true,
	  .states = security_states },
	{ .name = "task",
	  .first_state = "1",
	  .resolve_state = "3",
	  .close_notes = "close_notes",
	  .states = task_states },
};

enum { TABLES = sizeof tables / sizeof tables[0] };

const struct servicenow_table *servicenow_table(const char *name)
{
	for (size_t i = 0; i < TABLES - 1; i++) {
		if (name && strcmp(tables[i].name, name) == 0)
			return &tables[i];
	}
	return &tables[TABLES - 1];
}

/* ---- states ---- */

bool servicenow_phase_is_over(enum servicenow_phase phase)
{
	return phase >= SERVICENOW_PHASE_RESOLVED;
}

const char *servicenow_phase_name(enum servicenow_phase phase)
{
	static const char *const names[] = {
		[SERVICENOW_PHASE_OPEN] = "open",
		[SERVICENOW_PHASE_WORKED] = "worked on",
		[SERVICENOW_PHASE_HELD] = "on hold",
		[SERVICENOW_PHASE_RESOLVED] = "resolved",
		[SERVICENOW_PHASE_CLOSED] = "closed",
		[SERVICENOW_PHASE_CANCELLED] = "cancelled",
	};

	return (size_t)phase < sizeof names / sizeof names[0] ? names[phase] : "unknown";
}

enum servicenow_phase servicenow_table_phase(const struct servicenow_table *table,
					     const struct servicenow_record *ticket)
{
	const char *active = servicenow_record_value(ticket, "active");
	const char *text = servicenow_record_value(ticket, "state");
	bool over = active && strcmp(active, "false") == 0;
	/* A table that we know only to be a task may count its states in its own way. */
	bool alive = active && !over && table == &tables[TABLES - 1];

	for (const struct servicenow_state *row = table->states; text && row->state; row++) {
		bool ended = servicenow_phase_is_over(row->phase);

		/* A resolved incident is still active; nothing open is inactive. */
		if (strcmp(row->state, text) == 0 && (ended ? !alive : !over))
			return row->phase;
	}
	return over ? SERVICENOW_PHASE_CLOSED : SERVICENOW_PHASE_OPEN;
}

bool servicenow_table_is_over(const char *table, const struct servicenow_record *ticket)
{
	return servicenow_phase_is_over(
	    servicenow_table_phase(servicenow_table(table), ticket));
}

/* ServiceNow's "2026-11-21 18:16:05" (UTC, raw) as milliseconds; 0 when it is empty. */
static uint64_t time_of(const struct servicenow_record *record, const char *column)
{
	const char *value = servicenow_record_value(record, column);
	char text[CLOCK_TEXT_SIZE];
	uint64_t ms;

	if (!value || strlen(value) != 19)
		return 0;
	snprintf(text, sizeof text, "%.10sT%.8sZ", value, value + 11);
	return clock_parse(text, &ms) ? ms : 0;
}

uint64_t servicenow_table_over_ms(const struct servicenow_record *ticket)
{
	uint64_t resolved = time_of(ticket, "resolved_at"),
		 closed = time_of(ticket, "closed_at");

	return resolved > 0 && (closed == 0 || resolved < closed) ? resolved : closed;
}

/* ---- closing ---- */

/* Best first. incident: the list since the San Diego release, then the older one. For
 * sn_si_incident values are numbers that differ, so labels decide. */
static const struct {
	const char *verdict;
	const char *labels[6];
} close_codes[] = {
	{ "false_positive",
	  { "False positive", "Invalid", "No resolution provided",
	    "Not Solved (Not Reproducible)", "Solved (Permanently)" } },
	{ "benign",
	  { "Benign", "Benign positive", "No resolution provided", "Investigation completed",
	    "Not Solved (Not Reproducible)", "Solved (Permanently)" } },
	{ "true_positive",
	  { "Threat mitigated", "Investigation completed", "Solution provided",
	    "Solved (Permanently)" } },
	{ "", { "Investigation completed", "Solution provided", "Solved (Permanently)" } },
};

const char *servicenow_table_close_code(const struct servicenow_table *table,
					const char *verdict,
					const struct servicenow_record *choices, size_t count)
{
	const char *const *labels = NULL;

	for (size_t i = 0; i < sizeof close_codes / sizeof close_codes[0]; i++) {
		if (strcmp(close_codes[i].verdict, verdict ? verdict : "") == 0)
			labels = close_codes[i].labels;
	}
	for (size_t i = 0; table->close_code && labels && i < 6 && labels[i]; i++) {
		for (size_t k = 0; k < count; k++) {
			const char *label = servicenow_record_value(&choices[k], "label");
			const char *value = servicenow_record_value(&choices[k], "value");

			if (value && *value && label && strcasecmp(label, labels[i]) == 0)
				return value;
		}
	}
	return NULL;
}

size_t servicenow_table_close_columns(const struct servicenow_table *table, const char *code,
				      const char *notes, struct servicenow_column *ret_columns)
{
	size_t count = 0;

	ret_columns[count++] =
	    (struct servicenow_column){ "state", table->resolve_state, SERVICENOW_TEXT };
	if (table->close_code && code)
		ret_columns[count++] =
		    (struct servicenow_column){ table->close_code, code, SERVICENOW_TEXT };
	ret_columns[count++] =
	    (struct servicenow_column){ table->close_notes, notes, SERVICENOW_TEXT };
	return count;
}

const char *servicenow_table_url(const char *instance_url, const char *table,
				 const char *sys_id, struct arena *arena)
{
	return arena_printf(arena, "%s/%s.do?sys_id=%s", instance_url, table, sys_id);
}
