/* The section `closing` of a customer's file. */
#include "model/customer_closing.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/clock.h"
#include "model/account.h"
#include "model/customer_defaults.h"
#include "model/form.h"

enum {
	BULK_RELEASES = 10,
	BULK_MAX = 10000,
	CODE_MAX_BYTES = 100,
	CODES_MAX = 50,
	NOTES_MAX_BYTES = 1000,
};

#define GRACE_MS     MINUTE_MS
#define GRACE_MAX_MS DAY_MS

static const char *const effect_names[] = {
	"release", "ask", "keep", "ignore", "survivor", NULL
};

const char *closing_effect_name(enum closing_effect effect)
{
	return effect_names[effect];
}

void customer_closing_init(struct customer_closing *ret_closing)
{
	*ret_closing = (struct customer_closing){
		.grace_ms = GRACE_MS,
		.cancelled = CLOSING_ASK,
		.report = true,
		.defender = true,
		.bulk = BULK_RELEASES,
	};
}

void customer_closing_done(struct customer_closing *closing)
{
	for (size_t i = 0; i < closing->code_count; i++)
		free(closing->codes[i].code);
	for (size_t i = 0; i < CLOSING_VERDICTS; i++) {
		free(closing->templates[i].close_code);
		free(closing->templates[i].close_notes);
	}
	free(closing->codes);
	*closing = (struct customer_closing){ 0 };
}

const struct closing_code *customer_closing_code(const struct customer_closing *closing,
						 const char *code)
{
	for (size_t i = 0; code && i < closing->code_count; i++) {
		if (strcasecmp(closing->codes[i].code, code) == 0)
			return &closing->codes[i];
	}
	return NULL;
}

/* ---- reading ---- */

static bool read_flag(const struct form *form, const char *name, bool *ret_flag,
		      struct err *err)
{
	const json_t *value = json_object_get(form->json, name);

	if (!form_has(form, name))
		return true;
	if (!json_is_boolean(value))
		return form_refuse(form, name, err, "must be true or false");
	*ret_flag = json_is_true(value);
	return true;
}

static bool read_effect(const struct form *form, const char *name,
			enum closing_effect *ret_effect, struct err *err)
{
	unsigned index = *ret_effect;

	if (!form_choice(form, name, effect_names, &index, err))
		return false;
	*ret_effect = (enum closing_effect)index;
	return true;
}

static bool read_code(struct customer_closing *closing, const struct form *codes,
		      const char *name, struct err *err)
{
	static const char *const members[] = { "effect", "verdict", NULL };
	static const char *const verdicts[] = { "false_positive", "benign", "true_positive",
						NULL };
	struct closing_code *code = &closing->codes[closing->code_count];
	unsigned verdict = 0;
	struct form form;

	if (!*name || strlen(name) > CODE_MAX_BYTES)
		return form_refuse(codes, name, err, "a close code has 1 to %d bytes",
				   CODE_MAX_BYTES);
	if (customer_closing_code(closing, name))
		return form_refuse(codes, name, err, "is there twice");
	code->code = xstrdup(name);
	closing->code_count++;
	if (!form_object(codes, name, &form, err) || !form_known(&form, members, err) ||
	    !read_effect(&form, "effect", &code->effect, err) ||
	    !form_choice(&form, "verdict", verdicts, &verdict, err))
		return false;
	code->has_effect = form_has(&form, "effect");
	if (form_has(&form, "verdict"))
		code->verdict = (enum closure_verdict)(verdict + VERDICT_FALSE_POSITIVE);
	return true;
}

static bool read_codes(struct customer_closing *closing, const struct form *section,
		       struct err *err)
{
	struct form codes;
	const char *name;
	json_t *ignored;

	if (!form_object(section, "close_codes", &codes, err))
		return false;
	if (!codes.json)
		return true;
	if (json_object_size(codes.json) > CODES_MAX)
		return form_refuse(section, "close_codes", err, "holds more than %d",
				   CODES_MAX);
	closing->codes = xcalloc(json_object_size(codes.json) + 1, sizeof *closing->codes);
	json_object_foreach((json_t *)codes.json, name, ignored)
	{
		if (!read_code(closing, &codes, name, err))
			return false;
	}
	return true;
}

static const char *template_name(size_t verdict)
{
	return verdict == VERDICT_NONE ? "none"
				       : closure_verdict_name((enum closure_verdict)verdict);
}

static bool read_templates(struct customer_closing *closing, const struct form *section,
			   struct err *err)
{
	static const char *const verdicts[] = { "none", "false_positive", "benign",
						"true_positive", NULL };
	static const char *const members[] = { "close_code", "close_notes", NULL };
	struct form templates, form;

