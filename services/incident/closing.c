/* What a ticket says about the closing of its incident. */
#include "closing.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "vendor/servicenow_table.h"

static const char *value(const struct servicenow_record *ticket, const char *column)
{
	const char *text = servicenow_record_value(ticket, column);

	return text ? text : "";
}

static const char *name_of(const struct servicenow_record *ticket)
{
	const char *number = value(ticket, "number");

	return *number ? number : "the ticket";
}

/* The company and our key; NULL when both are right. An older incident of the group may have
 * made it: its key has another id. */
static const char *foreign(const struct closing_case *about,
			   const struct servicenow_record *ticket, struct arena *arena)
{
	const char *company = value(ticket, "company");
	const char *wanted = about->customer->servicenow.company;
	const char *prefix =
	    arena_printf(arena, "tocsin-i:%s:%s:", about->installation, about->customer->id);

	if (!wanted || strcmp(company, wanted) != 0)
		return arena_printf(arena, "%s is another company's now", name_of(ticket));
	if (!about->adopted &&
	    strncmp(value(ticket, "correlation_id"), prefix, strlen(prefix)) != 0)
		return arena_printf(arena, "%s does not carry our key any more",
				    name_of(ticket));
	return NULL;
}

static const char *parent(const struct servicenow_record *ticket)
{
	static const char *const columns[] = { "parent_incident", "parent_security_incident",
					       "parent" };

	for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
		const char *sys_id = value(ticket, columns[i]);

		if (servicenow_sys_id_valid(sys_id))
			return sys_id;
	}
	return NULL;
}

static enum closing_effect effect_of_phase(const struct customer_closing *closing,
					   enum servicenow_phase phase)
{
	switch (phase) {
	case SERVICENOW_PHASE_RESOLVED:
		return closing->resolved;
	case SERVICENOW_PHASE_CANCELLED:
		return closing->cancelled;
	default:
		return closing->closed;
	}
}

/* A code that the customer speaks of goes before everything; a duplicate or a child before the
 * state. One of which we do not know whose duplicate it is needs a person. */
static enum closing_effect effect_of(const struct customer_closing *closing,
				     const struct closing_code *code, const char *code_text,
				     enum servicenow_phase phase, const char *survivor)
{
	enum closing_effect effect = effect_of_phase(closing, phase);

	if (code && code->has_effect)
		effect = code->effect;
	else if (effect != CLOSING_IGNORE &&
		 (survivor || strcasecmp(code_text, "Duplicate") == 0))
		effect = CLOSING_SURVIVOR;
	return effect == CLOSING_SURVIVOR && !survivor ? CLOSING_ASK : effect;
}

void closing_look(const struct closing_case *about, const struct servicenow_record *ticket,
		  struct arena *arena, struct closing_look *ret_look)
{
	const struct customer_closing *closing = &about->customer->closing;
	enum servicenow_phase phase =
	    servicenow_table_phase(servicenow_table(about->table), ticket);
	const char *code_text = value(ticket, "close_code");
	const struct closing_code *code = customer_closing_code(closing, code_text);
	const char *why = foreign(about, ticket, arena);
	struct closing_look look = {
		.survivor = parent(ticket),
		.over_ms = servicenow_table_over_ms(ticket),
		.verdict = code ? code->verdict : VERDICT_NONE,
		.writable = phase < SERVICENOW_PHASE_CLOSED,
		.words = arena_printf(arena, "%s is %s%s%s%s", name_of(ticket),
				      servicenow_phase_name(phase), *code_text ? " (" : "",
				      code_text, *code_text ? ")" : ""),
	};

	look.effect = effect_of(closing, code, code_text, phase, look.survivor);
	if (look.effect != CLOSING_SURVIVOR)
		look.survivor = NULL;
	if (why) {
		look.ticket = CLOSING_TICKET_FOREIGN;
		look.words = why;
	} else if (servicenow_phase_is_over(phase) && look.effect != CLOSING_IGNORE) {
		look.ticket = CLOSING_TICKET_OVER;
		look.seen = arena_printf(
		    arena, "%s %s %" PRIu64 " %s", closing_effect_name(look.effect),
		    look.survivor ? look.survivor : "-", look.over_ms, code_text);
	}
	*ret_look = look;
}