	if (!form_object(section, "ticket", &templates, err) ||
	    !form_known(&templates, verdicts, err))
		return false;
	for (size_t i = 0; i < CLOSING_VERDICTS; i++) {
		struct closing_template *template = &closing->templates[i];

		if (!form_object(&templates, template_name(i), &form, err) ||
		    !form_known(&form, members, err) ||
		    !form_text(&form, "close_code", CODE_MAX_BYTES, NULL, &template->close_code,
			       err) ||
		    !form_text(&form, "close_notes", NOTES_MAX_BYTES, NULL,
			       &template->close_notes, err))
			return false;
	}
	return true;
}

bool customer_closing_read(struct customer_closing *closing, const struct form *file,
			   struct err *err)
{
	static const char *const members[] = {
		"grace",	   "resolved",	    "closed", "cancelled",
		"close_codes",	   "ticket",	    "report", "defender",
		"threat_response", "bulk_releases", NULL
	};
	struct form form;

	customer_closing_init(closing);
	return form_object(file, "closing", &form, err) && form_known(&form, members, err) &&
	       form_span(&form, "grace", 0, GRACE_MAX_MS, &closing->grace_ms, err) &&
	       read_effect(&form, "resolved", &closing->resolved, err) &&
	       read_effect(&form, "closed", &closing->closed, err) &&
	       read_effect(&form, "cancelled", &closing->cancelled, err) &&
	       read_codes(closing, &form, err) && read_templates(closing, &form, err) &&
	       read_flag(&form, "report", &closing->report, err) &&
	       read_flag(&form, "defender", &closing->defender, err) &&
	       read_flag(&form, "threat_response", &closing->threat_response, err) &&
	       form_unsigned(&form, "bulk_releases", BULK_MAX, &closing->bulk, err);
}

/* ---- writing ---- */

static void put_effect(json_t *object, const char *name, enum closing_effect effect,
		       enum closing_effect fallback)
{
	if (effect != fallback)
		json_object_set_new(object, name, json_string(effect_names[effect]));
}

static void put_flag(json_t *object, const char *name, bool flag, bool fallback)
{
	if (flag != fallback)
		json_object_set_new(object, name, json_boolean(flag));
}

static void put_child(json_t *object, const char *name, json_t *child)
{
	if (json_object_size(child) > 0)
		json_object_set(object, name, child);
	json_decref(child);
}

static json_t *write_codes(const struct customer_closing *closing)
{
	json_t *codes = json_object();

	for (size_t i = 0; i < closing->code_count; i++) {
		const struct closing_code *code = &closing->codes[i];
		json_t *row = json_object();

		if (code->has_effect)
			account_put_text(row, "effect", effect_names[code->effect], NULL);
		if (code->verdict != VERDICT_NONE)
			account_put_text(row, "verdict", closure_verdict_name(code->verdict),
					 NULL);
		json_object_set_new(codes, code->code, row);
	}
	return codes;
}

static json_t *write_templates(const struct customer_closing *closing)
{
	json_t *templates = json_object();

	for (size_t i = 0; i < CLOSING_VERDICTS; i++) {
		json_t *row = json_object();

		account_put_text(row, "close_code", closing->templates[i].close_code, NULL);
		account_put_text(row, "close_notes", closing->templates[i].close_notes, NULL);
		put_child(templates, template_name(i), row);
	}
	return templates;
}

json_t *customer_closing_write(const struct customer_closing *closing)
{
	json_t *section = json_object();
	struct customer_closing fallback;
	char grace[CLOCK_TEXT_SIZE];

	customer_closing_init(&fallback);
	clock_format_span(closing->grace_ms, grace);
	if (closing->grace_ms != fallback.grace_ms)
		account_put_text(section, "grace", grace, NULL);
	put_effect(section, "resolved", closing->resolved, fallback.resolved);
	put_effect(section, "closed", closing->closed, fallback.closed);
	put_effect(section, "cancelled", closing->cancelled, fallback.cancelled);
	put_child(section, "close_codes", write_codes(closing));
	put_child(section, "ticket", write_templates(closing));
	put_flag(section, "report", closing->report, fallback.report);
	put_flag(section, "defender", closing->defender, fallback.defender);
	put_flag(section, "threat_response", closing->threat_response,
		 fallback.threat_response);
	if (closing->bulk != fallback.bulk)
		json_object_set_new(section, "bulk_releases", json_integer(closing->bulk));
	return section;
}
